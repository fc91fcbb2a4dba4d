"""One change of the archive: a transaction together with what it means on disk. May import SQLModel.

New files get their name before the commit; replaced, renamed and removed ones after it, with a note in the same
transaction that lets the next start finish what a kill cut off.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from sqlalchemy import delete
from sqlmodel import Session, col, select

from embedded_xnat.db.tables import MoveRow
from embedded_xnat.storage.files import FileStore, Stored
from service_kit.database import Database

logger = logging.getLogger(__name__)


class Change:
    """A transaction that may also touch the disk."""

    def __init__(self, session: Session, files: FileStore) -> None:
        self.session = session
        self._files = files
        self.moves: list[tuple[str, str]] = []

    def place(self, placements: list[tuple[Stored, PurePosixPath]]) -> None:
        """Give new files their names at once; without the commit nobody knows of them."""
        self._files.place_all([(stored, str(path)) for stored, path in placements])

    def replace(self, stored: Stored, path: PurePosixPath) -> None:
        """Put new bytes in the place of old ones, after the commit."""
        self.moves.append((str(stored.temporary.relative_to(self._files.root)), str(path)))

    def move(self, source: PurePosixPath, target: PurePosixPath) -> None:
        """Rename a folder after the commit."""
        self.moves.append((str(source), str(target)))

    def remove(self, path: PurePosixPath) -> None:
        """Remove a file or folder after the commit."""
        self.moves.append((str(path), ""))


class Archive:
    """Database and files of the archive, changed together."""

    def __init__(self, database: Database, files: FileStore) -> None:
        self.database = database
        self.files = files

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that only reads; what was read stays usable after it."""
        with self.database.read() as uow:
            yield uow.session
            uow.session.expunge_all()

    @contextmanager
    def change(self) -> Iterator[Change]:
        """Open a change: committed at a clean exit, then finished on disk."""
        with self.files.changing:
            with self.database.write() as uow:
                change = Change(uow.session, self.files)
                yield change
                rows = [MoveRow(source=source, target=target) for source, target in change.moves]
                uow.session.add_all(rows)
            if rows:
                self._finish(rows)

    def recover(self) -> None:
        """Finish what an earlier process left to do on disk, and remove what it left half-written."""
        with self.read() as session:
            rows = list(session.exec(select(MoveRow).order_by(col(MoveRow.number))))
        if rows:
            logger.info("finishing changes on disk", extra={"count": len(rows)})
            self._finish(rows)
        self.files.clear_incoming()

    def _finish(self, rows: list[MoveRow]) -> None:
        for row in rows:
            if row.target:
                self.files.move(row.source, row.target)
            elif self.files.path(row.source).is_dir():
                self.files.remove_tree(row.source)
            else:
                self.files.remove(row.source)
        with self.database.write() as uow:
            numbers = [row.number for row in rows]
            uow.session.connection().execute(delete(MoveRow).where(col(MoveRow.number).in_(numbers)))
