"""Writes zip and tar archives as a stream, in constant memory. May import the standard library only."""

import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Entry:
    """A file to pack, with its path in the archive."""

    name: str
    path: Path


class _Pipe(io.RawIOBase):
    """Collects what an archive writer writes, to be taken out piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._position += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def zip_stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a zip of files. Stored, not compressed: images hardly shrink, and the network is rarely the limit."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for entry in entries:
            info = zipfile.ZipInfo.from_file(entry.path, entry.name, strict_timestamps=False)
            with entry.path.open("rb") as source, archive.open(info, "w", force_zip64=info.file_size >= 2**31) as sink:
                while chunk := source.read(CHUNK):
                    sink.write(chunk)
                    yield pipe.take()
            yield pipe.take()
    yield pipe.take()


def tar_stream(entries: Iterable[Entry], *, compressed: bool) -> Iterator[bytes]:
    """Yield a tar of files, compressed with gzip if asked for."""
    pipe = _Pipe()
    mode = "w|gz" if compressed else "w|"
    with tarfile.open(fileobj=pipe, mode=mode) as archive:  # type: ignore[call-overload]
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            stat = entry.path.stat()
            info.size, info.mtime, info.mode = stat.st_size, int(stat.st_mtime), 0o644
            with entry.path.open("rb") as source:
                archive.addfile(info, source)
            yield pipe.take()
    yield pipe.take()
