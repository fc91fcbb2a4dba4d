"""kill -9 in the middle of uploads: what is listed is whole, and what was answered is there."""

import contextlib
import hashlib
import io
import os
import random
import signal
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlmodel import select

from embedded_xnat.consistency.service import find_problems
from embedded_xnat.db.tables import FileRow
from service_kit.database import Database

pytestmark = pytest.mark.integration

MOST_KILLS = 6
URI = "/data/projects/P/subjects/S/experiments/E"


def make_session(client: httpx.Client) -> None:
    client.put("/data/projects/P")
    client.put("/data/projects/P/subjects/S")
    client.put(URI, params={"xsiType": "xnat:mrSessionData"}).raise_for_status()
    client.put(f"{URI}/scans/1", params={"xsiType": "xnat:mrScanData"}).raise_for_status()


def test_a_kill_leaves_no_half_file_and_loses_none_that_was_answered(own_server) -> None:
    own_server.start()
    with own_server.client() as client:
        make_session(client)
    answered: dict[str, str] = {}
    lock = threading.Lock()
    stop = threading.Event()

    def upload(thread: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            name = f"{thread}_{number % 40}"
            data = os.urandom(random.randrange(1, 200_000))
            try:
                with own_server.client() as client:
                    answer = client.put(
                        f"{URI}/scans/1/resources/DICOM/files/{name}", content=data, params={"overwrite": "true"}
                    )
            except httpx.HTTPError:
                time.sleep(0.1)
                with lock:
                    answered.pop(name, None)  # it may or may not have been stored
                continue
            if answer.status_code == 200:
                with lock:
                    answered[name] = hashlib.md5(data).hexdigest()

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(random.uniform(0.5, 2.0))
        own_server.stop(signal.SIGKILL)
        own_server.start()
    stop.set()
    for thread in threads:
        thread.join()
    with own_server.client() as client:
        table = client.get(f"{URI}/scans/1/resources/DICOM/files").json()["ResultSet"]["Result"]
        listed = {row["Name"]: row["digest"] for row in table}
        for row in table:
            assert hashlib.md5(client.get(row["URI"]).content).hexdigest() == row["digest"]
    assert answered
    assert {name: listed.get(name) for name in answered} == answered
    assert not list((own_server.home / "data" / ".incoming").iterdir())


def problems(server) -> list[str]:
    """Return what ``cohortflow xnat check`` would say."""
    return [str(each) for each in find_problems(server.home / "data", f"sqlite:///{server.home}/xnat.db")]


def test_eight_clients_upload_at_once_to_one_session(own_server) -> None:
    """Half of them into resources of their own, half into one; some files as archives, one name by everybody."""
    own_server.start()
    with own_server.client() as client:
        make_session(client)
    sent: dict[str, str] = {}

    def work(number: int) -> list[str]:
        duplicates = []
        label = f"R{number}" if number % 2 else "SHARED"
        with own_server.client() as client:
            for file in range(12):
                name = f"c{number}/f{file}" if file else "same"
                data = f"{number} {file} ".encode() + os.urandom(random.randrange(1, 100_000))
                uri = f"{URI}/scans/1/resources/{label}/files"
                if file % 4 == 3:
                    body = io.BytesIO()
                    with tarfile.open(fileobj=body, mode="w") as archive:
                        info = tarfile.TarInfo(name)
                        info.size = len(data)
                        archive.addfile(info, io.BytesIO(data))
                    answer = client.put(f"{uri}/x.tar", content=body.getvalue(), params={"extract": "true"})
                else:
                    answer = client.put(f"{uri}/{name}", content=data)
                assert answer.status_code == 200, answer.text
                if answer.text:
                    duplicates += answer.json()["duplicates"]
                else:
                    sent[f"{label}/{name}"] = hashlib.md5(data).hexdigest()
        return duplicates

    with ThreadPoolExecutor(8) as pool:
        duplicates = [name for found in pool.map(work, range(8)) for name in found]
    assert duplicates == ["same"] * 3
    with own_server.client() as client:
        rows = client.get(f"{URI}/scans/1/resources/ALL/files").json()["ResultSet"]["Result"]
        stored = {f"{row['collection']}/{row['URI'].partition('/files/')[2]}": row for row in rows}
        assert len(rows) == len(stored) == 8 * 12 - 3
        assert {name: row["digest"] for name, row in stored.items()} == sent
        for row in rows:
            assert hashlib.md5(client.get(row["URI"]).content).hexdigest() == row["digest"]
    assert problems(own_server) == []


def wait_for(client: httpx.Client) -> None:
    """Wait until the server is back."""
    while True:
        with contextlib.suppress(httpx.HTTPError):
            client.get("/healthz")
            return
        time.sleep(0.05)


def test_kills_at_random_moments_of_200_uploads_leave_a_sound_archive(own_server) -> None:
    """New files, overwritten ones, archives and deletions; after each kill database and disk agree."""
    own_server.start()
    with own_server.client() as client:
        make_session(client)
        cookies = {"JSESSIONID": client.cookies["JSESSIONID"]}  # a login outlives the server
    uri, data_dir = f"{URI}/scans/1/resources/DICOM/files", own_server.home / "data"
    todo = iter(range(200))
    lock = threading.Lock()
    #: What may be stored under a name: what was answered last, and what was sent after that without an answer.
    allowed: dict[str, set[str | None]] = {}

    def upload() -> None:
        while True:
            with lock:
                number = next(todo, None)
            if number is None:
                return
            names = [f"n{number}"] if number % 5 else [f"o{number % 3}"]
            if number % 7 == 0:
                names = [f"t{number}_{part}" for part in range(5)]
            contents = {name: os.urandom(random.randrange(1, 300_000)) for name in names}
            digests = {name: hashlib.md5(data).hexdigest() for name, data in contents.items()}
            with lock:
                for name in names:
                    allowed.setdefault(name, {None}).add(digests[name])
            body = io.BytesIO()
            with tarfile.open(fileobj=body, mode="w") as archive:
                for name, data in contents.items():
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
            with contextlib.suppress(httpx.HTTPError), httpx.Client(base_url=own_server.url, cookies=cookies) as client:
                wait_for(client)
                if len(names) > 1:
                    answer = client.put(f"{uri}/x.tar", content=body.getvalue(), params={"extract": "true"})
                else:
                    answer = client.put(f"{uri}/{names[0]}", content=contents[names[0]], params={"overwrite": "true"})
                if answer.status_code == 200 and number % 5:
                    with lock:
                        allowed.update({name: {digests[name]} for name in names})

    threads = [threading.Thread(target=upload) for _ in range(4)]
    for thread in threads:
        thread.start()
    kills = 0
    while any(thread.is_alive() for thread in threads):
        time.sleep(random.uniform(0.1, 1.0))
        if kills == MOST_KILLS:
            continue
        own_server.stop(signal.SIGKILL)
        kills += 1
        own_server.start()
        assert problems(own_server) == []
    for thread in threads:
        thread.join()
    assert kills >= 3
    own_server.stop()
    assert problems(own_server) == []
    database = Database(f"sqlite:///{own_server.home}/xnat.db")
    with database.read() as uow:
        rows = {row.path: row.md5 for row in uow.session.exec(select(FileRow))}
    database.dispose()
    on_disk = {path.name for path in data_dir.rglob("P/**/*") if path.is_file()}
    assert on_disk == set(rows)
    for name, digests in allowed.items():
        assert rows.get(name) in digests
    for number in range(0, 200, 7):  # an archive is stored whole or not at all
        assert len({f"t{number}_{part}" in rows for part in range(5)}) == 1
