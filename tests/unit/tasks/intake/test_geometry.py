"""Positions say how slices lie; thickness does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.intake.geometry import with_geometry
from tasks.series import SeriesFacts

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def measured(offsets, *, cosines=AXIAL, direction=(0.0, 0.0, 1.0)):
    positions = [tuple(float(x) for x in np.asarray(direction) * offset) for offset in offsets]
    return with_geometry(
        SeriesFacts(), positions=positions, orientations=[cosines] * len(positions), frames=len(positions)
    )


@given(
    spacing=st.floats(min_value=0.3, max_value=8),
    count=st.integers(min_value=3, max_value=60),
    start=st.floats(min_value=-200, max_value=200),
)
def test_an_even_stack_has_its_spacing_and_nothing_missing(spacing, count, start):
    facts = measured([start + spacing * n for n in range(count)])
    assert facts.slice_spacing_mm == pytest.approx(spacing, abs=1e-3)
    assert (facts.slice_positions, facts.missing_slices, facts.uneven_spacing) == (count, 0, False)


@given(gone=st.sets(st.integers(min_value=1, max_value=28), min_size=1, max_size=5))
def test_missing_slices_are_counted(gone):
    facts = measured([n for n in range(30) if n not in gone])
    assert facts.missing_slices == len(gone)
    assert facts.uneven_spacing is False


def test_changing_gaps_are_uneven():
    facts = measured([0, 4, 8, 12, 19, 26, 33, 34.08])
    assert facts.uneven_spacing is True


def test_a_repeated_position_counts_once():
    facts = measured([0, 1, 2, 0, 1, 2])
    assert (facts.frames, facts.slice_positions, facts.missing_slices) == (6, 3, 0)


def test_a_tilted_gantry_is_measured():
    angle = np.radians(18.5)
    cosines = (1.0, 0.0, 0.0, 0.0, float(np.cos(angle)), float(-np.sin(angle)))
    facts = measured(range(10), cosines=cosines)
    assert facts.gantry_tilt_deg == pytest.approx(18.5, abs=0.01)


def test_planes_of_a_localizer_are_counted_and_not_stacked():
    facts = with_geometry(
        SeriesFacts(),
        positions=[(0, 0, 0), (0, 0, 1), (5, 0, 0)],
        orientations=[AXIAL, AXIAL, (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)],
        frames=3,
    )
    assert (facts.orientations, facts.slice_spacing_mm) == (2, None)
