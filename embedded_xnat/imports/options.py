"""What a request to the import service asks for. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.domain.addresses import ObjectKind, parse_address
from embedded_xnat.domain.values import truth
from embedded_xnat.imports.records import Overwrite, Route

UNASSIGNED = "Unassigned"
PREARCHIVE_CODES = {"0": 0, "4": 4, "5": 5, "false": 0, "true": 4}
Lookup = Callable[[str], str | None]


class Handler(StrEnum):
    """Who takes an upload."""

    SESSION = "si"
    DICOM_ZIP = "dicom-zip"
    GRADUAL = "gradual-dicom"
    XAR = "xar"
    INBOX = "inbox"


class Target(StrEnum):
    """Where an import is to end."""

    ARCHIVE = "archive"
    PREARCHIVE = "prearchive"


@dataclass(frozen=True)
class ImportOptions:
    """What a request asks for; None for what it does not say.

    Parameters
    ----------
    code
        What to do with a complete session: 0 keep it in the prearchive, 4 archive it, 5 archive it and overwrite.
    ignores_unparsable
        False refuses an upload that has files which are no DICOM.
    is_direct
        Whether the prearchive is skipped.
    is_renamed
        Whether files are named after their instances.
    """

    handler: Handler = Handler.SESSION
    target: Target | None = None
    wanted: Route = field(default_factory=Route)
    overwrite: Overwrite | None = None
    code: int | None = None
    quarantine: bool = False
    ignores_unparsable: bool = True
    is_direct: bool = False
    is_renamed: bool = False


def read_options(lookup: Lookup, *, content_type: str = "") -> ImportOptions:
    """Read the parameters of an import.

    Parameters
    ----------
    lookup
        Returns a parameter by its name, in any case.

    Raises
    ------
    BadRequest, BadField
    """

    def flag(name: str, *, default: bool = False) -> bool:
        return truth(lookup(name), name=name, default=default)

    for name in ("triggerPipelines", "tiggerPipelines", "inbody", "allowDataDeletion"):  # understood, without effect
        flag(name)
    target, place = read_destination(lookup("dest"))
    return ImportOptions(
        handler=_handler(lookup("import-handler"), content_type),
        target=target,
        wanted=_wanted(lookup, place),
        overwrite=read_overwrite(lookup("overwrite")),
        code=_code(lookup("prearchive_code")),
        quarantine=flag("quarantine"),
        ignores_unparsable=flag("Ignore-Unparsable", default=True),
        is_direct=flag("Direct-Archive"),
        is_renamed=flag("rename"),
    )


def _handler(name: str | None, content_type: str) -> Handler:
    if not name:
        is_file = content_type.partition(";")[0].strip().lower() == "application/dicom"
        return Handler.GRADUAL if is_file else Handler.SESSION
    try:
        return Handler(name.lower())
    except ValueError as error:
        raise BadRequest(
            "This server imports with the handlers SI, DICOM-zip, gradual-DICOM, XAR and inbox."
        ) from error


def read_destination(dest: str | None) -> tuple[Target | None, Route]:
    """Return where ``dest`` wants an import to end.

    Raises
    ------
    BadRequest

    Examples
    --------
    >>> read_destination("/archive/projects/P/subjects/S")
    (<Target.ARCHIVE: 'archive'>, Route(project_id='P', subject_label='S', session_label=None, auto_archive=None))
    """
    if not dest:
        return None, Route()
    head, _, rest = unquote(dest).strip("/").removeprefix("data/").partition("/")
    if head not in {"archive", "prearchive"}:
        raise BadRequest("dest begins with /archive or /prearchive.")
    if not rest:
        return Target(head), Route()
    address = parse_address(rest)
    if address is None or address.aspect is not None or address.key(ObjectKind.PROJECT) is None:
        raise BadRequest(f"dest is such as /{head}/projects/P.")
    return Target(head), Route(
        address.key(ObjectKind.PROJECT), address.key(ObjectKind.SUBJECT), address.key(ObjectKind.EXPERIMENT)
    )


def _wanted(lookup: Lookup, place: Route) -> Route:
    def named(*names: str) -> str | None:
        return next((value for name in names if (value := lookup(name))), None)

    project = named("project", "PROJECT_ID") or place.project_id
    return Route(
        None if project == UNASSIGNED else project,
        named("subject", "SUBJECT_ID") or place.subject_label,
        named("session", "EXPT_LABEL", "experiment") or place.session_label,
    )


def read_overwrite(text: str | None) -> Overwrite | None:
    """Read what an import may do to a session that is there; ``True`` arrives too.

    Raises
    ------
    BadRequest
    """
    word = (text or "").lower()
    if word in {"", "true", "false"}:
        return {"": None, "true": Overwrite.APPEND, "false": Overwrite.NONE}[word]
    try:
        return Overwrite(word)
    except ValueError as error:
        raise BadRequest("overwrite is none, append or delete.") from error


def _code(text: str | None) -> int | None:
    if not text:
        return None
    if text.lower() not in PREARCHIVE_CODES:
        raise BadRequest("prearchive_code is 0, 4 or 5.")
    return PREARCHIVE_CODES[text.lower()]
