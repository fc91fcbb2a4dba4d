"""The brain model gives deepbet's own answer, the same each time, and refuses what is no head."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from tasks.archive.nifti import convert_scan
from tasks.errors import RejectedInput
from tasks.extraction.extract import extract
from tasks.extraction.models import load_model
from tasks.extraction.overlay import draw_overlays
from tasks.extraction.records import ExtractionRequest, Outcome
from tasks.intake.examine import examine_scan

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

REFERENCE_ML = {"dev/t1_philips_adni_mprage_41y": 1566.1, "dev/t1_sag_anon_siemens_3y": 1468.6}
"""Volumes of deepbet's masks, made elsewhere with another reader of the DICOM files."""


@pytest.fixture(scope="session")
def volumes(unpacked, tmp_path_factory):
    """Return series and NIfTI volume of a real case."""
    made = {}

    def of(case):
        if case not in made:
            (series,) = examine_scan(unpacked(case))
            conversion = convert_scan(
                [one.path for one in series.instances], tmp_path_factory.mktemp("nii") / "out", scan="5"
            )
            made[case] = (series, conversion)
        return made[case]

    return of


@pytest.fixture(scope="session")
def request_for(volumes):
    """Return the request to measure a real case."""
    pytest.importorskip("torch", reason="the extra 'extraction' is not installed")

    def of(case, **parameters):
        series, conversion = volumes(case)
        return ExtractionRequest(
            study="brain-volumetry",
            study_title="Brain volumetry",
            session_label="BV-009_MR_20260203",
            subject_label="BV-009",
            model="brain_tiv",
            parameters=parameters or {"threshold": 0.5},
            series=series,
            scan_id="5",
            scan_type="T1w",
            volume=conversion.best,
            converter=conversion.converter,
            reason="Scan 5 is the session's T1w scan.",
        )

    return of


@pytest.fixture(scope="session")
def extracted(request_for, tmp_path_factory):
    """Return the result for a real case, measured once a run."""
    results = {}

    def of(case):
        if case not in results:
            results[case] = extract(tmp_path_factory.mktemp("extracted"), request_for(case))
        return results[case]

    return of


@pytest.mark.parametrize("case", REFERENCE_ML)
def test_a_real_head_has_the_volume_of_the_reference(case, extracted, request_for):
    result = extracted(case)
    assert result.outcome is Outcome.MEASURED
    (measurement,) = result.measurements
    assert measurement.unit == "mL"
    assert measurement.value == pytest.approx(REFERENCE_ML[case], rel=0.001)
    assert measurement.remarks == ()
    mask = nib.load(result.files["brain_tiv_mask.nii.gz"])
    image = nib.load(request_for(case).volume)
    assert mask.shape == image.shape
    assert np.allclose(mask.affine, image.affine)
    counted_ml = np.asarray(mask.dataobj).sum() * np.prod(mask.header.get_zooms()) / 1000
    assert counted_ml == pytest.approx(measurement.value, abs=0.002)
    content = json.loads(result.files["measurement.json"].read_text())
    assert len(content["measurements"][0]["pedigree"]["input"]["instances"]) == len(request_for(case).series.instances)
    assert result.files["report.pdf"].read_bytes().startswith(b"%PDF")


def test_the_mask_is_voxel_for_voxel_that_of_deepbet_itself(extracted, request_for, tmp_path):
    deepbet = pytest.importorskip("deepbet")
    request = request_for("dev/t1_sag_anon_siemens_3y")
    theirs = tmp_path / "theirs.nii.gz"
    with pytest.warns(DeprecationWarning, match=r"torch\.jit\.load"):
        deepbet.run_bet([str(request.volume)], mask_paths=[str(theirs)], threshold=0.5, no_gpu=True)
    result = extracted("dev/t1_sag_anon_siemens_3y")
    ours = np.asarray(nib.load(result.files["brain_tiv_mask.nii.gz"]).dataobj)
    assert np.array_equal(ours, np.asarray(nib.load(theirs).dataobj))


def test_the_same_volume_gives_the_same_bytes(extracted, request_for, tmp_path):
    first = extracted("dev/t1_sag_anon_siemens_3y")
    second = load_model("brain_tiv").measure(
        first_volume := request_for("dev/t1_sag_anon_siemens_3y").volume, tmp_path, parameters={}
    )
    assert round(second.values[0].value, 3) == first.measurements[0].value
    mask = tmp_path / "brain_tiv_mask.nii.gz"
    assert np.array_equal(nib.load(mask).dataobj, nib.load(first.files["brain_tiv_mask.nii.gz"]).dataobj)
    for picture in draw_overlays(first_volume, mask, tmp_path):
        assert picture.read_bytes() == first.files[picture.name].read_bytes()


def test_a_fruit_is_refused_with_its_picture_kept(extracted):
    result = extracted("odd/fruit_phantom_ge_spgr")
    assert result.outcome is Outcome.NOT_RELEVANT
    assert result.measurements == ()
    assert "quality control refuses the result" in result.reason
    assert "does not have the shape of a head's inside" in result.reason
    assert result.files["overlay.png"].is_file()


def test_an_empty_volume_holds_no_brain(request_for, tmp_path):
    path = tmp_path / "empty.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((40, 40, 40), dtype=np.int16), np.diag([4.0, 4.0, 4.0, 1.0])), path)
    request = request_for("dev/t1_sag_anon_siemens_3y").model_copy(update={"volume": path})
    result = extract(tmp_path / "out", request)
    assert result.outcome is Outcome.NOT_RELEVANT
    assert "no brain" in result.reason


def test_a_threshold_outside_its_range_is_a_mistake_of_the_study(request_for, tmp_path):
    with pytest.raises((RejectedInput, ValueError), match="threshold"):
        extract(tmp_path, request_for("dev/t1_sag_anon_siemens_3y", threshold=1.5))
