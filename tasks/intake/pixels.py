"""Say whether the pixel data of a DICOM file are whole, without reading them.

The header reader stops in front of the pixels; from there only element and item headers are read, so that the cost does
not depend on the size of the image (PS3.5 section 7.1 and A.4).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from pydicom.uid import UncompressedTransferSyntaxes

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

UNDEFINED_LENGTH = 0xFFFFFFFF
_ITEM = 0xFFFEE000
_SEQUENCE_DELIMITER = 0xFFFEE0DD
_PIXEL_ELEMENTS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_LONG_LENGTH_VRS = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN"})
CUT_OFF = "the file is truncated: "


def pixel_problem(file: BinaryIO, *, ds: FileDataset, size: int) -> str | None:
    """Return what is wrong with the pixel data, None when they are whole.

    Parameters
    ----------
    file
        Open file, positioned where `pydicom.dcmread` with ``stop_before_pixels`` left it.
    ds
        The data set in front of the pixels.
    size
        Bytes in the file.
    """
    implicit, little = ds.original_encoding
    element = _element_header(file, implicit=bool(implicit), little=bool(little))
    if element is None:
        return CUT_OFF + "it ends before its pixel data"
    tag, length = element
    if tag not in _PIXEL_ELEMENTS:
        return "the image has no pixel data"
    if length == UNDEFINED_LENGTH:
        return _encapsulated_problem(file, size=size)
    there = size - file.tell()
    if length > there:
        return CUT_OFF + f"{length} bytes of pixel data are announced and {there} are there"
    expected = expected_pixel_bytes(ds)
    is_native = ds.file_meta.get("TransferSyntaxUID") in UncompressedTransferSyntaxes
    if is_native and expected is not None and length < expected:
        return f"the image needs {expected} bytes of pixel data and holds {length}"
    return None


def expected_pixel_bytes(ds: FileDataset) -> int | None:
    """Return how many bytes uncompressed pixel data must have at least, None when the header does not say (PS3.3 C.7.6.3).

    YBR_FULL_422 stores two samples a pixel.
    """
    rows, columns, bits = ds.get("Rows"), ds.get("Columns"), ds.get("BitsAllocated")
    if not rows or not columns or not bits:
        return None
    samples = 2 if ds.get("PhotometricInterpretation") == "YBR_FULL_422" else int(ds.get("SamplesPerPixel") or 1)
    frames = int(ds.get("NumberOfFrames") or 1)
    return (int(rows) * int(columns) * samples * frames * int(bits) + 7) // 8


def _element_header(file: BinaryIO, *, implicit: bool, little: bool) -> tuple[int, int] | None:
    """Read tag and length of the next element; None at the end of the file."""
    order = "<" if little else ">"
    head = file.read(8)
    if len(head) < 8:
        return None
    group, number, length = struct.unpack(order + "HHL", head)
    if not implicit and head[4:6] in _LONG_LENGTH_VRS:
        tail = file.read(4)
        if len(tail) < 4:
            return None
        (length,) = struct.unpack(order + "L", tail)
    elif not implicit:
        (length,) = struct.unpack(order + "H", head[6:8])
    return group << 16 | number, length


def _encapsulated_problem(file: BinaryIO, *, size: int) -> str | None:
    """Walk the items of encapsulated pixel data up to the sequence delimiter; always little endian."""
    items = 0
    while True:
        head = file.read(8)
        if len(head) < 8:
            return CUT_OFF + "its compressed pixel data do not end"
        group, number, length = struct.unpack("<HHL", head)
        tag = group << 16 | number
        if tag == _SEQUENCE_DELIMITER:
            return None if items > 1 else "the compressed image has no pixel data"
        if tag != _ITEM:
            return "the compressed pixel data are damaged"
        items += 1
        if file.tell() + length > size:
            return CUT_OFF + "its compressed pixel data do not end"
        file.seek(length, 1)
