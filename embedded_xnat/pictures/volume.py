"""Makes one NIfTI volume of a DICOM series, a slice at a time, so that a browser can show it. May import numpy.

Values are the file's own, with slope and intercept in the header where all slices share them; else they are applied and
the volume is of float32. Geometry is that of PS3.3 C.7.6.2.1.1, turned from LPS to the RAS of NIfTI.
"""

import logging
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedded_xnat.contract.errors import NoPicture
from embedded_xnat.pictures.reading import UNREADABLE, Unreadable, read_dicom

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

logger = logging.getLogger(__name__)

#: NIfTI-1 data type codes of the types that occur.
_CODES = {"uint8": 2, "int16": 4, "int32": 8, "float32": 16, "int8": 256, "uint16": 512, "uint32": 768}
_HEADER_BYTES = 352
_SAME_PLACE_MM = 1e-3
MAX_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Slice:
    """One file of a series, as far as its header says.

    Parameters
    ----------
    orientation, position
        Direction cosines of rows and columns, and the place of the first pixel, in LPS mm; None where the file has none.
    spacing_mm
        Between rows, between columns.
    """

    path: Path
    shape: tuple[int, int]
    frames: int
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    spacing_mm: tuple[float, float]
    thickness_mm: float
    slope: float
    intercept: float
    dtype: str
    number: int


@dataclass(frozen=True)
class Series:
    """Slices that make one volume, in order, and where it lies.

    Parameters
    ----------
    affine
        Shape (4, 4), voxel index (column, row, slice) to RAS in mm.
    left_out
        Slices of other volumes at the same places, or of another shape.
    """

    slices: tuple[Slice, ...]
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    dtype: str
    slope: float
    intercept: float
    left_out: int

    @property
    def size(self) -> int:
        """Bytes of the NIfTI file."""
        columns, rows, count = self.shape
        return _HEADER_BYTES + columns * rows * count * np.dtype(self.dtype).itemsize


def read_slice(path: Path) -> Slice | None:
    """Read what a file says about its place; None for what is no image of one grey value a pixel."""
    try:
        return _slice_of(path, read_dicom(path, pixels=False))
    except (Unreadable, *UNREADABLE):
        logger.info("a file is no image that can be shown")
        return None


def _slice_of(path: Path, ds: "Dataset") -> Slice | None:
    if int(ds.get("SamplesPerPixel", 1)) != 1 or "Rows" not in ds or "BitsAllocated" not in ds:
        return None
    frames = int(ds.get("NumberOfFrames", 1) or 1)
    source = _first_frame_groups(ds) if frames > 1 else {}
    orientation = _numbers(source.get("orientation") or ds.get("ImageOrientationPatient"), 6)
    position = _numbers(source.get("position") or ds.get("ImagePositionPatient"), 3)
    spacing = _numbers(source.get("spacing") or ds.get("PixelSpacing") or ds.get("ImagerPixelSpacing"), 2)
    thickness = source.get("thickness") or ds.get("SpacingBetweenSlices") or ds.get("SliceThickness") or 1.0
    bits, signed = int(ds.BitsAllocated), int(ds.get("PixelRepresentation", 0)) == 1
    return Slice(
        path=path,
        shape=(int(ds.Rows), int(ds.Columns)),
        frames=frames,
        orientation=orientation,
        position=position,
        spacing_mm=(spacing[0], spacing[1]) if spacing is not None else (1.0, 1.0),
        thickness_mm=abs(float(thickness)) or 1.0,
        slope=float(source.get("slope") or ds.get("RescaleSlope", 1.0) or 1.0),
        intercept=float(source.get("intercept") or ds.get("RescaleIntercept", 0.0) or 0.0),
        dtype=f"{'' if signed else 'u'}int{max(8, bits)}",
        number=int(ds.get("InstanceNumber") or 0),
    )


def _first_frame_groups(ds: "Dataset") -> dict[str, Any]:
    """Return the geometry of an enhanced multi-frame image: that of its first frame."""
    found: dict[str, Any] = {}
    groups = [*ds.get("SharedFunctionalGroupsSequence", []), *ds.get("PerFrameFunctionalGroupsSequence", [])[:1]]
    for group in groups:
        for name, sequence, keyword in (
            ("orientation", "PlaneOrientationSequence", "ImageOrientationPatient"),
            ("position", "PlanePositionSequence", "ImagePositionPatient"),
            ("spacing", "PixelMeasuresSequence", "PixelSpacing"),
            ("thickness", "PixelMeasuresSequence", "SliceThickness"),
            ("slope", "PixelValueTransformationSequence", "RescaleSlope"),
            ("intercept", "PixelValueTransformationSequence", "RescaleIntercept"),
        ):
            for item in group.get(sequence, []):
                if item.get(keyword) is not None:
                    found[name] = item.get(keyword)
    return found


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if value is None or isinstance(value, str | float | int) or len(value) != count:
        return None
    return tuple(float(each) for each in value)


