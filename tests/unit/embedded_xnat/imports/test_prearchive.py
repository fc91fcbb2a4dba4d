"""The prearchive: what waits there, what can be done with it, and by whom."""

import hashlib
import io
import zipfile
from contextlib import contextmanager, suppress
from itertools import count
from xml.etree import ElementTree as ET

import pytest

from embedded_xnat.contract.errors import NoSuchObject
from embedded_xnat.db.tables import PrearchiveRow
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.imports import prearchive_endpoints
from embedded_xnat.imports.prearchive_actions import Actions, Errand
from service_kit.errors import Unavailable

ARCHIVED = "/data/archive/projects/P/subjects/SUBJ/experiments/SUBJ_MR"


@pytest.fixture
def waiting(send, dicom, zip_of) -> str:
    """Address of a session with scans 2 and 5 that waits."""
    two = dicom(SeriesNumber="2", SeriesInstanceUID="1.2.3.5", SeriesDescription="scout", SOPInstanceUID="1.5")
    answer = send(zip_of(a=dicom(SOPInstanceUID="1.4"), b=two), dest="/prearchive/projects/P")
    return answer.text.strip()


def test_a_session_is_listed_with_what_clients_read(admin, waiting, rows) -> None:
    for listing in ("/data/prearchive", "/data/prearchive/projects", "/data/prearchive/projects/P", waiting):
        (row,) = rows(admin.get(listing, params={"format": "json"}))
        assert row["url"] == waiting.removeprefix("/data")
        assert (row["name"], row["folderName"], row["subject"], row["project"]) == ("SUBJ_MR", "SUBJ_MR", "SUBJ", "P")
        assert (row["status"], row["tag"], row["scan_date"], row["scan_time"]) == (
            "READY",
            "1.2.3",
            "2026-02-03",
            "09:15:00",
        )
        assert row["timestamp"].replace("_", "").isdigit()
        assert "." in row["lastmod"]
    header = admin.get("/data/prearchive/projects", params={"format": "csv"}).text.splitlines()[0]
    assert header.startswith("url,name,folderName,timestamp")


def test_what_lies_in_a_session_can_be_looked_at_down_to_the_bytes(admin, waiting, rows) -> None:
    assert rows(admin.get(f"{waiting}/scans")) == [
        {"ID": "2", "xsiType": "xnat:mrScanData", "series_description": "scout"},
        {"ID": "5", "xsiType": "xnat:mrScanData", "series_description": "T1  w, 3D"},
    ]
    (resource,) = rows(admin.get(f"{waiting}/scans/5/resources"))
    assert (resource["label"], resource["file_count"]) == ("DICOM", "1")
    (file,) = rows(admin.get(f"{waiting}/scans/5/resources/DICOM/files"))
    assert (file["Name"], file["Size"]) == ("a", resource["file_size"])
    assert len(admin.get(file["URI"]).content) == int(file["Size"])
    assert admin.head(file["URI"]).headers["content-length"] == file["Size"]
    for missing in ("scans/9", "scans/9/resources", "scans/5/resources/X/files", "scans/5/resources/DICOM/files/none"):
        assert admin.get(f"{waiting}/{missing}").status_code == 404


@pytest.mark.parametrize("name", ["..%2f..%2f..%2fP", "%2e%2e/%2e%2e/x", "%00", "a%2f..%2f..%2fb"])
def test_no_address_leads_out_of_a_session(admin, waiting, name) -> None:
    assert admin.get(f"{waiting}/scans/5/resources/DICOM/files/{name}").status_code == 404
    assert admin.get(f"{waiting}/scans/{name}/resources").status_code == 404


def test_a_session_can_be_taken_as_a_zip_and_as_a_document(admin, waiting) -> None:
    body = admin.get(waiting, params={"format": "zip"})
    assert body.headers["content-type"] == "application/zip"
    names = zipfile.ZipFile(io.BytesIO(body.content)).namelist()
    assert names == ["SUBJ_MR/SCANS/2/DICOM/b", "SUBJ_MR/SCANS/5/DICOM/a"]
    scan = admin.get(f"{waiting}/scans/5", params={"format": "zip"})
    assert zipfile.ZipFile(io.BytesIO(scan.content)).namelist() == ["SUBJ_MR/SCANS/5/DICOM/a"]
    root = ET.fromstring(admin.get(waiting, params={"format": "xml"}).content)
    space = {"xnat": "http://nrg.wustl.edu/xnat"}
    assert root.tag == "{http://nrg.wustl.edu/xnat}MRSession"
    assert (root.get("label"), root.get("UID"), root.find("xnat:date", space).text) == (
        "SUBJ_MR",
        "1.2.3",
        "2026-02-03",
    )
    assert [scan.get("ID") for scan in root.findall("xnat:scans/xnat:scan", space)] == ["2", "5"]
    assert root.find("xnat:scans/xnat:scan[@ID='5']/xnat:frames", space).text == "1"


