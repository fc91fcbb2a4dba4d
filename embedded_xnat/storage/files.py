"""Durable files below one data folder. May import the standard library and `space`.

Bytes go to a temporary file, are flushed to disk, and only then get their name; the folder is flushed after that. What
has its name is whole. Temporary files lie in the same folder tree, so that the rename is one step.
"""

import contextlib
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from uuid import uuid4

from embedded_xnat.domain.layout import INCOMING, QUARANTINE
from embedded_xnat.storage.space import disk_errors

JOURNAL_SUFFIX = ".placing"
#: Where goes what stands at a place that something else is about to take; nothing is removed from there.
IN_THE_WAY = f"{QUARANTINE}/in-the-way"
#: So many files are flushed at once: the file system writes its own journal for several together.
FLUSHES = 8
CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Stored:
    """Bytes that are complete in a temporary file and wait for their name."""

    temporary: Path
    size: int
    md5: str
    is_durable: bool = True


@dataclass(frozen=True)
class Placing:
    """New files that get their names before a commit.

    Parameters
    ----------
    journal
        Path of the list of targets on disk, relative to the data folder.
    """

    journal: str
    targets: tuple[str, ...]
    stored: tuple[Stored, ...] = ()


class Incoming:
    """A temporary file being written; a context that removes it unless it was kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = path.open("xb")
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self._handle.write(chunk)
        self._md5.update(chunk)
        self.size += len(chunk)

    def close(self) -> None:
        """Close the file: many that wait for others must not be open all the time."""
        self._handle.close()

    def finish(self, *, sync: bool = True) -> Stored:
        """Close the file and flush it to disk; ``sync`` False where `FileStore.make_durable` follows, or nothing."""
        self.close()
        if sync:
            _sync_file(self.path)
        return Stored(self.path, self.size, self._md5.hexdigest(), is_durable=sync)

    @property
    def md5(self) -> str:
        """Digest of what was written so far."""
        return self._md5.hexdigest()

    def discard(self) -> None:
        """Close and remove the file, if it still has its temporary name."""
        with contextlib.suppress(OSError):  # what a full disk did not take is not wanted any more
            self._handle.close()
        self.path.unlink(missing_ok=True)


class FileStore:
    """All files of the archive.

    Parameters
    ----------
    root
        The data folder; paths given to the methods are relative to it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming = root / INCOMING
        self._incoming.mkdir(parents=True, exist_ok=True)
        #: Held over a change and what follows it on disk, so that two changes cannot mix there.
        self.changing = threading.RLock()
        #: Counts folders that were moved or removed: a path found before may by now lead to what is another's.
        self.folders_changed = 0

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """Open a temporary file; it is removed at the end unless it was placed."""
        with disk_errors():
            file = Incoming(self._incoming / uuid4().hex)
        try:
            yield file
        finally:
            file.discard()

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Make a temporary folder on the same file system; removed at the end."""
        folder = self._incoming / uuid4().hex
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def path(self, relative: str | os.PathLike[str]) -> Path:
        """Return the absolute path of a file or folder."""
        return self.root / relative

    def make_durable(self, stored: Iterable[Stored]) -> None:
        """Flush files that were finished without it, several at once."""
        paths = [each.temporary for each in stored if not each.is_durable]
        if len(paths) < 2:
            for path in paths:
                _sync_file(path)
            return
        with ThreadPoolExecutor(min(FLUSHES, len(paths))) as pool:
            for _ in pool.map(_sync_file, paths, chunksize=1):
                pass

    def begin_placing(self, moves: list[tuple[Stored, str]]) -> Placing:
        """Make room for files and write down that they are about to get their names.

        What nobody knows of and is in the way goes aside. The list is not flushed: a kill leaves it readable, and
        what a power cut leaves, `consistency` finds.

        Raises
        ------
        IsADirectoryError
            If a file would have to be a folder, too: for another one of them, or for what is there.
        """
        names = {relative for _, relative in moves}
        for folder in {PurePosixPath(name).parent for name in names}:
            if not names.isdisjoint(map(str, (folder, *folder.parents))):
                raise IsADirectoryError(str(folder))
        for _, relative in moves:
            target = self.path(relative)
            self._make_folder(target.parent)
            if os.path.lexists(target):
                if target.is_dir() and not target.is_symlink():
                    raise IsADirectoryError(relative)
                self.set_aside(relative, IN_THE_WAY)
        name = f"{INCOMING}/{uuid4().hex}{JOURNAL_SUFFIX}"
        placing = Placing(name, tuple(target for _, target in moves), tuple(stored for stored, _ in moves))
        self.path(name).write_text(json.dumps(placing.targets))
        return placing

    def placings(self) -> list[Placing]:
        """Return what was written down and not finished."""
        found = []
        for path in sorted(self._incoming.glob(f"*{JOURNAL_SUFFIX}")):
            try:
                targets = tuple(json.loads(path.read_text()))
            except (FileNotFoundError, ValueError):
                continue  # gone meanwhile, or cut off while it was written: no file was placed yet
            found.append(Placing(f"{INCOMING}/{path.name}", targets))
        return found

    def place_all(self, placing: Placing) -> None:
        """Give files their names; each folder is flushed once."""
        self.make_durable(placing.stored)
        folders: dict[Path, None] = {}
        for stored, relative in zip(placing.stored, placing.targets, strict=True):
            target = self.path(relative)
            stored.temporary.rename(target)
            folders[target.parent] = None
        for folder in folders:
            _sync_folder(folder)

    def take_back(self, placing: Placing) -> None:
        """Remove files whose commit never came; a folder never was one of them."""
        for relative in placing.targets:
            path = self.path(relative)
            if os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
                self.remove(relative)
        self.path(placing.journal).unlink(missing_ok=True)

    def set_aside(self, relative: str | os.PathLike[str], folder: str) -> Path:
        """Move a file or folder below another one under the same path, never over anything; return where it is."""
        source, target = self.path(relative), self.path(folder) / relative
        number = 0
        while os.path.lexists(target):
            number += 1
            target = self.path(folder) / f"{relative}~{number}"
        self._make_folder(target.parent)
        source.rename(target)
        _sync_folder(target.parent)
        _sync_folder(source.parent)
        return target

    def move(self, source: str, target: str) -> bool:
        """Rename a file or folder, replacing a file by a file; False when the source is not there (any more)."""
        from_path, to_path = self.path(source), self.path(target)
        if not from_path.exists():
            return False
        self._make_folder(to_path.parent)
        if os.path.lexists(to_path) and (to_path.is_dir() or from_path.is_dir()):
            self.set_aside(target, IN_THE_WAY)  # left over from an object that was deleted without its files
        self.folders_changed += from_path.is_dir()
        from_path.rename(to_path)
        _sync_folder(to_path.parent)
        if from_path.parent.exists():
            _sync_folder(from_path.parent)
        return True

    def remove(self, relative: str | os.PathLike[str]) -> None:
        """Remove a file, and the folders above it that are empty then."""
        path = self.path(relative)
        path.unlink(missing_ok=True)
        self.prune(path.parent)

    def remove_tree(self, relative: str | os.PathLike[str]) -> None:
        """Remove a folder and what is in it; nothing when it is not there."""
        path = self.path(relative)
        if path == self.root or self.root not in path.parents:
            raise ValueError("only folders below the data folder can be removed")
        self.folders_changed += 1
        shutil.rmtree(path, ignore_errors=True)
        self.prune(path.parent)

    def prune(self, folder: Path) -> None:
        """Remove empty folders from here upwards, to the data folder."""
        while folder not in {self.root, self._incoming} and self.root in folder.parents:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def leftovers(self) -> list[str]:
        """Return what lies in the folder for temporary files, as paths relative to the data folder."""
        return sorted(f"{INCOMING}/{path.name}" for path in self._incoming.iterdir())

    def clear_incoming(self) -> None:
        """Remove what an earlier process left unfinished; only at the start."""
        for path in self._incoming.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _make_folder(self, folder: Path) -> None:
        """Make a folder with its parents, each entry durable."""
        missing: list[Path] = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            _sync_folder(path.parent)


def walk(folder: Path) -> Iterator[Path]:
    """Yield everything below a folder that is no folder itself; links are not followed."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path))
        else:
            yield Path(entry.path)


def lasting_path(handle: BinaryIO) -> Path:
    """Return a path that leads to an open file whatever happens to its name; for readers that ask for its path again."""
    return Path(f"/dev/fd/{handle.fileno()}")


def digest_of(path: Path) -> str:
    """Return the md5 of a file."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
