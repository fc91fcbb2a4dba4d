"""Where the demonstration's scans come from: two real MR sessions out of a public package, or a folder of one's own.

The sessions lie in the source distribution of ``xnat==0.8.1`` (Apache-2.0, 94 MB), fetched once with pip and kept in the
user's cache. Imports the standard library and this package's errors.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from deployments.errors import DemoInputUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROTOCOL_ID = "brain-volumetry"
SITE_ID = "site-a"
"""What the sending site writes into ClinicalTrialProtocolID and ClinicalTrialSiteID."""
PACKAGE = "xnat==0.8.1"
ARCHIVE = "xnat-0.8.1.tar.gz"
ARCHIVE_SHA256 = "da153e7d4bb4e7c1becff79c9dc4097750f56f77bef4aa5b9c2c446fe54f59ad"
ARCHIVE_BYTES = 94_075_516
_RESOURCES = "xnat-0.8.1/xnat/tests/resources/"
_ENCRYPTED = 0x1
# What zipfile raises on files that are no zip, are broken, or are packed in a way that it does not know.
_BROKEN_ZIP = (
    zipfile.BadZipFile,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)
BUNDLED_SESSIONS = (("BV-001", "Case001/"), ("BV-002", "ANONYMIZ.zip"))
"""Subject code, and where its session lies in the archive."""
BUNDLED_IMAGES = 670
"""Images of both sessions; beside them lie pictures of the archive that they came from, which are none."""
_IMAGES_FOLDER = "DICOM"


class NotAnImage(ValueError):
    """A file that is no DICOM image, cannot be read, or whose pixels may show identity; it is not sent."""


def cache_folder() -> Path:
    """Give the folder in which downloads are kept: ``$XDG_CACHE_HOME/cohortflow``, by default ``~/.cache/cohortflow``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "cohortflow"


def fetch_archive(cache: Path, *, on_bytes: Callable[[int], None] = lambda _: None) -> Path:
    """Give the archive with the sessions; download it when it is not in the cache.

    Parameters
    ----------
    on_bytes
        Called now and then with how many bytes have come so far.

    Raises
    ------
    DemoInputUnavailable
        If it cannot be downloaded, or is not what it should be.
    """
    archive = cache / ARCHIVE
    if archive.is_file() and digest_of(archive) == ARCHIVE_SHA256:
        on_bytes(ARCHIVE_BYTES)
        return archive
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as folder:
            _download(Path(folder), on_bytes)
            fetched = Path(folder) / "got" / ARCHIVE
            if not fetched.is_file() or digest_of(fetched) != ARCHIVE_SHA256:
                raise DemoInputUnavailable(f"what came for {PACKAGE} has not the expected digest")
            fetched.replace(archive)
    except OSError as error:
        raise DemoInputUnavailable(f"{cache} cannot be written: {error.strerror}") from error
    on_bytes(ARCHIVE_BYTES)
    return archive


def _download(folder: Path, on_bytes: Callable[[int], None]) -> None:
    """Let pip download the source distribution: its index, its proxy and its certificates are the user's own."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(folder / "got"), PACKAGE]
    (folder / "tmp").mkdir()
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(folder / "tmp")}, process_group=0
        )  # fmt: skip
        try:
            while process.poll() is None:
                on_bytes(_largest_file_bytes(folder))
                if _take_complete(folder):
                    return
                time.sleep(0.2)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)  # with what it started to build
            process.wait()
        log.seek(0)
        said = log.read().strip().splitlines()
    if process.returncode != 0:
        raise DemoInputUnavailable(said[-1].removeprefix("ERROR: ") if said else "pip download failed")


def _take_complete(folder: Path) -> bool:
    """Take the archive as soon as all of it is there: pip goes on for minutes to ask it for its metadata."""
    for place, _, names in os.walk(folder / "tmp"):
        for name in names:
            found = Path(place) / name
            with suppress(FileNotFoundError):
                if name == ARCHIVE and found.stat().st_size == ARCHIVE_BYTES and digest_of(found) == ARCHIVE_SHA256:
                    (folder / "got").mkdir(exist_ok=True)
                    found.replace(folder / "got" / ARCHIVE)
                    return True
    return False


def _largest_file_bytes(folder: Path) -> int:
    """Give the size of what has come so far; pip makes, moves and removes files meanwhile."""
    largest = 0
    for place, _, names in os.walk(folder):  # unlike `Path.rglob` it does not mind a folder that goes away
        for name in names:
            with suppress(FileNotFoundError):
                if name.startswith(ARCHIVE):
                    largest = max(largest, (Path(place) / name).stat().st_size)
    return min(largest, ARCHIVE_BYTES)


def bundled_sessions(archive: Path) -> Iterator[tuple[str, Iterator[bytes | NotAnImage]]]:
    """Give subject code and files of each session in the archive; read a session's files before the next."""
    with tarfile.open(archive) as tar, tempfile.TemporaryDirectory() as folder:
        members = tar.getmembers()
        for subject, place in BUNDLED_SESSIONS:
            tar.extractall(
                folder,
                members=[one for one in members if one.name.startswith(_RESOURCES + place) and _is_bundled(one.name)],
                filter="data",
            )
            found = Path(folder) / _RESOURCES / place
            yield subject, files_below(found) if found.is_dir() else files_in_zip(found, is_wanted=_is_bundled)


def _is_bundled(name: str) -> bool:
    """Whether a file of the archive belongs to the demonstration: an image, or a zip file with some."""
    return name.endswith(".zip") or PurePosixPath(name).parent.name == _IMAGES_FOLDER


def files_below(folder: Path) -> Iterator[bytes | NotAnImage]:
    """Give every file of a folder, and of the zip files in it, in order of their names; why, where one cannot be read."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        if zipfile.is_zipfile(path):
            yield from files_in_zip(path)
            continue
        try:
            yield path.read_bytes()
        except OSError:
            yield NotAnImage("a file that may not be read")


def files_in_zip(path: Path, *, is_wanted: Callable[[str], bool] = bool) -> Iterator[bytes | NotAnImage]:
    """Give every file of a zip file that is wanted, in order of their names; why, where one cannot be read."""
    try:
        with zipfile.ZipFile(path) as content:
            entries = (one for one in content.infolist() if not one.is_dir() and is_wanted(one.filename))
            for entry in sorted(entries, key=lambda one: one.filename):
                yield _read_entry(content, entry)
    except _BROKEN_ZIP:
        yield NotAnImage("a broken zip file")


def _read_entry(content: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes | NotAnImage:
    if entry.flag_bits & _ENCRYPTED:
        return NotAnImage("in a zip file with a password")
    try:
        return content.read(entry)
    except _BROKEN_ZIP:
        return NotAnImage("in a broken zip file")


def digest_of(path: Path) -> str:
    """Give the SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
