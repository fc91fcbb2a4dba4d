"""Sessions of the archive that get another name or project: the project's script is applied again."""

import hashlib
import io

import pydicom
import pytest

from embedded_xnat.anonymize.rewriting import hash_uid

SCRIPT = 'version "6.1"\n(0010,0020) := session\n(0010,0010) := subject\n(0020,000D) := hashUID[(0020,000D)]\n'


@pytest.fixture
def scripted(admin, zip_with):
    admin.put("/data/projects/Q")
    answer = admin.put("/xapi/anonymize/projects/P", content=SCRIPT, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 200
    answer = admin.post(
        "/data/services/import", content=zip_with(), params={"project": "P", "session": "A", "subject": "S"}
    )
    assert answer.status_code == 200, answer.text
    return answer.text.strip()


def read(client, uri: str) -> pydicom.FileDataset:
    (file,) = client.get(f"{uri}/scans/5/resources/DICOM/files").json()["ResultSet"]["Result"]
    data = client.get(file["URI"]).content
    assert (file["Size"], file["digest"]) == (str(len(data)), hashlib.md5(data).hexdigest())
    return pydicom.dcmread(io.BytesIO(data))


def fields(client, uri: str) -> dict:
    return client.get(uri).json()["items"][0]["data_fields"]


def test_a_session_that_is_renamed_carries_its_new_name_in_the_files(admin, scripted) -> None:
    assert read(admin, scripted).PatientID == "A"
    assert admin.put(scripted, params={"label": "B"}).status_code == 200
    uri = scripted.replace("/A", "/B")
    ds = read(admin, uri)
    assert (ds.PatientID, ds.StudyInstanceUID) == ("B", hash_uid("1.2.3"))
    assert (fields(admin, uri)["dcmPatientId"], fields(admin, uri)["UID"]) == ("B", hash_uid("1.2.3"))


def test_a_subject_that_is_renamed_carries_its_new_name_in_the_files(admin, scripted) -> None:
    assert admin.put("/data/projects/P/subjects/S", params={"label": "T"}).status_code == 200
    assert read(admin, "/data/projects/P/experiments/A").PatientName == "T"


def test_a_session_that_moves_is_changed_by_the_script_of_its_new_project(admin, scripted) -> None:
    script = 'version "6.1"\n(0008,1030) := project\n- (0008,103E)\n'
    admin.put("/xapi/anonymize/projects/Q", content=script, headers={"Content-Type": "text/plain"})
    assert admin.put(f"{scripted}/projects/Q", params={"primary": "true"}).status_code == 200
    uri = "/data/projects/Q/experiments/A"
    ds = read(admin, uri)
    assert (ds.StudyDescription, ds.StudyInstanceUID, "SeriesDescription" in ds) == ("Q", hash_uid("1.2.3"), False)
    assert "series_description" not in fields(admin, f"{uri}/scans/5")
    assert fields(admin, uri)["session_type"] == "Q"


def test_without_a_script_no_byte_changes(admin, zip_with) -> None:
    uri = admin.post("/data/services/import", content=zip_with(), params={"project": "P", "session": "A"}).text.strip()
    before = admin.get(f"{uri}/scans/5/files").json()
    admin.put(uri, params={"label": "B"})
    after = admin.get(uri.replace("/A", "/B") + "/scans/5/files").json()
    assert [row["digest"] for row in before["ResultSet"]["Result"]] == [
        row["digest"] for row in after["ResultSet"]["Result"]
    ]


def test_a_rename_that_is_refused_changes_no_file_and_leaves_none(admin, scripted, settings) -> None:
    admin.put("/data/projects/P/subjects/S/experiments/TAKEN")
    assert admin.put(scripted, params={"label": "TAKEN"}).status_code == 409
    assert read(admin, scripted).PatientID == "A"
    assert list((settings.data_dir / ".incoming").iterdir()) == []
