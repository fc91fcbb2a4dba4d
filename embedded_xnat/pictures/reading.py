"""Reads DICOM files for pictures; what cannot be read is no error of the program. May import pydicom, when it is needed."""

import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: What reading a damaged or odd file raises, beside `InvalidDicomError`.
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    EOFError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


class Unreadable(Exception):
    """A file is no DICOM, or damaged."""


def read_dicom(path: Path, *, pixels: bool) -> "Dataset":
    """Read a file, with its pixels or its header alone.

    Raises
    ------
    Unreadable
    """
    import pydicom  # noqa: PLC0415 - half a second that the start of the server should not pay
    from pydicom.errors import InvalidDicomError  # noqa: PLC0415

    try:
        return pydicom.dcmread(path, stop_before_pixels=not pixels)
    except (InvalidDicomError, *UNREADABLE) as error:
        raise Unreadable from error
