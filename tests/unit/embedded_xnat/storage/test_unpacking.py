import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from embedded_xnat.contract.errors import BadArchive
from embedded_xnat.storage import unpacking
from embedded_xnat.storage.unpacking import entries


def tar_of(path: Path, *members: tarfile.TarInfo, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name: str, **attributes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def read(path: Path) -> dict[str, bytes]:
    return {name: handle.read() for name, handle in entries(path)}


def test_a_tar_as_xnatpy_writes_it_is_unpacked(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "a.dcm").write_bytes(b"abc")
    with tarfile.open(tmp_path / "x", "w:gz") as archive:
        archive.add(source, "")
    assert read(tmp_path / "x") == {"sub/a.dcm": b"abc"}


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a\\..\\..\\evil", "a\nb"])
def test_entries_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr("fine", b"x")
        archive.writestr(name, b"x")
    with pytest.raises(BadArchive):
        read(tmp_path / "z")
    with pytest.raises(BadArchive):
        read(tar_of(tmp_path / "t", member(name, size=1)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(BadArchive):
        read(tar_of(tmp_path / "t", member("a", type=kind, linkname="/etc/passwd")))


def test_a_bomb_is_refused_by_what_it_declares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "FREE_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "z", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"\0" * 10_000_000)
    with pytest.raises(BadArchive):
        read(tmp_path / "z")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr("a", b"x" * 1000)
    body = bytearray((tmp_path / "z").read_bytes())
    body[60:200] = b"\xff" * 140
    (tmp_path / "z").write_bytes(body)
    with pytest.raises(BadArchive):
        read(tmp_path / "z")


def test_a_tar_header_that_is_a_bomb_is_refused(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "t", "wb", compresslevel=1) as handle:
        info = tarfile.TarInfo("././@PaxHeader")
        info.type, info.size = tarfile.XHDTYPE, 64 * 1024**2
        handle.write(info.tobuf())
        handle.write(b"0" * info.size)
        handle.write(tarfile.TarInfo("a").tobuf() + b"\0" * 1024)
    with pytest.raises(BadArchive):
        read(tmp_path / "t")


def test_a_tar_with_holes_is_refused(tmp_path: Path) -> None:
    info = member("a", type=tarfile.GNUTYPE_SPARSE)
    with pytest.raises(BadArchive):
        read(tar_of(tmp_path / "t", info))


def test_a_zip_whose_list_of_entries_is_a_bomb_is_refused_unread(tmp_path: Path, monkeypatch) -> None:
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        for number in range(100):
            archive.writestr(f"a{number}", b"")
    assert unpacking.listing_bytes(tmp_path / "z") > 100 * 46
    monkeypatch.setattr(unpacking, "MAX_LISTING_BYTES", 1000)
    with pytest.raises(BadArchive):
        read(tmp_path / "z")


def test_a_zip_that_declares_less_than_it_holds_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"\0" * 1_000_000)
    body = (tmp_path / "z").read_bytes().replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    (tmp_path / "z").write_bytes(body)
    with pytest.raises(BadArchive):
        read(tmp_path / "z")


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_of_any_compression_is_unpacked(tmp_path: Path, mode: str) -> None:
    assert read(tar_of(tmp_path / "t", member("a/b", size=3), mode=mode)) == {"a/b": b"xxx"}
