"""Reading the headers of a session that is archived again."""

import pytest


def put(client, uri: str, data: bytes) -> None:
    assert client.put(uri, content=data, headers={"Content-Type": "application/octet-stream"}).status_code == 200


def fields(client, uri: str) -> dict:
    return client.get(uri).json()["items"][0]["data_fields"]


def test_frames_are_counted_over_all_files_when_headers_are_pulled(admin, session_uri, dicom) -> None:
    files = f"{session_uri}/scans/3/resources/DICOM/files"
    put(admin, f"{files}/a", dicom(NumberOfFrames="4", RepetitionTime="2300", StudyDate="20260203"))
    put(admin, f"{files}/b", dicom(NumberOfFrames="3"))
    put(admin, f"{files}/catalog.xml", b"<no>image</no>")
    assert admin.put(session_uri, params={"pullDataFromHeaders": "true"}).status_code == 200
    scan = fields(admin, f"{session_uri}/scans/3")
    assert (scan["frames"], scan["UID"], scan["parameters/tr"], scan["type"]) == (7, "1.2.3.4", 2300.0, "T1 w")
    session = fields(admin, session_uri)
    assert (session["UID"], session["date"], session["modality"]) == ("1.2.3", "2026-02-03", "MR")
    put(admin, f"{files}/a?overwrite=true", dicom(NumberOfFrames="2", RepetitionTime="1000"))
    admin.put(session_uri, params={"pullDataFromHeaders": "True"})
    scan = fields(admin, f"{session_uri}/scans/3")
    assert (scan["frames"], scan["parameters/tr"]) == (5, 1000.0)


def test_scans_get_the_type_that_the_project_gives_to_their_description(admin, session_uri, dicom) -> None:
    known = {
        "xsiType": "xnat:mrScanData",
        "xnat:mrScanData/type": "T1",
        "xnat:mrScanData/series_description": "T1  w, 3D",
    }
    admin.put(f"{session_uri}/scans/8", params=known)
    for scan_id in ("4", "5", "6"):
        admin.put(f"{session_uri}/scans/{scan_id}", params={"xsiType": "xnat:mrScanData"})
    put(admin, f"{session_uri}/scans/4/resources/DICOM/files/a", dicom())
    put(admin, f"{session_uri}/scans/5/resources/DICOM/files/a", dicom(SeriesDescription="only here"))
    assert admin.put(session_uri, params={"fixScanTypes": "true"}).status_code == 200
    types = {scan_id: fields(admin, f"{session_uri}/scans/{scan_id}")["type"] for scan_id in ("3", "4", "5", "6")}
    assert types == {"3": "T1 w", "4": "T1", "5": "only here", "6": "Unknown"}
    assert fields(admin, f"{session_uri}/scans/5")["series_description"] == "only here"


@pytest.mark.parametrize("wish", ["pullDataFromHeaders", "fixScanTypes"])
def test_only_who_may_change_a_session_lets_its_headers_be_read(admin, as_user, session_uri, wish) -> None:
    admin.put("/data/projects/P/users/Collaborators/carl")
    assert as_user("carl").put(session_uri, params={wish: "true"}).status_code == 403
    assert as_user("zoe").put(session_uri, params={wish: "true"}).status_code == 404
    assert admin.put(session_uri, params={wish: "perhaps"}).status_code == 400
