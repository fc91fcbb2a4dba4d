"""Makes one NIfTI file of a DICOM series, a slice at a time, so that a browser can show it. May import numpy.

Values are the file's own, with slope and intercept in the header where all slices share them; else they are applied and
the volume is of float32. Colours are of three bytes. Pictures of the same places, taken one after the other, are volumes
of a 4D image. Geometry is that of PS3.3 C.7.6.2.1.1, turned from LPS to the RAS of NIfTI.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedded_xnat.contract.errors import NoPicture
from embedded_xnat.pictures.reading import Opener, Unreadable, open_at_path, opened
from embedded_xnat.pictures.slices import RGB, Slice

if TYPE_CHECKING:
    from pathlib import Path

#: NIfTI-1 data type codes of the types that occur, with the bytes of a voxel.
_CODES = {
    "uint8": (2, 1),
    "int16": (4, 2),
    "int32": (8, 4),
    "float32": (16, 4),
    "int8": (256, 1),
    "uint16": (512, 2),
    "uint32": (768, 4),
    RGB: (128, 3),
}
_HEADER_BYTES = 352
_SAME_PLACE_MM = 1e-3
MAX_BYTES = 1536 * 1024**2
#: A picture with colours that is wider or higher fits into no texture of a browser.
MAX_COLOUR_PIXELS = 2048
_MAX_VOLUMES = 32767


@dataclass(frozen=True)
class Series:
    """Slices that make an image, volume after volume, and where it lies.

    Parameters
    ----------
    shape
        Columns, rows, slices, volumes.
    affine
        Shape (4, 4), voxel index (column, row, slice) to RAS in mm.
    left_out
        Slices of another shape or orientation, of a volume that is not complete, or beyond what a browser can hold.
    """

    slices: tuple[Slice, ...]
    shape: tuple[int, int, int, int]
    affine: NDArray[np.float64]
    dtype: str
    slope: float
    intercept: float
    left_out: int

    @property
    def size(self) -> int:
        """Bytes of the NIfTI file."""
        columns, rows, count, volumes = self.shape
        return _HEADER_BYTES + columns * rows * count * volumes * _CODES[self.dtype][1]


def arrange(slices: Sequence[Slice]) -> Series:
    """Return the image that slices make: those of the commonest shape, place after place along their normal, in time.

    Raises
    ------
    NoPicture
        If there is no slice, or one volume would be larger than a browser can hold.
    """
    if not slices:
        raise NoPicture("It has no image that can be drawn")
    kinds: dict[Any, list[Slice]] = {}
    for one in slices:
        turned = None if one.orientation is None else tuple(round(value, 3) for value in one.orientation)
        kinds.setdefault((one.shape, one.dtype == RGB, one.frame is None, one.is_moment, turned), []).append(one)
    commonest = max(kinds.values(), key=len)
    group = sorted(commonest, key=lambda one: one.order)
    normal = _normal(group[0])
    places = _places(group, normal)
    first = places[0][0]
    dtype, slope, intercept = _values(group)
    volumes = _volumes_that_fit(first, len(places), min(len(place) for place in places), dtype)
    ordered = tuple(place[volume] for volume in range(volumes) for place in places)
    return Series(
        slices=ordered,
        shape=(first.shape[1], first.shape[0], len(places), volumes),
        affine=_affine(ordered[: len(places)], normal),
        dtype=dtype,
        slope=slope,
        intercept=intercept,
        left_out=len(slices) - len(ordered),
    )


def _values(group: Sequence[Slice]) -> tuple[str, float, float]:
    """Return type, slope and intercept of the volume: those of its slices where all have the same."""
    if group[0].dtype == RGB:
        return RGB, 1.0, 0.0
    found = {(one.dtype, one.slope, one.intercept) for one in group}
    dtype, slope, intercept = next(iter(found))
    return (dtype, slope, intercept) if len(found) == 1 and dtype in _CODES else ("float32", 1.0, 0.0)


def _volumes_that_fit(one: Slice, places: int, volumes: int, dtype: str) -> int:
    rows, columns = one.shape
    fitting = (MAX_BYTES - _HEADER_BYTES) // max(1, rows * columns * places * _CODES[dtype][1])
    if fitting == 0 or (dtype == RGB and max(rows, columns) > MAX_COLOUR_PIXELS):
        raise NoPicture("It is larger than a browser can hold; open it in a desktop program")
    return min(volumes, fitting, _MAX_VOLUMES)


def _normal(one: Slice) -> NDArray[np.float64] | None:
    if one.orientation is None or one.position is None:
        return None
    along_row, along_column = np.array(one.orientation[:3]), np.array(one.orientation[3:])
    return np.asarray(np.cross(along_row, along_column))


def _places(group: list[Slice], normal: NDArray[np.float64] | None) -> list[list[Slice]]:
    """Return the slices at each place along the normal, in time.

    Without geometry, frames of a film and pictures with colours are one place; others are stacked as they are numbered.
    """
    if normal is None or any(one.position is None for one in group):
        if group[0].is_moment or group[0].dtype == RGB:
            return [group]
        is_one_file = group[0].frame is not None
        return [[one] for one in group if not is_one_file or one.path == group[0].path]
    along = [float(normal @ np.array(one.position)) for one in group]
    places: list[list[Slice]] = []
    last = -np.inf
    for at, one in sorted(zip(along, group, strict=True), key=lambda placed: placed[0]):
        if at - last < _SAME_PLACE_MM:
            places[-1].append(one)
            continue
        places.append([one])
        last = at
    return [sorted(place, key=lambda one: one.order) for place in places]


def _affine(ordered: Sequence[Slice], normal: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return voxel index (column, row, slice) to RAS in mm."""
    first, last = ordered[0], ordered[-1]
    row_mm, column_mm = first.spacing_mm
    affine = np.eye(4)
    if normal is None or first.orientation is None or first.position is None or last.position is None:
        affine[:3, :3] = np.diag([-column_mm, -row_mm, first.thickness_mm])
        return affine
    affine[:3, 0] = np.array(first.orientation[:3]) * column_mm
    affine[:3, 1] = np.array(first.orientation[3:]) * row_mm
    if len(ordered) > 1:
        affine[:3, 2] = (np.array(last.position) - np.array(first.position)) / (len(ordered) - 1)
    else:
        affine[:3, 2] = normal * first.thickness_mm
    affine[:3, 3] = first.position
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)


