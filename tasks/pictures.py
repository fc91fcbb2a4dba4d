"""Draw planes of a volume, with or without a mask, as pictures: preview and overlay come from here. Imports numpy, Pillow.

Arrays are in closest canonical orientation: axes x, y, z grow towards the person's right, front and head (RAS+). Pictures
follow the radiological convention: the person's right is on the left of the picture; in sagittal planes the front is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

BACKGROUND = (12, 13, 15)
LETTERS = (214, 219, 224)
MASK_COLOUR = (64, 196, 210)
TINT = 0.12
"""How much of the mask's colour lies on the image inside it."""
_WINDOW_PERCENTILES = (0.5, 99.5)
_GAP_PX = 12


class Plane(StrEnum):
    """A body plane."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


_FIXED_AXIS = {Plane.SAGITTAL: 0, Plane.CORONAL: 1, Plane.AXIAL: 2}
_EDGE_LETTERS = {Plane.AXIAL: "RLAP", Plane.CORONAL: "RLSI", Plane.SAGITTAL: "APSI"}
"""Left, right, top, bottom."""


@dataclass(frozen=True)
class Window:
    """The range of values shown from black to white."""

    low: float
    high: float

    def grey(self, values: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Map values to 0..255."""
        span = self.high - self.low or 1.0
        scaled = (values.astype(np.float32) - self.low) * (255.0 / span)
        clipped: NDArray[np.uint8] = np.clip(np.nan_to_num(scaled), 0, 255).astype(np.uint8)
        return clipped


def window_of(values: NDArray[np.generic]) -> Window:
    """Choose a window for an image: from the first to the last half percent of the values above its darkest.

    Every 4th voxel of each axis is looked at, which is enough for a percentile.
    """
    sample = np.nan_to_num(values[::4, ::4, ::4].astype(np.float32))
    bright = sample[sample > sample.min()]
    if bright.size == 0:
        return Window(low=float(sample.min()), high=float(sample.min()) + 1.0)
    low, high = np.percentile(bright, _WINDOW_PERCENTILES)
    return Window(low=float(low), high=float(high) if high > low else float(low) + 1.0)


def draw_plane(
    volume: NDArray[np.generic],
    *,
    plane: Plane,
    index: int,
    spacing_mm: Sequence[float],
    window: Window,
    px_per_mm: float,
    mask: NDArray[np.bool_] | None = None,
    letter_px: int = 0,
    tint: float = TINT,
) -> Image.Image:
    """Draw one plane at its true proportions.

    Parameters
    ----------
    volume
        ndarray, shape (x, y, z), RAS+.
    plane, index
        Which plane, and at which voxel of its fixed axis.
    spacing_mm
        Voxel edges along x, y, z.
    window
        Grey values.
    px_per_mm
        Scale of the picture.
    mask
        ndarray of bool on the same grid: tinted, with its contour drawn.
    letter_px
        Size of R, L, A, P, S, I at the edges; none for 0.
    tint
        Share of the mask's colour inside it; 0 leaves the contour alone.
    """
    rows_mm, columns_mm = _edges(plane, spacing_mm)
    grey = window.grey(_slice(volume, plane=plane, index=index))
    size = (max(1, round(grey.shape[1] * columns_mm * px_per_mm)), max(1, round(grey.shape[0] * rows_mm * px_per_mm)))
    picture = Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    if mask is not None:
        inside = Image.fromarray(_slice(mask, plane=plane, index=index).astype(np.uint8) * 255)
        picture = _with_mask(picture, np.asarray(inside.resize(size, Image.Resampling.BILINEAR)) > 127, tint=tint)
    if letter_px:
        _write_letters(picture, _EDGE_LETTERS[plane], size=letter_px)
    return picture


