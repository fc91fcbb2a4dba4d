"""The import service: what comes in, where it goes, what is refused."""

import io
import tarfile
import zipfile

import pytest

from embedded_xnat.db.tables import ProjectAliasRow
from embedded_xnat.storage import unpacking

ARCHIVED = "/data/archive/projects/P/subjects/SUBJ/experiments/SUBJ_MR"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2"])
def test_tars_are_read_whatever_the_request_calls_them(send, dicom, tar_of, admin, rows, mode) -> None:
    answer = send(tar_of(mode, a=dicom(), b=dicom()), project="P")
    assert (answer.status_code, answer.text) == (200, f"{ARCHIVED}\r\n")
    assert len(rows(admin.get(f"{ARCHIVED}/scans/5/resources/DICOM/files"))) == 2


def test_a_form_brings_an_archive_and_its_parameters(admin, dicom, zip_of, rows) -> None:
    files = {"image_archive": ("x.zip", zip_of(a=dicom()), "application/zip")}
    answer = admin.post("/data/services/import", files=files, data={"project": "P", "session": "OTHER"})
    assert answer.text == "/data/archive/projects/P/subjects/SUBJ/experiments/OTHER\r\n"


def test_a_form_that_ends_too_early_is_refused(admin, settings) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nhalf of it'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert admin.post("/data/services/import", content=body, headers=headers).status_code == 400
    assert not list((settings.data_dir / ".incoming").iterdir())


def test_a_single_file_becomes_a_session(send, dicom, admin, rows) -> None:
    one = dicom()
    assert send(one, project="P").text.strip() == ARCHIVED
    file = rows(admin.get(f"{ARCHIVED}/scans/5/resources/DICOM/files"))[0]
    assert file["Name"].endswith(".dcm")
    assert admin.get(file["URI"]).content == one


def test_the_dialect_of_the_dicom_zip_handler_is_understood(send, dicom, zip_of) -> None:
    body = zip_of(a=dicom())
    answer = send(body, handler="DICOM-zip", PROJECT_ID="P", SUBJECT_ID="S9", EXPT_LABEL="S9_MR")
    assert answer.text == "/data/archive/projects/P/subjects/S9/experiments/S9_MR\r\n"


def test_files_can_be_named_after_their_instances(send, dicom, zip_of, admin, rows) -> None:
    send(zip_of(a=dicom(SOPInstanceUID="1.2.77")), project="P", rename="true")
    assert [row["Name"] for row in rows(admin.get(f"{ARCHIVED}/scans/5/resources/DICOM/files"))] == ["1.2.77.dcm"]


def test_handlers_that_do_not_exist_here_are_refused_in_a_sentence(send) -> None:
    answer = send(b"", project="P", handler="nonsense")
    assert answer.status_code == 400
    assert "import" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"overwrite": "perhaps"}, 400),
        ({"dest": "/somewhere"}, 400),
        ({"dest": "/archive/projects"}, 400),
        ({"quarantine": "perhaps"}, 400),
        ({"prearchive_code": "7"}, 400),
        ({"session": "../evil"}, 417),
        ({"dest": "/prearchive/projects/P", "session": "../evil"}, 417),
        ({"project": "NONE"}, 404),
    ],
)
def test_requests_that_make_no_sense_are_refused_and_leave_nothing(
    send, dicom, zip_of, settings, params, status
) -> None:
    answer = send(zip_of(a=dicom()), **{"project": "P", **params})
    assert answer.status_code == status
    assert not list((settings.data_dir / ".incoming").iterdir())
    assert not list(settings.data_dir.rglob("*.dcm"))
    assert not list(settings.data_dir.rglob("evil*"))


def test_files_that_are_no_dicom_are_left_out_unless_the_request_refuses_them(send, dicom, zip_of, admin) -> None:
    body = zip_of(a=dicom(), b=b"GIF89a")
    refused = send(body, **{"project": "P", "Ignore-Unparsable": "false"})
    assert (refused.status_code, "1 files are no DICOM" in refused.json()["detail"]) == (400, True)
    assert admin.get(ARCHIVED).status_code == 404
    assert send(body, **{"project": "P", "Ignore-Unparsable": "True"}).status_code == 200


def test_several_studies_become_several_sessions(send, dicom, zip_of) -> None:
    body = zip_of(a=dicom(), b=dicom(StudyInstanceUID="9.9", SeriesInstanceUID="9.9.1", PatientID="OTHER"))
    assert send(body, project="P", session="X").status_code == 400
    lines = send(body, project="P").text.splitlines()
    assert lines == [ARCHIVED, "/data/archive/projects/P/subjects/SUBJ/experiments/OTHER"]