def nifti_stream(series: Series, opener: Opener = open_at_path) -> Iterator[bytes]:
    """Yield the bytes of a NIfTI-1 file: its header, then slice by slice.

    Raises
    ------
    NoPicture
        If pixels cannot be unpacked, or are fewer than the header says.
    """
    yield nifti_header(series)
    with ExitStack() as stack:
        path: Path | None = None
        for one in series.slices:
            try:
                if path != one.path:
                    stack.close()
                    path, frames = one.path, stack.enter_context(opened(one.path, opener))
                values = frames.pixels(one.frame or 0)
            except Unreadable as error:
                raise NoPicture("Its files are packed in a way this server cannot unpack") from error
            yield _voxels(values, one, series)


def _voxels(values: NDArray[Any], one: Slice, series: Series) -> bytes:
    """Return a picture's values as they stand in the volume."""
    is_colour = series.dtype == RGB
    if values.shape != (*one.shape, *([3] if is_colour else [])):
        raise NoPicture("One of its files is cut short")
    if is_colour:
        return values.tobytes()
    if series.dtype == "float32":
        values = values * one.slope + one.intercept
    return np.ascontiguousarray(values, dtype=np.dtype(series.dtype).newbyteorder("<")).tobytes()


def nifti_header(series: Series) -> bytes:
    """Return header and the four bytes that say there is no extension."""
    header = bytearray(_HEADER_BYTES)
    columns, rows, count, volumes = series.shape
    code, width = _CODES[series.dtype]
    spacing = np.linalg.norm(series.affine[:3, :3], axis=0)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3 if volumes == 1 else 4, columns, rows, count, volumes, 1, 1, 1)
    struct.pack_into("<2h", header, 70, code, width * 8)
    struct.pack_into("<8f", header, 76, 1.0, *spacing, 1.0, 1.0, 1.0, 1.0)
    struct.pack_into("<3f", header, 108, float(_HEADER_BYTES), series.slope, series.intercept)
    header[123] = 2  # mm
    struct.pack_into("<2h", header, 252, 0, 1)  # sform: scanner coordinates
    for row in range(3):
        struct.pack_into("<4f", header, 280 + 16 * row, *series.affine[row])
    header[344:348] = b"n+1\0"
    return bytes(header)
