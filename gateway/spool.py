"""The spool: a folder in which every received object lies as one DICOM Part 10 file. May import `service_kit.errors`.

``ab/cd/<SOP Instance UID>_<sha256 of the file>.dcm``. A file appears under its name only when all its bytes are on
the disk: it is written to ``incoming/``, synced, renamed, and the folder is synced. Several writers may store at once.
Errors name an object by its digest, since its UID is a value of its header.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

from gateway.contract.errors import SpoolInUse, SpoolUnavailable
from gateway.contract.naming import parse_filename, told
from service_kit.errors import without_paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

logger = logging.getLogger(__name__)

INCOMING = "incoming"


class Spool:
    """The folder of received objects.

    Parameters
    ----------
    root
        Is made when it is missing.

    Raises
    ------
    SpoolUnavailable
        If the folder cannot be made or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming = root / INCOMING
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SpoolUnavailable(root, cause=error.strerror or type(error).__name__) from error

    def store(self, path: str, parts: Sequence[bytes | memoryview]) -> None:
        """Write one object durably under ``path`` below the root.

        The name carries the digest, so a file of that name and size is the same object and stays as it is.

        Raises
        ------
        SpoolUnavailable
            If the disk is full or does not take the bytes; nothing is left under the name then.
        """
        target = self.root / path
        temporary = self._incoming / f"{uuid4().hex}.part"
        try:
            if target.exists() and target.stat().st_size == sum(memoryview(part).nbytes for part in parts):
                _sync_folder(target.parent)  # whoever renamed it may not have come to this yet
                return
            _write_synced(temporary, parts)
            self._make_folder(target.parent)
            temporary.rename(target)
            _sync_folder(target.parent)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise SpoolUnavailable(self.root, cause=error.strerror or type(error).__name__) from without_paths(error)

    def open(self, path: str) -> BinaryIO:
        """Open a stored object for reading.

        Raises
        ------
        SpoolUnavailable
            If the file is not there or cannot be read.
        """
        try:
            return (self.root / path).open("rb")
        except OSError as error:
            raise SpoolUnavailable(self.root, cause=f"{told(path)}: {error.strerror}") from without_paths(error)

    def rename(self, path: str, new: str) -> str:
        """Give a file another name below the root, durably, and return it."""
        target = self.root / new
        self._make_folder(target.parent)
        (self.root / path).rename(target)
        _sync_folder(target.parent)
        return new

    def folders(self) -> Iterator[str]:
        """Yield the first-level folders, in order."""
        yield from sorted(entry.name for entry in os.scandir(self.root) if len(entry.name) == 2 and entry.is_dir())

    def files(self, folder: str) -> Iterator[tuple[str, float]]:
        """Yield path and modification time of every object below a first-level folder."""
        for inner in os.scandir(self.root / folder):
            if inner.is_dir():
                for entry in os.scandir(inner.path):
                    if parse_filename(entry.name) is not None:
                        yield f"{folder}/{inner.name}/{entry.name}", entry.stat().st_mtime

    def remove_temporaries(self) -> int:
        """Remove what an interrupted process left half written; nothing of it was ever answered. Return how many.

        Call it only while holding `lock`.
        """
        removed = 0
        for entry in os.scandir(self._incoming):
            if entry.name.endswith(".part"):
                Path(entry.path).unlink(missing_ok=True)
                removed += 1
        return removed

    def free_bytes(self) -> int:
        """Return how much the disk can still take."""
        return shutil.disk_usage(self.root).free

    def probe(self) -> None:
        """Write and remove a small file.

        Raises
        ------
        SpoolUnavailable
            If that fails.
        """
        probe = self._incoming / f"{uuid4().hex}.part"
        try:
            _write_synced(probe, [b"probe"])
        except OSError as error:
            raise SpoolUnavailable(self.root, cause=error.strerror or type(error).__name__) from error
        finally:
            probe.unlink(missing_ok=True)

    def lock(self) -> SpoolLock:
        """Take the spool for one receiver, until `SpoolLock.release` or the end of the process.

        Raises
        ------
        SpoolInUse
            If another process holds it.
        """
        return SpoolLock(self.root)

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        folder.parent.mkdir(exist_ok=True)
        folder.mkdir(exist_ok=True)
        _sync_folder(self.root)
        _sync_folder(folder.parent)


class SpoolLock:
    """Holds the spool for this process; the kernel lets go of it when the process dies."""

    def __init__(self, root: Path) -> None:
        self._handle = (root / ".receiver-lock").open("w")
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._handle.close()
            raise SpoolInUse(root) from error

    def release(self) -> None:
        """Let another receiver take it."""
        self._handle.close()


def _write_synced(path: Path, parts: Sequence[bytes | memoryview]) -> None:
    with path.open("xb", buffering=0) as file:
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[file.write(rest) :]
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
