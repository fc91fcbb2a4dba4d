"""An archive may call scans and volumes anything; what is derived stays in the folder that it was given."""

import json

import pytest

from tasks.archive.derive import RECORD_FILE, describe_session, fetch_scan
from tasks.archive.memory import MemoryArchive
from tasks.archive.port import DICOM, NIFTI, SNAPSHOTS, scan_stem
from tasks.series import SeriesRecord
from tests.unit.tasks.dicom_files import write_series


@pytest.fixture
def archive():
    archive = MemoryArchive()
    archive.ensure_project("HEADS", title="Heads")
    return archive


@pytest.fixture
def new_scan(archive, tmp_path):
    """Archive a small series as the scan of an id, in a session of its own."""

    def archive_as(scan_id):
        session = archive.create_session(
            "HEADS", subject_label="A", label="A_MR", modality="MR", study_instance_uid="1.2", scandate=None
        )
        scan = archive.create_scan(session.id, scan_id, series=SeriesRecord(series_instance_uid="1.2.3"))
        archive.upload(scan.uri, DICOM, {path.name: path for path in write_series(tmp_path / "in")})
        return scan

    return archive_as


@pytest.mark.parametrize("scan_id", ["x/../../../../releases", "../out", "..", "%i_%n", "a b", "_Eq_1", "5_Eq_1"])
def test_no_scan_id_leads_out_of_the_work_folder_or_into_the_name_of_a_volume(archive, new_scan, tmp_path, scan_id):
    (tmp_path / "releases" / "nifti").mkdir(parents=True)
    (tmp_path / "releases" / "nifti" / "kept").write_text("kept")
    scan = new_scan(scan_id)
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    work_dir = tmp_path / "home" / "work" / "execution" / "scans"
    (described,) = describe_session(archive, scan.session_id, work_dir)
    assert described.record.best == f"{scan_stem(scan_id)}.nii.gz"
    assert fetch_scan(archive, described, work_dir / "fetched").volume.is_file()
    outside = sorted(path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(work_dir))
    assert outside == before
    names = [entry.name for resource in (NIFTI, SNAPSHOTS) for entry in archive.files(scan.uri, resource)]
    assert not [name for name in names if "BV-001" in name]


@pytest.mark.parametrize("change", [{"best": "other.nii.gz"}, {"volumes": [{"name": "../../x", "sha256": "0"}]}])
def test_a_record_that_names_what_is_not_of_the_scan_is_made_anew(archive, new_scan, tmp_path, change):
    scan = new_scan("5")
    (derived,) = describe_session(archive, scan.session_id, tmp_path / "first")
    path = tmp_path / RECORD_FILE
    path.write_text(json.dumps(derived.record.model_dump(mode="json") | change))
    archive.upload(scan.uri, NIFTI, {RECORD_FILE: path})
    (again,) = describe_session(archive, scan.session_id, tmp_path / "again")
    assert (again.is_new, again.record) == (True, derived.record)
