"""A mask is judged by size, shape, edges and certainty."""

import numpy as np
import pytest

from tasks.extraction.quality import MaskFacts, mask_remarks
from tasks.extraction.records import Gravity


def ellipsoid(semi_axes_mm, *, shape=(200, 240, 200), centre=None):
    """An ellipsoid on a grid of 1 mm: a head's inside is about 68 x 85 x 70."""
    centre = [n / 2 for n in shape] if centre is None else centre
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    return sum(((axis - c) / s) ** 2 for axis, c, s in zip(grid, centre, semi_axes_mm, strict=True)) <= 1


def judged(mask, *, certainty=0.99, largest_share=1.0, spacing_mm=1.0):
    volume_ml = mask.sum() * spacing_mm**3 / 1000
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    return MaskFacts.of(mask, affine=affine, volume_ml=volume_ml, certainty=certainty, largest_share=largest_share)


def test_a_head_gets_no_remark():
    facts = judged(ellipsoid((68, 85, 70)))
    assert facts.volume_ml == pytest.approx(4 / 3 * np.pi * 6.8 * 8.5 * 7.0, rel=0.002)
    assert facts.extent_mm == pytest.approx((137, 171, 141), abs=2)
    assert mask_remarks(facts) == ()


def test_a_sphere_of_ten_millimetres_has_its_volume_and_is_no_head():
    facts = judged(ellipsoid((10, 10, 10)))
    assert facts.volume_ml == pytest.approx(4.19, rel=0.01)
    assert mask_remarks(facts)[0].gravity is Gravity.FAULT


def test_something_higher_than_long_is_refused():
    remarks = mask_remarks(judged(ellipsoid((70, 76, 101), shape=(200, 240, 220))))
    assert remarks[0].gravity is Gravity.FAULT
    assert "does not have the shape of a head's inside" in remarks[0].text


def test_a_cut_head_is_a_lower_bound():
    remarks = mask_remarks(judged(ellipsoid((68, 85, 70), centre=(100, 120, 50))))
    assert [(one.gravity, one.text) for one in remarks] == [
        (Gravity.CHECK, "The mask reaches the edge of the image at the bottom: the volume is a lower bound.")
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"certainty": 0.8}, "The network was unsure"),
        ({"largest_share": 0.9}, "10 % of what the network marked lay apart"),
    ],
)
def test_doubts_of_the_network_are_told(changes, words):
    remarks = mask_remarks(judged(ellipsoid((68, 85, 70)), **changes))
    assert len(remarks) == 1
    assert remarks[0].gravity is Gravity.CHECK
    assert words in remarks[0].text
