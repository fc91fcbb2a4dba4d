"""Reads DICOM files for pictures; what cannot be read is no error of the program. May import pydicom, when it is needed."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from embedded_xnat.storage.files import lasting_path

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
_PALETTE = "PALETTE COLOR"
#: Of a larger picture nothing is unpacked: a few bytes can say that they are a hundred million pixels.
MAX_PIXELS = 40_000_000
#: Opens a file: it may have moved since its path was read.
Opener = Callable[[Path], BinaryIO]


class Unreadable(Exception):
    """A file is no DICOM, or damaged."""


def open_at_path(path: Path) -> BinaryIO:
    """Open a file where its path says."""
    return path.open("rb")


def read_dicom(path: Path, *, pixels: bool, opener: Opener = open_at_path) -> "Dataset":
    """Read a file, with its pixels or its header alone.

    Raises
    ------
    Unreadable
    """
    import pydicom  # noqa: PLC0415 - half a second that the start of the server should not pay
    from pydicom.errors import InvalidDicomError  # noqa: PLC0415

    try:
        with opener(path) as handle:
            return pydicom.dcmread(lasting_path(handle), stop_before_pixels=not pixels)
    except (InvalidDicomError, *UNREADABLE) as error:
        raise Unreadable from error


def is_colour(ds: "Dataset") -> bool:
    """Tell whether an image has colours: three samples a pixel, or a palette (PS3.3 C.7.6.3.1.2)."""
    return int(ds.get("SamplesPerPixel", 1)) == 3 or ds.get("PhotometricInterpretation") == _PALETTE


def frame_pixels(ds: "Dataset", frame: int) -> NDArray[Any]:
    """Return one frame: its values, shape (row, column), or its colours, of uint8, shape (row, column, 3: red, green, blue).

    Only this frame is unpacked. YBR becomes RGB, a palette is looked up, deeper colours keep their upper eight bits.

    Raises
    ------
    Unreadable
    """
    from pydicom.pixels.processing import apply_color_lut  # noqa: PLC0415 - as above
    from pydicom.pixels.utils import pixel_array  # noqa: PLC0415 - as above

    try:
        if int(ds.Rows) * int(ds.Columns) > MAX_PIXELS:
            raise Unreadable
        values = pixel_array(ds, index=frame)
        if not is_colour(ds):
            return values
        bits = int(ds.BitsStored)
        if ds.PhotometricInterpretation == _PALETTE:
            values = apply_color_lut(values, ds)
            bits = values.dtype.itemsize * 8
        return (values >> max(0, bits - 8)).astype(np.uint8)
    except UNREADABLE as error:
        raise Unreadable from error