def test_an_import_of_several_sessions_stores_all_or_none(send, dicom, zip_of, admin, settings) -> None:
    send(zip_of(a=dicom(StudyInstanceUID="9.9", SeriesInstanceUID="9.9.1", PatientID="OTHER")), project="P")
    body = zip_of(a=dicom(), b=dicom(StudyInstanceUID="9.9", SeriesInstanceUID="9.9.1", PatientID="OTHER"))
    assert send(body, project="P").status_code == 409
    assert admin.get(ARCHIVED).status_code == 404
    assert not list(settings.data_dir.rglob("SUBJ_MR/**/*.dcm"))


def test_quarantine_is_a_flag_of_the_session(send, dicom, zip_of, admin) -> None:
    send(zip_of(a=dicom()), project="P", quarantine="True")
    assert admin.get(f"{ARCHIVED}/status").text == "quarantined"


def test_the_code_of_the_project_puts_what_comes_in_into_quarantine(send, dicom, zip_of, admin) -> None:
    admin.put("/data/projects/P/quarantine_code/1")
    send(dicom(SOPInstanceUID="1.7"), project="P", handler="gradual-DICOM", dest="/archive")
    assert admin.get(f"{ARCHIVED}/status").text == "quarantined"
    admin.put(f"{ARCHIVED}?activate=true")
    send(dicom(SOPInstanceUID="1.8"), project="P", handler="gradual-DICOM", dest="/archive")
    assert admin.get(f"{ARCHIVED}/status").text == "active"
    send(zip_of(a=dicom(SOPInstanceUID="1.9", SeriesInstanceUID="1.2.9")), project="P", overwrite="append")
    assert admin.get(f"{ARCHIVED}/status").text == "quarantined"
    admin.put("/data/projects/P/quarantine_code/0")
    send(zip_of(a=dicom(PatientID="OTHER")), project="P")
    assert admin.get("/data/projects/P/subjects/SUBJ/experiments/OTHER/status").text == "active"


def test_the_code_holds_for_what_is_archived_from_the_prearchive(send, dicom, zip_of, admin) -> None:
    admin.put("/data/projects/P/quarantine_code/1")
    src = send(zip_of(a=dicom()), dest="/prearchive/projects/P").text.strip()
    assert admin.post("/data/services/archive", params={"src": src}).status_code == 200
    assert admin.get(f"{ARCHIVED}/status").text == "quarantined"


ROUTES = [
    ({"PatientComments": "Project:P Subject:S7 Session:E7"}, "/data/archive/projects/P/subjects/S7/experiments/E7"),
    ({"StudyComments": "project:P;SESSION:E7"}, "/data/archive/projects/P/subjects/SUBJ/experiments/E7"),
    ({"AdditionalPatientHistory": "text, Project: P,Subject:S7"}, "/data/archive/projects/P/subjects/S7/experiments/SUBJ_MR"),
    ({"StudyDescription": "P"}, ARCHIVED),
    ({"AccessionNumber": "P"}, ARCHIVED),
    ({"AccessionNumber": "nick"}, ARCHIVED),
    ({"PatientComments": "Project:NONE", "StudyDescription": "P"}, ARCHIVED),
    ({"PatientComments": "Project:P AA:false"}, "/data/prearchive/projects/P/"),
    ({"StudyDescription": "some brain"}, "/data/prearchive/projects/Unassigned/"),
    ({"PatientComments": "Project:P", "PatientName": "", "PatientID": ""}, "/data/archive/projects/P/subjects/dicom_upload/experiments/dicom_upload"),
    ({"PatientComments": "Project:P", "PatientName": "Doe^Jane 1"}, "/data/archive/projects/P/subjects/Doe_Jane_1/experiments/SUBJ_MR"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "uri"), ROUTES)
def test_headers_say_where_a_session_belongs(send, dicom, zip_of, server, values, uri) -> None:
    with server.app.state.archive.change() as change:
        change.session.add(ProjectAliasRow(alias="nick", project_id="P"))
    assert send(zip_of(a=dicom(**values))).text.startswith(uri)


def test_what_the_request_says_counts_more_than_the_header(send, dicom, zip_of, admin) -> None:
    admin.put("/data/projects/Q")
    body = zip_of(a=dicom(PatientComments="Project:Q Subject:S7 Session:E7 AA:false"))
    answer = send(body, dest="/archive/projects/P/subjects/S8", session="E8")
    assert answer.text == "/data/archive/projects/P/subjects/S8/experiments/E8\r\n"


