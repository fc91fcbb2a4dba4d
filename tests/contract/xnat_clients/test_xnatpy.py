"""Unmodified xnatpy 0.8.1 against a real server: what scripts written for XNAT do."""

import os
import threading
import time
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import update

from service_kit.accounts.db.tables import UserRow
from service_kit.accounts.service import Accounts
from service_kit.tables import utc_now

pytestmark = pytest.mark.integration

numbers = count(1)


@pytest.fixture
def project(connection):
    project_id = f"T{next(numbers)}"
    connection.put(f"/data/projects/{project_id}", query={"xnat:projectData/name": f"Name of {project_id}"})
    connection.clearcache()
    return connection.projects[project_id]


@pytest.fixture
def session(connection, project):
    subject = connection.classes.SubjectData(parent=project, label="P01")
    return connection.classes.MrSessionData(parent=subject, label=f"{project.id}_MR1", date="2026-02-03")


@pytest.fixture
def scan(connection, session):
    return connection.classes.MrScanData(parent=session, id="7", type="T1", series_description="3D  T1, sagittal")


def read_again(connection, project):
    connection.clearcache()
    return connection.projects[project.id].experiments[f"{project.id}_MR1"]


def test_a_connection_knows_who_is_logged_in_and_which_types_there_are(connection) -> None:
    assert connection.logged_in_user == "admin"
    assert connection.xnat_version.startswith("1.9")
    assert issubclass(connection.classes.MrSessionData, connection.classes.ImageSessionData)
    assert connection.session_expiration_time[1] == 900


def test_what_is_made_can_be_read_again(connection, project, session, scan) -> None:
    again = read_again(connection, project)
    assert again.label == f"{project.id}_MR1"
    assert again.date.isoformat() == "2026-02-03"
    assert again.subject.label == "P01"
    assert again.scans["7"].series_description == "3D  T1, sagittal"
    assert again.scans["T1"].id == "7"
    assert connection.projects[project.name].subjects["P01"].project == project.id


def test_fields_are_set_through_attributes(connection, project, session, scan) -> None:
    session.note = "seen"
    session.scanner.manufacturer = "Vendor"
    connection.clearcache()
    again = read_again(connection, project)
    again.scans["7"].parameters.tr = 2.3
    connection.clearcache()
    subject = connection.projects[project.id].subjects["P01"]
    subject.demographics.age = 40
    again = read_again(connection, project)
    assert again.note == "seen"
    assert again.scanner.manufacturer == "Vendor"
    assert again.scans["7"].parameters.tr == 2.3
    connection.clearcache()
    assert connection.projects[project.id].subjects["P01"].demographics.age == 40


def test_custom_fields_come_and_go(connection, project, session, scan) -> None:
    session.fields["arm"] = "a"
    scan.fields["echo"] = "2"
    again = read_again(connection, project)
    assert dict(again.fields) == {"arm": "a"}
    assert dict(again.scans["7"].fields) == {"echo": "2"}
    connection.clearcache()
    again = read_again(connection, project)
    del again.fields["arm"]
    assert dict(read_again(connection, project).fields) == {}


def test_files_come_back_as_they_were(connection, project, session, scan, tmp_path: Path) -> None:
    resource = scan.create_resource("DICOM", format="DICOM")
    data = os.urandom(3_000_000)
    resource.upload_data(data, "sub/a b.dcm")
    file = resource.files["sub/a b.dcm"]
    assert file.name == "a b.dcm"
    file.download(tmp_path / "x", verbose=False)  # compares the digest
    assert (tmp_path / "x").read_bytes() == data
    assert int(file.size) == len(data)
    assert resource.file_count == 1
    file.delete()
    resource.clearcache()
    assert len(connection.create_object(resource.uri).files) == 0


@pytest.mark.parametrize("method", ["per_file", "tar_memory", "tgz_file"])
def test_a_folder_goes_up_and_comes_down(connection, project, session, scan, tmp_path: Path, method: str) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    for number in range(20):
        (source / "sub" / f"{number}.dcm").write_bytes(os.urandom(1000))
    resource = scan.create_resource("BULK", data_dir=source, method=method)
    assert {file.path for file in resource.files} == {f"sub/{number}.dcm" for number in range(20)}
    session.download_dir(tmp_path / "down", verbose=False)
    root = tmp_path / "down" / f"{project.id}_MR1" / "scans" / "7-T1" / "resources" / "BULK" / "files" / "sub"
    assert {path.name: path.read_bytes() for path in root.iterdir()} == {
        path.name: path.read_bytes() for path in (source / "sub").iterdir()
    }


def test_files_are_found_on_disk_where_the_layout_says(server, project, session, scan) -> None:
    scan.create_resource("DICOM", format="DICOM").upload_data(b"x", "a.dcm")
    session.create_resource("RAW", format="DICOM").upload_data(b"y", "b.dcm")
    folder = server.home / "data" / project.id / "arc001" / f"{project.id}_MR1"
    assert (folder / "SCANS" / "7" / "DICOM" / "a.dcm").read_bytes() == b"x"
    assert (folder / "RESOURCES" / "DICOM" / "b.dcm").read_bytes() == b"y"


