"""Real odd data end in a clear sentence or a clear result."""

from __future__ import annotations

import pytest

from tasks.archive.deposit import deposit_session
from tasks.archive.derive import describe_session
from tasks.archive.memory import MemoryArchive
from tasks.extraction.request import relevant_scan
from tasks.intake import examine
from tasks.intake.examine import examine_scan

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    # Some of the files hold values that the standard does not allow; pydicom says so when the fixture writes them anew.
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def relevance_of(paths, study, tmp_path):
    archive = MemoryArchive()
    report = examine(paths, [study])
    deposit = deposit_session(archive, report, study_title=study.title)
    described = describe_session(archive, deposit.session.id, tmp_path)
    return relevant_scan(described, study, study.models[0]), described


@pytest.mark.parametrize(
    "case", ["dev/t1_sag_anon_siemens_3y", "dev/t1_philips_adni_mprage_41y", "odd/fruit_phantom_ge_spgr"]
)
def test_a_whole_t1_volume_is_chosen(case, deidentified, brain_study, tmp_path):
    choice, (described,) = relevance_of(deidentified(case), brain_study, tmp_path)
    assert choice.scan_id == described.scan.id
    assert described.record.best is not None
    assert described.record.preview is not None
    assert described.record.remarks == ()


def test_a_head_with_a_missing_slice_is_kept_and_not_measured(deidentified, brain_study, tmp_path):
    choice, (described,) = relevance_of(deidentified("odd/t1_memprage_trio_missing_slices"), brain_study, tmp_path)
    assert choice.scan_id is None
    assert "its number of missing slices is 1" in choice.reason
    assert "Slices are missing." in described.record.remarks
    assert described.record.series.facts.slice_positions == 175


def test_a_mosaic_is_kept_and_not_measured(deidentified, brain_study, tmp_path):
    choice, (described,) = relevance_of(deidentified("odd/siemens_mosaic"), brain_study, tmp_path)
    assert choice.scan_id is None
    assert "its mr acquisition type is 2D" in choice.reason
    assert described.record.volumes


def test_enhanced_mr_is_kept_and_not_measured(deidentified, brain_study, tmp_path):
    siemens = [path for path in deidentified("odd/enhanced_mr") if path.stat().st_size < 200_000]
    choice, (described,) = relevance_of(siemens, brain_study, tmp_path)
    assert choice.scan_id is None
    assert described.record.series.facts.frames == 24
    assert described.record.series.facts.slice_positions == 6


def test_a_ct_is_refused_by_the_study_of_heads(deidentified, brain_study):
    report = examine(deidentified("odd/ct_head_ge_tilt_variable_spacing"), [brain_study])
    assert report.series == ()
    assert report.route.study == "brain-volumetry"
    assert "its modality is CT, and study brain-volumetry takes MR" in report.arrival_reason


def test_slices_whose_uids_were_removed_say_so(deidentified, brain_study):
    report = examine(deidentified("dev/ct_totalsegmentator_example/example_ct_dicom"), [brain_study])
    assert report.arrival_reason.endswith("20 instances: it has no study, series or instance UID.")


def test_tilt_and_uneven_spacing_of_a_ct_are_measured(unpacked):
    (series,) = examine_scan(unpacked("odd/ct_head_ge_tilt_variable_spacing"))
    assert series.facts.gantry_tilt_deg == pytest.approx(18.5, abs=0.1)
    assert series.facts.uneven_spacing


def test_heads_that_their_publisher_did_not_mark_stay_outside(unpacked, brain_study):
    report = examine(unpacked("dev/t1_sag_anon_siemens_3y"), [brain_study], called_ae="BRAINVOL")
    assert report.series == ()
    assert "192 instances: it is not marked as de-identified" in report.arrival_reason


def test_a_mixed_bag_is_sorted_file_by_file(deidentified, brain_study):
    report = examine(deidentified("odd/pydicom_data_selected"), [brain_study])
    files = len(deidentified("odd/pydicom_data_selected"))
    assert report.instance_count + len(report.rejected) == files
    assert all(one.reason.startswith("Rejected: ") and one.reason.endswith(".") for one in report.rejected)
    assert any("Segmentation Storage" in one.reason for one in report.rejected)


def test_truncated_slices_are_set_aside_and_the_rest_goes_on(deidentified, brain_study, tmp_path):
    paths = deidentified("dev/t1_sag_anon_siemens_3y")[:20]
    cut = []
    for number, path in enumerate(paths[:3]):
        cut.append(tmp_path / f"cut_{number}.dcm")
        content = path.read_bytes()
        cut[-1].write_bytes(content[: len(content) * (number + 1) // 5])
    report = examine([*cut, *paths[3:]], [brain_study])
    assert report.instance_count == 17
    assert len(report.rejected) == 3
    assert all("truncated" in one.reason or "cannot be read" in one.reason for one in report.rejected)
