"""One change of the archive: a transaction together with what it means on disk. May import SQLModel.

New files get their names before the commit, listed in a journal that lets the next start take them back when the
commit never came. Replaced, renamed and removed ones follow after the commit, noted in the same transaction, so that
the next start can finish what a kill cut off. The note goes with the next change, which saves a commit of its own.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

from sqlalchemy import delete, or_
from sqlmodel import Session, col, select

from embedded_xnat.db.tables import KeptFolderRow, MoveRow
from embedded_xnat.storage.files import FileStore, Placing, Stored
from embedded_xnat.storage.space import disk_errors
from service_kit.database import Database, UnitOfWork
from service_kit.errors import ServiceError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cause:
    """Who changes objects of the archive, and why.

    Parameters
    ----------
    action
        What XNAT calls it, where the rows that change do not say it.
    """

    username: str
    action: str | None = None
    reason: str = ""


class Change:
    """A transaction that may also touch the disk."""

    def __init__(self, session: Session, files: FileStore, cause: Cause | None = None) -> None:
        self.session = session
        self.cause = cause
        self._files = files
        self.moves: list[tuple[str, str]] = []
        self.placings: list[Placing] = []
        self.replacements: list[Stored] = []
        #: Ids of the sessions that received images came into with this change.
        self.archived: set[str] = set()

    def place(self, placements: list[tuple[Stored, PurePosixPath]]) -> None:
        """Give new files their names at once; without the commit they are taken away again."""
        if not placements:
            return
        placing = self._files.begin_placing([(stored, str(path)) for stored, path in placements])
        self.placings.append(placing)
        self.moves.append((placing.journal, ""))
        self._files.place_all(placing)

    def replace(self, stored: Stored, path: PurePosixPath) -> None:
        """Put new bytes in the place of old ones, after the commit."""
        self.replacements.append(stored)
        self._files.make_durable([stored])
        self.moves.append((str(stored.temporary.relative_to(self._files.root)), str(path)))

    def move(self, source: PurePosixPath, target: PurePosixPath) -> None:
        """Rename a folder after the commit; what was kept in it on request is kept at its new place."""
        self.moves.append((str(source), str(target)))
        self._forget_kept(target)  # what lies there goes out of the way
        for row in self._forget_kept(source):
            path = str(target / PurePosixPath(row.path).relative_to(source))
            self.session.add(KeptFolderRow(path=path, kept_by=row.kept_by, kept_at=row.kept_at))

    def remove(self, path: PurePosixPath) -> None:
        """Remove a file or folder after the commit."""
        self.moves.append((str(path), ""))
        self._forget_kept(path)

    def _forget_kept(self, folder: PurePosixPath) -> Sequence[KeptFolderRow]:
        """Forget which folders here were kept when their objects were deleted; return their rows."""
        path = col(KeptFolderRow.path)
        inside = or_(path == str(folder), path.startswith(f"{folder}/", autoescape=True))
        rows = self.session.exec(select(KeptFolderRow).where(inside)).all()
        for row in rows:
            self.session.delete(row)
        return rows


Watch = Callable[[UnitOfWork, Change], Callable[[], None]]


def together(*watches: Watch) -> Watch:
    """Return what lets several watch a change, one after another."""

    def watch(uow: UnitOfWork, change: Change) -> Callable[[], None]:
        finishes = [each(uow, change) for each in watches]

        def finish() -> None:
            for each in finishes:
                each()

        return finish

    return watch


class Archive:
    """Database and files of the archive, changed together."""

    def __init__(self, database: Database, files: FileStore) -> None:
        self.database = database
        self.files = files
        self._finished: list[int] = []
        self._is_unsettled = False
        #: Numbers of the sessions in the prearchive that a thread of this process is at.
        self.at_work: set[int] = set()
        #: Called at the beginning of a change; what it returns is called before the commit.
        self.watch: Watch | None = None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that only reads; what was read stays usable after it."""
        with self.database.read() as uow:
            yield uow.session
            uow.session.expunge_all()

    @contextmanager
    def read_at_rest(self) -> Iterator[Session]:
        """Open a transaction that only reads while nothing moves on disk: what rows say is there then.

        For what was not found without it: it waits until a change under way is finished.
        """
        with self.files.changing:
            if self._is_unsettled:
                self.settle()
            with self.read() as session:
                yield session

    @contextmanager
    def change(self, cause: Cause | None = None) -> Iterator[Change]:
        """Open a change: committed at a clean exit, then finished on disk.

        Parameters
        ----------
        cause
            For a change of objects: its record names who made it.
        """
        with self.files.changing:
            if self._is_unsettled:
                self.settle()
            rows: list[MoveRow] = []
            change: Change | None = None
            try:
                with disk_errors(), self.database.write() as uow:
                    _forget(uow.session, self._finished)
                    change = Change(uow.session, self.files, cause)
                    finish = None if self.watch is None else self.watch(uow, change)
                    yield change
                    if finish is not None:
                        finish()
                    rows = [MoveRow(source=source, target=target) for source, target in change.moves]
                    uow.session.add_all(rows)
            except Exception:
                if change is not None and (change.placings or change.replacements):
                    self._settle_after_failure(change)
                raise
            self._finished = []
            try:
                self._finish(rows)
            except OSError:
                self._is_unsettled = True  # before anything else happens at these paths
                raise

    def recover(self) -> None:
        """Finish or take back what an earlier process left to do on disk, and remove what it left half-written."""
        self.settle()
        self.files.clear_incoming()

    def settle(self) -> None:
        """Finish on disk what was committed, and take back new files whose commit never came."""
        with self.files.changing:
            with self.read() as session:
                rows = list(session.exec(select(MoveRow).order_by(col(MoveRow.number))))
            committed = {row.source for row in rows}
            for placing in self.files.placings():
                if placing.journal not in committed:
                    logger.info("taking back files of a change that was cut off")
                    self.files.take_back(placing)
            if rows:
                logger.info("finishing changes on disk", extra={"count": len(rows)})
                self._finish(rows)
            self.flush()
            self._is_unsettled = False

    def _settle_after_failure(self, change: Change) -> None:
        """Ask the database whether a change that raised was committed after all, and make the disk agree."""
        self._is_unsettled = True
        try:
            self.settle()
            for stored in change.replacements:  # those of a change that was committed have left their temporary place
                stored.temporary.unlink(missing_ok=True)
        except (ServiceError, OSError):  # what made the change fail is what the caller has to hear
            logger.warning("files of a failed change wait for the next one")

    def flush(self) -> None:
        """Delete the notes of what is finished on disk; the end of a process calls it."""
        with self.files.changing:
            if self._finished:
                with self.database.write() as uow:
                    _forget(uow.session, self._finished)
                self._finished = []

    def _finish(self, rows: list[MoveRow]) -> None:
        for row in rows:
            if row.target:
                self.files.move(row.source, row.target)
            elif self.files.path(row.source).is_dir():
                self.files.remove_tree(row.source)
            else:
                self.files.remove(row.source)
        self._finished += [row.number for row in rows if row.number is not None]


def _forget(session: Session, numbers: list[int]) -> None:
    for start in range(0, len(numbers), 500):
        part = numbers[start : start + 500]
        session.connection().execute(delete(MoveRow).where(col(MoveRow.number).in_(part)))
