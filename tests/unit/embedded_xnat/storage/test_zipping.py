"""Archives that go out, piece by piece."""

import io
import itertools
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from embedded_xnat.storage.zipping import Entry, tar_stream, zip_stream

SIZES = {"a": 0, "b/ä": 512, "b/c": 3_000_000}


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    made = []
    for number, (name, size) in enumerate(SIZES.items()):
        (tmp_path / str(number)).write_bytes(bytes([number]) * size)
        made.append(Entry(f"S/{name}", tmp_path / str(number)))
    return made


def test_a_zip_holds_what_went_in(entries: list[Entry]) -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(zip_stream(entries)))) as archive:
        assert archive.testzip() is None
        assert {info.filename: info.file_size for info in archive.infolist()} == {
            f"S/{name}": size for name, size in SIZES.items()
        }


@pytest.mark.parametrize("compressed", [False, True])
def test_a_tar_holds_what_went_in(entries: list[Entry], compressed: bool) -> None:
    body = io.BytesIO(b"".join(tar_stream(entries, compressed=compressed)))
    with tarfile.open(fileobj=body, mode="r:gz" if compressed else "r:") as archive:
        assert {info.name: info.size for info in archive} == {f"S/{name}": size for name, size in SIZES.items()}
        assert archive.extractfile("S/b/c").read() == entries[2].path.read_bytes()


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_a_large_file_needs_no_memory(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "large"
    with path.open("wb") as handle:
        handle.truncate(64 * 1024**2)
    entry = [Entry("large", path)]
    stream = zip_stream(entry) if kind == "zip" else tar_stream(entry, compressed=kind == "tar.gz")
    tracemalloc.start()
    sum(map(len, itertools.islice(stream, None)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 1024**2
