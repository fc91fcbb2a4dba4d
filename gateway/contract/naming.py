"""UIDs (PS3.5, 9.1), AE titles and the names of files in the spool. Standard library only."""

import hashlib
import re

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_FILENAME = re.compile(r"(?P<uid>[0-9.]{1,64}|unnamed)_(?P<sha256>[0-9a-f]{64})\.dcm")

#: Stands for a SOP Instance UID that cannot be one.
UNNAMED = "unnamed"


def is_uid(text: str) -> bool:
    """Tell whether a text can be a UID: digits and dots, at most 64.

    Leading zeros of a component are let pass; real devices send them.

    Examples
    --------
    >>> is_uid("1.2.840.10008"), is_uid("../../etc"), is_uid("")
    (True, False, False)
    """
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def uid_or_none(text: str | None) -> str | None:
    r"""Return the UID without DICOM's padding, None when it is none.

    Examples
    --------
    >>> uid_or_none("1.2.3\x00"), uid_or_none(" "), uid_or_none(None)
    ('1.2.3', None, None)
    """
    stripped = (text or "").strip("\0 ")
    return stripped if is_uid(stripped) else None


def ae_title(text: str | None) -> str:
    r"""Return an AE title (PS3.5, 6.2) without its padding and the control characters that it must not have.

    Examples
    --------
    >>> ae_title(" SITE_A  "), ae_title("EV\x00IL\n"), ae_title(None)
    ('SITE_A', 'EVIL', '')
    """
    return "".join(one for one in text or "" if one.isprintable()).strip()[:64]


def filename(sop_instance_uid: str, sha256: str) -> str:
    """Return the file's name in the spool and in downloads.

    Examples
    --------
    >>> filename("1.2", "ab" * 32)[:12]
    '1.2_abababab'
    """
    return f"{sop_instance_uid if is_uid(sop_instance_uid) else UNNAMED}_{sha256}.dcm"


def parse_filename(name: str) -> tuple[str, str] | None:
    """Return SOP Instance UID and digest of a spool file's name, None for another file.

    Examples
    --------
    >>> parse_filename(filename("1.2", "ab" * 32)) == ("1.2", "ab" * 32)
    True
    >>> parse_filename("notes.txt") is None
    True
    """
    match = _FILENAME.fullmatch(name)
    return None if match is None else (match["uid"], match["sha256"])


def told(path: str) -> str:
    """Return by which name an error may speak of a spool file: its digest, not the UID.

    Examples
    --------
    >>> told("ab/cd/" + filename("1.2", "ab" * 32))
    'the object abababababab'
    """
    return f"the object {path.rpartition('_')[2][:12]}"


def spool_path(sop_instance_uid: str, *, sha256: str, study_instance_uid: str | None) -> str:
    """Return the path below the spool: two levels of folders, a whole study in one of them.

    Examples
    --------
    >>> spool_path("1.2", sha256="ab" * 32, study_instance_uid=None)[:9]
    'ab/ab/1.2'
    """
    folder = sha256 if study_instance_uid is None else hashlib.sha256(study_instance_uid.encode()).hexdigest()
    return f"{folder[:2]}/{folder[2:4]}/{filename(sop_instance_uid, sha256)}"
