"""Each thing is broken by hand: the check finds it, the repair mends it, a second check finds nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import select

from embedded_xnat.consistency.looking import Inspector
from embedded_xnat.consistency.mending import Mender
from embedded_xnat.consistency.records import Trouble
from embedded_xnat.consistency.service import find_problems, mend_problems
from embedded_xnat.contract.errors import FolderInUse, NoArchive
from embedded_xnat.db.tables import FileRow, MoveRow, PrearchiveRow, ScanRow
from embedded_xnat.storage.archive import Archive

FILES = {
    "scans/3/resources/DICOM/files/a.dcm": "P/arc001/S1_MR1/SCANS/3/DICOM/a.dcm",
    "scans/3/resources/DICOM/files/sub/b.dcm": "P/arc001/S1_MR1/SCANS/3/DICOM/sub/b.dcm",
    "resources/R/files/a": "P/arc001/S1_MR1/RESOURCES/R/a",
    "assessors/QC1/resources/R/files/a": "P/arc001/S1_MR1/ASSESSORS/QC1/R/a",
    "reconstructions/REC/resources/R/files/a": "P/arc001/S1_MR1/PROCESSED/REC/R/a",
}


@pytest.fixture
def archive(server, admin, session_uri: str) -> Archive:
    admin.put(f"{session_uri}/assessors/QC1", params={"xsiType": "xnat:qcManualAssessorData"})
    admin.put(f"{session_uri}/reconstructions/REC")
    for uri in FILES:
        assert admin.put(f"{session_uri}/{uri}", content=uri.encode()).status_code == 200
    admin.put("/data/projects/P/resources/docs/files/d", content=b"d")
    admin.put("/data/projects/P/subjects/S1/resources/notes/files/n", content=b"n")
    return server.app.state.archive


def found(archive: Archive, **options: bool) -> list[tuple[str, Trouble]]:
    return [(problem.path, problem.trouble) for problem in Inspector(archive, is_alone=True, **options).problems()]


def test_nothing_is_wrong_with_a_sound_archive(archive: Archive) -> None:
    archive.flush()
    inspector = Inspector(archive, is_alone=True)
    assert list(inspector.problems()) == []
    assert inspector.files_seen == len(FILES) + 2
    for path in FILES.values():
        assert archive.files.path(path).is_file()


A = FILES["scans/3/resources/DICOM/files/a.dcm"]


def lose_file(root: Path, _: Archive) -> None:
    (root / A).unlink()


def put_file_by_hand(root: Path, _: Archive) -> None:
    (root / A).with_name("by-hand.dcm").write_bytes(b"mine")


def put_file_outside_resources(root: Path, _: Archive) -> None:
    (root / "P/arc001/S1_MR1/session.xml").write_bytes(b"<x/>")


def shorten(root: Path, _: Archive) -> None:
    (root / A).write_bytes(b"short")


def flip_a_byte(root: Path, _: Archive) -> None:
    path = root / A
    path.write_bytes(b"\0" + path.read_bytes()[1:])


def leave_temporary(root: Path, _: Archive) -> None:
    (root / ".incoming/half").write_bytes(b"ha")


def leave_folder(root: Path, _: Archive) -> None:
    (root / "P/arc001/GONE/SCANS/1/DICOM").mkdir(parents=True)
    (root / "P/arc001/GONE/SCANS/1/DICOM/x").write_bytes(b"x")


def leave_project(root: Path, _: Archive) -> None:
    (root / "GONE/resources").mkdir(parents=True)
    (root / "GONE/resources/x").write_bytes(b"x")


def link_in_place_of_a_file(root: Path, _: Archive) -> None:
    (root / A).unlink()
    (root / A).symlink_to("/etc/hostname")


def lose_object(_: Path, archive: Archive) -> None:
    with archive.change() as change:
        change.session.delete(change.session.exec(select(ScanRow).where(ScanRow.scan_id == "3")).one())


def leave_change(_: Path, archive: Archive) -> None:
    with archive.database.write() as uow:
        uow.session.add(MoveRow(source="P/resources/docs", target="P/resources/other"))


def lose_prearchive(_: Path, archive: Archive) -> None:
    with archive.database.write() as uow:
        row = PrearchiveRow(project_id="P", stamp="20260203_091500123", folder="E", uploaded_by="admin")
        row.subject_label = row.session_label = "E"
        uow.session.add(row)


def leave_prearchive_folder(root: Path, _: Archive) -> None:
    (root / ".prearchive/P/20260203_091500123/E/SCANS").mkdir(parents=True)
    (root / ".prearchive/P/20260203_091500123/E/SCANS/x").write_bytes(b"x")


BREAKS = {
    lose_file: [(A, Trouble.NO_FILE)],
    put_file_by_hand: [(A.replace("a.dcm", "by-hand.dcm"), Trouble.NO_ROW)],
    put_file_outside_resources: [("P/arc001/S1_MR1/session.xml", Trouble.NO_ROW)],
    shorten: [(A, Trouble.WRONG_SIZE)],
    flip_a_byte: [(A, Trouble.WRONG_DIGEST)],
    leave_temporary: [(".incoming/half", Trouble.LEFTOVER)],
    leave_folder: [("P/arc001/GONE", Trouble.NO_OBJECT)],
    leave_project: [("GONE", Trouble.NO_OBJECT)],
    link_in_place_of_a_file: [(A, Trouble.NO_FILE)],
    lose_object: None,
    leave_change: None,
    lose_prearchive: [(".prearchive/P/20260203_091500123/E", Trouble.NO_PREARCHIVE_FOLDER)],
    leave_prearchive_folder: [(".prearchive/P", Trouble.NO_OBJECT)],
}


@pytest.mark.parametrize("breaking", BREAKS, ids=lambda function: function.__name__)
def test_what_is_broken_by_hand_is_found_and_mended(archive: Archive, breaking: Callable) -> None:
    archive.flush()
    root = archive.files.root
    before = sorted(path.read_bytes() for path in root.rglob("*") if path.is_file())
    breaking(root, archive)
    broken = sorted(path.read_bytes() for path in root.rglob("*") if path.is_file())
    expected = BREAKS[breaking]
    assert found(archive) == expected if expected is not None else found(archive)
    done = list(Mender(archive).mend())
    assert done
    assert found(archive) == []
    kept = [path.read_bytes() for path in root.rglob("*") if path.is_file() and path.name != "rows.jsonl"]
    assert sorted(kept) == broken, "a repair deletes no bytes"
    assert before


KEPT = [
    # what is deleted without its files, what the check says of it
    ("/data/projects/P/experiments/S1_MR1/scans/3", ["P/arc001/S1_MR1/SCANS/3"]),
    ("/data/projects/P/experiments/S1_MR1", ["P/arc001/S1_MR1"]),
    ("/data/projects/P/subjects/S1", ["P/arc001/S1_MR1", "P/subjects/S1"]),
    ("/data/projects/P", ["P"]),
]


@pytest.mark.parametrize(("uri", "folders"), KEPT)
def test_a_folder_that_was_kept_on_request_is_said_to_be_and_stays(archive: Archive, admin, uri, folders) -> None:
    assert admin.delete(uri).status_code == 200
    before = sorted(archive.files.root.rglob("P/**/*"))
    assert found(archive) == [(folder, Trouble.KEPT) for folder in folders]
    assert list(Mender(archive).mend()) == []
    assert sorted(archive.files.root.rglob("P/**/*")) == before


def test_a_folder_that_was_kept_is_known_after_its_session_moves(archive: Archive, admin) -> None:
    admin.delete("/data/projects/P/experiments/S1_MR1/scans/3")
    assert admin.put("/data/projects/P/experiments/S1_MR1?label=S1_MR2").status_code == 200
    archive.flush()
    assert found(archive) == [("P/arc001/S1_MR2/SCANS/3", Trouble.KEPT)]
    assert admin.delete("/data/projects/P/experiments/S1_MR2?removeFiles=true").status_code == 200
    left = archive.files.path("P/arc001/S1_MR2/SCANS/3/stray")
    left.parent.mkdir(parents=True)
    left.write_bytes(b"nobody's")
    archive.flush()
    assert [trouble for _, trouble in found(archive)] == [Trouble.NO_OBJECT]


def test_what_lies_beside_a_folder_that_was_kept_is_told_from_it(archive: Archive, admin) -> None:
    assert admin.delete("/data/projects/P/experiments/S1_MR1").status_code == 200
    other = archive.files.path("P/arc001/OTHER/a")
    other.parent.mkdir()
    other.write_bytes(b"mine")
    assert found(archive) == [("P/arc001/OTHER", Trouble.NO_OBJECT), ("P/arc001/S1_MR1", Trouble.KEPT)]
    assert [problem.path for problem, _ in Mender(archive).mend()] == ["P/arc001/OTHER"]
    assert found(archive) == [("P/arc001/S1_MR1", Trouble.KEPT)]


def test_a_row_that_goes_is_written_down(archive: Archive) -> None:
    lose_file(archive.files.root, archive)
    mender = Mender(archive)
    list(mender.mend())
    line = json.loads((archive.files.path(mender.folder) / "rows.jsonl").read_text())
    assert (line["table"], line["path"], line["size"]) == (
        "FileRow",
        "a.dcm",
        len("scans/3/resources/DICOM/files/a.dcm"),
    )
    with archive.read() as session:
        assert session.exec(select(FileRow).where(FileRow.path == "a.dcm")).all() == []


def test_digests_can_be_left_out(archive: Archive) -> None:
    archive.flush()
    flip_a_byte(archive.files.root, archive)
    assert found(archive, digests=False) == []


def test_beside_a_server_its_unfinished_work_is_no_problem(archive: Archive, admin, settings) -> None:
    """The server of this test holds the folder, has a temporary file open and is about to commit a new one."""
    with archive.files.incoming() as incoming, archive.files.incoming() as other:
        incoming.write(b"new")
        stored = incoming.finish()
        other.write(b"in flight")
        path = Path("P/arc001/S1_MR1/RESOURCES/R/new")
        archive.files.place_all(archive.files.begin_placing([(stored, str(path))]))
        assert list(find_problems(settings.data_dir, settings.database_url)) == []
    lose_file(archive.files.root, archive)
    assert [problem.trouble for problem in find_problems(settings.data_dir, settings.database_url)] == [Trouble.NO_FILE]


def test_what_comes_while_it_looks_is_no_problem(archive: Archive, admin) -> None:
    root = archive.files.root
    archive.flush()
    (root / A).unlink()
    looking = Inspector(archive).problems()
    assert next(looking).path == A
    assert admin.put("/data/projects/Q").status_code == 200
    assert admin.put("/data/projects/Q/resources/docs/files/d", content=b"d").status_code == 200
    (root / "Q/by-hand.txt").write_bytes(b"mine")
    assert [(problem.path, problem.trouble) for problem in looking] == [("Q/by-hand.txt", Trouble.NO_ROW)]


def test_a_repair_is_refused_while_a_server_runs(archive: Archive, settings) -> None:
    put_file_by_hand(archive.files.root, archive)
    with pytest.raises(FolderInUse):
        list(mend_problems(settings.data_dir, settings.database_url))
    assert (archive.files.root / A).with_name("by-hand.dcm").exists()


def test_a_folder_that_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(NoArchive):
        list(find_problems(tmp_path, f"sqlite:///{tmp_path}/none.db"))
    assert not list(tmp_path.iterdir())
