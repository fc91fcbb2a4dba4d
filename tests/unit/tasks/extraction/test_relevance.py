"""One scan is chosen, always the same, with a reason; or the reason says what was looked for."""

import random

import pytest

from tasks.archive.derive import DerivedScan, ScanRecord, VolumeFile
from tasks.archive.port import ScanRef
from tasks.extraction.relevance import Candidate, choose_scan
from tasks.extraction.request import relevant_scan
from tasks.series import SeriesFacts, SeriesRecord
from tasks.studies import Condition

SPGR = SeriesFacts(
    modality="MR",
    series_description="3D SPGR VOLUME",
    mr_acquisition_type="3D",
    scanning_sequence=("GR",),
    echo_time_ms=12.5,
    row_spacing_mm=0.86,
    column_spacing_mm=0.86,
    slice_spacing_mm=2.5,
    slice_positions=60,
)
SPIN_ECHO = SPGR.model_copy(update={"mr_acquisition_type": "2D", "scanning_sequence": ("SE",), "echo_time_ms": 29.0})


def scan(number, facts=SPGR, **changes):
    return Candidate(scan_id=str(number), description="", facts=facts.model_copy(update=changes))


@pytest.fixture
def rule(study):
    return study.scan_type("T1w")


def test_of_equal_scans_the_first_is_taken_in_any_order(rule):
    scans = [scan(2, SPIN_ECHO), scan(5), scan(6), scan(7, contrast_agent=True), scan(10, SPIN_ECHO)]
    for seed in range(5):
        choice = choose_scan(random.Random(seed).sample(scans, len(scans)), rule)
        assert choice.scan_id == "5"
        assert choice.reason == (
            "Scan 5 is the session's T1w scan; scans 6, 7 match as well, and scan 5 is the first of equal ones."
        )


@pytest.mark.parametrize(
    ("better", "worse", "why"),
    [
        ({}, {"contrast_agent": True}, "has no contrast agent"),
        ({"slice_spacing_mm": 1.0}, {}, "has the smallest voxels"),
        ({"slice_positions": 120}, {}, "has the most slices"),
    ],
)
def test_the_better_scan_is_taken_and_the_reason_says_why(rule, better, worse, why):
    choice = choose_scan([scan(3, **worse), scan(9, **better)], rule)
    assert choice.scan_id == "9"
    assert choice.reason == f"Scan 9 is the session's T1w scan; scan 3 matches as well, and scan 9 {why}."


def test_without_a_match_the_reason_names_the_wish_and_the_nearest_scan(rule):
    choice = choose_scan([scan(2, SPIN_ECHO), scan(5, missing_slices=1)], rule)
    assert choice.scan_id is None
    assert choice.reason == (
        "None of the session's 2 scans is a T1w scan; the nearest is scan 5, but its number of missing slices is 1. "
        "Looked for: T1-weighted volume, with mr acquisition type 3D, scanning sequence GR, echo time at most 13 ms, "
        "number of missing slices at most 0, number of slice positions at least 3."
    )


def test_the_reason_repeats_defined_terms_and_no_free_text(rule):
    wanted = Condition(any_of=("WANTED",))
    names = ("modality", "series_description", "protocol_name", "manufacturer", "image_type", "scanning_sequence")
    told = []
    for name in names:
        strict = rule.model_copy(update={"match": {name: wanted}})
        value = ("ORIGINAL", "DOE JOHN") if name in {"image_type", "scanning_sequence"} else "DOE JOHN"
        reason = choose_scan([scan(5, **{name: value})], strict).reason
        assert "DOE" not in reason
        told.append(reason.split(" is ")[2].split(".")[0])
    assert told == ["another one"] * 4 + ["ORIGINAL+another one", "another one"]


def test_a_session_without_scans_says_so(rule):
    assert choose_scan([], rule).reason.startswith("The session has no scans. Looked for: T1-weighted volume")


def derived(number, *, best, problem=None):
    record = ScanRecord(
        series=SeriesRecord(series_instance_uid=f"1.{number}", facts=SPGR),
        converter="c",
        volumes=(VolumeFile(name=best, sha256=""),) if best else (),
        best=best,
        problem=problem,
    )
    return DerivedScan(scan=ScanRef(session_id="E1", id=str(number)), record=record)


def test_a_scan_that_is_no_single_volume_is_passed_over(study):
    use = study.models[0]
    assert relevant_scan([derived(4, best=None), derived(5, best="a.nii.gz")], study, use).scan_id == "5"
    alone = relevant_scan([derived(4, best=None)], study, use)
    assert alone.scan_id is None
    assert (
        alone.reason == "Scan 4 is the session's T1w scan, but it holds several volumes, and none of them is the scan."
    )