def test_a_head_of_a_zip_makes_no_more_than_its_beginning(admin, waiting, settings, monkeypatch) -> None:
    made = count()

    def without_end(_entries):
        for number in made:
            assert number < 10, "nobody waits for it"
            yield b"x"

    monkeypatch.setattr(prearchive_endpoints, "zip_stream", without_end)
    answer = admin.head(waiting, params={"format": "zip"})
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "application/zip", b"")
    assert not list((settings.data_dir / ".incoming").iterdir()), "its files are let go"


FATES = {
    "moved": ("/data/services/prearchive/move", {"newProject": "Q"}),
    "archived": ("/data/services/archive", {}),
    "deleted": ("/data/services/prearchive/delete", {}),
}


@pytest.mark.parametrize("fate", FATES)
def test_a_zip_is_whole_whatever_becomes_of_its_session_on_the_way(
    send, dicom, zip_of, admin, settings, monkeypatch, fate
) -> None:
    admin.put("/data/projects/Q")
    images = {f"{number}.dcm": dicom() for number in range(3)}
    uri = send(zip_of(**images), dest="/prearchive/projects/P").text.strip()
    pack, (service, params) = prearchive_endpoints.zip_stream, FATES[fate]

    def act_and_pack(entries):
        assert admin.post(service, params={"src": uri, **params}).status_code == 200
        return pack(entries)

    monkeypatch.setattr(prearchive_endpoints, "zip_stream", act_and_pack)
    answer = admin.get(uri, params={"format": "zip"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert sorted(map(archive.read, archive.namelist())) == sorted(images.values())
    assert not list((settings.data_dir / ".incoming").iterdir())
    assert admin.get(uri, params={"format": "zip"}).status_code == 404


@pytest.mark.parametrize("prefix", ["/data/prearchive", "/prearchive", "/data/archive/prearchive", "prearchive"])
def test_a_session_is_archived_under_any_form_of_its_address(admin, waiting, rows, prefix, settings) -> None:
    source = waiting.replace("/data/prearchive", prefix)
    answer = admin.post("/data/services/archive", data={"src": source, "auto-archive": "false"})
    assert (answer.status_code, answer.text) == (200, ARCHIVED)
    assert [row["ID"] for row in rows(admin.get(f"{ARCHIVED}/scans"))] == ["2", "5"]
    assert rows(admin.get("/data/prearchive/projects")) == []
    assert not list((settings.data_dir / ".prearchive").rglob("*/DICOM/*"))
    (file,) = rows(admin.get(f"{ARCHIVED}/scans/5/files"))
    assert file["digest"] == hashlib.md5(admin.get(file["URI"]).content).hexdigest()


def test_labels_can_be_given_while_archiving(admin, waiting) -> None:
    params = {"src": waiting.replace("_", "%5F"), "dest": "/archive/projects/P/subjects/S9/experiments/S9%2EX"}
    assert admin.post("/data/services/archive", data=params).text.endswith("/subjects/S9/experiments/S9.X")


def test_several_sessions_are_archived_at_once(admin, send, dicom, zip_of, waiting) -> None:
    body = zip_of(a=dicom(StudyInstanceUID="9.9", SeriesInstanceUID="9.9.1", PatientID="OTHER"))
    second = send(body, dest="/prearchive/projects/P").text.strip()
    answer = admin.post("/data/services/archive", params=[("src", waiting), ("src", second)])
    assert answer.text.splitlines() == [ARCHIVED, ARCHIVED.replace("SUBJ_MR", "OTHER")]


def test_a_session_that_does_not_fit_stays_with_the_reason(admin, send, dicom, zip_of, waiting, rows) -> None:
    send(zip_of(a=dicom(StudyInstanceUID="9.9")), project="P")
    answer = admin.post("/data/services/archive", params={"src": waiting, "overwrite": "append"})
    assert answer.status_code == 409
    assert rows(admin.get(waiting))[0]["status"] == "CONFLICT"
    assert [row["code"] for row in rows(admin.get(f"{waiting}/logs"))] == ["5"]
    rebuilt = admin.post("/data/services/prearchive/rebuild", params={"src": waiting})
    assert (rebuilt.status_code, rows(admin.get(waiting))[0]["status"]) == (200, "READY")
    params = {"src": waiting, "session": "ELSE"}
    assert admin.post("/data/services/archive", params=params).text.endswith("experiments/ELSE")


def test_a_session_that_is_there_is_told_with_what_else_stands_against_it(
    admin, send, dicom, zip_of, waiting, rows
) -> None:
    send(zip_of(a=dicom(StudyInstanceUID="9.9")), project="P")
    answer = admin.post("/data/services/archive", params={"src": waiting})
    assert (answer.status_code, "Session already exists, retry with overwrite enabled" in answer.text) == (409, True)
    assert [row["code"] for row in rows(admin.get(f"{waiting}/logs"))] == ["1", "5"]


def test_what_is_worth_knowing_is_told_and_keeps_nothing_from_being_archived(admin, send, dicom, zip_of, rows) -> None:
    one, other = dicom(SOPInstanceUID="1.4"), dicom(SOPInstanceUID="1.4", SeriesTime="1")
    body = zip_of(a=one, b=other, the_same_again=one, no_image=b"GIF89a")
    uri = send(body, dest="/prearchive/projects/P").text.strip()
    said = {row["code"]: row["text"] for row in rows(admin.get(f"{uri}/logs"))}
    assert said == {
        "20": "1 files are no DICOM and were left out.",
        "22": "Scan 5 has 1 files with the SOP instance UID of another.",
    }
    assert admin.post("/data/services/prearchive/rebuild", params={"src": uri}).status_code == 200
    assert [row["code"] for row in rows(admin.get(f"{uri}/logs"))] == ["22"], "this is still so"
    assert admin.post("/data/services/archive", params={"src": uri}).text == ARCHIVED
    assert len(rows(admin.get(f"{ARCHIVED}/scans/5/files"))) == 2, "both, since nobody knows which is the right one"


def test_a_session_that_comes_file_by_file_tells_everything_once(admin, send, dicom, rows, look) -> None:
    admin.put("/data/projects/P/prearchive_code/0")
    parts = [dicom(SOPInstanceUID="1.4"), dicom(SOPInstanceUID="1.4", SeriesTime="1"), dicom(SeriesInstanceUID="1.9")]
    (uri,) = {send(part, project="P", handler="gradual-DICOM").text.strip() for part in (*parts, parts[2])}
    assert [row["code"] for row in rows(admin.get(f"{uri}/logs"))] == ["17"]
    look(301)
    assert [row["code"] for row in rows(admin.get(f"{uri}/logs"))] == ["22"]


def test_rebuilding_reads_the_files_again(admin, waiting, dicom, rows, settings) -> None:
    folder = settings.data_dir / ".prearchive" / waiting.removeprefix("/data/prearchive/projects/") / "SCANS"
    (folder / "5" / "DICOM" / "a").write_bytes(dicom(SeriesDescription="corrected", StudyDate="20260301"))
    assert admin.post(waiting, data={"action": "build"}).status_code == 200
    assert rows(admin.get(f"{waiting}/scans"))[1]["series_description"] == "corrected"
    for path in folder.rglob("DICOM/*"):
        path.write_bytes(b"no DICOM any more")
    assert admin.post(waiting, params={"action": "rebuild"}).status_code == 400
    assert rows(admin.get(waiting))[0]["status"] == "ERROR"


def test_a_session_moves_to_another_project_with_its_files(admin, waiting, rows) -> None:
    admin.put("/data/projects/Q")
    params = {"src": waiting.removeprefix("/data"), "newProject": "Q", "async": "false"}
    answer = admin.post("/data/services/prearchive/move", data=params)
    assert answer.status_code == 200
    moved = waiting.replace("/projects/P/", "/projects/Q/")
    assert answer.text == moved
    assert admin.get(waiting).status_code == 404
    (file,) = rows(admin.get(f"{moved}/scans/5/resources/DICOM/files"))
    assert admin.get(file["URI"]).status_code == 200
    assert admin.post("/data/services/prearchive/move", params={"src": moved}).status_code == 400
    assert admin.post(moved, params={"action": "move", "newProject": "NONE"}).status_code == 404


@pytest.mark.parametrize("how", ["service", "address", "action"])
def test_a_session_is_deleted_with_its_files(admin, waiting, rows, settings, how) -> None:
    if how == "service":
        answer = admin.post("/data/services/prearchive/delete", params={"src": waiting})
    else:
        answer = admin.delete(waiting) if how == "address" else admin.post(waiting, data={"action": "delete"})
    assert answer.status_code == 200
    assert rows(admin.get("/data/prearchive")) == []
    assert not list((settings.data_dir / ".prearchive").rglob("*/DICOM/*"))


def test_work_can_be_left_to_the_background(admin, waiting, rows, look, server) -> None:
    admin.put("/data/projects/Q")
    worker = server.app.state.import_worker
    worker.stop()
    params = {"src": waiting, "newProject": "Q", "async": "true"}
    assert admin.post("/data/services/prearchive/move", params=params).status_code == 200
    assert rows(admin.get(waiting))[0]["status"] == "QUEUED_MOVING"
    assert admin.post("/data/services/archive", params={"src": waiting}).status_code == 403
    worker._is_stopping = False
    look()
    assert rows(admin.get("/data/prearchive/projects/Q"))[0]["status"] == "READY"


def test_work_that_a_kill_cut_off_can_be_begun_anew(admin, waiting, rows, server) -> None:
    with server.app.state.archive.change() as change:
        row = change.session.get(PrearchiveRow, 1)
        row.status = "ARCHIVING"
        change.session.add(row)
    assert admin.post("/data/services/archive", params={"src": waiting}).status_code == 403
    server.app.state.import_worker._actions.put_right()
    assert admin.post("/data/services/archive", params={"src": waiting}).text == ARCHIVED


class Killed(BaseException):
    """Nothing of the process runs any more."""


@contextmanager
def interrupted(server, at: int, error: BaseException, *, for_good: bool):
    """Let a change of the archive fail, and every one after it if that is for good."""
    archive = server.app.state.archive
    watch, number = archive.watch, count(1)

    def fail(uow, change):
        here = next(number)
        if here == at or (for_good and here > at):
            raise error
        return watch(uow, change)

    archive.watch = fail
    try:
        with suppress(type(error)):
            yield
    finally:
        archive.watch = watch


def test_automatic_archiving_outlives_a_kill_at_any_moment(admin, send, dicom, rows, look, server, worker) -> None:
    for moment in range(1, 6):
        body = dicom(StudyInstanceUID=f"7.{moment}", SeriesInstanceUID=f"7.{moment}.1", PatientID=f"MR{moment}")
        send(body, project="P", handler="gradual-DICOM")
        with interrupted(server, moment, Killed(), for_good=True):
            look(301)
        (row,) = rows(admin.get("/data/prearchive"))
        assert row["status"] in {"RECEIVING", "QUEUED_BUILDING", "BUILDING", "QUEUED_ARCHIVING", "ARCHIVING"}
        worker._actions.put_right()
        look(301)
        assert rows(admin.get("/data/prearchive")) == []
        assert len(rows(admin.get(f"/data/projects/P/experiments/MR{moment}/scans/5/files"))) == 1


@pytest.mark.parametrize(("gone", "status"), [("disk", "QUEUED_ARCHIVING"), ("database", "ARCHIVING")])
def test_automatic_archiving_waits_for_disk_and_database(
    admin, send, dicom, rows, look, server, worker, gone, status
) -> None:
    uri = send(dicom(), project="P", handler="gradual-DICOM").text.strip()
    with interrupted(server, 5, Unavailable("not at the moment"), for_good=gone == "database"):
        look(301)
    assert rows(admin.get(uri))[0]["status"] == status
    look()
    assert admin.get(uri).status_code == 404
    assert admin.get(ARCHIVED).status_code == 200


def test_what_somebody_waits_for_does_not_stay_begun(admin, waiting, rows, look, server, worker) -> None:
    """The database goes while a session is archived, so that not even this can be noted."""
    with interrupted(server, 2, Unavailable("not at the moment"), for_good=True):
        assert admin.post("/data/services/archive", params={"src": waiting}).status_code == 503
    assert rows(admin.get(waiting))[0]["status"] == "ARCHIVING"
    look()
    assert rows(admin.get(waiting))[0]["status"] == "READY"
    assert admin.post("/data/services/archive", params={"src": waiting}).text == ARCHIVED


def test_a_conflict_that_came_up_meanwhile_stays_one_when_nothing_comes_of_an_errand(
    admin, send, dicom, zip_of, waiting, rows, server
) -> None:
    archive = server.app.state.archive
    with archive.read() as session:
        read_before = session.get(PrearchiveRow, 1)
    send(zip_of(a=dicom()), project="P")
    assert admin.post("/data/services/archive", params={"src": waiting}).status_code == 409
    with pytest.raises(NoSuchObject):
        actions = server.app.state.import_worker._actions
        actions.run(Visitor("admin", everything=True), read_before, Errand("move", new_project="NONE"))
    assert rows(admin.get(waiting))[0]["status"] == "CONFLICT"
    assert [row["code"] for row in rows(admin.get(f"{waiting}/logs"))] == ["1"]


def test_what_is_being_done_is_not_begun_again(admin, waiting, rows, look, server, worker, monkeypatch) -> None:
    do = Actions._do

    def do_and_look(self, *said):
        look()
        assert rows(admin.get(waiting))[0]["status"] == "ARCHIVING"
        return do(self, *said)

    monkeypatch.setattr(Actions, "_do", do_and_look)
    assert admin.post("/data/services/archive", params={"src": waiting}).text == ARCHIVED
    assert server.app.state.archive.at_work == set()


def test_what_fails_in_the_background_says_why(admin, as_user, waiting, rows, look, server, worker) -> None:
    for user in ("Members/mary", "Owners/olive"):
        admin.put(f"/data/projects/P/users/{user}")
    admin.put("/data/projects/Q")
    admin.put("/data/projects/Q/users/Members/mary")
    params = {"src": waiting, "newProject": "Q", "async": "true"}
    assert as_user("mary").post("/data/services/prearchive/move", params=params).status_code == 200
    admin.delete("/data/projects/Q/users/Members/mary")
    look()
    assert rows(admin.get(waiting))[0]["status"] == "ERROR"
    assert len(rows(admin.get(f"{waiting}/logs"))) == 1
    assert admin.post("/data/services/archive", params={"src": waiting}).text == ARCHIVED


BAD_SOURCES = ["", "/prearchive", "/prearchive/projects/P", "/data/projects/P", "/prearchive/projects/P/../../x"]


@pytest.mark.parametrize("source", BAD_SOURCES)
@pytest.mark.parametrize("service", ["archive", "prearchive/move", "prearchive/delete", "prearchive/rebuild"])
def test_sources_that_are_none_are_refused(admin, source, service) -> None:
    answer = admin.post(f"/data/services/{service}", params={"src": source, "newProject": "P"})
    assert (answer.status_code, answer.json()["detail"][:15]) == (400, "src is such as ")


RIGHTS = [
    # who, may see and handle what waits for P
    ("olive", True),
    ("mary", True),
    ("carl", False),
    ("zoe", False),
]


@pytest.mark.parametrize(("who", "may"), RIGHTS)
def test_members_handle_what_waits_and_others_do_not_see_it(admin, as_user, waiting, rows, who, may) -> None:
    for role, name in (("Owners", "olive"), ("Members", "mary"), ("Collaborators", "carl")):
        admin.put(f"/data/projects/P/users/{role}/{name}")
    client = as_user(who)
    assert len(rows(client.get("/data/prearchive"))) == int(may)
    status = 200 if may else 404
    assert client.get(waiting).status_code == status
    assert client.get(f"{waiting}/scans/5/resources/DICOM/files/a").status_code == status
    admin.put("/data/projects/Q")
    moved = client.post("/data/services/prearchive/move", params={"src": waiting, "newProject": "Q"})
    assert moved.status_code == 404
    assert client.post("/data/services/prearchive/rebuild", params={"src": waiting}).status_code == status
    assert client.post("/data/services/archive", params={"src": waiting}).status_code == status


def test_what_belongs_to_no_project_is_archived_only_into_one(admin, send, dicom, zip_of, as_user) -> None:
    uri = send(zip_of(a=dicom())).text.strip()
    assert as_user("zoe").get(uri).status_code == 404
    assert admin.post("/data/services/archive", params={"src": uri}).status_code == 400
    assert admin.post("/data/services/archive", params={"src": uri, "project": "P"}).text == ARCHIVED


def test_addresses_with_odd_characters_are_not_there(admin, waiting, send, dicom) -> None:
    assert admin.get("/data/prearchive/projects/%00").status_code == 404
    assert admin.get("/data/prearchive/projects/P/%00/%00").status_code == 404
    assert admin.post("/data/services/archive", params={"src": waiting, "project": "\x00"}).status_code == 404
    params = {"src": waiting, "newProject": "\x00", "async": "true"}
    assert admin.post("/data/services/prearchive/move", params=params).status_code == 404
    assert send(dicom(), project="\x00").status_code == 404
