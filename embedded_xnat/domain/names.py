"""Which labels, ids and file names may be used: what ends in a path on disk must not leave its folder. Pure.

Nothing is cleaned up silently: a name that cannot be used is refused, so that what a client wrote is what it reads.
"""

import re

from embedded_xnat.contract.errors import BadName

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
_FORBIDDEN_IN_FOLDERS = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_FORBIDDEN_IN_FILES = re.compile(r"[\x00-\x1f\x7f/\\]")
MAX_BYTES = 200
MAX_PATH_BYTES = 1000
RESERVED_PROJECTS = frozenset({"projects", "prearchive", "archive", "null", "unassigned"})


def check_label(label: str, *, what: str) -> str:
    """Return a project id or the label of a subject or experiment, if it can be used.

    Raises
    ------
    BadName
        If it has other characters than letters, digits, underscore, dash and dot, or is too long.

    Examples
    --------
    >>> check_label("P01_MR1", what="label")
    'P01_MR1'
    """
    if not label:
        raise BadName(what, "it is empty")
    if len(label.encode()) > MAX_BYTES:
        raise BadName(what, f"it is longer than {MAX_BYTES} bytes")
    if not _PLAIN.fullmatch(label):
        raise BadName(what, "only letters, digits, underscore, dash and dot are allowed, and no dot at its beginning")
    return label


def check_project_id(project_id: str) -> str:
    """Return a project id, if it can be used.

    Raises
    ------
    BadName
        As `check_label`; or it would be mistaken for a part of the folder layout.
    """
    check_label(project_id, what="project id")
    if project_id.lower() in RESERVED_PROJECTS:
        raise BadName("project id", "it is reserved")
    return project_id


def check_folder_name(name: str, *, what: str) -> str:
    """Return a scan id or resource label, if it can be the name of a folder.

    Raises
    ------
    BadName
        If it could leave its folder or does not fit common file systems.
    """
    if not name or name != name.strip() or name.startswith("."):
        raise BadName(what, "it is empty, or begins with a dot, or has blanks around it")
    if len(name.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise BadName(what, f"it is longer than {MAX_BYTES} bytes")
    if _FORBIDDEN_IN_FOLDERS.search(name) or not name.isprintable():
        raise BadName(what, "it has characters that cannot be in a folder's name")
    return name


def check_file_path(path: str) -> str:
    """Return a file's path inside its resource, if it stays there.

    Raises
    ------
    BadName
        If a part of the path is empty, ``.`` or ``..``, or cannot be a file's name.

    Examples
    --------
    >>> check_file_path("a/b.dcm")
    'a/b.dcm'
    """
    if len(path.encode("utf-8", "surrogatepass")) > MAX_PATH_BYTES:
        raise BadName("file name", f"it is longer than {MAX_PATH_BYTES} bytes")
    for part in path.split("/"):
        if part in {"", ".", ".."}:
            raise BadName("file name", "a part of its path is empty or leads upwards")
        if len(part.encode("utf-8", "surrogatepass")) > MAX_BYTES + 50:
            raise BadName("file name", "a part of its path is too long")
        if _FORBIDDEN_IN_FILES.search(part) or not part.isprintable():
            raise BadName("file name", "it has characters that cannot be in a file's name")
    return path


def label_from_dicom(value: str) -> str:
    """Turn a DICOM text into a label as XNAT does: every other character becomes an underscore.

    Examples
    --------
    >>> label_from_dicom("Doe^Jane 1")
    'Doe_Jane_1'
    """
    cleaned = re.sub(r"[^A-Za-z0-9_.\-]", "_", value.strip()).lstrip(".-")
    return cleaned[:64]


def zip_folder(scan_id: str, scan_type: str | None) -> str:
    """Return the folder of a scan inside a zip: ``3-T1``; other than word characters of the type become ``_``.

    Examples
    --------
    >>> zip_folder("3", "SCAN 1: T2")
    '3-SCAN_1__T2'
    """
    return f"{scan_id}-{re.sub(r'[^A-Za-z0-9_]', '_', scan_type)}" if scan_type else scan_id


def in_address(path: str) -> str:
    """Escape what would end the path part of an address; everything else stays readable, as in XNAT.

    Examples
    --------
    >>> in_address("50%/a b#1.dcm")
    '50%25/a b%231.dcm'
    """
    return path.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
