"""Judge a head mask: what a person should know before using its volume. Pure; imports numpy.

The bounds are this house's own and wide on purpose: they catch a fruit, a spilled mask or a cut-off head, not an unusual
person. They were set looking at the heads of the test data (3 to 41 years, 1430 to 1650 ml) and are no reference ranges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.extraction.records import Gravity, QualityRemark

if TYPE_CHECKING:
    from numpy.typing import NDArray

USUAL_ML = (900.0, 2100.0)
POSSIBLE_ML = (500.0, 2600.0)
_CERTAINTY_CHECK = 0.95
_LARGEST_SHARE_CHECK = 0.98
_USUAL_EXTENT_MM = ((110.0, 175.0), (130.0, 210.0), (95.0, 175.0))
_LARGEST_EXTENT_MM = (190.0, 230.0, 185.0)
"""Right-left, front-back, head-feet."""
_LEAST_LENGTH_TO_HEIGHT = 0.9
"""A head's inside is longer than high: 1.1 to 1.4 in the heads that were looked at, 0.8 in a fruit."""
_EDGE_VOXELS = 20
"""Fewer mask voxels than these on a face of the volume are no cut."""
_FACES = (("left", "right"), ("back", "front"), ("bottom", "top"))


@dataclass(frozen=True)
class MaskFacts:
    """What a mask looks like.

    `extent_mm` is its size along right-left, front-back, head-feet; `cut_faces` are the sides of the volume it touches;
    `certainty` is the mean probability inside; `largest_share` is the kept part's share of all parts found.
    """

    volume_ml: float
    extent_mm: tuple[float, float, float]
    cut_faces: tuple[str, ...]
    certainty: float
    largest_share: float
    slice_mm: float

    @classmethod
    def of(
        cls,
        mask: NDArray[np.bool_],
        *,
        affine: NDArray[np.float64],
        volume_ml: float,
        certainty: float,
        largest_share: float,
    ) -> MaskFacts:
        """Measure a mask.

        Parameters
        ----------
        mask
            ndarray of bool, shape (x, y, z), RAS+.
        affine
            (4, 4), voxel index to RAS in mm.
        volume_ml, certainty, largest_share
            What the model found.
        """
        spacing_mm = np.linalg.norm(affine[:3, :3], axis=0)
        extents, cut = [], []
        for axis in range(3):
            planes = mask.sum(axis=tuple(one for one in range(3) if one != axis))
            inside = np.flatnonzero(planes)
            extents.append(float((inside[-1] - inside[0] + 1) * spacing_mm[axis]) if inside.size else 0.0)
            cut += [
                face for face, count in zip(_FACES[axis], (planes[0], planes[-1]), strict=True) if count > _EDGE_VOXELS
            ]
        return cls(
            volume_ml=volume_ml,
            extent_mm=(extents[0], extents[1], extents[2]),
            cut_faces=tuple(cut),
            certainty=certainty,
            largest_share=largest_share,
            slice_mm=float(spacing_mm.max()),
        )

    def diagnostics(self) -> dict[str, float]:
        """Return the figures, rounded, for the pedigree."""
        return {
            "certainty": round(self.certainty, 4),
            "largest_share": round(self.largest_share, 4),
            "extent_right_left_mm": round(self.extent_mm[0], 1),
            "extent_front_back_mm": round(self.extent_mm[1], 1),
            "extent_head_feet_mm": round(self.extent_mm[2], 1),
        }


def mask_remarks(facts: MaskFacts) -> tuple[QualityRemark, ...]:
    """Return what is worth saying about a mask, the gravest first; nothing for an ordinary head."""
    remarks = []
    low, high = POSSIBLE_ML
    usual_low, usual_high = USUAL_ML
    if not low <= facts.volume_ml <= high:
        remarks.append(
            (
                Gravity.FAULT,
                f"{facts.volume_ml:.0f} ml is no possible intracranial volume ({low:.0f} to {high:.0f} ml).",
            )
        )
    elif not usual_low <= facts.volume_ml <= usual_high:
        remarks.append(
            (Gravity.CHECK, f"The volume is outside the usual range ({usual_low:.0f} to {usual_high:.0f} ml).")
        )
    gravity = _shape_gravity(facts.extent_mm)
    if gravity is not None:
        across, length, height = facts.extent_mm
        sizes = f"{across:.0f} mm from right to left, {length:.0f} mm from front to back, {height:.0f} mm from top to bottom"
        remarks.append((gravity, f"What was marked does not have the shape of a head's inside: it measures {sizes}."))
    if facts.cut_faces:
        sides = " and ".join(facts.cut_faces)
        remarks.append(
            (Gravity.CHECK, f"The mask reaches the edge of the image at the {sides}: the volume is a lower bound.")
        )
    if facts.certainty < _CERTAINTY_CHECK:
        remarks.append(
            (Gravity.CHECK, f"The network was unsure (mean probability {facts.certainty:.2f} inside the mask).")
        )
    if facts.largest_share < _LARGEST_SHARE_CHECK:
        share = 100 * (1 - facts.largest_share)
        remarks.append(
            (Gravity.CHECK, f"{share:.0f} % of what the network marked lay apart from the brain and was left out.")
        )
    if facts.slice_mm > 2.0:
        remarks.append(
            (Gravity.NOTE, f"Voxels are {facts.slice_mm:.1f} mm long in one direction, so the outline is coarse.")
        )
    order = (Gravity.FAULT, Gravity.CHECK, Gravity.NOTE)
    return tuple(
        QualityRemark(gravity=one, text=text) for one, text in sorted(remarks, key=lambda pair: order.index(pair[0]))
    )


def _shape_gravity(extent_mm: tuple[float, float, float]) -> Gravity | None:
    _, length, height = extent_mm
    is_larger = any(one > most for one, most in zip(extent_mm, _LARGEST_EXTENT_MM, strict=True))
    if is_larger or length < _LEAST_LENGTH_TO_HEIGHT * height:
        return Gravity.FAULT
    is_usual = all(low <= one <= high for one, (low, high) in zip(extent_mm, _USUAL_EXTENT_MM, strict=True))
    return None if is_usual else Gravity.CHECK
