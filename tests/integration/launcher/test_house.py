"""The launcher with the real processes: first start, commands beside it, deaths, the end."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from pynetdicom import AE

from tests.forked import cohortflow

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

COMMAND = [sys.executable, "-m", "deployments.cli"]
READY_TIMEOUT_S = 300


class Running:
    def __init__(self, home: Path, **environment):
        self.home = home
        self.log = home.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "up", "--home", str(home), "--port", "0", "--dicom-port", "0"],
                stdout=log, stderr=log, env={**os.environ, **environment},
            )  # fmt: skip

    def endpoints(self):
        self.until(lambda: (self.home / "endpoints.json").exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()
        return json.loads((self.home / "endpoints.json").read_text())

    def family(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    def pid(self, name):
        try:
            return int((self.home / "run" / f"{name}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    @staticmethod
    def until(condition, timeout_s=READY_TIMEOUT_S, every_s=0.1):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(every_s)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    running = Running(tmp_path_factory.mktemp("up") / "home")
    running.endpoints()
    yield running
    running.end()


def gone(processes):
    return not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_endpoints_are_for_the_owner_and_every_log_in_works(house):
    endpoints = house.endpoints()
    assert stat.S_IMODE((house.home / "endpoints.json").stat().st_mode) == 0o600
    xnat = endpoints["xnat"]
    assert httpx.get(f"{xnat['url']}/data/projects", auth=(xnat["user"], xnat["password"])).status_code == 200
    for user in endpoints["users"]:
        answer = httpx.get(f"{endpoints['site_url']}/tasks/api/v1/tasks", auth=(user["username"], user["password"]))
        assert answer.status_code == 200, user["username"]
    token = {"Authorization": f"Bearer {endpoints['gateway']['token']}"}
    assert httpx.get(f"{endpoints['site_url']}/gateway/api/v1/arrivals", headers=token).status_code == 200
    assert httpx.get(f"{endpoints['prefect_api_url']}/health").status_code == 200
    assert httpx.get(endpoints["dask_dashboard_url"]).status_code == 200


def test_the_first_start_shows_the_log_ins(house):
    shown = house.log.read_text()
    assert all(user["password"] in shown for user in house.endpoints()["users"])


def test_the_commands_find_the_running_house(house):
    status = cohortflow("status", "--home", house.home)
    assert status.returncode == 0, status.stdout
    assert cohortflow("study", "apply", "studies/brain-volumetry", "--home", house.home).returncode == 0
    assert "nothing would change" in cohortflow("study", "diff", "studies/brain-volumetry", "--home", house.home).stdout
    added = cohortflow("user", "add", "mia", "--role", "annotator", "--study", "brain-volumetry", "--home", house.home)
    password = added.stdout.split()[-1]
    tasks = f"{house.endpoints()['site_url']}/tasks/api/v1/tasks"
    assert httpx.get(tasks, auth=("mia", password)).status_code == 200
    assert "brain-volumetry" in cohortflow("user", "list", "--home", house.home).stdout
    token = cohortflow("user", "token", "mia", "--home", house.home).stdout.strip()
    assert httpx.get(tasks, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    again = cohortflow("user", "add", "mia", "--role", "annotator", "--home", house.home)
    assert again.returncode != 0
    assert "Traceback" not in again.stderr


@pytest.mark.parametrize("name", ["web", "embedded-xnat", "dicom-receiver", "worker", "dask", "prefect"])
def test_a_killed_process_comes_back(house, name):
    old = house.pid(name)
    os.kill(old, signal.SIGKILL)
    house.until(lambda: house.pid(name) not in {None, old})
    house.until(lambda: cohortflow("status", "--home", house.home).returncode == 0, every_s=0.5)


def test_the_receiver_answers_an_echo(house):
    dicom = house.endpoints()["dicom"]
    ae = AE()
    ae.add_requested_context("1.2.840.10008.1.1")
    assoc = ae.associate(dicom["host"], dicom["port"], ae_title=dicom["ae_title"])
    assert assoc.is_established
    assert assoc.send_c_echo().Status == 0
    assoc.release()


def test_a_launcher_killed_with_sigkill_leaves_nothing_and_starts_again(house):
    first = house.endpoints()
    family = house.family()
    assert len(family) >= 7
    house.process.kill()
    house.process.wait()
    house.until(lambda: gone(family), timeout_s=10)
    (house.home / "endpoints.json").unlink()  # a killed launcher leaves it; the next one replaces it
    again = Running(house.home)
    second = again.endpoints()
    assert second["users"] == first["users"]
    assert second["gateway"]["token"] == first["gateway"]["token"]
    assert not any(user["password"] in again.log.read_text() for user in second["users"])
    family = again.family()
    began = time.monotonic()
    again.process.terminate()
    assert again.process.wait(30) == 0
    assert time.monotonic() - began < 10
    assert gone(family)
    assert not (house.home / "endpoints.json").exists()
    assert not list((house.home / "run").glob("*.pid"))


def test_a_wrong_setting_ends_everything_with_a_sentence(tmp_path):
    running = Running(tmp_path / "home", COHORTFLOW_DICOM_MAX_PDU_BYTES="12")
    assert running.process.wait(READY_TIMEOUT_S) == 5
    said = running.log.read_text().strip().splitlines()[-1]
    assert "The DICOM receiver cannot start: COHORTFLOW_DICOM_MAX_PDU_BYTES" in said
    assert "dicom-receiver.log" in said
    assert not (tmp_path / "home" / "endpoints.json").exists()


def test_sigint_during_the_start_ends_everything(tmp_path):
    running = Running(tmp_path / "home")
    running.until(lambda: running.pid("web"))
    family = running.family()
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(30) == 130
    assert gone(family)
