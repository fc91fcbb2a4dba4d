"""Unpacks uploaded archives safely: zip, tar, compressed tar. May import the standard library only.

The body is looked at, not its name. Entries that leave the folder, links and devices are refused, and so is an
archive that grows beyond all proportion.
"""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import IO

from embedded_xnat.contract.errors import BadArchive, BadName
from embedded_xnat.domain.names import check_file_path

MAX_ENTRIES = 300_000
#: The list of a zip's entries is read as a whole, and so is an extended header of a tar.
MAX_LISTING_BYTES = 64 * 1024**2
#: tarfile searches an extended header with a pattern that takes the square of its length.
MAX_TAR_HEADER_BYTES = 16 * 1024
#: An archive may grow to this many times its size, or to `FREE_BYTES`, whichever is more.
MAX_RATIO = 200
FREE_BYTES = 4 * 1024**3
CHUNK = 1024 * 1024

_LISTING_NAMES = frozenset({"__MACOSX", ".DS_Store"})


class Packing(StrEnum):
    """What an uploaded body is."""

    ZIP = "zip"
    TAR = "tar"
    OTHER = "other"


def sniff(path: Path) -> Packing:
    """Tell what a file is by its content."""
    with path.open("rb") as handle:
        head = handle.read(4)
    if head in {b"PK\x03\x04", b"PK\x05\x06"} or zipfile.is_zipfile(path):
        return Packing.ZIP
    try:
        with _open_tar(path):
            return Packing.TAR
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError):
        return Packing.OTHER


class Content:
    """The content of one entry, to be read before the next is asked for."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, nothing at the end.

        Raises
        ------
        BadArchive
            If the archive is damaged here.
        """
        with _damage():
            return self._handle.read(size)


@contextmanager
def _damage() -> Iterator[None]:
    """Turn what the readers of archives raise into one error."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        raise BadArchive("The archive is damaged.") from error
    except (RuntimeError, NotImplementedError) as error:
        raise BadArchive("The archive uses a form that cannot be unpacked.") from error


def entries(path: Path) -> Iterator[tuple[str, Content]]:
    """Yield name and content of each file in an archive, one after another.

    Raises
    ------
    BadArchive
        If it is no archive, is damaged, or has an entry that may not be unpacked.
    """
    packing = sniff(path)
    budget = _Budget(path.stat().st_size)
    if packing is Packing.OTHER:
        raise BadArchive("The body is neither a zip nor a tar archive.")
    with _damage():
        yield from (_zip_entries if packing is Packing.ZIP else _tar_entries)(path, budget)


class _Budget:
    """Counts what comes out of an archive."""

    def __init__(self, packed_size: int) -> None:
        self._left = max(FREE_BYTES, packed_size * MAX_RATIO)
        self._entries = 0

    def entry(self, size: int) -> None:
        self._entries += 1
        if self._entries > MAX_ENTRIES:
            raise BadArchive(f"The archive has more than {MAX_ENTRIES} entries.")
        self.take(size)

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise BadArchive("The archive unpacks to far more than its size.")


def _zip_entries(path: Path, budget: _Budget) -> Iterator[tuple[str, "Content"]]:
    if listing_bytes(path) > MAX_LISTING_BYTES:
        raise BadArchive(f"The archive has more than {MAX_ENTRIES} entries.")
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            mode = info.external_attr >> 16
            if mode and (mode & 0o170000) not in {0, 0o100000}:
                raise BadArchive("The archive has an entry that is neither a file nor a folder.")
            if info.flag_bits & 1:
                raise BadArchive("The archive has an encrypted entry.")
            budget.entry(info.file_size)
            name = _entry_name(info.filename)
            if name is None:
                continue
            with archive.open(info) as handle:
                yield name, Content(handle)


def listing_bytes(path: Path) -> int:
    """Return how long the list of entries at the end of a zip says it is (APPNOTE 4.3.14 and 4.3.16)."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        handle.seek(max(0, size - 65_535 - 22 - 20 - 56))
        tail = handle.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        return 0
    length: int = struct.unpack_from("<I", tail, end + 12)[0]
    large = tail.rfind(b"PK\x06\x06", 0, end)
    if large >= 0 and len(tail) >= large + 48:
        length = max(length if length != 0xFFFFFFFF else 0, struct.unpack_from("<Q", tail, large + 40)[0])
    return length


class _Bounded(io.RawIOBase):
    """A decompressed tar that hands out no more at once than a header or a chunk may have."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self.limit = MAX_TAR_HEADER_BYTES

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.limit:
            raise BadArchive("The archive has a header that is too long.")
        return self._handle.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._handle.seek(offset, whence)

    def tell(self) -> int:
        return self._handle.tell()


@contextmanager
def _decompressed(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as raw:
        head = raw.read(6)
        raw.seek(0)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(raw) as handle:
                yield handle  # type: ignore[misc]
        elif head.startswith(b"BZh"):
            with bz2.open(raw) as handle:
                yield handle
        elif head == b"\xfd7zXZ\x00":
            with lzma.open(raw) as handle:
                yield handle
        else:
            yield raw


@contextmanager
def _open_tar(path: Path) -> Iterator[tuple[tarfile.TarFile, _Bounded]]:
    with _decompressed(path) as handle:
        bounded = _Bounded(handle)
        with tarfile.open(fileobj=bounded, mode="r:") as archive:
            yield archive, bounded


def _tar_entries(path: Path, budget: _Budget) -> Iterator[tuple[str, "Content"]]:
    with _open_tar(path) as (archive, bounded):
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # it would keep every header
            if member.isdir():
                continue
            if not member.isfile() or member.issparse():
                raise BadArchive("The archive has a link, a device or a file with holes; send plain files and folders.")
            budget.entry(member.size)
            name = _entry_name(member.name)
            content = archive.extractfile(member) if name is not None else None
            if name is None or content is None:
                continue
            bounded.limit = CHUNK
            with content:
                yield name, Content(content)
            bounded.limit = MAX_TAR_HEADER_BYTES


def _entry_name(name: str) -> str | None:
    """Return the path of an entry, checked; None for what file managers leave behind."""
    cleaned = name.replace("\\", "/")
    if cleaned.startswith("/") or ".." in PurePosixPath(cleaned).parts:
        raise BadArchive("The archive has an entry that leads out of its folder.")
    parts = [part for part in cleaned.split("/") if part not in {"", "."}]
    if not parts or _LISTING_NAMES.intersection(parts):
        return None
    try:
        return check_file_path("/".join(parts))
    except BadName as error:
        raise BadArchive("The archive has an entry whose name cannot be used.") from error
