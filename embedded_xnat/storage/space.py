"""Says clearly that the disk is full, whatever was being written. May import the kinds of errors."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service_kit.errors import OutOfSpace

#: No space, a quota that is used up, a file larger than this process may write.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn a full disk into an answer that says so.

    Raises
    ------
    OutOfSpace
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OutOfSpace(
                "The disk of the archive is full; nothing was stored. Try again when there is space."
            ) from error
        raise


def check_space(root: Path, declared_bytes: int) -> None:
    """Refuse a body that is larger than what is free, by the length it declares, before it is read.

    Raises
    ------
    OutOfSpace
    """
    if declared_bytes > shutil.disk_usage(root).free:
        raise OutOfSpace("The body is larger than the free space of the archive; nothing was stored.")
