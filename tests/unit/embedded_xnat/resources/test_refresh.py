"""Files put on disk by hand are taken in, those that are gone are dropped, digests are computed again."""

import hashlib
import os
from pathlib import Path

import pytest

from embedded_xnat.resources import refresh

REFRESH = "/data/services/refresh/catalog"
SOURCE = "/archive/projects/P/subjects/S1/experiments/S1_MR1"


@pytest.fixture
def folder(admin, settings, session_uri: str) -> Path:
    admin.put(f"{session_uri}/scans/3/resources/DICOM/files/a.dcm", content=b"one", params={"format": "DICOM"})
    return settings.data_dir / "P/arc001/S1_MR1/SCANS/3/DICOM"


def listed(admin, session_uri: str) -> dict[str, str]:
    table = admin.get(f"{session_uri}/scans/3/resources/DICOM/files").json()["ResultSet"]["Result"]
    return {row["URI"].partition("/files/")[2]: row["digest"] for row in table}


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.mark.parametrize("source", [SOURCE, f"/data{SOURCE}", f"{SOURCE}/scans/3", f"{SOURCE}/scans/3/resources/DICOM"])
def test_files_put_there_by_hand_are_taken_in(admin, session_uri: str, folder: Path, source: str) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "b.dcm").write_bytes(b"two")
    answer = admin.post(REFRESH, params={"resource": source, "options": "append,populateStats"})
    assert answer.status_code == 200
    assert listed(admin, session_uri) == {"a.dcm": md5(b"one"), "sub/b.dcm": md5(b"two")}
    assert admin.get(f"{session_uri}/scans/3/resources/DICOM/files/sub/b.dcm").content == b"two"


def test_each_option_does_its_part_alone(admin, session_uri: str, folder: Path) -> None:
    (folder / "new").write_bytes(b"new")
    (folder / "a.dcm").write_bytes(b"changed")
    admin.put(f"{session_uri}/scans/3/resources/DICOM/files/gone", content=b"gone")
    (folder / "gone").unlink()
    before = listed(admin, session_uri)

    def after(options: str) -> dict[str, str]:
        assert admin.post(REFRESH, params={"resource": SOURCE, "options": options}).status_code == 200
        return listed(admin, session_uri)

    assert after("populateStats") == before
    assert after("checksum") == {**before, "a.dcm": md5(b"changed")}
    assert after("delete") == {"a.dcm": md5(b"changed")}
    assert after("append") == {"a.dcm": md5(b"changed"), "new": md5(b"new")}


def test_links_and_names_that_cannot_be_used_are_left_out(admin, session_uri: str, folder: Path) -> None:
    (folder / "link").symlink_to("/etc/hostname")
    (folder / "linked").symlink_to("/etc")
    (folder / "a\nb").write_bytes(b"x")
    os.mkfifo(folder / "pipe")
    assert admin.post(REFRESH, data={"resource": SOURCE}).status_code == 200
    assert set(listed(admin, session_uri)) == {"a.dcm"}


def test_who_may_only_read_may_not_refresh(admin, as_user, session_uri: str, folder: Path) -> None:
    (folder / "new").write_bytes(b"new")
    admin.put("/data/projects/P/users/Collaborators/carl")
    assert as_user("carl").post(REFRESH, params={"resource": SOURCE}).status_code == 403
    assert as_user("zoe").post(REFRESH, params={"resource": SOURCE}).status_code == 404
    assert set(listed(admin, session_uri)) == {"a.dcm"}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"resource": "/etc/passwd"},
        {"resource": "/archive/projects"},
        {"resource": "/archive/projects/P/../../etc"},
        {"resource": SOURCE, "options": "everything"},
    ],
)
def test_nonsense_is_refused(admin, query: dict[str, str]) -> None:
    assert admin.post(REFRESH, params=query).status_code == 400


def test_a_refresh_during_a_rename_drops_nothing(admin, session_uri: str, folder: Path, monkeypatch) -> None:
    """The folder that is looked through has gone between the look at the rows and the look at the disk."""
    look, moments = refresh._look, iter(["before", "under the lock"])

    def rename_and_look(*said) -> None:
        if next(moments) == "before":
            assert admin.put(session_uri, params={"label": "S1_MR2"}).status_code == 200
        look(*said)

    monkeypatch.setattr(refresh, "_look", rename_and_look)
    renamed = session_uri.replace("S1_MR1", "S1_MR2")
    assert admin.post(REFRESH, params={"resource": "/archive/experiments/CF_E00001"}).status_code == 200
    assert listed(admin, renamed) == {"a.dcm": md5(b"one")}
    assert list(moments) == []
