"""A real server whose disk takes no more: what is refused, what is left, and what happens when there is space again.

What the server may write to one file is limited while it runs (`prlimit`), which stops it in the middle of a file as a
full disk does; the database, which is smaller, goes on.
"""

import resource
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from embedded_xnat.consistency.service import find_problems
from tests.contract.xnat_clients.test_durability import URI, make_session
from tests.contract.xnat_clients.test_imports import MIB, write_dicom

pytestmark = pytest.mark.integration

SPACE, TOO_MUCH = 4 * MIB, 6 * MIB
FILES = f"{URI}/scans/1/resources/DICOM/files"


@contextmanager
def full_disk(server):
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (SPACE, hard))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)


def written_bytes(pid: int) -> int:
    """Return how much a process has written in its life."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["wchar"])


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    answer.raise_for_status()
    return answer.json()["ResultSet"]["Result"]


def refused(answer: httpx.Response) -> None:
    assert answer.status_code == 507, answer.text
    assert answer.json()["detail"].startswith("The disk of the archive is full")


def zipped(path: Path, *files: Path) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    return path.read_bytes()


def test_a_full_disk_refuses_uploads_clearly_keeps_nothing_half(own_server, tmp_path) -> None:
    own_server.idle_s = 0.1
    own_server.start()
    large = write_dicom(tmp_path / "large.dcm", pixels=bytes(TOO_MUCH), SOPInstanceUID="1.7", PatientID="LARGE")
    with own_server.client() as client:
        make_session(client)
        client.put(f"{FILES}/kept", content=b"before")
        with full_disk(own_server):
            refused(client.put(f"{FILES}/new", content=bytes(TOO_MUCH)))
            refused(client.put(f"{FILES}/kept", content=bytes(TOO_MUCH), params={"overwrite": "true"}))
            refused(client.put(f"{FILES}/x.zip", content=zipped(tmp_path / "a.zip", large), params={"extract": "true"}))
            refused(client.put(f"{FILES}/form", files={"file": ("form", bytes(TOO_MUCH))}))
            for params in ({"project": "P"}, {"dest": "/prearchive/projects/P"}, {"import-handler": "gradual-DICOM"}):
                refused(client.post("/data/services/import", params=params, content=large.read_bytes()))
            client.put(f"{FILES}/small", content=b"there is space for this").raise_for_status()
            assert not list((own_server.home / "data" / ".incoming").iterdir())
        assert {row["Name"] for row in rows(client.get(FILES))} == {"kept", "small"}
        assert client.get(f"{FILES}/kept").content == b"before"
        assert rows(client.get("/data/prearchive")) == []
        assert len(rows(client.get("/data/projects/P/experiments"))) == 1
        client.put(f"{FILES}/new", content=bytes(TOO_MUCH)).raise_for_status()
    own_server.stop()
    assert list(find_problems(own_server.home / "data", f"sqlite:///{own_server.home}/xnat.db")) == []


def test_what_is_archived_in_the_background_waits_for_space_without_trying_all_the_time(own_server, tmp_path) -> None:
    own_server.idle_s = 0.5
    own_server.start()
    large = write_dicom(tmp_path / "large.dcm", pixels=bytes(TOO_MUCH), SOPInstanceUID="1.7", PatientID="LARGE")
    small = write_dicom(
        tmp_path / "small.dcm", SOPInstanceUID="1.8", PatientID="SMALL", StudyInstanceUID="8", SeriesInstanceUID="8.1"
    )
    script = 'version "6.1"\n(0010,0010) := session'
    with own_server.client() as client:
        client.put("/data/projects/P")
        client.put("/xapi/anonymize/projects/P", content=script, headers={"Content-Type": "text/plain"})
        client.put("/xapi/anonymize/projects/P/enabled", params={"enable": "true"}).raise_for_status()
        params = {"project": "P", "import-handler": "gradual-DICOM"}
        for file in (large, small):
            client.post("/data/services/import", params=params, content=file.read_bytes()).raise_for_status()
        with full_disk(own_server):
            wait_for(client, ["SMALL"])  # whoever needs less goes on
            (waiting,) = rows(client.get("/data/prearchive"))
            assert (waiting["name"], waiting["status"]) == ("LARGE", "QUEUED_ARCHIVING")
            before, began = written_bytes(own_server.process.pid), time.monotonic()
            time.sleep(2.5)
            tries = (written_bytes(own_server.process.pid) - before) / SPACE
            assert tries < (time.monotonic() - began) / 0.5 / 2, "half as often as it looks when all is well"
        wait_for(client, ["LARGE", "SMALL"])
        assert rows(client.get("/data/prearchive")) == []


def wait_for(client: httpx.Client, labels: list[str]) -> None:
    began = time.monotonic()
    while sorted(row["label"] for row in rows(client.get("/data/projects/P/experiments"))) != labels:
        assert time.monotonic() - began < 30
        time.sleep(0.1)