def test_assessors_status_rename_share_and_delete(connection, project, session, scan) -> None:
    connection.classes.QcManualAssessorData(parent=session, label=f"{project.id}_qc1")
    again = read_again(connection, project)
    assessor = again.assessors[f"{project.id}_qc1"]
    assessor.create_resource("OUT").upload_data(b"x", "x.txt")
    assert [file.name for file in assessor.resources["OUT"].files] == ["x.txt"]
    again.quarantine()
    assert again.status == "quarantined"
    again.activate()
    assert again.status == "active"
    again.label = "RENAMED"
    connection.clearcache()
    renamed = connection.projects[project.id].experiments["RENAMED"]
    connection.put(f"/data/projects/{project.id}b")
    renamed.share(f"{project.id}b", label="SHOWN")
    connection.clearcache()
    assert connection.projects[f"{project.id}b"].experiments["SHOWN"].label == "SHOWN"
    connection.clearcache()
    # not .delete(): xnatpy 0.8.1 then asks for every listing that is still alive, those of the deleted session too
    connection.delete(connection.projects[project.id].experiments["RENAMED"].fulluri, query={"removeFiles": "true"})
    connection.clearcache()
    assert len(connection.projects[project.id].experiments) == 0


def test_seven_hundred_files_go_up_in_seconds(project, session, scan, tmp_path: Path) -> None:
    for number in range(700):
        (tmp_path / f"{number}.dcm").write_bytes(os.urandom(500))
    began = time.monotonic()
    scan.create_resource("DICOM", data_dir=tmp_path)
    assert time.monotonic() - began < 30  # 1 s on an idle machine
    assert len(scan.resources["DICOM"].files) == 700


def test_eight_threads_upload_at_once_and_every_file_is_there_once(server, project, session, scan) -> None:
    uri = f"/data/experiments/{session.id}/scans/7/resources/DICOM/files"
    answers: list[int] = []

    def upload(thread: int) -> None:
        with server.client() as client:
            for number in range(25):
                own = client.put(f"{uri}/{thread}_{number}", content=f"{thread}_{number}".encode())
                same = client.put(f"{uri}/same_{number}", content=b"same")
                answers.extend([own.status_code, same.status_code])

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) == {200}
    assert len(answers) == 400
    names = sorted(file.path for file in scan.resources["DICOM"].files)
    expected = [f"{thread}_{number}" for thread in range(8) for number in range(25)]
    assert names == sorted(expected + [f"same_{number}" for number in range(25)])
    assert all(file.verify_digest() for file in list(scan.resources["DICOM"].files)[::20])


def test_a_guest_sees_what_is_public_and_nothing_else(server, tmp_path: Path) -> None:
    import xnat

    uri = "/data/projects/OPENED/subjects/P01/experiments/P01_MR1"
    with server.client() as admin:
        for project in ("OPENED", "CLOSED"):
            place = uri.replace("OPENED", project)
            admin.put(f"/data/projects/{project}").raise_for_status()
            admin.put(place.rpartition("/experiments")[0]).raise_for_status()
            admin.put(place, params={"xsiType": "xnat:mrSessionData"}).raise_for_status()
            admin.put(f"{place}/resources/R/files/a.txt", content=b"seen").raise_for_status()
        admin.put("/data/projects/OPENED/accessibility/public").raise_for_status()
        (tmp_path / "netrc").touch(mode=0o600)
        try:
            admin.post("/xapi/siteConfig", json={"requireLogin": False}).raise_for_status()
            with xnat.connect(server.url, netrc_file=str(tmp_path / "netrc"), loglevel="ERROR") as guest:
                assert guest.logged_in_user == "guest"
                seen = {project.id for project in guest.projects.values()}
                assert "OPENED" in seen
                assert "CLOSED" not in seen
                session = guest.projects["OPENED"].experiments["P01_MR1"]
                assert session.subject.label == "P01"
                session.resources["R"].files["a.txt"].download(str(tmp_path / "a.txt"), verbose=False)
                assert (tmp_path / "a.txt").read_bytes() == b"seen"
                for closed in ("/data/projects/CLOSED", uri.replace("OPENED", "CLOSED")):
                    with pytest.raises(xnat.exceptions.XNATResponseError):
                        guest.get_json(closed)
                with pytest.raises(xnat.exceptions.XNATError):
                    session.note = "changed"
                with pytest.raises(xnat.exceptions.XNATError):
                    guest.put("/data/projects/MADE")
        finally:
            admin.post("/xapi/siteConfig", json={"requireLogin": True}).raise_for_status()
        assert admin.get("/data/projects/MADE").status_code == 404
        assert "note" not in admin.get(uri).json()["items"][0]["data_fields"]
    with pytest.raises(xnat.exceptions.XNATError):
        xnat.connect(server.url, netrc_file=str(tmp_path / "netrc"), loglevel="CRITICAL")


def test_a_password_that_has_expired_is_told_as_that(server) -> None:
    import xnat

    with server.client() as admin:
        account = {"username": "late", "password": "correct horse battery"}
        admin.post("/xapi/users", json=account).raise_for_status()
        accounts = Accounts.open(f"sqlite:///{server.home}/accounts.db")
        with accounts.database.write() as uow:
            uow.session.connection().execute(
                update(UserRow)
                .where(UserRow.username == "late")
                .values(password_set_at=utc_now() - timedelta(days=400))
            )
        accounts.database.dispose()
        try:
            admin.post("/xapi/siteConfig", json={"passwordExpirationType": "Interval"}).raise_for_status()
            with pytest.raises(xnat.exceptions.XNATExpiredCredentialsError):
                xnat.connect(server.url, user="late", password=account["password"], loglevel="CRITICAL")
        finally:
            admin.post("/xapi/siteConfig", json={"passwordExpirationType": "Disabled"}).raise_for_status()
