"""Shows the header of a DICOM file as rows of a table. May import pydicom, when it is needed."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.domain.tables import Row
from embedded_xnat.storage.files import lasting_path

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement, RawDataElement
    from pydicom.dataset import Dataset

#: A longer value stays on disk while the header is read, and only its length is shown.
DEFERRED_BYTES = 64 * 1024
MAX_TEXT = 1000
MAX_ROWS = 20_000
MAX_DEPTH = 20
_NO_DICOM = "The file is no DICOM file that can be read."
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")


def dump_rows(handle: BinaryIO, fields: Sequence[str] = ()) -> list[Row]:
    """Return the elements of a header without the pixels: tag1, tag2, vr, value, desc.

    An element of a sequence has the sequence's tag as tag1 and its own as tag2.

    Parameters
    ----------
    fields
        Keywords or tags (``PatientID``, ``00100020``, ``(0010,0020)``); none for all.

    Raises
    ------
    BadRequest
        If a field is unknown, or the file is no DICOM file.
    """
    from pydicom import dcmread  # noqa: PLC0415 - half a second that the start of the server should not pay

    tags = [tag_of(name) for name in fields]
    try:
        path = lasting_path(handle)
        ds = dcmread(path, stop_before_pixels=True, defer_size=DEFERRED_BYTES, specific_tags=tags or None)
        rows = list(islice(_rows(ds, parent="", depth=0, wanted=frozenset(tags)), MAX_ROWS))
    except Exception as error:
        raise BadRequest(_NO_DICOM) from error
    if not rows and not tags:
        raise BadRequest(_NO_DICOM)  # a preamble, and nothing after it
    return rows


def tag_of(name: str) -> int:
    """Return the tag that a keyword or a number names.

    Raises
    ------
    BadRequest

    Examples
    --------
    >>> hex(tag_of("PatientID")), hex(tag_of("(0010,0020)"))
    ('0x100020', '0x100020')
    """
    from pydicom.datadict import tag_for_keyword  # noqa: PLC0415

    numbers = _TAG.fullmatch(name.strip())
    tag = int(numbers[1] + numbers[2], 16) if numbers is not None else tag_for_keyword(name.strip())
    if tag is None:
        raise BadRequest("A field is a DICOM keyword or a tag: PatientID or 00100020.")
    return tag


def _rows(ds: "Dataset", *, parent: str, depth: int, wanted: frozenset[int] = frozenset()) -> Iterator[Row]:
    metas = getattr(ds, "file_meta", None)
    if metas is not None and not wanted:
        yield from _rows(metas, parent="", depth=depth)
    for tag in sorted(ds.keys()):
        if wanted and tag not in wanted:
            continue  # the character set is always read, too
        raw = ds.get_item(tag)
        own = f"({tag.group:04X},{tag.element:04X})"
        place = {"tag1": parent or own, "tag2": own if parent else ""}
        if raw is None or _is_large(raw):
            yield {**place, "vr": str(getattr(raw, "VR", "") or ""), "value": _length(raw), "desc": _name(tag)}
            continue
        element = ds[tag]
        yield {**place, "vr": element.VR, "value": _text(element), "desc": element.name}
        if element.VR == "SQ" and depth < MAX_DEPTH:
            for item in element.value:
                yield from _rows(item, parent=own, depth=depth + 1)


def _is_large(raw: "DataElement | RawDataElement") -> bool:
    length = getattr(raw, "length", 0)
    return raw.VR != "SQ" and (length > DEFERRED_BYTES or (getattr(raw, "value", b"") is None and length > 0))


def _length(raw: "DataElement | RawDataElement | None") -> str:
    return f"({getattr(raw, 'length', 0)} bytes)"


def _name(tag: int) -> str:
    from pydicom.datadict import dictionary_description, dictionary_has_tag  # noqa: PLC0415

    return dictionary_description(tag) if dictionary_has_tag(tag) else "Private tag data"


def _text(element: "DataElement") -> str:
    if element.VR == "SQ":
        return ""
    value = element.value
    if element.VR in _BINARY or isinstance(value, bytes):
        return f"({len(value or b'')} bytes)"
    parts = value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
    text = "\\".join("" if part is None else str(part) for part in parts).replace("\x00", "")
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
