"""Measure a stack of slices from its positions: spacing, missing slices, tilt. Pure; imports numpy.

Positions decide, never SliceThickness: overlapping slices (spacing 0.8, thickness 1.6 mm) would double every volume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.series import SeriesFacts

_SAME_POSITION_MM = 0.01
_SAME_DIRECTION = 1e-3
_EVEN_SHARE = 0.05
"""A gap within this share of the usual spacing counts as even: scanners write positions rounded."""
_TILT_DEG = 0.5


def with_geometry(
    facts: SeriesFacts,
    *,
    positions: Sequence[tuple[float, float, float]],
    orientations: Sequence[tuple[float, ...]],
    frames: int,
) -> SeriesFacts:
    """Return the facts of a series with what the positions of all its frames say.

    Parameters
    ----------
    facts
        Facts of any one instance.
    positions
        Image position (patient) of every frame, in mm, LPS.
    orientations
        Row and column direction cosines of every frame.
    frames
        Images of the series in all.
    """
    directions = _directions(orientations)
    measured: dict[str, object] = {"frames": frames, "orientations": len(directions)}
    if len(directions) == 1 and len(positions) > 1:
        measured |= _stack(np.asarray(positions, dtype=float), cosines=directions[0])
    return facts.model_copy(update=measured)


def _directions(orientations: Sequence[tuple[float, ...]]) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for orientation in set(orientations):
        cosines = np.asarray(orientation)
        if not any(np.allclose(cosines, other, atol=_SAME_DIRECTION) for other in found):
            found.append(cosines)
    return found


def _stack(positions: np.ndarray, *, cosines: np.ndarray) -> dict[str, object]:
    """Measure a stack of parallel slices; positions of shape (frame, xyz)."""
    normal = np.cross(cosines[:3], cosines[3:])
    along = positions @ normal
    order = np.argsort(along)
    along, positions = along[order], positions[order]
    is_new = np.concatenate(([True], np.diff(along) > _SAME_POSITION_MM))
    along, positions = along[is_new], positions[is_new]
    if len(along) < 2:
        return {"slice_positions": len(along)}
    gaps = np.diff(along)
    usual = float(np.median(gaps))
    steps = gaps / usual
    is_even = (np.abs(steps - np.round(steps)) <= _EVEN_SHARE * np.round(steps)) & (steps > 0.5)
    path = positions[-1] - positions[0]
    tilt = np.degrees(np.arccos(np.clip(abs(path @ normal) / np.linalg.norm(path), 0.0, 1.0)))
    return {
        "slice_positions": len(along),
        "slice_spacing_mm": round(usual, 4),
        "missing_slices": int(np.sum(np.round(steps[is_even]) - 1)),
        "uneven_spacing": not bool(is_even.all()),
        "gantry_tilt_deg": round(float(tilt), 2) if tilt > _TILT_DEG else 0.0,
    }
