"""What every adapter of the archive port does."""

from __future__ import annotations

import datetime as dt
import hashlib
import traceback

import pytest

from tasks.archive.deposit import deposit_session
from tasks.archive.derive import derive_scan, describe_session, fetch_scan
from tasks.archive.results import store_results
from tasks.errors import ArchiveRefused, NoVolume, VolumeDiffers
from tasks.intake import examine
from tasks.series import SeriesFacts, SeriesRecord
from tests.unit.tasks.conftest import study, study_folder  # noqa: F401 - fixtures
from tests.unit.tasks.dicom_files import instance, write, write_series

UID = "1.2.826.0.1.3680043.10.7"
pytestmark = pytest.mark.integration


def new_session(archive, project, *, label="S1_MR_20260203", uid=UID):
    archive.ensure_subject(project, "S1")
    return archive.create_session(
        project, subject_label="S1", label=label, modality="MR", study_instance_uid=uid, scandate=dt.date(2026, 2, 3)
    )


def series(uid="1.2.3.4", number=5, description="T1  (sag/3D)"):
    return SeriesRecord(
        series_instance_uid=uid,
        series_number=number,
        facts=SeriesFacts(modality="MR", series_description=description, frames=4),
    )


def test_a_project_and_a_subject_are_made_once(archive, project):
    archive.ensure_project(project, title="Another title")
    first = archive.ensure_subject(project, "S1")
    assert first
    assert archive.ensure_subject(project, "S1") == first
    assert archive.ensure_subject(project, "S2") != first


def test_a_session_is_found_by_its_dicom_study_and_by_its_label(archive, project):
    assert archive.find_session(project, study_instance_uid=UID) is None
    assert archive.find_label(project, "S1_MR_20260203") is None
    made = new_session(archive, project)
    assert made.label == "S1_MR_20260203"
    assert (made.project, made.subject_label, made.study_instance_uid) == (project, "S1", UID)
    assert archive.find_session(project, study_instance_uid=UID) == made
    assert archive.find_label(project, made.label) == made
    assert archive.session(made.id) == made
    assert archive.find_session(project, study_instance_uid=UID + ".1") is None


def test_making_a_session_twice_makes_one(archive, project):
    assert new_session(archive, project) == new_session(archive, project)


def test_a_label_that_another_dicom_study_holds_is_refused(archive, project):
    new_session(archive, project)
    with pytest.raises(ArchiveRefused, match="create a session in"):
        new_session(archive, project, uid=UID + ".1")


def test_an_unknown_session_is_refused(archive, project):
    with pytest.raises(ArchiveRefused):
        archive.session("NO_SUCH_E00001")


def test_what_the_archive_refuses_is_told_without_the_label(archive):
    label = f"JANSEN-{1950:d}"  # in parts, for the line itself is in the traceback
    with pytest.raises(ArchiveRefused) as refused:
        archive.ensure_subject("NO_SUCH_PROJECT", label)
    assert label not in "".join(traceback.format_exception(refused.value))


def test_scans_come_back_in_order_with_their_type_and_series(archive, project):
    session = new_session(archive, project)
    for number in (10, 2, 5):
        archive.create_scan(session.id, str(number), series=series(uid=f"1.2.3.{number}", number=number))
    archive.create_scan(session.id, "5", series=series(uid="1.2.3.5"))
    scans = archive.scans(session.id)
    assert [one.id for one in scans] == ["2", "5", "10"]
    assert [one.series_instance_uid for one in scans] == ["1.2.3.2", "1.2.3.5", "1.2.3.10"]
    assert {one.type for one in scans} == {"T1  (sag/3D)"}


def test_files_come_back_as_they_were_sent(archive, project, text_files, tmp_path):
    session = new_session(archive, project)
    scan = archive.create_scan(session.id, "5", series=series())
    assert archive.files(scan.uri, "DICOM") == ()
    archive.upload(scan.uri, "DICOM", text_files, content="RAW", file_format="DICOM")
    entries = archive.files(scan.uri, "DICOM")
    assert [one.name for one in entries] == sorted(text_files)
    for entry in entries:
        content = text_files[entry.name].read_bytes()
        assert entry.size_bytes == len(content)
        assert entry.md5 in ("", hashlib.md5(content).hexdigest())
        assert entry.uri.startswith(f"{scan.uri}/resources/DICOM/files/")
    fetched = archive.download(scan.uri, "DICOM", tmp_path / "all")
    assert {name: path.read_bytes() for name, path in fetched.items()} == {
        name: path.read_bytes() for name, path in text_files.items()
    }
    one = archive.download(scan.uri, "DICOM", tmp_path / "one", names=["file_3.bin"])
    assert one["file_3.bin"].read_bytes() == b"x" * 300


