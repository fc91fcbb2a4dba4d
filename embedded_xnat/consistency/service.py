"""Checks and mends an archive by its folder and database, from outside a server. May import SQLModel."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded_xnat.consistency.looking import Inspector
from embedded_xnat.consistency.mending import Mender
from embedded_xnat.consistency.records import Problem
from embedded_xnat.contract.errors import NoArchive
from embedded_xnat.storage.archive import Archive
from embedded_xnat.storage.files import FileStore
from embedded_xnat.storage.holding import Holding
from service_kit import migrations
from service_kit.database import Database


def find_problems(data_dir: Path, database_url: str, *, digests: bool = True) -> Iterator[Problem]:
    """Yield what is wrong, reading only; a server may run beside it.

    Raises
    ------
    NoArchive, Unavailable
    """
    with _opened(data_dir, database_url) as archive:
        yield from Inspector(archive, digests=digests).problems()


def mend_problems(data_dir: Path, database_url: str, *, digests: bool = True) -> Iterator[tuple[Problem, str]]:
    """Yield what was wrong with what was done about it; no server may run.

    Raises
    ------
    NoArchive, FolderInUse, Unavailable
    """
    with _opened(data_dir, database_url) as archive:
        holding = Holding(data_dir, patience_s=0)
        try:
            migrations.upgrade(database_url, package="embedded_xnat")
            yield from Mender(archive, digests=digests).mend()
        finally:
            holding.release()


@contextmanager
def _opened(data_dir: Path, database_url: str) -> Iterator[Archive]:
    file = Path(database_url.removeprefix("sqlite:///")) if database_url.startswith("sqlite:///") else None
    if not data_dir.is_dir() or (file is not None and not file.is_file()):
        raise NoArchive(str(data_dir))
    database = Database(database_url)
    try:
        yield Archive(database, FileStore(data_dir.resolve()))
    finally:
        database.dispose()
