"""Folders in the inbox of the server: who may import from which, and what becomes of them."""

import errno
import shutil
import zipfile
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from embedded_xnat.app import create_app
from embedded_xnat.imports import inbox as inbox_module
from embedded_xnat.imports.inbox import Inbox
from embedded_xnat.imports.reading import copied
from embedded_xnat.settings import EmbeddedXnatSettings
from service_kit.errors import OutOfSpace

ARCHIVED = "/data/archive/projects/P/subjects/SUBJ/experiments/SUBJ_MR"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    (folder / "P").mkdir(parents=True)
    (folder / "Q").mkdir()
    return folder


@pytest.fixture
def settings(tmp_path: Path, golden_home: Path, inbox: Path) -> EmbeddedXnatSettings:
    home = Path(shutil.copytree(golden_home, tmp_path / "home"))
    return EmbeddedXnatSettings(
        data_dir=home / "data",
        database_url=f"sqlite:///{home}/xnat.db",
        accounts_database_url=f"sqlite:///{home}/accounts.db",
        inbox_dir=inbox,
        session_check_s=3600,
    )


@pytest.fixture
def ask(admin, look):
    """Return what asks for an import from the inbox and gives the finished request."""

    def post(path: str, client: TestClient = admin, **params):
        params = {"import-handler": "inbox", "path": path, "cleanupAfterImport": "false", **params}
        answer = client.post("/data/services/import", params=params)
        if answer.status_code != 200:
            return answer
        uri = answer.text.strip()
        assert client.get(uri).json()["status"] in {"Queued", "Importing", "Completed", "Failed"}
        look()
        return client.get(uri).json()

    return post


def test_a_folder_of_the_inbox_becomes_a_session(ask, inbox, dicom, admin, rows) -> None:
    (inbox / "P" / "visit").mkdir()
    (inbox / "P" / "visit" / "a").write_bytes(dicom())
    (inbox / "P" / "note.txt").write_text("no image")
    (inbox / "P" / "link").symlink_to("/etc/passwd")
    found = ask(str(inbox / "P"), PROJECT_ID="P")
    assert (found["status"], found["resolution"]) == ("Completed", ARCHIVED)
    assert found["parameters"] == {"PROJECT_ID": "P"}
    assert (found["username"], found["enabled"], found["clenaupAfterImport"]) == ("admin", True, False)
    assert found["created"] <= found["timestamp"]
    assert found["sessionPath"] == str(inbox / "P")
    assert len(rows(admin.get(f"{ARCHIVED}/scans/5/files"))) == 1
    assert (inbox / "P" / "visit" / "a").exists()


def test_xars_of_the_inbox_are_imported_beside_images(ask, inbox, dicom, admin, rows, session_uri) -> None:
    spaces = 'xmlns:xnat="http://nrg.wustl.edu/xnat" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    named = "<xnat:image_session_ID>S1_MR1</xnat:image_session_ID>"
    file = '<xnat:file label="R" URI="f.bin" xsi:type="xnat:resource"/>'
    with zipfile.ZipFile(inbox / "P" / "scan.XAR", "w") as archive:
        archive.writestr("scan.xml", f'<xnat:MRScan {spaces} ID="9">{named}{file}</xnat:MRScan>')
        archive.writestr("f.bin", b"bytes")
    (inbox / "P" / "a").write_bytes(dicom())
    found = ask("P", PROJECT_ID="P", cleanupAfterImport="true")
    uri = f"/data/archive{session_uri.removeprefix('/data')}"
    assert (found["status"], found["resolution"].split()) == ("Completed", [uri, ARCHIVED])
    assert admin.get(f"{session_uri}/scans/9/resources/R/files/f.bin").content == b"bytes"
    assert [path.name for path in inbox.rglob("*")] == ["Q"]
    (inbox / "P").mkdir()
    (inbox / "P" / "broken.xar").write_bytes(b"no archive")
    found = ask("P", PROJECT_ID="P", cleanupAfterImport="true")
    assert (found["status"], found["resolution"]) == ("Failed", "The body is neither a zip nor a tar archive.")
    assert (inbox / "P" / "broken.xar").exists()