def test_a_file_sent_again_replaces_the_old_one(archive, project, tmp_path):
    session = new_session(archive, project)
    path = tmp_path / "a"
    for content in (b"first", b"second"):
        path.write_bytes(content)
        archive.upload(session.uri, "NOTES", {"a.txt": path})
    (entry,) = archive.files(session.uri, "NOTES")
    assert entry.size_bytes == len(b"second")


def test_a_file_that_is_not_there_is_refused(archive, project, tmp_path):
    session = new_session(archive, project)
    with pytest.raises(ArchiveRefused):
        archive.download(session.uri, "NOTES", tmp_path / "x", names=["a.txt"])


@pytest.mark.parametrize("name", ["../a.txt", "a/b.txt", "a\\b.txt", ".", "..", ""])
def test_a_file_name_that_leaves_its_folder_is_refused_before_anything_is_sent(archive, project, tmp_path, name):
    session = new_session(archive, project)
    path = tmp_path / "a"
    path.write_bytes(b"x")
    with pytest.raises(ValueError, match="file name"):
        archive.upload(session.uri, "NOTES", {"good.txt": path, name: path})
    with pytest.raises(ValueError, match="file name"):
        archive.download(session.uri, "NOTES", tmp_path / "x", names=[name])
    assert archive.files(session.uri, "NOTES") == ()
    assert not (tmp_path / "x").exists()


def test_a_deposit_is_done_once_however_often_it_runs(archive, study, tmp_path):  # noqa: F811
    own = study.model_copy(update={"xnat_project": f"D{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:10]}"})
    report = examine(write_series(tmp_path / "in", slices=5), [own])
    first = deposit_session(archive, report, study_title="Heads")
    again = deposit_session(archive, report, study_title="Heads")
    assert (first.is_new_session, first.uploaded) == (True, 5)
    assert (again.is_new_session, again.uploaded) == (False, 0)
    assert again.session == first.session
    assert [one.scan for one in again.scans] == [one.scan for one in first.scans]
    assert len(archive.scans(first.session.id)) == 1


def test_instances_that_come_later_join_their_scan_and_changed_ones_are_refused(archive, study, tmp_path):  # noqa: F811
    own = study.model_copy(update={"xnat_project": f"L{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:10]}"})
    write_series(tmp_path / "early", slices=3)
    late = [
        write(instance(slice_mm=8, number=4), tmp_path / "late"),
        write(instance(slice_mm=2, number=1, EchoTime=5), tmp_path / "late"),
    ]
    first = deposit_session(archive, examine((tmp_path / "early").iterdir(), [own]), study_title="Heads")
    derive_scan(archive, first.scans[0].scan, tmp_path / "w1", local=first.scans[0].series)
    second = deposit_session(archive, examine(late, [own]), study_title="Heads")
    assert second.session == first.session
    assert second.uploaded == 1
    (refused,) = second.rejected
    assert "other content" in refused.reason
    derived = derive_scan(archive, second.scans[0].scan, tmp_path / "w2", local=second.scans[0].series)
    assert derived.is_new
    assert len(derived.record.series.instances) == 4
    assert derived.record.series.facts.slice_positions == 4


def test_another_dicom_study_on_the_same_day_gets_a_label_of_its_own(archive, study, tmp_path):  # noqa: F811
    own = study.model_copy(update={"xnat_project": f"A{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:10]}"})
    one = deposit_session(archive, examine(write_series(tmp_path / "1"), [own]), study_title="Heads").session
    other_files = write_series(tmp_path / "2", series="1.2.9", StudyInstanceUID="1.2.826.0.1.3680043.10.2")
    other = deposit_session(archive, examine(other_files, [own]), study_title="Heads").session
    assert one.id != other.id
    assert other.label.startswith(one.label + "_")


