"""Imports and the prearchive through an unmodified xnatpy, and an upload of gigabytes into a server of its own."""

import os
import shutil
import socket
import time
import zipfile
from itertools import count
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

pytestmark = [
    pytest.mark.integration,
    # xnatpy 0.8.1 leaves its temporary zip open when an import is refused
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

numbers = count(1)
MIB = 1024 * 1024


def write_dicom(path: Path, pixels: bytes = b"\1\2\3\4", **values) -> Path:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = MRImageStorage, generate_uid(), "MR"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SeriesNumber = "1.2.3", "1.2.3.4", "5"
    ds.PatientName, ds.PatientID, ds.SeriesDescription = "SUBJ", "SUBJ_MR", "T1  w, 3D"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    ds.Rows = ds.Columns = 2
    ds.BitsAllocated, ds.PixelData = 8, pixels
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def project(connection) -> str:
    project_id = f"I{next(numbers)}"
    connection.put(f"/data/projects/{project_id}")
    connection.clearcache()
    return project_id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "visit"
    source.mkdir()
    for number in range(3):
        write_dicom(source / f"{number}.dcm", InstanceNumber=str(number))
    write_dicom(source / "scout.dcm", SeriesNumber="1", SeriesInstanceUID="1.2.3.1", SeriesDescription="scout")
    (source / "note.txt").write_text("no image")
    return source


def test_a_folder_becomes_a_session(connection, project, folder) -> None:
    session = connection.services.import_dir(folder, project=project, subject="S1", experiment="S1_MR1")
    assert (session.label, session.subject.label) == ("S1_MR1", "S1")
    assert sorted(scan.id for scan in session.scans.values()) == ["1", "5"]
    assert session.scans["5"].frames == 3
    assert session.scans["5"].type == "T1  w, 3D"
    assert session.scans["5"].read_dicom().SeriesNumber == 5
    with pytest.raises(Exception, match="retry with overwrite enabled"):
        connection.services.import_dir(folder, project=project, subject="S1", experiment="S1_MR1")
    again = connection.services.import_dir(
        folder, project=project, subject="S1", experiment="S1_MR1", overwrite="append", ignore_unparsable=True
    )
    assert again.id == session.id


def test_the_prearchive_is_used_from_end_to_end(connection, project, folder, tmp_path) -> None:
    waiting = connection.services.import_dir(folder, destination=f"/prearchive/projects/{project}")
    (found,) = connection.prearchive.sessions(project)
    assert (found.label, found.subject, found.status) == ("SUBJ_MR", "SUBJ", "READY")
    assert found.uri == waiting.uri
    assert found.lastmod.year == found.timestamp.year == found.uploaded.year
    assert connection.prearchive.find(project=project, subject="SUBJ", status="READY") == [found]
    assert {scan.id: scan.series_description for scan in found.scans.values()} == {"1": "scout", "5": "T1  w, 3D"}
    resource = found.scans["5"].resources["DICOM"]
    assert resource.file_count == 3
    assert sorted(file.name for file in resource.files.values()) == ["0.dcm", "1.dcm", "2.dcm"]
    assert found.scans["5"].read_dicom().SeriesNumber == 5
    found.download(str(tmp_path / "session.zip"))
    assert len(zipfile.ZipFile(tmp_path / "session.zip").namelist()) == 4
    found.rebuild(asynchronous=False)
    connection.put(f"/data/projects/{project}b")
    found.move(f"{project}b")
    (moved,) = connection.prearchive.sessions(f"{project}b")
    session = moved.archive(subject="S2", experiment="S2_MR1", quarantine=True)
    assert (session.label, session.project, session.status) == ("S2_MR1", f"{project}b", "quarantined")
    assert connection.prearchive.sessions(f"{project}b") == []
    again = connection.services.import_dir(folder, destination=f"/prearchive/projects/{project}")
    again.delete(asynchronous=False)
    assert connection.prearchive.sessions(project) == []


def test_single_files_come_one_by_one(connection, project, folder) -> None:
    for path in sorted(folder.glob("[0-9].dcm")):
        waiting = connection.services.import_(
            str(path), project=project, content_type="application/dicom", import_handler="gradual-DICOM"
        )
    assert connection.prearchive.sessions(project) == []
    (found,) = connection.prearchive.sessions(project, allow_receiving=True)
    assert (found.status, found.uri) == ("RECEIVING", waiting.uri)
    for path in sorted(folder.glob("[0-9].dcm")):
        session = connection.services.import_(
            str(path),
            project=project,
            experiment="DIRECT",
            content_type="application/dicom",
            import_handler="gradual-DICOM",
            direct_archive=True,
        )
    assert len(session.scans["5"].files) == 3


def test_a_folder_of_the_inbox_is_imported_in_the_background(server, connection, project, folder) -> None:
    shutil.copytree(folder, server.home / "inbox" / project)
    request = connection.services.import_dicom_inbox(f"{server.home}/inbox/{project}", cleanup=True, project=project)
    deadline = time.monotonic() + 60
    while request.status not in {"Completed", "Failed"} and time.monotonic() < deadline:
        time.sleep(0.1)
    assert request.status == "Completed"
    assert (request.username, request.project_id, request.cleanup_after_import) == ("admin", project, True)
    assert request.created <= request.timestamp
    connection.clearcache()
    assert connection.projects[project].experiments["SUBJ_MR"].scans["5"].frames == 3
    assert [path.name for path in (server.home / "inbox" / project).iterdir()] == ["note.txt"]


def resident_bytes(pid: int) -> int:
    """Return the most memory a process has had so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel does not say how much memory a process has")


LARGE_FILES = 32


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A zip of 512 MiB: 32 files of 16 MiB; `./run bench xnat_transfer` takes 2 GiB."""
    one = write_dicom(tmp_path / "one.dcm", b"\0" * 16 * MIB)
    ds = pydicom.dcmread(one)
    with zipfile.ZipFile(tmp_path / "large.zip", "w", zipfile.ZIP_STORED) as archive:
        for number in range(LARGE_FILES):
            ds.SOPInstanceUID, ds.InstanceNumber = generate_uid(), str(number)
            ds.save_as(one, enforce_file_format=True)
            archive.write(one, f"visit/{number}.dcm")
    one.unlink()
    return tmp_path / "large.zip"


@pytest.mark.slow
def test_half_a_gigabyte_does_not_raise_memory(own_server, large) -> None:
    own_server.start()
    pid = own_server.process.pid
    with own_server.client() as client:
        client.put("/data/projects/P")
        client.post("/data/services/import", params={"project": "P"}, content=b"no image")  # what is loaded at first
        before = resident_bytes(pid)
        client.timeout = httpx.Timeout(280)
        with large.open("rb") as body:
            answer = client.post("/data/services/import", params={"project": "P"}, content=body)
        assert answer.status_code == 200, answer.text
        risen = resident_bytes(pid) - before
        files = client.get("/data/projects/P/experiments/SUBJ_MR/scans/5/files").json()["ResultSet"]["Result"]
        assert len(files) == LARGE_FILES
        with large.open("rb") as body:
            answer = client.post(
                "/data/services/import", params={"project": "P", "session": "X"}, files={"file": ("large.zip", body)}
            )
        assert answer.status_code == 200, answer.text
    again = resident_bytes(pid) - before
    # at the rate of 100 MiB for 2 GiB
    assert max(risen, again) < 25 * MIB, f"{risen / MIB:.0f} and {again / MIB:.0f} MiB"


@pytest.mark.parametrize("kind", ["application/zip", "multipart/form-data; boundary=x"])
def test_bodies_that_declare_too_much_are_refused_before_they_come(server, kind) -> None:
    disk = os.statvfs(server.home)
    with server.client() as client, socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        lines = [
            "POST /data/services/import?project=P HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}",
            f"Cookie: JSESSIONID={client.cookies['JSESSIONID']}",
            f"Content-Type: {kind}",
            f"Content-Length: {disk.f_bavail * disk.f_frsize * 2}",
        ]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\nPK")
        answer = connection.recv(2000).decode()
    assert answer.split()[1] in {"413", "507"}, answer
    assert not list((server.home / "data" / ".incoming").iterdir())
