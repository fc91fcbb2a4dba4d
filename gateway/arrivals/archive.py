"""Streams the files of an arrival as one uncompressed tar whose length is known before. Standard library only."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

from gateway.contract.errors import SpoolUnavailable
from gateway.contract.naming import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.db.arrivals import StoredFile
    from gateway.spool import Spool

MEDIA_TYPE = "application/x-tar"
_CHUNK_BYTES = 1024 * 1024
_BLOCK = tarfile.BLOCKSIZE


def tar_length(files: Sequence[StoredFile]) -> int:
    """Return the length of the tar of the files: a header, the content in whole blocks, two empty blocks."""
    return sum(len(_header(file)) + _padded(file.size_bytes) for file in files) + 2 * _BLOCK


def stream_tar(spool: Spool, files: Sequence[StoredFile]) -> Iterator[bytes]:
    """Yield the tar piece by piece.

    Raises
    ------
    SpoolUnavailable
        If a file is missing or has another length than the index says; the answer then ends too short, which the
        receiving side notices by its length.
    """
    for file in files:
        yield _header(file)
        sent = 0
        with spool.open(file.path) as stored:
            while chunk := stored.read(_CHUNK_BYTES):
                sent += len(chunk)
                yield chunk
        if sent != file.size_bytes:
            raise SpoolUnavailable(spool.root, cause=f"{told(file.path)} has {sent} bytes instead of {file.size_bytes}")
        yield b"\0" * (_padded(sent) - sent)
    yield b"\0" * (2 * _BLOCK)


def _header(file: StoredFile) -> bytes:
    info = tarfile.TarInfo(file.filename)
    info.size = file.size_bytes
    info.mtime = int(file.received_at.timestamp())
    return info.tobuf(format=tarfile.PAX_FORMAT)


def _padded(size_bytes: int) -> int:
    return -(-size_bytes // _BLOCK) * _BLOCK
