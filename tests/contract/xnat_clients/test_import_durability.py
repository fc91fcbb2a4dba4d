"""kill -9 while files come one by one and sessions are archived: what was answered is there, once."""

import contextlib
import hashlib
import random
import signal
import sqlite3
import threading
import time
import zipfile
from pathlib import Path

import httpx
import pytest

from embedded_xnat.consistency.service import find_problems
from tests.contract.xnat_clients.test_imports import write_dicom

pytestmark = pytest.mark.integration


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    answer.raise_for_status()
    return answer.json()["ResultSet"]["Result"]


def test_a_kill_loses_no_file_that_was_answered(own_server, tmp_path: Path) -> None:
    own_server.start()
    with own_server.client() as client:
        client.put("/data/projects/P")
        client.put("/data/projects/P/prearchive_code/0")
    answered: set[str] = set()
    stop = threading.Event()

    def send(thread: int) -> None:
        number = 0
        params = {"project": "P", "import-handler": "gradual-DICOM"}
        while not stop.is_set():
            number += 1
            uid = f"1.2.9.{thread}.{number}"
            body = write_dicom(tmp_path / f"{thread}.dcm", SOPInstanceUID=uid).read_bytes()
            try:
                with own_server.client() as client:
                    if client.post("/data/services/import", params=params, content=body).status_code == 200:
                        answered.add(f"{uid}.dcm")
            except httpx.HTTPError:
                time.sleep(0.1)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(random.uniform(0.5, 2.0))
        own_server.stop(signal.SIGKILL)
        own_server.start()
    stop.set()
    for thread in threads:
        thread.join()
    uri = archive_between_kills(own_server)
    with own_server.client() as client:
        files = rows(client.get(f"{uri}/scans/5/files"))
        names = [row["Name"] for row in files]
        assert answered
        assert answered <= set(names)
        assert len(names) == len(set(names))
        assert all(len(client.get(row["URI"]).content) == int(row["Size"]) for row in files)
        assert rows(client.get("/data/prearchive")) == []
    assert not list((own_server.home / "data" / ".prearchive").rglob("*.dcm"))


def archive_between_kills(server) -> str:
    """Archive the only session of the prearchive, killed while that is being done."""
    for delay_s in (0.02, 0.1, None):
        with server.client() as client:
            waiting = rows(client.get("/data/prearchive"))
            if not waiting:
                break
            source = waiting[0]["url"]
            client.post("/data/services/prearchive/rebuild", params={"src": source}).raise_for_status()
            killer = threading.Timer(delay_s or 0, server.stop, [signal.SIGKILL])
            if delay_s is not None:
                killer.start()
            with contextlib.suppress(httpx.TransportError):
                client.post("/data/services/archive", params={"src": source}).raise_for_status()
            if delay_s is not None:
                killer.join()
                server.start()
    return "/data/projects/P/experiments/SUBJ_MR"


def status_in(home: Path) -> str | None:
    """Return the state of the only session of the prearchive, as the database has it; None when there is none."""
    with contextlib.closing(sqlite3.connect(home / "xnat.db", timeout=10)) as database:
        row = database.execute("select status from prearchive_session").fetchone()
    return None if row is None else str(row[0])


def wait_until(home: Path, *states: str | None) -> str | None:
    began = time.monotonic()
    while (status := status_in(home)) not in states:
        assert time.monotonic() - began < 30, f"the session stays {status}"
        time.sleep(0.002)
    return status


def test_a_session_that_is_archived_by_itself_outlives_kills_and_is_archived_once(own_server, tmp_path: Path) -> None:
    """It comes file by file into a project that archives automatically; the server dies while it archives it."""
    own_server.idle_s = 0.1
    own_server.start()
    sent = {}
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for number in range(120):
            uid = f"1.2.9.{number}"
            sent[f"{uid}.dcm"] = write_dicom(tmp_path / "one.dcm", SOPInstanceUID=uid).read_bytes()
            archive.writestr(f"{number}.dcm", sent[f"{uid}.dcm"])
    with own_server.client() as client:
        client.put("/data/projects/P")
        assert client.get("/data/projects/P/prearchive_code").text == "4"
        params = {"project": "P", "import-handler": "gradual-DICOM"}
        body = (tmp_path / "all.zip").read_bytes()
        client.post("/data/services/import", params=params, content=body).raise_for_status()
    cut_off = 0
    for delay_s in (0.0, 0.03, 0.1, 0.2):
        if wait_until(own_server.home, "ARCHIVING", None) is None:
            break
        time.sleep(delay_s)
        own_server.stop(signal.SIGKILL)
        cut_off += status_in(own_server.home) == "ARCHIVING"
        own_server.start()
    wait_until(own_server.home, None)
    assert cut_off >= 1
    with own_server.client() as client:
        (experiment,) = rows(client.get("/data/projects/P/experiments"))
        files = rows(client.get(f"/data/experiments/{experiment['ID']}/scans/5/files"))
        assert {row["Name"]: row["digest"] for row in files} == {
            name: hashlib.md5(data).hexdigest() for name, data in sent.items()
        }
        assert rows(client.get("/data/prearchive")) == []
    own_server.stop()
    found = find_problems(own_server.home / "data", f"sqlite:///{own_server.home}/xnat.db")
    assert [str(problem) for problem in found] == []
