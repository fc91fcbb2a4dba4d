"""Reads DICOM files for pictures; what cannot be read is no error of the program. May import pydicom, when it is needed."""

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

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
_KEYWORDS = {
    (0x7FE0, 0x0008): "FloatPixelData",
    (0x7FE0, 0x0009): "DoubleFloatPixelData",
    (0x7FE0, 0x0010): "PixelData",
}
#: Of a larger picture nothing is unpacked: a few bytes can say that they are a hundred million pixels.
MAX_PIXELS = 40_000_000
#: Opens a file: it may have moved since its path was read.
Opener = Callable[[Path], BinaryIO]


class Unreadable(Exception):
    """A file is no DICOM, or damaged."""


def open_at_path(path: Path) -> BinaryIO:
    """Open a file where its path says."""
    return path.open("rb")


def read_dicom(path: Path, *, opener: Opener = open_at_path) -> "Dataset":
    """Read the header of a file.

    Raises
    ------
    Unreadable
    """
    with opened(path, opener) as frames:
        return frames.ds


@contextmanager
def opened(path: Path, opener: Opener = open_at_path) -> "Iterator[Frames]":
    """Open a file to read its frames one by one.

    Raises
    ------
    Unreadable
    """
    try:
        handle = opener(path)
    except OSError as error:
        raise Unreadable from error
    with handle:
        yield Frames(handle)


def is_colour(ds: "Dataset") -> bool:
    """Tell whether an image has colours: three samples a pixel, or a palette (PS3.3 C.7.6.3.1.2)."""
    return int(ds.get("SamplesPerPixel", 1)) == 3 or ds.get("PhotometricInterpretation") == _PALETTE


class _Nameless:
    """An open file without its name: pydicom looks a name up, and a session may have been renamed by then."""

    def __init__(self, handle: BinaryIO) -> None:
        self.read, self.seek, self.tell = handle.read, handle.seek, handle.tell


class Frames:
    """The frames of an open file: its header is in memory, and of its pixels no more than one frame.

    Attributes
    ----------
    ds
        The header.
    """

    def __init__(self, handle: BinaryIO) -> None:
        """Read the header.

        Raises
        ------
        Unreadable
        """
        from pydicom import dcmread  # noqa: PLC0415 - half a second that the start of the server should not pay
        from pydicom.errors import InvalidDicomError  # noqa: PLC0415
        from pydicom.uid import DeflatedExplicitVRLittleEndian  # noqa: PLC0415

        self._handle = handle
        self._whole: Dataset | None = None
        try:
            self.ds = dcmread(_Nameless(handle), stop_before_pixels=True)
            self._pixels_at = handle.tell()
            self._syntax = self.ds.file_meta.get("TransferSyntaxUID")
            if self._syntax == DeflatedExplicitVRLittleEndian:  # nowhere in the file is there a frame alone
                handle.seek(0)
                self._whole = self.ds = dcmread(_Nameless(handle))
        except (InvalidDicomError, *UNREADABLE) as error:
            raise Unreadable from error

    def pixels(self, frame: int) -> NDArray[Any]:
        """Return one frame: its values, shape (row, column), or its colours, of uint8, shape (row, column, 3: red, green, blue).

        Only this frame is unpacked. YBR becomes RGB, a palette is looked up, deeper colours keep their upper eight bits.

        Raises
        ------
        Unreadable
        """
        from pydicom.pixels.processing import apply_color_lut  # noqa: PLC0415 - as above

        ds = self.ds
        try:
            if int(ds.Rows) * int(ds.Columns) > MAX_PIXELS:
                raise Unreadable
            values = self._values(frame)
            if not is_colour(ds):
                return values
            bits = int(ds.BitsStored)
            if ds.PhotometricInterpretation == _PALETTE:
                values = apply_color_lut(values, ds)
                bits = values.dtype.itemsize * 8
            return (values >> max(0, bits - 8)).astype(np.uint8)
        except UNREADABLE as error:
            raise Unreadable from error

    def _values(self, frame: int) -> NDArray[Any]:
        from pydicom.pixels.decoders.base import get_decoder  # noqa: PLC0415 - as above
        from pydicom.pixels.utils import as_pixel_options, pixel_array  # noqa: PLC0415 - as above

        if self._whole is not None:
            return pixel_array(self._whole, index=frame)
        self._handle.seek(self._pixels_at)
        options = {**as_pixel_options(self.ds), **self._element(), "transfer_syntax_uid": self._syntax}
        return np.asarray(get_decoder(self._syntax).as_array(self._handle, index=frame, validate=True, **options)[0])

    def _element(self) -> dict[str, str]:
        """Read which element the pixels are, up to where its value begins (PS3.5, 7.1)."""
        order = "<" if self._syntax.is_little_endian else ">"
        if self._syntax.is_implicit_VR:
            group, element, _ = struct.unpack(f"{order}HHL", self._handle.read(8))
            return {"pixel_keyword": _KEYWORDS[group, element]}
        group, element, vr, _, _ = struct.unpack(f"{order}HH2sHL", self._handle.read(12))
        return {"pixel_keyword": _KEYWORDS[group, element], "pixel_vr": vr.decode("ascii")}