def write_xar(path: Path, label: str, *, name: str = "f.bin") -> None:
    spaces = 'xmlns:xnat="http://nrg.wustl.edu/xnat" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    file = f'<xnat:resources><xnat:resource label="R" URI="{name}" xsi:type="xnat:resource"/></xnat:resources>'
    subject = "<xnat:subject_ID>S1</xnat:subject_ID>"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "s.xml", f'<xnat:MRSession {spaces} project="P" label="{label}">{file}{subject}</xnat:MRSession>'
        )
        archive.writestr(name, b"bytes")


def test_a_xar_that_is_refused_keeps_no_other_out_and_a_second_try_changes_nothing(
    ask, inbox, dicom, admin, rows, session_uri
) -> None:
    """Each file has its outcome, by its place: names of files can be names of people."""
    folder = inbox / "P"
    for label in ("A", "C"):
        write_xar(folder / f"{label}.xar", label)
    (folder / "B.xar").write_bytes(b"no archive")
    (folder / "image").write_bytes(dicom())
    of = "/data/archive/projects/P/subjects/S1/experiments/"
    broken = "XAR 2 of 3, in the order of their paths: The body is neither a zip nor a tar archive."
    found = ask("P", PROJECT_ID="P")
    assert (found["status"], found["resolution"].splitlines()) == ("Failed", [f"{of}A", f"{of}C", ARCHIVED, broken])
    assert sorted(path.name for path in folder.iterdir()) == ["A.xar", "B.xar", "C.xar", "image"]

    def there() -> list[list[dict[str, str]]]:
        return [rows(admin.get(f"/data/projects/P/experiments/{label}/files")) for label in ("A", "C")]

    before = there()
    (folder / "image").unlink()
    again = ask("P", PROJECT_ID="P")
    lines = again["resolution"].splitlines()
    assert (again["status"], [line.rpartition(": ")[2][:22] for line in lines]) == (
        "Failed",
        ["Session already exists", "The body is neither a ", "Session already exists"],
    )
    assert there() == before
    write_xar(folder / "B.xar", "B")
    mended = ask("P", PROJECT_ID="P", overwrite="append", cleanupAfterImport="true")
    assert (mended["status"], mended["resolution"].split()) == ("Completed", [f"{of}A", f"{of}B", f"{of}C"])
    assert (there(), not folder.exists()) == (before, True)


def test_what_a_folder_brought_in_is_cleaned_up_though_something_else_was_refused(
    ask, inbox, admin, session_uri
) -> None:
    write_xar(inbox / "P" / "A.xar", "A")
    (inbox / "P" / "B.xar").write_bytes(b"no archive")
    assert ask("P", PROJECT_ID="P", cleanupAfterImport="true")["status"] == "Failed"
    assert [path.name for path in (inbox / "P").iterdir()] == ["B.xar"]


def test_what_was_imported_is_cleaned_up_when_asked_for_and_nothing_else(ask, inbox, dicom) -> None:
    (inbox / "P" / "visit").mkdir()
    (inbox / "P" / "visit" / "a").write_bytes(dicom())
    (inbox / "P" / "note.txt").write_text("no image")
    assert ask("P", PROJECT_ID="P", cleanupAfterImport="true")["clenaupAfterImport"] is True
    assert sorted(path.name for path in inbox.rglob("*")) == ["P", "Q", "note.txt"]