def test_headers_name_no_project_that_the_sender_may_not_write_to(send, dicom, zip_of, as_user, admin, rows) -> None:
    admin.put("/data/projects/P/users/Collaborators/carl")
    body = zip_of(a=dicom(PatientComments="Project:P"))
    for name in ("zoe", "carl"):
        assert send(body, as_user(name)).text.startswith("/data/prearchive/projects/Unassigned/")
        assert rows(as_user(name).get("/data/prearchive/projects")) == []
    assert len(rows(admin.get("/data/prearchive/projects/Unassigned"))) == 2
    assert send(body, as_user("zoe"), project="P").status_code == 404
    assert send(body, as_user("carl"), project="P").status_code == 403


@pytest.mark.parametrize(("code", "start"), [("0", "/data/prearchive/projects/P/"), ("4", ARCHIVED), ("5", ARCHIVED)])
def test_the_code_of_the_project_says_whether_a_session_waits(send, dicom, zip_of, admin, code, start) -> None:
    admin.put(f"/data/projects/P/prearchive_code/{code}")
    assert send(zip_of(a=dicom()), project="P").text.startswith(start)
    assert send(zip_of(a=dicom(PatientID="X")), project="P", dest="/archive").text.startswith("/data/archive")


def test_code_five_overwrites(send, dicom, zip_of, admin, rows) -> None:
    admin.put("/data/projects/P/prearchive_code/5")
    send(zip_of(a=dicom(SOPInstanceUID="1.7")), project="P")
    changed = dicom(SOPInstanceUID="1.7", SeriesDescription="other")
    assert send(zip_of(a=changed), project="P").status_code == 200
    files = rows(admin.get(f"{ARCHIVED}/scans/5/resources/DICOM/files"))
    assert [admin.get(file["URI"]).content for file in files] == [changed]


def test_an_import_straight_to_the_archive_falls_back_when_the_session_is_there(send, dicom, zip_of) -> None:
    params = {"project": "P", "Direct-Archive": "true"}
    assert send(zip_of(a=dicom()), **params).text.strip() == ARCHIVED
    assert send(zip_of(a=dicom()), **params).text.startswith("/data/prearchive/projects/P/")


def test_zips_of_one_study_straight_to_the_archive_make_one_session(send, dicom, zip_of, admin, rows, look) -> None:
    params = {"project": "P", "handler": "DICOM-zip", "Direct-Archive": "true"}
    for _ in range(3):
        assert send(zip_of(a=dicom()), **params).text.strip() == ARCHIVED
    assert len(rows(admin.get(f"{ARCHIVED}/scans/5/files"))) == 3
    look(301)
    assert send(zip_of(a=dicom()), **params).text.startswith("/data/prearchive/projects/P/"), "it is complete"


CONFLICTS = [
    # what comes after a session with scan 5 (1.2.3.4), overwrite, status, what the sentence says
    ({}, "none", 409, "Session already exists, retry with overwrite enabled"),
    ({"StudyInstanceUID": "9.9"}, "append", 409, "(code 5)"),
    ({"StudyInstanceUID": "9.9"}, "delete", 200, ""),
    ({"PatientName": "SOMEBODY"}, "append", 409, "(code 4)"),
    ({"PatientName": "SOMEBODY"}, "delete", 409, "(code 4)"),
    ({"Modality": "CT", "SeriesInstanceUID": "1.2.3.5"}, "delete", 409, "(code 19)"),
    ({"Modality": "SR", "SeriesInstanceUID": "1.2.3.5", "SeriesNumber": "99"}, "append", 200, ""),
    ({"SeriesNumber": "8"}, "append", 409, "(code 18)"),
    ({"SeriesNumber": "8"}, "delete", 200, ""),
    ({"SOPInstanceUID": "1.7", "SeriesDescription": "changed"}, "append", 409, "(code 16)"),
    ({"SOPInstanceUID": "1.7", "SeriesDescription": "changed"}, "delete", 200, ""),
]


@pytest.mark.parametrize(("values", "overwrite", "status", "says"), CONFLICTS)
def test_the_codes_of_xnat_say_what_does_not_fit(
    send, dicom, zip_of, admin, rows, values, overwrite, status, says
) -> None:
    assert send(zip_of(a=dicom(SOPInstanceUID="1.7")), project="P").status_code == 200
    before = rows(admin.get(f"{ARCHIVED}/scans/ALL/files"))
    answer = send(zip_of(a=dicom(**values)), project="P", overwrite=overwrite)
    assert (answer.status_code, says in answer.text) == (status, True), answer.text
    if status == 409:
        assert rows(admin.get(f"{ARCHIVED}/scans/ALL/files")) == before


