"""What the headers of a DICOM series say about each of its pictures. May import numpy.

A slice is one picture: a file, or a frame of a file that holds many.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedded_xnat.pictures.reading import UNREADABLE, Opener, Unreadable, is_colour, open_at_path, read_dicom

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

logger = logging.getLogger(__name__)

#: A series of more pictures is shown as far as these go; what a header says of its frames need not be true.
MAX_SLICES = 50_000
#: The type of a voxel with a colour, in the place where others have a dtype of numpy.
RGB = "rgb"
_GROUPS = (
    ("orientation", "PlaneOrientationSequence", "ImageOrientationPatient"),
    ("position", "PlanePositionSequence", "ImagePositionPatient"),
    ("spacing", "PixelMeasuresSequence", "PixelSpacing"),
    ("thickness", "PixelMeasuresSequence", "SliceThickness"),
    ("slope", "PixelValueTransformationSequence", "RescaleSlope"),
    ("intercept", "PixelValueTransformationSequence", "RescaleIntercept"),
)


@dataclass(frozen=True)
class Slice:
    """One picture of a series, as far as its header says.

    Parameters
    ----------
    frame
        Which frame of the file, from 0; None where the file holds one picture.
    orientation, position
        Direction cosines of rows and columns, and the place of the first pixel, in LPS mm; None where the file has none.
    spacing_mm
        Between rows, between columns.
    dtype
        Type of a value in the file, or `RGB`.
    order
        Sorts pictures of one place by when they were taken, and all of them where there is no place.
    is_moment
        Whether it is one of many pictures of the same place, one after the other: a frame of a film.
    """

    path: Path
    frame: int | None
    shape: tuple[int, int]
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    spacing_mm: tuple[float, float]
    thickness_mm: float
    slope: float
    intercept: float
    dtype: str
    order: tuple[int, int, int, str, int]
    is_moment: bool


def read_slices(paths: Iterable[Path], opener: Opener = open_at_path) -> list[Slice]:
    """Read what files say about their pictures; those that are no images are left out."""
    found: list[Slice] = []
    for path in paths:
        try:
            found += _slices_of(path, read_dicom(path, opener=opener), room=MAX_SLICES - len(found))
        except (Unreadable, *UNREADABLE):
            logger.info("a file is no image that can be shown")
    return found


def _slices_of(path: Path, ds: "Dataset", *, room: int) -> list[Slice]:
    if int(ds.get("SamplesPerPixel", 1)) not in {1, 3} or "Rows" not in ds or "BitsAllocated" not in ds:
        return []
    frames = int(ds.get("NumberOfFrames", 1) or 1)
    if frames > room:
        raise Unreadable
    if frames == 1 and "PerFrameFunctionalGroupsSequence" not in ds:
        return [_slice(path, ds, {}, None)]
    shared = _group_values(ds.get("SharedFunctionalGroupsSequence", []))
    groups = list(ds.get("PerFrameFunctionalGroupsSequence", []))
    return [
        _slice(path, ds, shared | _group_values(groups[frame : frame + 1]), frame if frames > 1 else None)
        for frame in range(frames)
    ]


def _group_values(groups: Iterable["Dataset"]) -> dict[str, Any]:
    """Return the geometry and rescaling that functional groups of an enhanced image say (PS3.3 C.7.6.16)."""
    found: dict[str, Any] = {}
    for group in groups:
        for name, sequence, keyword in _GROUPS:
            for item in group.get(sequence, []):
                if item.get(keyword) is not None:
                    found[name] = item.get(keyword)
    return found


def _slice(path: Path, ds: "Dataset", source: dict[str, Any], frame: int | None) -> Slice:
    orientation = _numbers(source.get("orientation") or ds.get("ImageOrientationPatient"), 6)
    position = _numbers(source.get("position") or ds.get("ImagePositionPatient"), 3)
    spacing = _numbers(source.get("spacing") or ds.get("PixelSpacing") or ds.get("ImagerPixelSpacing"), 2)
    thickness = source.get("thickness") or ds.get("SpacingBetweenSlices") or ds.get("SliceThickness") or 1.0
    thickness_mm = abs(float(thickness)) or 1.0
    is_moment = frame is not None and ("FrameTime" in ds or "FrameTimeVector" in ds)
    if frame and "position" not in source and position is not None and orientation is not None and not is_moment:
        normal = np.cross(orientation[:3], orientation[3:])  # the frames lie one behind the other
        position = tuple(float(value) for value in np.array(position) + normal * thickness_mm * frame)
    bits, signed = int(ds.BitsAllocated), int(ds.get("PixelRepresentation", 0)) == 1
    moment, acquisition, number = (
        int(ds.get(name) or 0) for name in ("TemporalPositionIdentifier", "AcquisitionNumber", "InstanceNumber")
    )
    return Slice(
        path=path,
        frame=frame,
        shape=(int(ds.Rows), int(ds.Columns)),
        orientation=orientation,
        position=position,
        spacing_mm=(spacing[0], spacing[1]) if spacing is not None else (1.0, 1.0),
        thickness_mm=thickness_mm,
        slope=float(source.get("slope") or ds.get("RescaleSlope", 1.0) or 1.0),
        intercept=float(source.get("intercept") or ds.get("RescaleIntercept", 0.0) or 0.0),
        dtype=RGB if is_colour(ds) else f"{'' if signed else 'u'}int{max(8, bits)}",
        order=(moment, acquisition, number, path.name, frame or 0),
        is_moment=is_moment,
    )


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if value is None or isinstance(value, str | float | int) or len(value) != count:
        return None
    return tuple(float(each) for each in value)
