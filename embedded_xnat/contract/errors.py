"""Errors of the archive. Framework-free.

::

    ServiceError
    ├── NotFound
    │   ├── NoSuchObject          no object at this address, or none the caller may see
    │   ├── NoSuchFile            no file of this name in the resource
    │   ├── NoPicture             nothing of a scan can be drawn
    │   └── NoArchive             no archive in a folder on disk
    ├── Conflict
    │   ├── LabelTaken            another object has this label
    │   ├── AlreadyThere          the resource, or the share, exists
    │   ├── OtherPlace            a plain PUT would move an object to another project
    │   ├── OtherType             a PUT names another type than the object has
    │   ├── SessionExists         an import would change a session and was not told how
    │   ├── HoldsOthers           what is to be deleted holds sessions of another project
    │   ├── HoldsWaiting          what is to be deleted has sessions in the prearchive
    │   ├── FolderInUse           another process has the data folder
    │   └── MergeConflict         an import does not fit to the session that is there
    ├── Forbidden
    │   ├── NotAllowed            the role in the project does not allow it
    │   ├── NoNewProjects         the site lets administrators only make projects
    │   └── PrearchiveBusy        something is being done with the session in the prearchive
    ├── Unauthenticated
    │   ├── LoginFailed           user name or password is wrong, or the login has ended
    │   ├── PasswordExpired       the password is older than the site allows
    │   └── TooManyLogins         this user has as many logins open as the site allows
    └── InvalidInput
        ├── BadName               a label, id or file name cannot be used (XNAT answers 417)
        ├── BadField              no such field, or a value of another kind
        ├── BadRequest            the request as a whole makes no sense here
        ├── TooLarge              a body, or what an archive holds, is larger than this server takes
        ├── BadArchive            an uploaded tar or zip cannot be unpacked as it is
        ├── ScriptRefused         an anonymisation script has statements that cannot be applied here
        └── NotAnonymized         a file could not be changed as a script says, so it is not taken
"""

from collections.abc import Sequence

from service_kit.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated


class NoSuchObject(NotFound):
    """No object at this address, or none the caller may see."""

    def __init__(self, what: str) -> None:
        super().__init__(f"There is no {what} here, or you may not see it.")
        self.what = what


class NoSuchFile(NotFound):
    """No file of this name in the resource."""

    def __init__(self) -> None:
        super().__init__("There is no file of this name in the resource.")


class NoPicture(NotFound):
    """Nothing of a scan can be drawn."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"This scan cannot be shown: {reason[:1].lower()}{reason[1:]}.")
        self.reason = reason


class NoArchive(NotFound):
    """No archive in a folder on disk."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"There is no archive in {folder}: its folder or its database is missing. Start the server once."
        )
        self.folder = folder


class LabelTaken(Conflict):
    """Another object has this label."""

    def __init__(self, label: str) -> None:
        super().__init__(f"The label {label} is already in use here.")
        self.label = label


class AlreadyThere(Conflict):
    """The resource, or the share, exists."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} already exists.")
        self.what = what


class OtherPlace(Conflict):
    """A plain PUT would move an object to another project."""

    def __init__(self) -> None:
        super().__init__(
            "An object is not moved by a plain PUT. Share it, or move it with PUT …/projects/ID?primary=true."
        )


class OtherType(Conflict):
    """A PUT names another type than the object has."""

    def __init__(self, xsi_type: str, wanted: str) -> None:
        super().__init__(
            f"The object is there as {xsi_type}; it cannot become {wanted}. Delete it first, or name its type."
        )
        self.xsi_type = xsi_type
        self.wanted = wanted


class SessionExists(Conflict):
    """An import would change a session and was not told how.

    Parameters
    ----------
    others
        What would stand against the import beside that: code of XNAT and sentence, one pair a finding.
    """

    def __init__(self, others: Sequence[tuple[int, str]] = ()) -> None:
        super().__init__("Session already exists, retry with overwrite enabled")
        self.others = tuple(others)


class HoldsOthers(Conflict):
    """What is to be deleted holds sessions of another project."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"Sessions that other projects own ({count}) belong to what is to be deleted, so nothing was deleted. Let "
            "owners of those projects give them to another subject (PUT …?subject_ID=…), or delete them, first."
        )
        self.count = count


