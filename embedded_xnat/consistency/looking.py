"""Finds what is wrong between database and disk, only reading. May import SQLModel.

It may run beside a server that works: what looks wrong is looked at once more, alone, and counts only when the
database says the same before and after the second look at the disk and no change of it is under way.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sqlmodel import Session, select

from embedded_xnat.consistency.records import Problem, Trouble
from embedded_xnat.consistency.shelves import Shelves, read_moving, read_shelves
from embedded_xnat.db.tables import FileRow, MoveRow, PrearchiveRow
from embedded_xnat.domain.layout import PREARCHIVE
from embedded_xnat.places import folder_of_resource
from embedded_xnat.storage.archive import Archive
from embedded_xnat.storage.files import digest_of, walk
from embedded_xnat.storage.holding import is_held


@dataclass(frozen=True)
class _Fact:
    """What the database says about one file at one moment."""

    size: int
    md5: str
    path: str
    is_moving: bool


class Inspector:
    """Looks through one archive.

    Parameters
    ----------
    digests
        Whether the content of every file is read, too.
    is_alone
        Whether the caller holds the data folder; otherwise it is asked whether a server does.
    """

    def __init__(self, archive: Archive, *, digests: bool = True, is_alone: bool = False) -> None:
        self._archive = archive
        self._root = archive.files.root
        self._digests = digests
        self._is_alone = is_alone
        self.files_seen = 0

    def problems(self) -> Iterator[Problem]:
        """Yield everything that is wrong."""
        if self._is_alone or not is_held(self._root):
            yield from self._leftovers()
        with self._archive.read() as session:
            shelves = read_shelves(session)
        for number, folder in sorted(shelves.lost.items()):
            if self._is_still_lost(number):
                yield Problem(f"resource {number} ({folder})", Trouble.NO_OWNER, number)
        for folder, number in sorted(shelves.resources.items()):
            yield from self._in_resource(folder, number)
        yield from self._outside(shelves)
        yield from self._in_prearchive(shelves)

    def _leftovers(self) -> Iterator[Problem]:
        """Yield what no running server works on: temporary files, changes cut off."""
        with self._archive.read() as session:
            rows = session.exec(select(MoveRow.number, MoveRow.source, MoveRow.target)).all()
        for number, source, target in rows:
            if self._is_alone or not is_held(self._root):
                yield Problem(target or source, Trouble.UNFINISHED, number)
        for path in self._archive.files.leftovers():
            if os.path.lexists(self._root / path) and (self._is_alone or not is_held(self._root)):
                yield Problem(path, Trouble.LEFTOVER)

    def _is_still_lost(self, number: int) -> bool:
        with self._archive.read() as session:
            return number in read_shelves(session).lost

    def _in_resource(self, folder: str, number: int) -> Iterator[Problem]:
        """Compare the rows of one resource with the files in its folder."""
        on_disk = {str(path.relative_to(self._root / folder)): path for path in walk(self._root / folder)}
        with self._archive.read() as session:
            statement = select(FileRow.number, FileRow.path, FileRow.size, FileRow.md5)
            rows = session.exec(statement.where(FileRow.resource_number == number)).all()
        self.files_seen += len(rows)
        for file_number, path, size, md5 in rows:
            found = on_disk.pop(path, None)
            if self._judge(found, size, md5) is not None and file_number is not None:
                yield from self._second_look(number, file_number)
        yield from self._without_row(sorted(f"{folder}/{path}" for path in on_disk))

    def _judge(self, path: Path | None, size: int, md5: str) -> Trouble | None:
        try:
            if path is None or path.is_symlink() or not path.is_file():
                return Trouble.NO_FILE
            if path.stat().st_size != size:
                return Trouble.WRONG_SIZE
            if self._digests and digest_of(path) != md5:
                return Trouble.WRONG_DIGEST
        except FileNotFoundError:
            return Trouble.NO_FILE
        return None

    def _second_look(self, resource_number: int, file_number: int) -> Iterator[Problem]:
        """Judge one file between two equal statements of the database."""
        before = self._fact(resource_number, file_number)
        if before is None or before.is_moving:
            return
        trouble = self._judge(self._root / before.path, before.size, before.md5)
        if trouble is not None and self._fact(resource_number, file_number) == before:
            yield Problem(before.path, trouble, file_number)

    def _fact(self, resource_number: int, file_number: int) -> _Fact | None:
        with self._archive.read() as session:
            row = session.get(FileRow, file_number)
            folder = folder_of_resource(session, resource_number)
            if row is None or folder is None:
                return None
            path = f"{folder}/{row.path}"
            moving = Shelves({}, moving=read_moving(session))
            return _Fact(row.size, row.md5, path, moving.is_moving(path))

    def _without_row(self, paths: list[str]) -> Iterator[Problem]:
        """Yield which of these files the database does not know.

        A file that was seen before the journals are read is either in one of them, or its row can be read after that.
        """
        if not paths:
            return
        placing = {target for each in self._archive.files.placings() for target in each.targets}
        with self._archive.read() as session:
            shelves = read_shelves(session)
            known = frozenset({*shelves.resources, *shelves.prearchive})
            above = {parent for held in (*known, *placing) for parent in _parents(held)}
            deeper = [path for path in paths if path in above | known and (self._root / path).is_dir()]
            for path in paths:
                if path in deeper or path in placing or shelves.is_moving(path):
                    continue
                if os.path.lexists(self._root / path) and not _is_known(session, shelves, path):
                    yield Problem(path, self._why_strange(shelves, path))
        for path in deeper:  # an object came into this folder while others were looked at: what is in it decides
            if path in shelves.resources:
                yield from self._in_resource(path, shelves.resources[path])
            elif path not in shelves.prearchive:
                yield from self._without_row(sorted(self._strange(path, above, known)))

    def _why_strange(self, shelves: Shelves, path: str) -> Trouble:
        if not (self._root / path).is_dir() or shelves.resource_at(path) is not None:
            return Trouble.NO_ROW
        return Trouble.KEPT if shelves.is_kept(path) else Trouble.NO_OBJECT

    def _outside(self, shelves: Shelves) -> Iterator[Problem]:
        """Yield files and folders that lie in no resource's folder: the topmost folder for all that is in it."""
        above = {parent for folder in (*shelves.resources, *shelves.kept) for parent in _parents(folder)} | {"."}
        yield from self._without_row(sorted(self._strange(".", above, frozenset(shelves.resources))))

    def _strange(self, folder: str, above: set[str], known: frozenset[str]) -> Iterator[str]:
        try:
            entries = list(os.scandir(self._root / folder))
        except FileNotFoundError:
            return
        for entry in entries:
            path = entry.name if folder == "." else f"{folder}/{entry.name}"
            if path in known or (folder == "." and entry.name.startswith(".")):
                continue
            if path in above and entry.is_dir(follow_symlinks=False):
                yield from self._strange(path, above, known)
            elif not entry.is_dir(follow_symlinks=False) or next(walk(Path(entry.path)), None) is not None:
                yield path

    def _in_prearchive(self, shelves: Shelves) -> Iterator[Problem]:
        for folder, number in sorted(shelves.prearchive.items()):
            if not (self._root / folder).is_dir() and self._is_still_without_folder(number, folder):
                yield Problem(folder, Trouble.NO_PREARCHIVE_FOLDER, number)
        known = frozenset(shelves.prearchive)
        above = {parent for folder in known for parent in _parents(folder)} | {PREARCHIVE}
        yield from self._without_row(sorted(self._strange(PREARCHIVE, above, known)))

    def _is_still_without_folder(self, number: int, folder: str) -> bool:
        with self._archive.read() as session:
            if session.get(PrearchiveRow, number) is None or read_shelves(session).is_moving(folder):
                return False
        return not (self._root / folder).is_dir()


def _is_known(session: Session, shelves: Shelves, path: str) -> bool:
    """Tell whether the database has a row for a path, or leaves it to the prearchive."""
    number = shelves.resource_at(path)
    if number is None:
        return any(parent in shelves.prearchive for parent in (path, *_parents(path)))
    folder = next(name for name in _parents(path) if name in shelves.resources)
    inside = path.removeprefix(f"{folder}/")
    statement = select(FileRow.number).where(FileRow.resource_number == number, FileRow.path == inside)
    return session.exec(statement).first() is not None


def _parents(path: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(path).parents][:-1]
