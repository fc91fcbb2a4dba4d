"""The report holds the number, its pictures and its pedigree, and nothing outside itself."""

import datetime as dt
import re

import pytest

from tasks.extraction.artifacts import artifacts_of
from tasks.extraction.records import (
    ExtractionRequest,
    Gravity,
    InputVolume,
    Measurement,
    Pedigree,
    QualityRemark,
)
from tasks.extraction.report import render_report
from tasks.series import Instance, SeriesFacts, SeriesRecord

INSTANCES = tuple(Instance(sop_instance_uid=f"1.2.{n}", sha256=f"{n:064x}", md5="", size_bytes=1) for n in range(3))


@pytest.fixture
def request_(tmp_path):
    facts = SeriesFacts(
        series_description="<b>T1</b>", rows=256, columns=256, slice_positions=60, repetition_time_ms=20.0
    )
    return ExtractionRequest(
        study="heads",
        study_title="Heads & necks",
        session_label="BV-001_MR_20260203",
        subject_label="BV-001",
        model="brain_tiv",
        parameters={"threshold": 0.5},
        series=SeriesRecord(series_instance_uid="1.2.3", facts=facts, instances=INSTANCES),
        scan_id="5",
        scan_type="T1w",
        volume=tmp_path / "scan_5.nii.gz",
        converter="dcm2niix 1",
        reason="Scan 5 is the session's T1w scan.",
    )


@pytest.fixture
def measurement():
    source = InputVolume(
        scan_id="5",
        scan_type="T1w",
        series_instance_uid="1.2.3",
        instances=INSTANCES,
        volume_name="scan_5.nii.gz",
        volume_sha256="ab" * 32,
        converter="dcm2niix 1",
    )
    pedigree = Pedigree(
        input=source,
        model="brain_tiv",
        model_version="deepbet 1.0.2",
        weights_sha256={"model.pt": "cd" * 32},
        parameters={"threshold": 0.5},
        code_version="cohortflow 1",
        libraries={"torch": "2"},
        device="cpu",
        started=dt.datetime(2026, 2, 3, 10, 0, tzinfo=dt.UTC),
        duration_s=4.2,
        diagnostics={"certainty": 0.991},
    )
    remark = QualityRemark(gravity=Gravity.CHECK, text="The mask reaches the edge.")
    return Measurement(
        name="intracranial_volume",
        title="Intracranial volume",
        value=1505.336,
        unit="mL",
        remarks=(remark,),
        pedigree=pedigree,
    )


@pytest.fixture
def html(request_, measurement, tmp_path):
    picture = tmp_path / "p.png"
    picture.write_bytes(b"png")
    return render_report(request_, measurement, overlay=picture, slices=picture)


def test_the_report_says_what_was_measured_in_whom_and_how(html):
    for words in (
        "1505.3",
        "mL",
        "BV-001_MR_20260203",
        "deepbet 1.0.2",
        "Please check.",
        "The mask reaches the edge.",
        "99.1 %",
    ):
        assert words in html


def test_what_came_with_the_images_is_shown_as_text(html):
    assert "&lt;b&gt;T1&lt;/b&gt;" in html
    assert "Heads &amp; necks" in html


def test_the_report_asks_for_nothing_outside_itself(html):
    assert re.findall(r"""(?:src|href)=["'](?!data:)""", html) == []
    assert "url(" not in html
    assert "<script" not in html


def test_the_pedigree_for_tables_counts_the_instances(measurement):
    summary = measurement.pedigree.summary()
    assert summary["input"]["instances"] == 3
    assert summary["input"]["instances_sha256"] == measurement.pedigree.input.instances_sha256
    assert measurement.key == "brain_tiv.intracranial_volume"


def test_a_measurement_goes_through_json_unchanged(measurement):
    assert Measurement.model_validate_json(measurement.model_dump_json()) == measurement


def test_result_files_become_artifacts_of_their_kind():
    uris = {
        name: f"/data/{name}"
        for name in ("brain_tiv_mask.nii.gz", "overlay.png", "report.html", "report.pdf", "measurement.json")
    }
    found = artifacts_of(uris, resource="BRAIN_TIV", volume_uri="/data/scan_5.nii.gz")
    assert {one.kind: one.name for one in found} == {
        "mask": "brain_tiv_mask.nii.gz",
        "overlay": "brain_tiv_overlay.png",
        "report_html": "brain_tiv_report.html",
        "report_pdf": "brain_tiv_report.pdf",
        "measurement": "brain_tiv_measurement.json",
        "volume": "brain_tiv_volume",
    }