class HoldsWaiting(Conflict):
    """What is to be deleted has sessions in the prearchive."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"Sessions of the project ({count}) wait in the prearchive, so nothing was deleted. "
            "Archive, move or delete them there first."
        )
        self.count = count


class FolderInUse(Conflict):
    """Another process has the data folder."""

    def __init__(self) -> None:
        super().__init__("Another process works on this data folder. Stop the archive server first, or wait for it.")


class MergeConflict(Conflict):
    """An import does not fit to the session that is there.

    Parameters
    ----------
    reasons
        Code of XNAT and sentence, one pair a finding.
    """

    def __init__(self, reasons: Sequence[tuple[int, str]]) -> None:
        super().__init__(" ".join(f"{text} (code {code})" for code, text in reasons))
        self.reasons = tuple(reasons)


class NotAllowed(Forbidden):
    """The role in the project does not allow it."""

    def __init__(self, action: str, project_id: str | None = None) -> None:
        where = f" in project {project_id}" if project_id else ""
        super().__init__(f"You may not {action}{where}. Ask an owner of the project.")
        self.action = action
        self.project_id = project_id


class NoNewProjects(Forbidden):
    """The site lets administrators only make projects."""

    def __init__(self) -> None:
        super().__init__("Only administrators make projects on this site. Ask one of them to make it for you.")


class PrearchiveBusy(Forbidden):
    """Something is being done with the session in the prearchive."""

    def __init__(self, status: str) -> None:
        advice = "rebuild it first, or wait until it is READY" if status == "RECEIVING" else "try again when it is done"
        super().__init__(f"The session in the prearchive is {status}; {advice}.")
        self.status = status


class LoginFailed(Unauthenticated):
    """User name or password is wrong, or the login has ended."""

    def __init__(self) -> None:
        super().__init__(
            "Your login attempt failed because the username and password combination you provided was invalid."
        )


class PasswordExpired(Unauthenticated):
    """The password is older than the site allows."""

    title = "Password expired"

    def __init__(self) -> None:
        super().__init__("Your password has expired. Set a new one on your account page (/account), then log in again.")


class TooManyLogins(Unauthenticated):
    """The user has as many logins open as the site allows; XNAT answers 401, too."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"Maximum sessions of {limit:,} for this principal exceeded. Log out where you can, or wait until logins end."
        )
        self.limit = limit


class BadName(InvalidInput):
    """A label, id or file name cannot be used."""

    status = 417

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"This {what} cannot be used: {reason}.")
        self.what = what
        self.reason = reason


class BadField(InvalidInput):
    """No such field, or a value of another kind."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"The field {path} {reason}.")
        self.path = path
        self.reason = reason


class BadRequest(InvalidInput):
    """The request as a whole makes no sense here."""


class TooLarge(InvalidInput):
    """A body is larger than this server takes."""

    title = "Too large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            f"The body is larger than the {limit_bytes} bytes that this server takes. "
            "Send it in parts, or have COHORTFLOW_XNAT_MAX_UPLOAD_BYTES raised."
        )
        self.limit_bytes = limit_bytes


class BadArchive(InvalidInput):
    """An uploaded tar or zip cannot be unpacked as it is."""


class ScriptRefused(InvalidInput):
    """An anonymisation script has statements that cannot be applied here.

    Parameters
    ----------
    mistakes
        Line and reason, one pair a mistake.
    """

    def __init__(self, mistakes: Sequence[tuple[int, str]]) -> None:
        lines = " ".join(f"Line {line}: {reason}." for line, reason in mistakes[:20])
        super().__init__(f"The script was not stored. {lines}")
        self.mistakes = tuple(mistakes)


class NotAnonymized(InvalidInput):
    """A file could not be changed as a script says, so it is not taken."""

    def __init__(self, line: int | None = None) -> None:
        where = f" at line {line} of the script" if line is not None else ""
        super().__init__(
            f"A file could not be anonymised{where}; nothing was stored. Correct the script, or leave the file out."
        )
        self.line = line
