"""One process at a time changes a data folder: a lock that ends with the process, whatever ends it. Standard library only."""

import errno
import fcntl
import os
import time
from pathlib import Path

from embedded_xnat.contract.errors import FolderInUse
from embedded_xnat.domain.layout import LOCK

#: A server that is being replaced may still answer its last requests.
PATIENCE_S = 10.0


class Holding:
    """The right to change a data folder, held until `release`."""

    def __init__(self, root: Path, *, patience_s: float = PATIENCE_S) -> None:
        """Take the folder.

        Raises
        ------
        FolderInUse
            If another process has it, and keeps it longer than ``patience_s``.
        """
        root.mkdir(parents=True, exist_ok=True)
        self._descriptor: int | None = os.open(root / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + patience_s
        while not _lock(self._descriptor):
            if time.monotonic() >= deadline:
                self.release()
                raise FolderInUse
            time.sleep(0.1)

    def release(self) -> None:
        """Give the folder back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_held(root: Path) -> bool:
    """Tell whether a process holds a data folder at this moment; it is not kept from taking it."""
    try:
        descriptor = os.open(root / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EAGAIN}:
            return False
        raise
    return True
