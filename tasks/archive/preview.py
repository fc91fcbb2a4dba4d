"""Preview pictures of a volume: its middle planes side by side, as PNG. Imports nibabel, numpy, Pillow.

One volume is in memory at a time, and of a series of time points only the first.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from tasks.errors import NoVolume
from tasks.pictures import save_png, thick_slices, three_planes

if TYPE_CHECKING:
    from pathlib import Path

PREVIEW_HEIGHT_PX = 320
THUMBNAIL_HEIGHT_PX = 96
_THICK = 3.5
"""Slices thicker than this many pixels are shown as they were taken; other planes would be stripes."""


def draw_preview(volume: Path, out_dir: Path, *, scan: str) -> tuple[Path, Path]:
    """Draw the preview and the thumbnail of a volume.

    Parameters
    ----------
    volume
        NIfTI file.
    out_dir
        Where ``scan_<id>.png`` and ``scan_<id>_t.png`` go.
    scan
        Scan id.

    Raises
    ------
    NoVolume
        The file is no image of three dimensions.
    """
    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nib.as_closest_canonical(nib.load(volume))
        first = image.dataobj[..., 0] if image.ndim > 3 else image.dataobj[...]
    except (ImageFileError, OSError, EOFError, zlib.error) as error:
        raise NoVolume(scan, why="its NIfTI file cannot be read.") from error
    values = np.asarray(first)
    if values.ndim != 3 or values.dtype.names:
        raise NoVolume(scan, why="it has no three dimensions of grey values.")
    spacing_mm = [float(edge) for edge in image.header.get_zooms()[:3]]
    draw = thick_slices if max(spacing_mm) > _THICK * min(spacing_mm) else three_planes
    preview = draw(values, spacing_mm=spacing_mm, height_px=PREVIEW_HEIGHT_PX)
    thumbnail = draw(values, spacing_mm=spacing_mm, height_px=THUMBNAIL_HEIGHT_PX)
    return save_png(preview, out_dir / f"scan_{scan}.png"), save_png(thumbnail, out_dir / f"scan_{scan}_t.png")
