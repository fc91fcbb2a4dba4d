"""Applies scripts to DICOM files. May import pydicom, when it is needed.

Only the header is read and written; pixel data and what follows it are copied byte for byte, in pieces, so that they
are never transcoded and a large file needs no more memory than a small one. The transfer syntax stays.
"""

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from embedded_xnat.anonymize.paths import places
from embedded_xnat.anonymize.script import (
    Assign,
    Condition,
    Delete,
    HashUid,
    Literal,
    Name,
    Script,
    Statement,
    TagPattern,
)
from embedded_xnat.anonymize.vocabulary import FIRST_OF_PIXELS, vr_of
from embedded_xnat.contract.errors import NotAnonymized
from embedded_xnat.dicom.elements import UNREADABLE, quiet
from embedded_xnat.domain.patterns import MAX_STEPS, read_pattern, steps
from embedded_xnat.storage.space import disk_errors

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

CHUNK = 1024 * 1024
_SOP_INSTANCE_UID = 0x00080018
_DEFLATED = "1.2.840.10008.1.2.1.99"


class Sink(Protocol):
    """What takes the bytes of the changed file."""

    def write(self, chunk: bytes) -> None:
        """Append bytes."""


@dataclass(frozen=True)
class Names:
    """What ``project``, ``subject`` and ``session`` stand for in a script."""

    project: str
    subject: str
    session: str


def rewrite(source: Path, sink: Sink, scripts: Sequence[Script], names: Names) -> bool:
    """Write a file as scripts change it; False, and nothing written, when they change nothing.

    Raises
    ------
    NotAnonymized
        If a statement cannot be applied, or the file cannot be read or written.
    OutOfSpace
    """
    import pydicom  # noqa: PLC0415 - half a second that the start of the server should not pay

    quiet()
    try:
        with source.open("rb") as handle:
            ds = pydicom.dcmread(handle, stop_before_pixels=True)
            tail_at = handle.tell()
            if str(ds.file_meta.get("TransferSyntaxUID", "")) == _DEFLATED:
                handle.seek(0)
                ds, tail_at = pydicom.dcmread(handle), source.stat().st_size
            changed = [apply(ds, script, names) for script in scripts]
            if not any(changed):
                return False
            header = BytesIO()
            ds.save_as(header, enforce_file_format=False)
            with disk_errors():  # a full disk says nothing about the file
                sink.write(header.getvalue())
                _copy(handle, tail_at, sink)
    except (pydicom.errors.InvalidDicomError, pydicom.errors.BytesLengthException, *UNREADABLE) as error:
        raise NotAnonymized from error
    return True


def _copy(handle: BinaryIO, start: int, sink: Sink) -> None:
    handle.seek(start)
    while chunk := handle.read(CHUNK):
        sink.write(chunk)


def apply(ds: "FileDataset", script: Script, names: Names) -> bool:
    """Change a header as a script says; tell whether anything changed.

    Raises
    ------
    NotAnonymized
    """
    changed = False
    left = MAX_STEPS
    for statement in script.statements:
        try:
            left -= _steps(ds, statement, names)
            if left < 0:
                raise NotAnonymized(statement.line)
            changed |= _apply_statement(ds, statement, names)
        except UNREADABLE as error:
            raise NotAnonymized(statement.line) from error
    if changed and _SOP_INSTANCE_UID in ds and hasattr(ds, "file_meta"):
        ds.file_meta.MediaStorageSOPInstanceUID = ds[_SOP_INSTANCE_UID].value
    return changed


def _apply_statement(ds: "FileDataset", statement: Statement, names: Names) -> bool:
    action: Assign | Delete | None = statement.action
    if statement.condition is not None and not _holds(ds, statement.condition, names):
        action = statement.otherwise
    if action is None:
        return False
    if isinstance(action, Delete):
        changed = [_delete(place, action.pattern, is_top=place is ds) for place in list(places(ds, action.steps))]
    else:
        changed = [_assign(place, ds, action, names) for place in list(places(ds, action.steps))]
    return any(changed)


def _assign(place: "Dataset", top: "Dataset", action: Assign, names: Names) -> bool:
    source = place if isinstance(action.value, HashUid) and action.value.steps else top
    value = _value(source, action.value, names)
    if value is None or (action.tag in place and _text(place, action.tag) == value):
        return False
    place.add_new(action.tag, vr_of(action.tag) or "LO", value.split("\\") if "\\" in value else value)
    return True


def _delete(place: "Dataset", pattern: TagPattern, *, is_top: bool) -> bool:
    tag = pattern.tag
    if tag is not None:
        tags = [tag] if tag in place else []
    else:
        matching = [int(each) for each in list(place.keys()) if pattern.matches(int(each))]
        tags = [each for each in matching if not (is_top and _must_stay(each))]
    for each in tags:
        del place[each]
    return bool(tags)


def _must_stay(tag: int) -> bool:
    return tag < 0x00080000 or tag >= FIRST_OF_PIXELS or tag in {0x00080016, 0x00080018, 0x0020000D, 0x0020000E}


def _value(ds: "Dataset", value: Literal | Name | HashUid, names: Names) -> str | None:
    """Return the text to assign; None for the hash of a UID that is not there."""
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, Name):
        return str(getattr(names, value.name))
    text = _text(ds, value.tag)
    return "\\".join(hash_uid(part) for part in text.split("\\") if part) if text else None


def hash_uid(uid: str) -> str:
    """Return the one-way hash of a UID, as DicomEdit makes it: a UUID of version 5 without name space (PS3.5 B.2).

    Examples
    --------
    >>> hash_uid("1.2.3")
    '2.25.148370922854076938159295778886134140470'
    """
    digest = hashlib.sha1(uid.encode(), usedforsecurity=False).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def _steps(ds: "FileDataset", statement: Statement, names: Names) -> int:
    """Return what comparing with a pattern takes at the worst: all of a script on one header has to end soon."""
    condition = statement.condition
    if condition is None or "~" not in condition.operator:
        return 0
    return steps(read_pattern(_value(ds, condition.value, names) or ""), len(_left(ds, condition, names)))


def _holds(ds: "FileDataset", condition: Condition, names: Names) -> bool:
    text, wanted = _left(ds, condition, names), _value(ds, condition.value, names) or ""
    if condition.operator in {"=", "!="}:
        return (text == wanted) is (condition.operator == "=")
    return (re.fullmatch(wanted, text, re.DOTALL) is not None) is (condition.operator == "~")


def _left(ds: "FileDataset", condition: Condition, names: Names) -> str:
    left = condition.left
    return (_value(ds, left, names) if isinstance(left, Name) else _text(ds, left)) or ""


def _text(ds: "Dataset", tag: int) -> str | None:
    if tag not in ds:
        return None
    value = ds[tag].value
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    parts = value if isinstance(value, list) or hasattr(value, "append") else [value]
    return "\\".join("" if part is None else str(part) for part in parts).replace("\x00", "").strip()
