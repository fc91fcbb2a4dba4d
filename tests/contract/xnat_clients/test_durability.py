"""kill -9 in the middle of uploads: what is listed is whole, and what was answered is there."""

import hashlib
import os
import random
import signal
import threading
import time

import httpx
import pytest

pytestmark = pytest.mark.integration

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


def test_a_start_takes_seconds(own_server) -> None:
    assert own_server.start() < 20  # 2 s on an idle machine
