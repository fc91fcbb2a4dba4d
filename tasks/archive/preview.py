"""Preview pictures of a volume: its middle planes side by side, as PNG.

One volume is in memory at a time, and of a series of time points only the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.archive.port import scan_stem
from tasks.pictures import save_png, thick_slices, three_planes
from tasks.volumes import read_upright

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
        Where the pictures go, named by `tasks.archive.port.scan_stem`, the thumbnail with ``_t`` behind.
    scan
        Scan id.

    Raises
    ------
    NoVolume
        The file is no image of three dimensions.
    """
    upright = read_upright(volume, name=scan)
    values, spacing_mm = upright.values, upright.spacing_mm
    draw = thick_slices if max(spacing_mm) > _THICK * min(spacing_mm) else three_planes
    preview = draw(values, spacing_mm=spacing_mm, height_px=PREVIEW_HEIGHT_PX)
    thumbnail = draw(values, spacing_mm=spacing_mm, height_px=THUMBNAIL_HEIGHT_PX)
    stem = scan_stem(scan)
    return save_png(preview, out_dir / f"{stem}.png"), save_png(thumbnail, out_dir / f"{stem}_t.png")
