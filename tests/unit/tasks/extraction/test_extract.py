"""An extraction ends with its number on every machine, and says what the machine lacks."""

import sys

import nibabel as nib
import numpy as np
import pytest

from tasks.extraction.extract import extract
from tasks.extraction.port import MeasuredValue, ModelOutput
from tasks.extraction.records import ExtractionRequest, Outcome
from tasks.extraction.report import NO_PDF
from tasks.series import Instance, SeriesFacts, SeriesRecord

PLUG_IN = """[cohortflow.biomarker_models]
ball = tests.unit.tasks.extraction.test_extract:Ball
"""


class Ball:
    """A model of another package: measures how much is bright."""

    name, title, resource = "ball", "Ball", "BALL"

    def measure(self, volume, out_dir, *, parameters):
        image = nib.load(volume)
        mask = np.asarray(image.dataobj) > parameters["threshold"]
        nib.save(nib.Nifti1Image(mask.astype(np.uint8), image.affine), out_dir / "ball_mask.nii.gz")
        return ModelOutput(
            values=(MeasuredValue(name="volume", title="Volume", value=mask.sum() / 1000, unit="mL"),),
            mask_name="ball_mask.nii.gz",
            remarks=(),
            model_version="1",
            weights_sha256={},
            parameters=dict(parameters),
            libraries={},
            device="cpu",
        )


@pytest.fixture
def request_(tmp_path, monkeypatch):
    (tmp_path / "ball-1.dist-info").mkdir()
    (tmp_path / "ball-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: ball\nVersion: 1\n")
    (tmp_path / "ball-1.dist-info" / "entry_points.txt").write_text(PLUG_IN)
    monkeypatch.syspath_prepend(tmp_path)
    axes = np.indices((24, 24, 24)) - 12
    nib.save(nib.Nifti1Image(((axes**2).sum(0) <= 100).astype(np.int16) * 500, np.eye(4)), tmp_path / "scan_5.nii.gz")
    instance = Instance(sop_instance_uid="1.2.1", sha256="0" * 64, md5="", size_bytes=1)
    return ExtractionRequest(
        study="heads",
        study_title="Heads",
        session_label="BV-001_MR",
        subject_label="BV-001",
        model="ball",
        parameters={"threshold": 100},
        series=SeriesRecord(series_instance_uid="1.2.3", facts=SeriesFacts(), instances=(instance,)),
        scan_id="5",
        scan_type="T1w",
        volume=tmp_path / "scan_5.nii.gz",
        converter="dcm2niix 1",
        reason="It is the only one.",
    )


class WithoutPango:
    """A bare machine: WeasyPrint is installed, and the libraries that it opens are not."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")


def test_without_pango_the_report_is_html_and_says_so(request_, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    monkeypatch.setattr(sys, "meta_path", [WithoutPango, *sys.meta_path])
    result = extract(tmp_path / "out", request_)
    assert result.outcome is Outcome.MEASURED
    assert result.measurements[0].value == pytest.approx(4.19, rel=0.01)
    assert result.measurements[0].remarks == (NO_PDF,)
    assert {"report.html", "measurement.json"} <= result.files.keys()
    assert "report.pdf" not in result.files
    assert "libpango-1.0-0" in result.files["report.html"].read_text()
    assert all(path.is_file() for path in result.files.values())
