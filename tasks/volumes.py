"""Read a NIfTI volume for looking at it: upright, one time point, in the file's own number type. Imports nibabel, numpy."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import NoVolume

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class UprightVolume:
    """A volume in closest canonical orientation.

    Attributes
    ----------
    values
        ndarray, shape (x, y, z), axes towards the person's right, front, head (RAS+).
    spacing_mm
        Voxel edges along x, y, z.
    """

    values: NDArray[np.generic]
    spacing_mm: tuple[float, float, float]


def read_upright(path: Path, *, name: str) -> UprightVolume:
    """Read a volume; of time points the first.

    Parameters
    ----------
    path
        NIfTI file.
    name
        What to call it in an error: the scan's id.

    Raises
    ------
    NoVolume
        The file is no image of three dimensions, or is damaged.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    nib: Any = nibabel
    try:
        image = nib.as_closest_canonical(nib.load(path))
        values = np.asarray(image.dataobj[..., 0] if image.ndim > 3 else image.dataobj)
    except (ImageFileError, OSError, EOFError, zlib.error) as error:
        raise NoVolume(name, why="its NIfTI file cannot be read.") from error
    if values.ndim != 3 or values.dtype.names:
        raise NoVolume(name, why="it has no three dimensions of grey values.")
    x, y, z = (float(edge) for edge in image.header.get_zooms()[:3])
    return UprightVolume(values=values, spacing_mm=(x, y, z))