def test_a_session_that_another_project_shows_cannot_be_added_to_there(send, dicom, zip_of, admin, rows) -> None:
    send(zip_of(a=dicom()), project="P")
    admin.put("/data/projects/Q")
    admin.put("/data/projects/P/subjects/SUBJ/projects/Q")
    admin.put(f"{ARCHIVED}/projects/Q", params={"label": "SHOWN"}).raise_for_status()
    before = rows(admin.get(f"{ARCHIVED}/scans/ALL/files"))
    answer = send(zip_of(a=dicom()), project="Q", subject="SUBJ", session="SHOWN", overwrite="delete")
    assert (answer.status_code, "(code 3)" in answer.text) == (409, True), answer.text
    assert rows(admin.get(f"{ARCHIVED}/scans/ALL/files")) == before


def test_a_second_series_of_one_number_is_renumbered(send, dicom, zip_of, admin, rows) -> None:
    send(zip_of(a=dicom()), project="P")
    send(zip_of(a=dicom(SeriesInstanceUID="1.2.3.9")), project="P", overwrite="append")
    send(zip_of(b=dicom(SeriesInstanceUID="1.2.3.9")), project="P", overwrite="append")
    assert [row["ID"] for row in rows(admin.get(f"{ARCHIVED}/scans"))] == ["5", "5-MR1"]
    assert len(rows(admin.get(f"{ARCHIVED}/scans/5-MR1/files"))) == 2
    assert admin.get(f"{ARCHIVED}/scans/5-MR1").json()["items"][0]["data_fields"]["frames"] == 2


def test_the_same_file_twice_is_stored_once_and_counts_once(send, dicom, zip_of, admin, rows) -> None:
    one = dicom()
    send(zip_of(a=one, b=one), project="P")
    send(zip_of(c=one), project="P", overwrite="append")
    assert len(rows(admin.get(f"{ARCHIVED}/scans/5/files"))) == 1
    assert admin.get(f"{ARCHIVED}/scans/5").json()["items"][0]["data_fields"]["frames"] == 1


def test_files_come_one_by_one_and_the_session_is_archived_when_no_more_come(send, dicom, admin, rows, look) -> None:
    parts = [dicom(), dicom(), dicom(SeriesNumber="6", SeriesInstanceUID="1.2.3.6")]
    uris = {send(part, project="P", handler="gradual-DICOM").text.strip() for part in parts}
    (uri,) = uris
    assert uri.startswith("/data/prearchive/projects/P/")
    assert rows(admin.get(uri))[0]["status"] == "RECEIVING"
    assert [row["ID"] for row in rows(admin.get(f"{uri}/scans"))] == ["5", "6"]
    assert admin.post("/data/services/archive", params={"src": uri}).status_code == 403
    look(200)
    assert rows(admin.get(uri))[0]["status"] == "RECEIVING"
    look(301)
    assert admin.get(uri).status_code == 404
    assert len(rows(admin.get(f"{ARCHIVED}/scans/5/files"))) == 2


def test_a_session_of_a_project_without_automatic_archiving_is_ready_when_no_more_come(
    send, dicom, admin, rows, look
) -> None:
    admin.put("/data/projects/P/prearchive_code/0")
    uri = send(dicom(), project="P", handler="gradual-DICOM").text.strip()
    look(301)
    row = rows(admin.get(uri))[0]
    assert (row["status"], row["autoarchive"]) == ("READY", "Manual")


def test_a_series_that_comes_late_conflicts_in_an_entry_of_its_own(send, dicom, admin, rows, look) -> None:
    send(dicom(), project="P", handler="gradual-DICOM")
    look(301)
    late = send(dicom(SeriesNumber="6", SeriesInstanceUID="1.2.3.6"), project="P", handler="gradual-DICOM").text.strip()
    look(301)
    assert rows(admin.get(late))[0]["status"] == "CONFLICT"
    assert rows(admin.get(f"{late}/logs"))[0]["code"] == "1"
    archived = admin.post("/data/services/archive", params={"src": late, "overwrite": "append"})
    assert archived.text == ARCHIVED
    assert [row["ID"] for row in rows(admin.get(f"{ARCHIVED}/scans"))] == ["5", "6"]


