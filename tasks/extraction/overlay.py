"""Pictures of a measurement: what was marked, on the image it was marked in. Imports numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tasks.pictures import axial_series, save_png, three_planes
from tasks.volumes import read_upright

if TYPE_CHECKING:
    from pathlib import Path

OVERLAY_FILE = "overlay.png"
SLICES_FILE = "overlay_slices.png"
_OVERLAY_HEIGHT_PX = 480
_SLICES_WIDTH_PX = 1400


def draw_overlays(volume: Path, mask: Path, out_dir: Path) -> tuple[Path, Path]:
    """Draw a mask on its volume.

    Parameters
    ----------
    volume, mask
        NIfTI files on one grid; of time points the first is drawn.
    out_dir
        Where the pictures go.

    Returns
    -------
    tuple of Path
        ``overlay.png``: three planes through the middle of the mask. ``overlay_slices.png``: ten axial slices through it.
    """
    upright = read_upright(volume, name=volume.name)
    values, spacing_mm = upright.values, upright.spacing_mm
    inside = read_upright(mask, name=mask.name).values.astype(bool)
    centre = [_middle(inside, axis=axis) for axis in range(3)]
    planes = three_planes(values, spacing_mm=spacing_mm, height_px=_OVERLAY_HEIGHT_PX, centre=centre, mask=inside)
    slices = axial_series(values, spacing_mm=spacing_mm, mask=inside, count=10, columns=5, width_px=_SLICES_WIDTH_PX)
    return save_png(planes, out_dir / OVERLAY_FILE), save_png(slices, out_dir / SLICES_FILE)


def _middle(mask: np.ndarray, *, axis: int) -> int:
    """Return the index that halves the mask along an axis."""
    counts = np.cumsum(mask.sum(axis=tuple(one for one in range(3) if one != axis)))
    return int(np.searchsorted(counts, counts[-1] / 2))