def test_volumes_previews_and_their_record_are_derived_once_and_fetched(archive, study, tmp_path):  # noqa: F811
    own = study.model_copy(update={"xnat_project": f"V{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:10]}"})
    deposit = deposit_session(archive, examine(write_series(tmp_path / "in", slices=6), [own]), study_title="Heads")
    (scan,) = (one.scan for one in deposit.scans)
    first = derive_scan(archive, scan, tmp_path / "w1", local=deposit.scans[0].series)
    again = derive_scan(archive, scan, tmp_path / "w2")
    assert first.is_new
    assert not again.is_new
    assert again.record == first.record
    names = {entry.name for entry in archive.files(scan.uri, "NIFTI")}
    assert {"scan_5.nii.gz", "scan_5.json", "series.json"} <= names
    assert {entry.name for entry in archive.files(scan.uri, "SNAPSHOTS")} == {"scan_5.png", "scan_5_t.png"}
    (described,) = describe_session(archive, deposit.session.id, tmp_path / "w3")
    assert described.record == first.record
    fetched = fetch_scan(archive, described, tmp_path / "w4")
    assert hashlib.sha256(fetched.volume.read_bytes()).hexdigest() == first.record.volumes[0].sha256


def test_a_scan_that_was_added_to_is_derived_again_and_a_changed_volume_is_not_taken(archive, study, tmp_path):  # noqa: F811
    own = study.model_copy(update={"xnat_project": f"W{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:10]}"})
    early, late = write_series(tmp_path / "early", slices=4), write(instance(slice_mm=10, number=5), tmp_path / "late")
    deposit = deposit_session(archive, examine(early, [own]), study_title="Heads")
    (old,) = describe_session(archive, deposit.session.id, tmp_path / "w1")
    deposit_session(archive, examine([late], [own]), study_title="Heads")
    (new,) = describe_session(archive, deposit.session.id, tmp_path / "w2")
    assert [len(one.record.series.instances) for one in (old, new)] == [4, 5]
    assert not describe_session(archive, deposit.session.id, tmp_path / "w3")[0].is_new
    with pytest.raises(VolumeDiffers, match=r"Volume scan_5.nii.gz of scan 5 .* another digest"):
        fetch_scan(archive, old, tmp_path / "w4")
    assert fetch_scan(archive, new, tmp_path / "w4").volume.is_file()


def test_a_session_that_others_archived_is_derived_when_it_is_described(archive, project, tmp_path):
    session = new_session(archive, project)
    scan = archive.create_scan(session.id, "5", series=series())
    files = {path.name: path for path in write_series(tmp_path / "in", slices=6)}
    archive.upload(scan.uri, "DICOM", files)
    (described,) = describe_session(archive, session.id, tmp_path / "w")
    assert described.is_new
    assert described.record.best == "scan_5.nii.gz"
    assert len(described.record.series.instances) == 6


def test_a_scan_without_a_volume_says_so(archive, project, tmp_path):
    session = new_session(archive, project)
    scan = archive.create_scan(session.id, "5", series=series())
    path = tmp_path / "no.dcm"
    path.write_bytes(b"this is no image")
    archive.upload(scan.uri, "DICOM", {"no.dcm": path})
    (described,) = describe_session(archive, session.id, tmp_path / "w")
    assert described.record.best is None
    with pytest.raises(NoVolume, match="Scan 5 cannot be turned into a volume"):
        fetch_scan(archive, described, tmp_path / "w2")


def test_results_are_sent_only_when_they_changed(archive, project, tmp_path):
    session = new_session(archive, project)
    path = tmp_path / "report.html"
    path.write_text("one")
    uris = store_results(archive, session.id, resource="BRAIN_TIV", files={"report.html": path})
    assert uris == {"report.html": f"/data/experiments/{session.id}/resources/BRAIN_TIV/files/report.html"}
    path.write_text("two")
    store_results(archive, session.id, resource="BRAIN_TIV", files={"report.html": path})
    (entry,) = archive.files(session.uri, "BRAIN_TIV")
    assert entry.md5 in ("", hashlib.md5(b"two").hexdigest())