def test_files_come_one_by_one_straight_into_the_archive(send, dicom, admin, rows, look) -> None:
    params = {"project": "P", "handler": "gradual-DICOM", "Direct-Archive": "true", "inbody": "true"}
    one = dicom()
    for part in (one, dicom(), one):
        assert send(part, **params).text.strip() == ARCHIVED
    assert len(rows(admin.get(f"{ARCHIVED}/scans/5/files"))) == 2
    look(301)
    assert send(dicom(), **params).text.startswith("/data/prearchive/projects/P/")


def test_a_file_that_is_no_dicom_cannot_come_alone(send, settings) -> None:
    assert send(b"x" * 500, project="P", handler="gradual-DICOM").status_code == 400
    assert not list((settings.data_dir / ".incoming").iterdir())


def test_a_dicom_file_that_hides_a_zip_is_a_dicom_file(send, dicom, zip_of, admin, rows) -> None:
    hidden = io.BytesIO()
    with zipfile.ZipFile(hidden, "w") as archive:
        archive.writestr("../evil.dcm", b"x")
    assert send(dicom() + hidden.getvalue(), project="P").text.strip() == ARCHIVED


@pytest.mark.parametrize("cut", [0, 100, 131, 133, 200, 300])
def test_damaged_files_are_said_to_be_no_dicom(send, dicom, zip_of, cut) -> None:
    noise = dicom()[:132] + bytes(range(256)) * 4
    for damaged in (dicom()[:cut], noise):
        answer = send(zip_of(a=damaged), project="P")
        assert (answer.status_code, answer.json()["detail"][:29]) == (400, "The upload has no DICOM file.")


def bomb() -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", b"\0" * 3_000_000)
    return body.getvalue()


def lying_zip(dicom: bytes) -> bytes:
    """A zip whose entry declares ten gigabytes."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("a.dcm", dicom)
        archive.infolist()[0].file_size = 10 * 1024**3
    return body.getvalue()


def tar_with(**attributes) -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as archive:
        info = tarfile.TarInfo(attributes.pop("name", "a.dcm"))
        for key, value in attributes.items():
            setattr(info, key, value)
        archive.addfile(info, io.BytesIO(b"x" * info.size))
    return body.getvalue()


@pytest.mark.parametrize(
    "kind", ["bomb", "lying", "traversal", "absolute", "symlink", "hardlink", "device", "cut", "bad names", "empty"]
)
def test_hostile_archives_are_refused_and_leave_nothing(send, dicom, zip_of, settings, monkeypatch, kind) -> None:
    monkeypatch.setattr(unpacking, "FREE_BYTES", 1_000_000)
    bodies = {
        "bomb": bomb,
        "lying": lambda: lying_zip(dicom()),
        "traversal": lambda: zip_of(**{"../../../evil.dcm": dicom()}),
        "absolute": lambda: tar_with(name="/evil.dcm", size=3),
        "symlink": lambda: tar_with(type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        "hardlink": lambda: tar_with(type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        "device": lambda: tar_with(type=tarfile.CHRTYPE),
        "cut": lambda: zip_of(a=dicom())[:-40],
        "bad names": lambda: zip_of(**{"a\nb": dicom()}),
        "empty": zip_of,
    }
    for params in ({"project": "P"}, {"dest": "/prearchive/projects/P"}):
        answer = send(bodies[kind](), **params)
        assert answer.status_code == 400, answer.text
        assert answer.json()["detail"].endswith(".")
    assert not list((settings.data_dir / ".incoming").iterdir())
    assert not [path for path in settings.data_dir.parent.rglob("*.dcm") if path.is_file()]


def test_comments_can_ask_for_archiving_at_once(send, dicom, zip_of, admin) -> None:
    admin.put("/data/projects/P/prearchive_code/0")
    assert send(zip_of(a=dicom(PatientComments="Project:P AA:true"))).text.strip() == ARCHIVED


def test_the_site_says_how_long_a_session_may_be_idle(send, dicom, admin, rows, look) -> None:
    admin.put("/data/projects/P/prearchive_code/0")
    assert admin.post("/xapi/siteConfig", json={"sessionXmlRebuilderInterval": 60}).status_code == 200
    uri = send(dicom(), project="P", handler="gradual-DICOM").text.strip()
    look(3500)
    assert rows(admin.get(uri))[0]["status"] == "RECEIVING"
    look(3700)
    assert rows(admin.get(uri))[0]["status"] == "READY"
