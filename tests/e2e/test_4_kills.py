"""Any process may be killed at any moment: the same release comes out, with one of everything."""

from __future__ import annotations

import threading
import time

import pytest
from pydicom import Dataset

from tests.associations import collect_associations
from tests.e2e.house import House, wait_for

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    # pynetdicom leaves its socket to the garbage collector when the receiver is away, which it is here on purpose
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CHILD_ML = 1468.6
#: How many files each resource of a measured session has beside its images.
OTHER_FILES = {"NIFTI": 3, "SNAPSHOTS": 2, "BRAIN_TIV": 6}


def send_until_taken(house: House, datasets: list[Dataset]) -> int:
    """Send as a site's anonymiser does: what was not answered with Success is sent again; return the attempts."""
    for attempt in range(1, 30):
        try:
            if set(house.send(datasets)) == {0}:
                return attempt
        except (ConnectionError, RuntimeError, ValueError):
            time.sleep(1)
    raise AssertionError("never taken")


def test_killing_each_process_in_the_middle_of_its_work_loses_and_doubles_nothing(
    house: House, child_t1: list[Dataset]
) -> None:
    before = house.census()

    # the receiver, in the middle of the association
    attempts: list[int] = []
    sender = threading.Thread(target=lambda: attempts.append(send_until_taken(house, child_t1)))
    sender.start()
    spooled = house.home / "spool"
    count = sum(1 for _ in spooled.rglob("*.dcm"))
    wait_for("some instances", lambda: sum(1 for _ in spooled.rglob("*.dcm")) > count + 20, timeout_s=30, every_s=0.02)
    pid = house.kill("dicom-receiver")
    house.wait_restarted("dicom-receiver", old_pid=pid)
    sender.join(120)
    collect_associations()
    assert attempts, "the sender never got its success"

    # the web process, while the session is taken in
    wait_for("the arrival to be taken in", lambda: is_taken_in_now(house), timeout_s=60, every_s=0.05)
    pid = house.kill("web")
    house.wait_restarted("web", old_pid=pid)

    # the worker, then the Dask worker, while the scan is measured
    house.wait_state("BV-102", "extracting", timeout_s=120)
    pid = house.kill("worker")
    house.wait_restarted("worker", old_pid=pid)
    kill_dask_worker_at_work(house)

    house.wait_state("BV-102", "review", timeout_s=500)
    house.accept("BV-102")
    pid = house.kill("web")  # once more, with the answer on its way
    house.wait_restarted("web", old_pid=pid)
    house.wait_state("BV-102", "released", timeout_s=120)

    found = house.measurements("BV-102")
    assert len(found) == 1
    assert found[0]["value"] == pytest.approx(CHILD_ML, rel=0.01)
    after = house.census()
    assert after["sessions"] == before["sessions"] + 1
    assert after["tasks"] == before["tasks"] + 1
    assert after["measurements"] == before["measurements"] + 1
    assert after["archive sessions"] == before["archive sessions"] + 1
    assert after["archive scans"] == before["archive scans"] + 1
    rows = [row for row in house.release() if row["subject"] == "BV-102"]
    assert [float(row["value"]) for row in rows] == [pytest.approx(CHILD_ML, rel=0.01)]
    files = house.archived_files("BV-102")
    assert {name: len(held) for name, held in files.items()} == {"DICOM": len(child_t1), **OTHER_FILES}
    assert after["archive files"] - before["archive files"] == sum(map(len, files.values()))
    assert house.states("BV-102") == ["extracting", "review", "releasing", "released"]


def test_sending_everything_again_changes_nothing(house: House, child_t1: list[Dataset]) -> None:
    before = house.census()
    send_until_taken(house, child_t1)
    with house.client() as client:
        wait_for(
            "the arrivals to settle",
            lambda: (
                not client.get("/gateway/api/v1/arrivals", params={"state": ["receiving", "complete"]}).json()["items"]
            ),
            timeout_s=60,
        )
    assert house.census() == before
    assert house.state_of("BV-102") == "released"


def is_taken_in_now(house: House) -> bool:
    """Whether the arrival is complete and its flow at work."""
    with house.client() as client:
        arrivals = client.get("/gateway/api/v1/arrivals", params={"state": "complete"}).json()["items"]
    return any(a["instance_count"] >= 192 and a["flow_run_id"] for a in arrivals)


def kill_dask_worker_at_work(house: House) -> None:
    """Kill -9 the process that computes, once it computes."""
    import psutil

    def computing() -> psutil.Process | None:
        dask = psutil.Process(int((house.home / "run" / "dask.pid").read_text()))
        for process in dask.children(recursive=True):
            if process.memory_info().rss > 700e6:  # torch and a volume are loaded
                return process
        return None

    process = wait_for("the Dask worker to compute", computing, timeout_s=240, every_s=0.2)
    process.kill()
