"""What a kill at the worst moment leaves, and what the next start makes of it."""

from pathlib import Path, PurePosixPath

import pytest
from sqlmodel import select

from embedded_xnat.db.tables import MoveRow
from embedded_xnat.storage.archive import Archive
from embedded_xnat.storage.files import FileStore
from service_kit import migrations
from service_kit.database import Database


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
