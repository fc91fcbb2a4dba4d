"""Input made to do harm: a 4xx that says why, and nothing is stored."""

import io
import resource
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from embedded_xnat.storage import unpacking


def zipped(name: str, data: bytes = b"x", *, mode: int | None = None) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        if mode is not None:
            info.create_system, info.external_attr = 3, mode << 16
        archive.writestr("fine", b"x")
        archive.writestr(info, data)
    return body.getvalue()


def zip_of(*names: str) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return body.getvalue()


def tarred(name: str, kind: bytes = tarfile.REGTYPE, target: str = "/etc/passwd") -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as archive:
        fine = tarfile.TarInfo("fine")
        fine.size = 1
        archive.addfile(fine, io.BytesIO(b"x"))
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        info.size = 1 if kind == tarfile.REGTYPE else 0
        archive.addfile(info, io.BytesIO(b"x"))
    return body.getvalue()


def tar_that_declares_10_gb() -> bytes:
    info = tarfile.TarInfo("large")
    info.size = 10 * 1024**3
    return info.tobuf() + b"x" * 1024


def zip_that_declares_10_gb() -> bytes:
    """A zip64 entry whose record says 10 GB for some bytes."""
    body = bytearray(zipped("large"))
    at = body.rfind(b"PK\x01\x02")
    struct.pack_into("<I", body, at + 24, 0xFFFFFFF0)
    return bytes(body)


def nested_bomb() -> bytes:
    return zipped("large", b"\0" * 50_000_000)


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "zip that leads up": lambda: zipped("../../evil"),
    "zip that leads up in the middle": lambda: zipped("a/../../../evil"),
    "zip with an absolute path": lambda: zipped("/tmp/evil"),
    "zip with backslashes": lambda: zipped("..\\..\\evil"),
    "zip with a link": lambda: zipped("evil", b"/etc/passwd", mode=0o120777),
    "zip with a device": lambda: zipped("evil", mode=0o020666),
    "zip with a control character": lambda: zipped("evil\x01"),
    "zip with a file that is a folder, too": lambda: zip_of("a", "a/b"),
    "zip with a folder that is a file, too": lambda: zip_of("a/b/c", "a"),
    "zip bomb": nested_bomb,
    "zip that lies about its size": zip_that_declares_10_gb,
    "tar that leads up": lambda: tarred("../../evil"),
    "tar with an absolute path": lambda: tarred("/tmp/evil"),
    "tar with a symbolic link": lambda: tarred("evil", tarfile.SYMTYPE),
    "tar with a hard link": lambda: tarred("evil", tarfile.LNKTYPE, "fine"),
    "tar with a character device": lambda: tarred("evil", tarfile.CHRTYPE),
    "tar with a block device": lambda: tarred("evil", tarfile.BLKTYPE),
    "tar with a pipe": lambda: tarred("evil", tarfile.FIFOTYPE),
    "tar with a newline in a name": lambda: tarred("evil\nevil"),
    "tar that declares 10 GB": tar_that_declares_10_gb,
    "no archive": lambda: b"neither",
    "half a zip": lambda: zipped("evil")[:-30],
    "half a tar.gz": lambda: b"\x1f\x8b\x08\0" + b"\0" * 20,
    "nothing": lambda: b"",
}


def state_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != ".lock"}


@pytest.fixture(autouse=True)
def _small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "FREE_BYTES", 10_000_000)


@pytest.mark.parametrize("door", ["resource", "import"])
@pytest.mark.parametrize("what", ARCHIVES)
def test_a_hostile_archive_is_refused_and_nothing_stored(admin, settings, session_uri, what: str, door: str) -> None:
    before = state_of(settings.data_dir.parent)
    body = ARCHIVES[what]()
    if door == "import":
        answer = admin.post("/data/services/import", params={"project": "P"}, content=body)
    else:
        answer = admin.put(f"{session_uri}/resources/R/files/x", params={"extract": "true"}, content=body)
    is_twice = door == "resource" and what.endswith(", too")  # a name that is a file's and a folder's
    assert answer.status_code == (417 if is_twice else 400), answer.text
    assert answer.json()["detail"]
    assert {path for path in state_of(settings.data_dir.parent) - before if ".db" not in path} == set()
    assert admin.get(f"{session_uri}/resources/R").status_code == 404
    assert admin.get("/data/prearchive/projects").json()["ResultSet"]["Result"] == []


def test_a_form_with_a_file_that_is_a_folder_too_is_refused_and_harms_nobody(admin, settings, session_uri) -> None:
    before = state_of(settings.data_dir)
    files = [("file", ("a", b"1")), ("file", ("a/b", b"2"))]
    assert admin.post(f"{session_uri}/resources/R/files", files=files).status_code == 417
    assert state_of(settings.data_dir) == before
    assert admin.put(f"{session_uri}/resources/R/files/a", content=b"1").status_code == 200


NAMES = [
    "..%2f..%2fevil",
    "a/%2e%2e/%2e%2e/evil",
    "%2e%2e",
    "a%00b",
    "a%0Ab",
    "a%1bb",
    "a//b",
    "a%5Cb",
    "x" * 300,
    "a/" * 600 + "a",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_cannot_be_used_is_refused(admin, settings, session_uri: str, name: str) -> None:
    before = state_of(settings.data_dir)
    answer = admin.put(f"{session_uri}/resources/R/files/{name}", content=b"evil")
    assert answer.status_code == 417
    form = admin.post(f"{session_uri}/resources/R/files", files={"file": ("../../evil", b"evil")})
    assert form.status_code == 417
    assert state_of(settings.data_dir) == before


@pytest.mark.parametrize("label", ["%2e%2e", "a%2fb", ".hidden", "a%00", "a%0A", " a", "x" * 300])
def test_a_resource_label_that_cannot_be_used_is_refused(admin, settings, session_uri: str, label: str) -> None:
    before = state_of(settings.data_dir)
    for answer in (
        admin.put(f"{session_uri}/resources/{label}"),
        admin.put(f"{session_uri}/resources/{label}/files/a", content=b"evil"),
    ):
        assert answer.status_code == (400 if "%2f" in label else 417), answer.text
    assert state_of(settings.data_dir) == before


@pytest.mark.parametrize("uri", ["SESSION/resources/R/files/a", "/data/services/import"])
def test_a_body_declared_as_10_gb_is_refused_before_it_is_read(server, admin, session_uri: str, uri: str) -> None:
    """The body never comes: an answer can only be given on what is declared."""
    path = uri.replace("SESSION", session_uri)
    sent: list[dict] = []

    async def receive() -> dict:
        raise AssertionError("the body was read")

    async def send(message: dict) -> None:
        sent.append(message)

    cookie = f"JSESSIONID={admin.cookies['JSESSIONID']}".encode()
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        "headers": [(b"host", b"testserver"), (b"cookie", cookie), (b"content-length", str(10 * 1024**3).encode())],
    }  # fmt: skip
    server.portal.call(server.app, scope, receive, send)
    assert sent[0]["status"] == 413
    assert b"COHORTFLOW_XNAT_MAX_UPLOAD_BYTES" in sent[1]["body"]


def test_a_form_of_many_files_holds_few_of_them_open(admin, session_uri: str) -> None:
    """A thousand open files are all that a process has on most machines."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 100, hard))
    try:
        files = [("file", (f"{number}.txt", b"x")) for number in range(200)]
        answer = admin.post(f"{session_uri}/resources/R/files", files=files)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert answer.status_code == 200, answer.text
    assert len(admin.get(f"{session_uri}/resources/R/files").json()["ResultSet"]["Result"]) == 200