def test_files_of_series_that_a_filter_leaves_out_stay_in_the_inbox(ask, inbox, dicom, admin, rows) -> None:
    scout = dicom(SeriesNumber="2", SeriesInstanceUID="1.2.3.9", SeriesDescription="Scout", SOPInstanceUID="1.9")
    for name, content in (("t1", dicom(SeriesDescription="T1")), ("scout", scout)):
        (inbox / "P" / name).write_bytes(content)
    wish = {"contents": '{"mode": "blacklist", "list": "scout"}', "status": "enabled"}
    assert admin.put("/data/projects/P/config/seriesImportFilter/config", json=wish).status_code == 201
    assert ask("P", PROJECT_ID="P", cleanupAfterImport="true")["resolution"] == ARCHIVED
    assert [row["type"] for row in rows(admin.get(f"{ARCHIVED}/scans"))] == ["T1"]
    assert sorted(path.name for path in inbox.rglob("*")) == ["P", "Q", "scout"]


def test_a_session_that_is_there_waits_in_the_prearchive(ask, inbox, dicom, send, zip_of, admin, rows) -> None:
    send(zip_of(a=dicom()), project="P")
    (inbox / "P" / "a").write_bytes(dicom())
    found = ask("P", PROJECT_ID="P")
    assert found["resolution"].startswith("/data/prearchive/projects/P/")
    assert rows(admin.get(found["resolution"]))[0]["status"] == "CONFLICT"


def test_a_request_that_a_kill_cut_off_is_carried_out_again(ask, inbox, dicom, admin, rows, server, look) -> None:
    from embedded_xnat.db.tables import InboxRequestRow

    (inbox / "P" / "a").write_bytes(dicom())
    ask("P", PROJECT_ID="P")
    with server.app.state.archive.change() as change:
        row = change.session.get(InboxRequestRow, 1)
        row.status = "Importing"
        change.session.add(row)
    look()
    assert admin.get("/data/services/import/inbox/1").json()["resolution"] == ARCHIVED
    assert len(rows(admin.get(f"{ARCHIVED}/scans/5/files"))) == 1
    assert rows(admin.get("/data/prearchive")) == []


class Killed(BaseException):
    """Nothing of the process runs any more."""


@pytest.mark.parametrize("moment", ["before the clean-up", "in the clean-up", "after the clean-up"])
def test_a_clean_up_that_a_kill_cut_off_is_done_by_the_next_process(
    admin, inbox, dicom, rows, look, worker, session_uri, monkeypatch, moment
) -> None:
    (inbox / "P" / "visit").mkdir()
    (inbox / "P" / "visit" / "a").write_bytes(dicom())
    write_xar(inbox / "P" / "A.xar", "A")
    clean_up = Inbox._clean_up

    def kill(self, source, outcome):
        if moment == "in the clean-up":
            (inbox / "P" / "visit" / "a").unlink()
        elif moment == "after the clean-up":
            clean_up(self, source, outcome)
        raise Killed

    monkeypatch.setattr(Inbox, "_clean_up", kill)
    wish = {"import-handler": "inbox", "path": "P", "PROJECT_ID": "P", "cleanupAfterImport": "true"}
    uri = admin.post("/data/services/import", params=wish).text.strip()
    with pytest.raises(Killed):
        look()
    assert admin.get(uri).json()["status"] == "Importing", "nobody takes it for done"
    monkeypatch.setattr(Inbox, "_clean_up", clean_up)
    look()
    found = admin.get(uri).json()
    came_in = ["/data/archive/projects/P/subjects/S1/experiments/A", ARCHIVED]
    assert (found["status"], found["resolution"].split()) == ("Completed", came_in)
    assert [path for path in inbox.rglob("*") if path.is_file()] == []
    assert len(rows(admin.get(f"{ARCHIVED}/scans/5/files"))) == 1


