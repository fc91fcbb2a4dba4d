"""The dialect of XNAT, request by request."""

import hashlib
import io
import json
import tarfile
import zipfile

import pytest

PASSWORD = "correct horse battery"


def rows(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    found = answer.json()["ResultSet"]["Result"]
    assert all(isinstance(value, str) for row in found for value in row.values())
    return found


def put(client, uri: str, data: bytes, **params):
    return client.put(uri, content=data, params=params, headers={"Content-Type": "application/octet-stream"})


def test_nobody_sees_anything_without_a_login(server) -> None:
    for path in ("/data/projects", "/xapi/schemas", "/data/JSESSION", "/data/auth", "/data/nonsense"):
        assert server.get(path).status_code == 401


def test_a_wrong_password_is_answered_with_a_sentence_for_people(server) -> None:
    answer = server.put("/data/services/auth", data={"username": "admin", "password": "wrong"})
    assert answer.status_code == 401
    assert "<h3>" in answer.text


def test_the_expiration_cookie_has_the_quotes_that_clients_parse(server) -> None:
    answer = server.put("/data/services/auth", data={"username": "admin", "password": PASSWORD})
    cookies = answer.headers.get_list("set-cookie")
    assert any(cookie.startswith(f"JSESSIONID={answer.text};") for cookie in cookies)
    assert any(cookie.startswith('SESSION_EXPIRATION_TIME="') and ',900000"' in cookie for cookie in cookies)


def test_an_ended_login_opens_nothing(admin) -> None:
    assert admin.delete("/data/JSESSION").status_code == 200
    assert admin.get("/data/auth").status_code == 401


def test_a_login_survives_a_restart(settings, admin, session_uri) -> None:
    from starlette.testclient import TestClient

    from embedded_xnat.app import create_app

    admin.app.state.holding.release()  # as the end of the process would
    with TestClient(create_app(settings), cookies=dict(admin.cookies)) as again:
        assert again.get("/data/auth").text == "User 'admin' is logged in"


def test_an_alias_token_stands_for_its_user(server, admin) -> None:
    token = admin.get("/data/services/tokens/issue").json()
    answer = server.get("/data/auth", auth=(token["alias"], token["secret"]))
    assert answer.text == "User 'admin' is logged in"
    assert server.get("/data/auth", auth=(token["alias"], "wrong")).status_code == 401


def test_a_page_of_another_site_cannot_change_anything(admin) -> None:
    answer = admin.put("/data/projects/Q", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert admin.get("/data/projects/Q").status_code == 404


def test_the_version_is_asked_in_the_old_way_and_told_in_the_new(admin) -> None:
    assert admin.get("/data/version").status_code == 404
    assert admin.get("/xapi/siteConfig/buildInfo").json()["version"].startswith("1.9")


@pytest.mark.parametrize("prefix", ["/data", "/data/archive", "/REST", "/REST/archive"])
def test_equal_addresses_are_one(admin, session_uri: str, prefix: str) -> None:
    assert rows(admin.get(f"{prefix}/projects/P/experiments"))[0]["label"] == "S1_MR1"


def test_creating_says_201_once_and_then_200(admin, session_uri: str) -> None:
    again = admin.put(session_uri, params={"xsiType": "xnat:mrSessionData"})
    assert (again.status_code, again.text) == (200, "CF_E00001")
    assert admin.put("/data/projects/P/subjects/S1").status_code == 200


def test_a_label_is_used_once_in_a_project(admin, session_uri: str) -> None:
    admin.put("/data/projects/P/subjects/S2")
    assert admin.put("/data/projects/P/subjects/S2/experiments/S1_MR1").status_code == 409
    assert admin.put("/data/projects/P/subjects/S2", params={"label": "S1"}).status_code == 409


@pytest.mark.parametrize("label", ["%2e%2e", "a%2Fb", "a%20b", "%00", "-x", "a" * 300])
def test_bad_labels_are_refused_and_nothing_is_made(admin, session_uri: str, label: str) -> None:
    answer = admin.put(f"/data/projects/P/subjects/S1/experiments/{label}")
    assert answer.status_code == (400 if "%2F" in label else 417)
    assert len(rows(admin.get("/data/projects/P/experiments"))) == 1


def test_the_id_of_a_deleted_project_is_not_used_again(admin, session_uri: str) -> None:
    assert admin.delete("/data/projects/P", params={"removeFiles": "true"}).status_code == 200
    assert admin.put("/data/projects/P").status_code == 403
    assert rows(admin.get("/data/projects")) == []
    assert rows(admin.get("/data/experiments")) == []


def test_resource_rows_have_neither_id_nor_uri_and_file_rows_no_id(admin, session_uri: str) -> None:
    resource = f"{session_uri}/scans/3/resources/DICOM"
    assert admin.put(resource, params={"format": "DICOM"}).status_code == 200
    assert admin.put(resource).status_code == 409
    put(admin, f"{resource}/files/a/b.dcm", b"bytes")
    row = rows(admin.get(f"{session_uri}/scans/3/resources"))[0]
    assert not {"ID", "URI"} & set(row)
    assert (row["label"], row["file_count"], row["file_size"], row["format"]) == ("DICOM", "1", "5", "DICOM")
    file = rows(admin.get(f"{resource}/files"))[0]
    assert "ID" not in file
    assert (file["Name"], file["Size"], file["digest"]) == ("b.dcm", "5", hashlib.md5(b"bytes").hexdigest())
    assert file["URI"].endswith("/files/a/b.dcm")
    assert admin.get(file["URI"]).content == b"bytes"


def test_the_files_lie_where_clients_look_for_them(admin, session_uri: str, settings) -> None:
    put(admin, f"{session_uri}/scans/3/resources/DICOM/files/a.dcm", b"1")
    put(admin, f"{session_uri}/resources/NIFTI/files/a.nii", b"2")
    put(admin, "/data/projects/P/resources/docs/files/a.txt", b"3")
    put(admin, "/data/projects/P/subjects/S1/resources/notes/files/a.txt", b"4")
    root = settings.data_dir
    found = {str(path.relative_to(root)) for path in root.rglob("a.*")}
    assert found == {
        "P/arc001/S1_MR1/SCANS/3/DICOM/a.dcm",
        "P/arc001/S1_MR1/RESOURCES/NIFTI/a.nii",
        "P/resources/docs/a.txt",
        "P/subjects/S1/notes/a.txt",
    }


def test_a_file_that_is_there_stays_unless_it_is_to_be_overwritten(admin, session_uri: str) -> None:
    uri = f"{session_uri}/resources/R/files/a.txt"
    put(admin, uri, b"one")
    answer = put(admin, uri, b"two")
    assert answer.status_code == 200
    assert json.loads(answer.text) == {"duplicates": ["a.txt"]}
    assert admin.get(uri).content == b"one"
    assert put(admin, uri, b"two", overwrite="true").text == ""
    assert admin.get(uri).content == b"two"
    assert rows(admin.get(f"{session_uri}/resources/R/files"))[0]["digest"] == hashlib.md5(b"two").hexdigest()


def test_parts_of_a_file_can_be_read(admin, session_uri: str) -> None:
    uri = f"{session_uri}/resources/R/files/a.bin"
    put(admin, uri, b"0123456789")
    part = admin.get(uri, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    head = admin.head(uri)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "10", b"")


def test_forms_bring_files_too(admin, session_uri: str) -> None:
    uri = f"{session_uri}/resources/R/files"
    assert admin.post(f"{uri}/a.txt", files={"file": ("other.txt", b"form")}).status_code == 200
    assert admin.post(uri, files={"file": ("named.txt", b"form")}).status_code == 200
    assert sorted(row["Name"] for row in rows(admin.get(uri))) == ["a.txt", "named.txt"]


def test_an_archive_is_unpacked_when_asked_for(admin, session_uri: str) -> None:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as archive:
        info = tarfile.TarInfo("sub/a.txt")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    assert put(admin, f"{session_uri}/resources/R/files/upload.tar.gz", body.getvalue(), extract="true").is_success
    assert admin.get(f"{session_uri}/resources/R/files/sub/a.txt").content == b"abc"


@pytest.mark.parametrize(
    "name", ["..%2f..%2fevil", "a/%2e%2e/%2e%2e/evil", "%2e%2e/evil", "%2e%2e", "a%00b", "a//b", "a%0Ab"]
)
def test_a_file_cannot_leave_its_resource(admin, session_uri: str, settings, name: str) -> None:
    answer = put(admin, f"{session_uri}/resources/R/files/{name}", b"evil")
    assert answer.status_code == 417
    assert not list(settings.data_dir.parent.rglob("*evil*"))
    assert not list((settings.data_dir / ".incoming").iterdir())


def test_a_file_cannot_be_a_folder_too(admin, session_uri: str) -> None:
    uri = f"{session_uri}/resources/R/files"
    put(admin, f"{uri}/a", b"1")
    assert put(admin, f"{uri}/a/b", b"2").status_code == 417
    assert [row["Name"] for row in rows(admin.get(uri))] == ["a"]


def test_a_zip_has_the_folders_that_clients_expect(admin, session_uri: str) -> None:
    put(admin, f"{session_uri}/scans/3/resources/DICOM/files/a.dcm", b"1")
    put(admin, f"{session_uri}/resources/R/files/b/c", b"2")
    put(admin, "/data/projects/P/resources/docs/files/d", b"3")

    def names(uri: str) -> list[str]:
        answer = admin.get(uri, params={"format": "zip"})
        assert answer.headers["content-type"] == "application/zip"
        return zipfile.ZipFile(io.BytesIO(answer.content)).namelist()

    assert names(f"{session_uri}/scans/ALL/files") == ["S1_MR1/scans/3-T1_w/resources/DICOM/files/a.dcm"]
    assert names(f"{session_uri}/scans/T1 w/files") == ["S1_MR1/scans/3-T1_w/resources/DICOM/files/a.dcm"]
    assert names(f"{session_uri}/resources/R/files") == ["S1_MR1/resources/R/files/b/c"]
    assert names("/data/projects/P/resources/docs/files") == ["P/resources/docs/files/d"]


def test_scans_come_sorted_by_number(admin, session_uri: str) -> None:
    for scan_id in ("10", "2"):
        admin.put(f"{session_uri}/scans/{scan_id}", params={"xsiType": "xnat:mrScanData"})
    assert [row["ID"] for row in rows(admin.get(f"{session_uri}/scans"))] == ["2", "3", "10"]


def test_columns_and_filters_are_honoured(admin, session_uri: str) -> None:
    admin.put(session_uri, params={"xnat:mrSessionData/date": "2026-02-03", "xnat:mrSessionData/age": "41"})
    found = rows(
        admin.get(
            "/data/experiments", params={"columns": "ID,label,xnat:mrSessionData/age,subject_label", "label": "S1*"}
        )
    )
    assert found[0]["xnat:mrsessiondata/age"] == "41.0"
    assert (found[0]["subject_label"], found[0]["date"]) == ("S1", "2026-02-03")
    assert rows(admin.get("/data/experiments", params={"label": "X*"})) == []
    assert rows(admin.get("/data/experiments", params={"xsiType": "xnat:ctSessionData"})) == []


def test_listings_come_as_csv_too(admin, session_uri: str) -> None:
    text = admin.get("/data/projects/P/subjects", params={"format": "csv", "columns": "ID,label"}).text
    assert text.splitlines()[0].startswith("ID,")
    assert '"S1"' in text.splitlines()[1]


def test_an_item_holds_what_was_set(admin, session_uri: str) -> None:
    admin.put(session_uri, params={"xnat:mrSessionData/scanner/model": "X1", "xnat:mrSessionData/note": "seen"})
    item = admin.get(session_uri, params={"format": "json"}).json()["items"][0]
    assert item["meta"]["xsi:type"] == "xnat:mrSessionData"
    assert item["data_fields"]["scanner/model"] == "X1"
    assert item["data_fields"]["ID"] == "CF_E00001"
    scans = next(child for child in item["children"] if child["field"] == "scans/scan")
    assert scans["items"][0]["data_fields"]["type"] == "T1 w"


def test_what_a_session_holds_moves_with_its_label(admin, session_uri: str) -> None:
    put(admin, f"{session_uri}/scans/3/resources/DICOM/files/a.dcm", b"1")
    assert admin.put(session_uri, params={"label": "NEW"}).status_code == 200
    assert admin.get("/data/projects/P/experiments/NEW/scans/3/resources/DICOM/files/a.dcm").content == b"1"
    assert admin.get(session_uri).status_code == 404


def test_deleting_takes_rows_and_files(admin, session_uri: str, settings) -> None:
    put(admin, f"{session_uri}/scans/3/resources/DICOM/files/a.dcm", b"1")
    assert admin.delete(session_uri, params={"removeFiles": "true"}).status_code == 200
    assert not list(settings.data_dir.rglob("a.dcm"))
    assert admin.get(f"{session_uri}/scans/3/resources/DICOM/files").status_code == 404


def test_deleting_a_missing_file_can_be_fine(admin, session_uri: str) -> None:
    uri = f"{session_uri}/resources/R/files/none"
    assert admin.delete(uri).status_code == 404
    assert admin.delete(uri, params={"accept-not-found": "true"}).status_code == 204


def test_a_shared_session_shows_in_both_projects_and_is_deleted_in_its_own(admin, session_uri: str) -> None:
    admin.put("/data/projects/Q")
    assert admin.put(f"{session_uri}/projects/Q", params={"label": "shown"}).status_code == 200
    assert admin.put(f"{session_uri}/projects/Q").status_code == 409
    assert rows(admin.get("/data/projects/Q/experiments"))[0]["label"] == "shown"
    assert admin.delete("/data/projects/Q/experiments/shown", params={"removeFiles": "true"}).status_code == 200
    assert rows(admin.get("/data/projects/Q/experiments")) == []
    assert rows(admin.get("/data/projects/P/experiments"))[0]["label"] == "S1_MR1"


def test_unusable_imports_are_refused_and_leave_nothing(admin, session_uri: str, settings) -> None:
    assert admin.post("/data/services/import", params={"project": "P"}, content=b"no archive").status_code == 400
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("../evil.dcm", b"x")
    assert admin.post("/data/services/import", params={"project": "P"}, content=body.getvalue()).status_code == 400
    assert not list((settings.data_dir / ".incoming").iterdir())


def test_a_body_larger_than_allowed_is_refused(settings, admin, session_uri: str) -> None:
    answer = admin.put(f"{session_uri}/resources/R/files/a", content=b"x", headers={"Content-Length": str(10**15)})
    assert answer.status_code == 413


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("path", ["projects/P/filesX", "projects/P/x/files", "projects/P", "services/import?project=P"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_form_that_would_fill_the_memory_is_refused(admin, path: str, declared: bool) -> None:
    fields = b"&".join([b"x=" + b"y" * 2**18] * 20)
    body = fields if declared else iter([fields[start : start + 2**18] for start in range(0, len(fields), 2**18)])
    assert admin.post(f"/data/{path}", content=body, headers=FORM).status_code == 413


def test_a_file_that_calls_itself_a_form_is_a_file(admin, session_uri: str) -> None:
    body = b"x=" + b"y" * 5 * 2**20
    uri = f"{session_uri}/resources/R/files/a"
    assert admin.put(uri, content=body, headers=FORM).is_success
    assert len(admin.get(uri).content) == len(body)
    refused = admin.post("/data/services/import", params={"inbody": "true"}, content=body, headers=FORM)
    assert refused.status_code == 400  # no archive, but read as one


@pytest.mark.parametrize(
    ("part", "wanted", "status"),
    [
        ("", "xnat:ctSessionData", 409),
        ("", "xnat:imageSessionData", 200),
        ("", "xnat:mrSessionData", 200),
        ("/scans/3", "xnat:ctScanData", 409),
        ("/scans/3", "xnat:imageScanData", 200),
        ("/assessors/QC", "xnat:qcAssessmentData", 409),
    ],
)
def test_an_object_does_not_become_one_of_another_type(admin, session_uri, part, wanted, status) -> None:
    admin.put(f"{session_uri}/assessors/QC", params={"xsiType": "xnat:qcManualAssessorData"})
    before = admin.get(f"{session_uri}{part}").json()["items"][0]["meta"]["xsi:type"]
    answer = admin.put(f"{session_uri}{part}", params={"xsiType": wanted})
    assert (answer.status_code, wanted in answer.text) == (status, status == 409)
    assert admin.get(f"{session_uri}{part}").json()["items"][0]["meta"]["xsi:type"] == before


def test_a_scan_type_with_brackets_is_selected_by_itself(admin, session_uri: str) -> None:
    for scan, name in (("4", "T2 [ax]"), ("5", "T2 a")):
        admin.put(f"{session_uri}/scans/{scan}", params={"xsiType": "xnat:mrScanData", "type": name})
        admin.put(f"{session_uri}/scans/{scan}/resources/DICOM/files/{scan}.dcm", content=b"x")
    found = rows(admin.get(f"{session_uri}/scans/T2 [ax]/files"))
    assert [row["Name"] for row in found] == ["4.dcm"]
    assert len(rows(admin.get(f"{session_uri}/scans/T2*/files"))) == 2


ROLE_TABLE = [
    # who, action -> status
    ("carl", "GET", "/data/projects/P", 200),
    ("carl", "GET", "SESSION", 200),
    ("carl", "PUT", "SESSION?xnat:mrSessionData/note=x", 403),
    ("carl", "PUT", "/data/projects/P/subjects/NEW", 403),
    ("carl", "DELETE", "SESSION", 403),
    ("carl", "FILE", "SESSION/resources/R/files/a", 403),
    ("mary", "PUT", "SESSION?xnat:mrSessionData/note=x", 200),
    ("mary", "PUT", "/data/projects/P/subjects/NEW", 201),
    ("mary", "FILE", "SESSION/resources/R/files/a", 200),
    ("mary", "DELETE", "SESSION", 403),
    ("mary", "PUT", "/data/projects/P/users/Owners/mary", 403),
    ("mary", "PUT", "/data/projects/P/accessibility/public", 403),
    ("olive", "DELETE", "SESSION", 200),
    ("olive", "PUT", "/data/projects/P/users/Members/zoe", 200),
    ("zoe", "GET", "/data/projects/P", 404),
    ("zoe", "GET", "SESSION", 404),
    ("zoe", "GET", "/data/experiments/CF_E00001", 404),
    ("zoe", "GET", "/data/experiments/CF_E00001/scans/3/resources", 404),
    ("zoe", "FILE", "SESSION/resources/R/files/a", 404),
    ("zoe", "PUT", "/data/projects/P/subjects/NEW", 404),
    ("zoe", "PUT", "/data/projects/ZOES", 200),
    ("zoe", "GET", "/data/users", 403),
]


@pytest.mark.parametrize(("who", "method", "uri", "status"), ROLE_TABLE)
def test_a_role_allows_what_xnat_says(admin, as_user, session_uri: str, who, method, uri, status) -> None:
    for role, name in (("Owners", "olive"), ("Members", "mary"), ("Collaborators", "carl")):
        assert admin.put(f"/data/projects/P/users/{role}/{name}").status_code == 200
    client = as_user(who)
    uri = uri.replace("SESSION", session_uri)
    answer = put(client, uri, b"x") if method == "FILE" else client.request(method, uri)
    assert answer.status_code == status, answer.text


def test_listings_show_only_what_may_be_read(admin, as_user, session_uri: str) -> None:
    zoe = as_user("zoe")
    for path in ("/data/projects", "/data/subjects", "/data/experiments"):
        assert rows(zoe.get(path)) == []
    admin.put("/data/projects/P/accessibility/public")
    for path in ("/data/projects", "/data/subjects", "/data/experiments"):
        assert len(rows(zoe.get(path))) == 1


def dicom(**values) -> bytes:
    """Return a small DICOM file with made-up values."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "1.2.3", "1.2.3.4", "MR"
    ds.PatientName, ds.PatientID, ds.SeriesNumber = "SUBJ", "SUBJ_MR", "5"
    ds.SeriesDescription, ds.RepetitionTime, ds.PixelSpacing = "T1  w, 3D", "2300", ["0.9", "0.8"]
    ds.SliceThickness, ds.Rows, ds.Columns, ds.MagneticFieldStrength = "1.2", 10, 12, "3"
    ds.ImageType, ds.StudyDate = ["ORIGINAL", "PRIMARY"], "20260203"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def zip_of(**files: bytes) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"folder/{name}", data)
    return body.getvalue()


def test_an_import_makes_a_session_as_the_headers_say(admin) -> None:
    body = zip_of(a=dicom(), b=dicom(), c=dicom(SeriesNumber="2", SeriesInstanceUID="1.2.3.5"), gif=b"GIF89a")
    answer = admin.post("/data/services/import", params={"project": "P"}, content=body)
    assert (answer.status_code, answer.text) == (200, "/data/archive/projects/P/subjects/SUBJ/experiments/SUBJ_MR\r\n")
    uri = answer.text.strip()
    assert [(row["ID"], row["type"]) for row in rows(admin.get(f"{uri}/scans"))] == [
        ("2", "T1  w, 3D"),
        ("5", "T1  w, 3D"),
    ]
    fields = admin.get(f"{uri}/scans/5").json()["items"][0]["data_fields"]
    assert (fields["frames"], fields["parameters/tr"], fields["parameters/voxelRes/x"]) == (2, 2300.0, 0.8)
    assert (fields["parameters/imageType"], fields["fieldStrength"]) == ("ORIGINAL\\\\PRIMARY", "3")
    row = rows(admin.get(f"{uri}/scans/5/resources"))[0]
    assert (row["label"], row["format"], row["content"], row["file_count"]) == ("DICOM", "DICOM", "RAW", "2")


def test_a_session_that_is_there_is_only_changed_when_asked_for(admin) -> None:
    one, two = dicom(), dicom()
    send = lambda body, **params: admin.post("/data/services/import", params={"project": "P", **params}, content=body)  # noqa: E731
    assert send(zip_of(a=one)).status_code == 200
    again = send(zip_of(a=one))
    assert (again.status_code, "retry with overwrite" in again.text) == (409, True)
    assert send(zip_of(a=one, b=two), overwrite="append").status_code == 200
    assert send(zip_of(a=one, b=two), overwrite="append").status_code == 200
    uri = "/data/projects/P/experiments/SUBJ_MR/scans/5/resources/DICOM/files"
    assert len(rows(admin.get(uri))) == 2
    assert send(zip_of(a=dicom(StudyInstanceUID="9.9")), overwrite="append").status_code == 409


def test_what_nobody_can_route_waits_in_the_prearchive_and_can_be_archived(admin, as_user) -> None:
    answer = admin.post("/data/services/import", content=zip_of(a=dicom()))
    uri = answer.text.strip()
    assert uri.startswith("/data/prearchive/projects/Unassigned/")
    assert rows(admin.get(uri))[0]["subject"] == "SUBJ"
    assert rows(as_user("zoe").get("/data/prearchive/projects")) == []
    archived = admin.post("/data/services/archive", params={"src": uri, "project": "P"})
    assert rows(admin.get(f"{archived.text}/scans"))[0]["ID"] == "5"
    assert rows(admin.get("/data/prearchive/projects")) == []


def test_headers_are_read_again_when_asked_for(admin, session_uri: str) -> None:
    put(admin, f"{session_uri}/scans/3/resources/DICOM/files/a.dcm", dicom(NumberOfFrames="4"))
    assert admin.put(session_uri, params={"pullDataFromHeaders": "true"}).status_code == 200
    fields = admin.get(f"{session_uri}/scans/3").json()["items"][0]["data_fields"]
    assert (fields["frames"], fields["UID"], fields["type"]) == (4, "1.2.3.4", "T1 w")
    assert admin.get(session_uri).json()["items"][0]["data_fields"]["date"] == "2026-02-03"
