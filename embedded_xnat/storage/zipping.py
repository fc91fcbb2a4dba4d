"""Writes zip and tar archives as a stream, in constant memory. May import the standard library only."""

import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Entry:
    """A file to pack, with its path in the archive.

    Parameters
    ----------
    opener
        Opens the file in place of its path: an archive is sent for minutes, and a path may change meanwhile.
    """

    name: str
    path: str | Path
    opener: Callable[[str | Path], BinaryIO] | None = None

    def open(self) -> BinaryIO:
        """Open the file."""
        return Path(self.path).open("rb") if self.opener is None else self.opener(self.path)


class _Pipe(io.RawIOBase):
    """Collects what an archive writer writes, to be taken out piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._position = 0
        self.waiting = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._position += len(piece)
        self.waiting += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        self.waiting = 0
        return taken


def zip_stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a zip of files. Stored, not compressed: images hardly shrink, and the network is rarely the limit."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for entry in entries:
            with entry.open() as source:
                info = zipfile.ZipInfo.from_file(f"/dev/fd/{source.fileno()}", entry.name, strict_timestamps=False)
                with archive.open(info, "w", force_zip64=info.file_size >= 2**31) as sink:
                    while chunk := source.read(CHUNK):
                        sink.write(chunk)
                        if pipe.waiting >= CHUNK:
                            yield pipe.take()
    yield pipe.take()


def tar_stream(entries: Iterable[Entry], *, compressed: bool) -> Iterator[bytes]:
    """Yield a tar of files, compressed with gzip if asked for."""
    pieces = _tar_pieces(entries)
    if not compressed:
        return pieces
    return _gzip(pieces)


def _tar_pieces(entries: Iterable[Entry]) -> Iterator[bytes]:
    # tarfile itself would collect a whole file before any of it could be taken out
    for entry in entries:
        info = tarfile.TarInfo(entry.name)
        with entry.open() as source:
            stat = os.fstat(source.fileno())
            info.size, info.mtime, info.mode = stat.st_size, int(stat.st_mtime), 0o644
            piece = info.tobuf(tarfile.PAX_FORMAT)
            left = info.size
            while left and (chunk := source.read(min(CHUNK, left))):
                left -= len(chunk)
                yield piece + chunk
                piece = b""
        if left:
            raise OSError("a file became shorter while it was read")
        yield piece + b"\0" * (-info.size % tarfile.BLOCKSIZE)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def _gzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()