MOMENTS = ["A is stored", "B is refused", "disk is full", "before the clean-up", "in the clean-up"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_was_refused_is_refused_too_when_a_request_that_was_cut_off_goes_on(
    admin, inbox, dicom, rows, look, worker, session_uri, monkeypatch, moment
) -> None:
    """Nobody asked to change a session that was there."""
    folder = inbox / "P"
    write_xar(folder / "B.xar", "B")
    send = {"import-handler": "inbox", "path": "P", "PROJECT_ID": "P"}
    admin.post("/data/services/import", params=send)
    look()
    before = rows(admin.get("/data/projects/P/experiments/B/files"))
    write_xar(folder / "A.xar", "A")
    write_xar(folder / "B.xar", "B", name="other.bin")
    (folder / "image").write_bytes(dicom())
    cut_off(monkeypatch, moment, folder)
    uri = admin.post("/data/services/import", params={**send, "cleanupAfterImport": "true"}).text.strip()
    with pytest.raises((Killed, OutOfSpace)):
        look()
    assert admin.get(uri).json()["parameters"] == {"PROJECT_ID": "P"}
    monkeypatch.undo()
    look()
    found = admin.get(uri).json()
    of = "/data/archive/projects/P/subjects/S1/experiments/"
    refused = "XAR 2 of 2, in the order of their paths: Session already exists, retry with overwrite enabled"
    assert (found["status"], found["resolution"].splitlines()) == ("Failed", [f"{of}A", ARCHIVED, refused])
    assert [path.name for path in inbox.rglob("*") if path.is_file()] == ["B.xar"]
    assert rows(admin.get("/data/projects/P/experiments/B/files")) == before
    assert rows(admin.get("/data/prearchive")) == []


def cut_off(monkeypatch: pytest.MonkeyPatch, moment: str, folder: Path) -> None:
    """Let the next import of a folder with A.xar, B.xar and an image end at some moment."""

    def die(*said):
        if moment == "A is stored" and said[0].name == "A.xar":
            return copied(*said)
        if moment == "in the clean-up":
            (folder / "A.xar").unlink()
        raise OSError(errno.ENOSPC, "No space left on device") if moment == "disk is full" else Killed

    if moment == "A is stored":
        monkeypatch.setattr(inbox_module, "copied", die)
    else:
        monkeypatch.setattr(Inbox, "_clean_up" if moment.endswith("clean-up") else "_upload", die)


def test_images_that_went_to_the_prearchive_stay_there_after_a_kill(
    admin, inbox, dicom, send, zip_of, rows, look, worker, monkeypatch
) -> None:
    send(zip_of(a=dicom()), project="P")
    (inbox / "P" / "a").write_bytes(dicom(SOPInstanceUID="1.9"))
    wish = {"import-handler": "inbox", "path": "P", "PROJECT_ID": "P"}

    def die(*_):
        raise Killed

    monkeypatch.setattr(inbox_module._Outcome, "add", die)
    uri = admin.post("/data/services/import", params={**wish, "cleanupAfterImport": "true"}).text.strip()
    with pytest.raises(Killed):
        look()
    monkeypatch.undo()
    look()
    [waiting] = rows(admin.get("/data/prearchive"))
    assert (waiting["status"], admin.get(uri).json()["status"]) == ("CONFLICT", "Completed")
    assert admin.get(uri).json()["resolution"].startswith("/data/prearchive/projects/P/")
    assert len(rows(admin.get(f"{ARCHIVED}/scans/5/files"))) == 1
    assert not (inbox / "P").exists()


def test_the_next_file_of_a_name_stays_when_its_sender_waited_for_the_end(
    ask, inbox, worker, session_uri, monkeypatch
) -> None:
    """Who reads *Completed* puts the next files into the same folder."""
    note, path = Inbox._note, inbox / "P" / "next.xar"

    def note_and_send(self, row, *, status, result=""):
        note(self, row, status=status, result=result)
        if status == "Completed":
            path.parent.mkdir(exist_ok=True)
            write_xar(path, "B")

    monkeypatch.setattr(Inbox, "_note", note_and_send)
    write_xar(path, "A")
    assert ask("P", PROJECT_ID="P", cleanupAfterImport="true")["status"] == "Completed"
    assert path.exists()


@pytest.mark.parametrize("name", ["next.xar", "image"])
@pytest.mark.parametrize("how", ["another file", "the same file"])
def test_a_file_that_changed_since_it_was_read_stays_in_the_inbox(
    ask, inbox, dicom, worker, session_uri, monkeypatch, name, how
) -> None:
    path = inbox / "P" / name

    def copied_and_changed(*said):
        stored = copied(*said)
        if how == "another file":
            (inbox / "new").write_bytes(path.read_bytes())
            shutil.copystat(path, inbox / "new")
            (inbox / "new").replace(path)
        else:
            path.write_bytes(path.read_bytes() + b"more")
        return stored

    monkeypatch.setattr(inbox_module, "copied", copied_and_changed)
    if name == "image":
        path.write_bytes(dicom())
    else:
        write_xar(path, "A")
    assert ask("P", PROJECT_ID="P", cleanupAfterImport="true")["status"] == "Completed"
    assert path.exists()


def test_files_that_cannot_be_removed_are_told_and_the_request_ends(ask, inbox, dicom, worker, monkeypatch) -> None:
    (inbox / "P" / "a").write_bytes(dicom())

    unlink = Path.unlink

    def refuse(path, **said):
        if path.is_relative_to(inbox):
            raise PermissionError(13, "Permission denied")
        unlink(path, **said)

    monkeypatch.setattr(Path, "unlink", refuse)
    found = ask("P", PROJECT_ID="P", cleanupAfterImport="true")
    kept = "Files that were imported (1) cannot be removed from the inbox; let the server write there"
    assert (found["status"], found["resolution"].splitlines()[0]) == ("Failed", ARCHIVED)
    assert found["resolution"].splitlines()[1].startswith(kept)


def test_a_folder_without_images_fails_with_a_sentence(ask, inbox) -> None:
    (inbox / "P" / "note.txt").write_text("no image")
    found = ask("P", PROJECT_ID="P", cleanupAfterImport="true")
    assert (found["status"], found["resolution"][:29]) == ("Failed", "The upload has no DICOM file.")
    assert (inbox / "P" / "note.txt").exists()


@pytest.mark.parametrize("path", ["", "/etc", "..", "P/../..", "/etc/passwd", "nowhere", "P/out", "a\x00b", "x" * 5000])
def test_nothing_outside_of_the_inbox_can_be_named(ask, inbox, path) -> None:
    (inbox / "P" / "out").symlink_to("/etc")
    answer = ask(path, PROJECT_ID="P")
    assert answer.status_code == 400
    assert answer.json()["detail"].endswith(("(path=).", "that you may import from."))


def test_members_import_from_the_folder_of_their_project_only(ask, inbox, dicom, admin, as_user) -> None:
    admin.put("/data/projects/Q")
    admin.put("/data/projects/P/users/Members/mary")
    for project in ("P", "Q"):
        (inbox / project / "a").write_bytes(dicom())
    mary = as_user("mary")
    assert ask("Q", mary, PROJECT_ID="P").status_code == 400
    assert ask("Q", mary, PROJECT_ID="Q").status_code == 404
    assert ask("P", mary).status_code == 400
    assert ask("P", mary, PROJECT_ID="P")["status"] == "Completed"
    assert as_user("zoe").get("/data/services/import/inbox/1").status_code == 404


def test_a_server_without_an_inbox_says_so(tmp_path, golden_home) -> None:
    home = Path(shutil.copytree(golden_home, tmp_path / "other"))
    settings = EmbeddedXnatSettings(
        data_dir=home / "data",
        database_url=f"sqlite:///{home}/xnat.db",
        accounts_database_url=f"sqlite:///{home}/accounts.db",
    )
    with TestClient(create_app(settings)) as server:
        server.put("/data/services/auth", data={"username": "admin", "password": "correct horse battery"})
        answer = server.post("/data/services/import", params={"import-handler": "inbox", "path": "x"})
    assert (answer.status_code, "COHORTFLOW_XNAT_INBOX_DIR" in answer.text) == (400, True)
