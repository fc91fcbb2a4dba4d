"""What a kill at the worst moment leaves, and what the next start makes of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest
from sqlmodel import select

from embedded_xnat.contract.errors import FolderInUse
from embedded_xnat.db.tables import MoveRow
from embedded_xnat.storage.archive import Archive
from embedded_xnat.storage.files import JOURNAL_SUFFIX, FileStore
from embedded_xnat.storage.holding import Holding, is_held
from service_kit import migrations
from service_kit.database import Database, UnitOfWork
from service_kit.errors import Unavailable


class Killed(BaseException):
    """Stands for kill -9: nothing after it runs."""


@pytest.fixture
def archive(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/x.db"
    migrations.upgrade(url, package="embedded_xnat")
    archive = Archive(Database(url), FileStore(tmp_path / "data"))
    yield archive
    archive.database.dispose()


def written(archive: Archive, data: bytes):
    with archive.files.incoming() as incoming:
        incoming.write(data)
        stored = incoming.finish()
        kept = stored.temporary.with_name(f"kept-{incoming.path.name}")
        stored.temporary.rename(kept)
    return type(stored)(kept, stored.size, stored.md5)


def test_a_replaced_file_is_the_new_one_even_when_the_process_dies_after_the_commit(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = PurePosixPath("P/resources/R/a")
    with archive.change() as change:
        change.place([(written(archive, b"old"), path)])

    def die(*_):
        raise Killed

    monkeypatch.setattr(archive, "_finish", die)
    with pytest.raises(Killed), archive.change() as change:
        change.replace(written(archive, b"new"), path)
    assert archive.files.path(path).read_bytes() == b"old"
    monkeypatch.undo()
    archive.recover()
    assert archive.files.path(path).read_bytes() == b"new"
    with archive.read() as session:
        assert session.exec(select(MoveRow)).all() == []


def test_a_change_that_is_rolled_back_touches_nothing(archive: Archive) -> None:
    path = PurePosixPath("P/resources/R/a")
    with archive.change() as change:
        change.place([(written(archive, b"old"), path)])

    def fail() -> None:
        with archive.change() as change:
            change.remove(path)
            change.replace(written(archive, b"new"), path)
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert archive.files.path(path).read_bytes() == b"old"


def test_half_written_files_are_gone_after_the_next_start(archive: Archive) -> None:
    (archive.files.root / ".incoming" / "half").write_bytes(b"ha")
    archive.recover()
    assert list((archive.files.root / ".incoming").iterdir()) == []


def test_a_renamed_folder_moves_and_what_was_left_there_is_put_aside(archive: Archive) -> None:
    with archive.change() as change:
        change.place(
            [(written(archive, b"mine"), PurePosixPath("P/a/x")), (written(archive, b"left"), PurePosixPath("P/b/y"))]
        )
    with archive.change() as change:
        change.move(PurePosixPath("P/a"), PurePosixPath("P/b"))
    assert sorted(path.name for path in archive.files.path("P/b").iterdir()) == ["x"]
    archive.recover()
    assert archive.files.path(".quarantine/in-the-way/P/b/y").read_bytes() == b"left"


def test_a_file_that_stands_where_a_folder_moves_to_is_put_aside(archive: Archive) -> None:
    with archive.change() as change:
        change.place([(written(archive, b"mine"), PurePosixPath("P/a/x"))])
    archive.files.path("P/b").write_bytes(b"by hand")
    with archive.change() as change:
        change.move(PurePosixPath("P/a"), PurePosixPath("P/b"))
    assert archive.files.path("P/b/x").read_bytes() == b"mine"
    assert archive.files.path(".quarantine/in-the-way/P/b").read_bytes() == b"by hand"


@pytest.mark.parametrize("paths", [("P/R/a", "P/R/a/b"), ("P/R/a/b/c", "P/R/a")])
def test_a_file_that_would_have_to_be_a_folder_is_refused_before_anything_is_placed(
    archive: Archive, paths: tuple[str, ...]
) -> None:
    def place() -> None:
        with archive.change() as change:
            change.place([(written(archive, b"new"), PurePosixPath(path)) for path in paths])

    with pytest.raises(IsADirectoryError):
        place()
    assert not archive.files.path("P").exists()
    assert archive.files.placings() == []


def test_a_list_of_new_files_that_cannot_be_taken_back_stops_neither_the_start_nor_a_change(archive: Archive) -> None:
    """A list names a folder that holds files of others, what lies below a file, and what no disk can name."""
    path = PurePosixPath("P/a/x")
    with archive.change() as change:
        change.place([(written(archive, b"mine"), path)])
    journal = archive.files.root / ".incoming" / f"old{JOURNAL_SUFFIX}"
    journal.write_text(json.dumps(["P/a", "P/a/x/y", "P/" + "n" * 300, "P/gone"]))
    archive.recover()
    assert archive.files.path(path).read_bytes() == b"mine"
    assert archive.files.placings() == []


def test_a_change_that_cannot_be_taken_back_at_once_says_why_it_failed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_):
        raise OSError("disk")

    def fail() -> None:
        with archive.change() as change:
            change.place([(written(archive, b"new"), PurePosixPath("P/a"))])
            monkeypatch.setattr(archive.files, "remove", broken)
            raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        fail()
    monkeypatch.undo()
    with archive.change() as change:
        change.place([(written(archive, b"next"), PurePosixPath("P/b"))])
    assert not archive.files.path("P/a").exists()


def test_new_files_of_a_change_that_fails_are_taken_back(archive: Archive) -> None:
    def fail() -> None:
        with archive.change() as change:
            change.place([(written(archive, b"new"), PurePosixPath("P/resources/R/a"))])
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert not archive.files.path("P").exists()
    assert archive.files.leftovers() == []


def test_new_files_of_a_process_that_died_before_the_commit_are_taken_back(archive: Archive) -> None:
    path = PurePosixPath("P/resources/R/a")
    with pytest.raises(Killed), archive.change() as change:
        change.place([(written(archive, b"new"), path)])
        raise Killed
    assert archive.files.path(path).exists()
    archive.recover()
    assert not archive.files.path(path).exists()


def test_new_files_of_a_process_that_died_after_the_commit_stay(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = PurePosixPath("P/resources/R/a")
    with archive.change() as change:
        change.place([(written(archive, b"first"), path)])

    def die(*_):
        raise Killed

    monkeypatch.setattr(archive, "_finish", die)
    other = PurePosixPath("P/resources/R/b")
    with pytest.raises(Killed), archive.change() as change:
        change.remove(path)
        change.place([(written(archive, b"second"), other)])
    monkeypatch.undo()
    archive.recover()
    assert archive.files.path(other).read_bytes() == b"second"
    assert not archive.files.path(path).exists()


def test_a_file_nobody_knows_of_is_put_aside_and_not_replaced(archive: Archive) -> None:
    path = archive.files.path("P/resources/R/a")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"by hand")
    with archive.change() as change:
        change.place([(written(archive, b"new"), PurePosixPath("P/resources/R/a"))])
    assert path.read_bytes() == b"new"
    assert archive.files.path(".quarantine/in-the-way/P/resources/R/a").read_bytes() == b"by hand"


def test_a_finished_removal_is_not_done_again_to_what_came_after_it(archive: Archive) -> None:
    path = PurePosixPath("P/resources/R/a")
    for data in (b"one", b"two"):
        with archive.change() as change:
            change.remove(path)
        with archive.change() as change:
            change.place([(written(archive, data), path)])
    archive.recover()
    assert archive.files.path(path).read_bytes() == b"two"


def test_a_commit_that_failed_only_in_appearance_keeps_its_files(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection broke after the database had committed: it is asked again before anything is removed."""
    path = PurePosixPath("P/resources/R/a")
    write = archive.database.write

    @contextmanager
    def breaking() -> Iterator[UnitOfWork]:
        with write() as uow:
            yield uow
        monkeypatch.undo()
        raise Unavailable("gone")

    monkeypatch.setattr(archive.database, "write", breaking)
    with pytest.raises(Unavailable), archive.change() as change:
        change.place([(written(archive, b"new"), path)])
    assert archive.files.path(path).read_bytes() == b"new"
    assert archive.files.leftovers() == []


def test_one_process_at_a_time_has_the_folder(tmp_path: Path) -> None:
    holding = Holding(tmp_path / "data")
    assert is_held(tmp_path / "data")
    with pytest.raises(FolderInUse):
        Holding(tmp_path / "data", patience_s=0)
    holding.release()
    assert not is_held(tmp_path / "data")
    Holding(tmp_path / "data", patience_s=0).release()


def test_what_a_full_disk_left_undone_is_done_before_a_read_at_rest(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with archive.change() as change:
        change.place([(written(archive, b"mine"), PurePosixPath("P/a/x"))])

    def full(*_):
        raise OSError("full")

    monkeypatch.setattr(archive.files, "move", full)
    with pytest.raises(OSError, match="full"), archive.change() as change:
        change.move(PurePosixPath("P/a"), PurePosixPath("P/b"))
    monkeypatch.undo()
    with archive.read_at_rest():
        assert archive.files.path("P/b/x").read_bytes() == b"mine"