def arrange(slices: Sequence[Slice]) -> Series:
    """Return the volume that slices make: those of the commonest shape, one at each place, along their normal.

    Raises
    ------
    NoPicture
        If there is no slice, or the volume would be larger than a browser can hold.
    """
    if not slices:
        raise NoPicture("It has no image that can be drawn")
    kinds: dict[Any, list[Slice]] = {}
    for one in slices:
        turned = None if one.orientation is None else tuple(round(value, 3) for value in one.orientation)
        kinds.setdefault((one.shape, one.frames > 1, turned), []).append(one)
    group = max(kinds.values(), key=len)
    if group[0].frames > 1:
        group = group[:1]
    normal = _normal(group[0])
    ordered = _one_at_each_place(group, normal)
    first = ordered[0]
    count = first.frames if first.frames > 1 else len(ordered)
    same = len({(one.slope, one.intercept, one.dtype) for one in ordered}) == 1 and first.dtype in _CODES
    series = Series(
        slices=tuple(ordered),
        shape=(first.shape[1], first.shape[0], count),
        affine=_affine(ordered, normal),
        dtype=first.dtype if same else "float32",
        slope=first.slope if same else 1.0,
        intercept=first.intercept if same else 0.0,
        left_out=len(slices) - len(ordered),
    )
    if series.size > MAX_BYTES:
        raise NoPicture("It is larger than a browser can hold; open it in a desktop program")
    return series


def _normal(one: Slice) -> NDArray[np.float64] | None:
    if one.orientation is None or one.position is None:
        return None
    along_row, along_column = np.array(one.orientation[:3]), np.array(one.orientation[3:])
    return np.asarray(np.cross(along_row, along_column))


def _one_at_each_place(group: list[Slice], normal: NDArray[np.float64] | None) -> list[Slice]:
    """Sort slices along the normal and keep the first at each place; without geometry by instance number."""
    by_number = sorted(group, key=lambda one: (one.number, one.path.name))
    if normal is None or any(one.position is None for one in group):
        return by_number
    placed = sorted(by_number, key=lambda one: float(normal @ np.array(one.position)))
    kept: list[Slice] = []
    for one in placed:
        if kept and abs(float(normal @ (np.array(one.position) - np.array(kept[-1].position)))) < _SAME_PLACE_MM:
            continue
        kept.append(one)
    return kept


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


def nifti_stream(series: Series) -> Iterator[bytes]:
    """Yield the bytes of a NIfTI-1 file: its header, then slice by slice."""
    yield nifti_header(series)
    for one in series.slices:
        yield _pixels(one, series)


def _pixels(one: Slice, series: Series) -> bytes:
    """Return a file's pixels as they stand in the volume.

    Raises
    ------
    NoPicture
        If they cannot be unpacked, or are fewer than the header says.
    """
    try:
        values: NDArray[Any] = read_dicom(one.path, pixels=True).pixel_array
    except (Unreadable, *UNREADABLE) as error:
        raise NoPicture("Its files are packed in a way this server cannot unpack") from error
    if values.size != one.shape[0] * one.shape[1] * one.frames:
        raise NoPicture("One of its files is cut short")
    if series.dtype == "float32":
        values = values * one.slope + one.intercept
    return np.ascontiguousarray(values, dtype=np.dtype(series.dtype).newbyteorder("<")).tobytes()


def nifti_header(series: Series) -> bytes:
    """Return header and the four bytes that say there is no extension."""
    header = bytearray(_HEADER_BYTES)
    columns, rows, count = series.shape
    dtype = np.dtype(series.dtype)
    spacing = np.linalg.norm(series.affine[:3, :3], axis=0)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, columns, rows, count, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, _CODES[series.dtype], dtype.itemsize * 8)
    struct.pack_into("<8f", header, 76, 1.0, *spacing, 1.0, 1.0, 1.0, 1.0)
    struct.pack_into("<3f", header, 108, float(_HEADER_BYTES), series.slope, series.intercept)
    header[123] = 2  # mm
    struct.pack_into("<2h", header, 252, 0, 1)  # sform: scanner coordinates
    for row in range(3):
        struct.pack_into("<4f", header, 280 + 16 * row, *series.affine[row])
    header[344:348] = b"n+1\0"
    return bytes(header)