def three_planes(
    volume: NDArray[np.generic],
    *,
    spacing_mm: Sequence[float],
    height_px: int,
    centre: Sequence[int] | None = None,
    mask: NDArray[np.bool_] | None = None,
) -> Image.Image:
    """Draw axial, coronal and sagittal planes through one voxel, side by side at one scale.

    Parameters
    ----------
    volume
        ndarray, shape (x, y, z), RAS+.
    spacing_mm
        Voxel edges along x, y, z.
    height_px
        Height of the tallest plane.
    centre
        Voxel through which the planes go, the middle by default.
    mask
        ndarray of bool on the same grid.
    """
    centre = [n // 2 for n in volume.shape] if centre is None else centre
    window = window_of(volume)
    tallest_mm = max(n * mm for n, mm in zip(volume.shape[1:], spacing_mm[1:], strict=True))
    pictures = [
        draw_plane(
            volume,
            plane=plane,
            index=int(centre[_FIXED_AXIS[plane]]),
            spacing_mm=spacing_mm,
            window=window,
            px_per_mm=height_px / tallest_mm,
            mask=mask,
            letter_px=letter_size(height_px),
        )
        for plane in Plane
    ]
    return side_by_side(pictures)


def axial_series(
    volume: NDArray[np.generic],
    *,
    spacing_mm: Sequence[float],
    mask: NDArray[np.bool_],
    count: int,
    columns: int,
    width_px: int,
) -> Image.Image:
    """Draw evenly spread axial planes through a mask, from bottom to top, cropped to the mask's surroundings.

    Parameters
    ----------
    volume, spacing_mm, mask
        As in `three_planes`; the mask must not be empty.
    count, columns
        How many planes, and how many in a row.
    width_px
        Width of the whole picture.
    """
    window = window_of(volume)
    low, high = _bounds(mask, margin_mm=18.0, spacing_mm=spacing_mm)
    inside = np.flatnonzero(mask.any(axis=(0, 1)))
    indices = np.linspace(inside[0], inside[-1], count + 2).round().astype(int)[1:-1]
    crop = (slice(low[0], high[0]), slice(low[1], high[1]), slice(None))
    width_mm = (high[0] - low[0]) * spacing_mm[0]
    scale = (width_px - (columns - 1) * _GAP_PX) / columns / width_mm
    pictures = [
        draw_plane(
            volume[crop],
            plane=Plane.AXIAL,
            index=int(index),
            spacing_mm=spacing_mm,
            window=window,
            px_per_mm=scale,
            mask=mask[crop],
            letter_px=14 if number == 0 else 0,
            tint=0.0,
        )
        for number, index in enumerate(indices)
    ]
    rows = [side_by_side(pictures[start : start + columns]) for start in range(0, count, columns)]
    sheet = Image.new(
        "RGB", (max(row.width for row in rows), sum(row.height + _GAP_PX for row in rows) - _GAP_PX), BACKGROUND
    )
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height + _GAP_PX
    return sheet


def thick_slices(volume: NDArray[np.generic], *, spacing_mm: Sequence[float], height_px: int) -> Image.Image:
    """Draw three slices of a stack of thick slices, at a quarter, half and three quarters of it, in the plane they were taken.

    Parameters
    ----------
    volume, spacing_mm
        As in `three_planes`.
    height_px
        Height of a slice.
    """
    axis = int(np.argmax(spacing_mm))
    plane = next(one for one, fixed in _FIXED_AXIS.items() if fixed == axis)
    window = window_of(volume)
    rows = 1 if plane is Plane.AXIAL else 2
    scale = height_px / (volume.shape[rows] * float(spacing_mm[rows]))
    return side_by_side(
        [
            draw_plane(
                volume,
                plane=plane,
                index=min(volume.shape[axis] - 1, round(volume.shape[axis] * share)),
                spacing_mm=spacing_mm,
                window=window,
                px_per_mm=scale,
                letter_px=letter_size(height_px),
            )
            for share in (0.25, 0.5, 0.75)
        ]
    )


def letter_size(height_px: int) -> int:
    """Return the size of the orientation letters for a picture, none for a thumbnail."""
    return max(11, height_px // 22) if height_px >= 160 else 0


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """Put pictures into a row, centred in height."""
    height = max(one.height for one in pictures)
    row = Image.new("RGB", (sum(one.width + _GAP_PX for one in pictures) - _GAP_PX, height), BACKGROUND)
    left = 0
    for one in pictures:
        row.paste(one, (left, (height - one.height) // 2))
        left += one.width + _GAP_PX
    return row


def save_png(picture: Image.Image, path: Path) -> Path:
    """Write a picture; the same picture gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, format="PNG", compress_level=3)  # a tenth of the time that the smallest file takes, 3 % larger
    return path


def _slice(volume: NDArray[np.generic], *, plane: Plane, index: int) -> NDArray[np.generic]:
    """Take a plane as rows and columns of a picture: head or front up, the person's right (or front) on the left."""
    flat = np.moveaxis(volume, _FIXED_AXIS[plane], 0)[index]
    turned: NDArray[np.generic] = flat.T[::-1, ::-1]
    return turned


def _edges(plane: Plane, spacing_mm: Sequence[float]) -> tuple[float, float]:
    x, y, z = (float(one) for one in spacing_mm)
    return {Plane.AXIAL: (y, x), Plane.CORONAL: (z, x), Plane.SAGITTAL: (z, y)}[plane]


def _with_mask(picture: Image.Image, mask: NDArray[np.bool_], *, tint: float) -> Image.Image:
    """Tint the mask and draw its contour one pixel wide inside and one outside."""
    pixels = np.asarray(picture).astype(np.float32)
    colour = np.asarray(MASK_COLOUR, dtype=np.float32)
    pixels[mask] = pixels[mask] * (1 - tint) + colour * tint
    padded = np.pad(mask, 1, mode="edge")
    edge = np.zeros_like(mask)
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        edge |= mask != padded[dy : dy + mask.shape[0], dx : dx + mask.shape[1]]
    pixels[edge] = colour
    return Image.fromarray(pixels.astype(np.uint8))


def _write_letters(picture: Image.Image, letters: str, *, size: int) -> None:
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size)
    inset = size // 3
    middle_x, middle_y = picture.width // 2, picture.height // 2
    places = (
        ((inset, middle_y), "lm"),
        ((picture.width - inset, middle_y), "rm"),
        ((middle_x, inset), "mt"),
        ((middle_x, picture.height - inset), "mb"),
    )
    for letter, (place, anchor) in zip(letters, places, strict=True):
        draw.text(place, letter, font=font, fill=LETTERS, anchor=anchor, stroke_width=2, stroke_fill=BACKGROUND)


def _bounds(mask: NDArray[np.bool_], *, margin_mm: float, spacing_mm: Sequence[float]) -> tuple[list[int], list[int]]:
    low, high = [], []
    for axis in range(3):
        others = tuple(one for one in range(3) if one != axis)
        inside = np.flatnonzero(mask.any(axis=others))
        margin = round(margin_mm / float(spacing_mm[axis]))
        low.append(max(0, int(inside[0]) - margin))
        high.append(min(mask.shape[axis], int(inside[-1]) + 1 + margin))
    return low, high
