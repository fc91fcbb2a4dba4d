"""A real Prefect server and real workers, each a process, for the tests of this folder."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
TINY = HERE / "tiny" / "deployments" / "prefect.yaml"
START_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(question, *, timeout_s=30.0, what="it", every_s=0.05):
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + timeout_s
    while not (answer := question()):
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s:.0f} s"
        time.sleep(every_s)
    return answer


class Process:
    """A process of Cohortflow under test, its output in a file."""

    def __init__(self, name: str, *, environment: dict[str, str], log: Path):
        self.log = log
        self.worker = environment.get("COHORTFLOW_WORKER_NAME")
        path = os.pathsep.join([str(REPOSITORY), str(TINY.parent.parent)])
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "deployments.launcher.child", name],
                env={**os.environ, "PYTHONPATH": path, **environment},
                cwd=log.parent,
                stdout=output,
                stderr=output,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def terminate(self, timeout_s: float = 15.0) -> float:
        """Send SIGTERM; return how long the end took."""
        begin = time.monotonic()
        self.popen.send_signal(signal.SIGTERM)
        self.popen.wait(timeout_s)
        return time.monotonic() - begin


class Place:
    """A home with a Prefect server, and what tests ask of it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.home = folder / "home"
        self.port = free_port()
        self.api_url = f"http://127.0.0.1:{self.port}/api"
        self.client = httpx.Client(base_url=self.api_url, timeout=30, trust_env=False)
        self.processes: list[Process] = []
        self.deployments: dict[str, str] = {}
        self.server: Process | None = None

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "COHORTFLOW_HOME": str(self.home),
            "COHORTFLOW_PREFECT_API_URL": self.api_url,
            "COHORTFLOW_FLOWS_FILE": str(TINY),
            **more,
        }

    def start_server(self) -> Process:
        self.server = self._start("prefect", self.environment(), "server.log")
        self.wait_for_server()
        return self.server

    def wait_for_server(self) -> None:
        def answers():
            try:
                return self.client.get("/health").status_code == 200
            except httpx.TransportError:
                return False

        wait_for(answers, timeout_s=START_S, what="the server's answer")

    def start_worker(self, name="warm-test", *, wait=True, **more: str) -> Process:
        log = f"worker-{len(self.processes)}.log"
        worker = self._start("worker", self.environment(COHORTFLOW_WORKER_NAME=name, **more), log)
        if wait:
            wait_for(lambda: "started!" in worker.log.read_text(), timeout_s=START_S, what="the worker's start")
        return worker

    def worker(self, name: str) -> Process:
        """Return the worker of that name that an earlier test left alive, or a new one."""
        alive = [one for one in self.processes if one.worker == name and one.popen.poll() is None]
        return alive[0] if alive else self.start_worker(name)

    def _start(self, name: str, environment: dict[str, str], log: str) -> Process:
        process = Process(name, environment={"COHORTFLOW_LOG_LEVEL": "INFO", **environment}, log=self.folder / log)
        self.processes.append(process)
        return process

    def post(self, path: str, body: dict) -> dict:
        response = self.client.post(path, json=body)
        assert not response.is_error, response.text
        return response.json()

    def deployment(self, flow: str) -> dict:
        response = self.client.get(f"/deployments/name/{flow}/warm")
        assert response.status_code == 200, response.text
        return response.json()

    def order(self, flow: str, *, key: str | None = None, **parameters) -> str:
        body = {"parameters": parameters, **({"idempotency_key": key} if key else {})}
        if flow not in self.deployments:
            self.deployments[flow] = self.deployment(flow)["id"]
        return self.post(f"/deployments/{self.deployments[flow]}/create_flow_run", body)["id"]

    def run(self, run_id: str) -> dict:
        return self.client.get(f"/flow_runs/{run_id}").json()

    def state(self, run_id: str) -> str:
        return self.run(run_id)["state"]["name"]

    def wait_for_state(self, run_id: str, *names: str, timeout_s=30.0) -> str:
        return wait_for(
            lambda: (found := self.state(run_id)) in names and found,
            timeout_s=timeout_s,
            what=f"state {names} of the run (it is {self.state(run_id)})",
            every_s=0.2,  # the server is busy enough
        )

    def cancel(self, run_id: str) -> None:
        """Do what the button in Prefect's UI does."""
        self.post(f"/flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})

    def end_workers(self) -> None:
        """End what tests left, so that the next one starts alone."""
        for process in self.processes:
            if process is not self.server and process.popen.poll() is None:
                process.kill()
        self.delete_runs()

    def delete_runs(self) -> None:
        """Delete what still waits or runs."""
        for run in self.post("/flow_runs/filter", {}):
            if run["state"]["type"] not in {"COMPLETED", "FAILED", "CANCELLED", "CRASHED"}:
                self.client.delete(f"/flow_runs/{run['id']}")

    def state_names(self, run_id: str) -> list[str]:
        states = self.client.get("/flow_run_states/", params={"flow_run_id": run_id}).json()
        return [state["name"] for state in sorted(states, key=lambda state: state["timestamp"])]

    def close(self) -> None:
        for process in reversed(self.processes):
            if process.popen.poll() is None:
                process.popen.kill()
                process.popen.wait()
        self.client.close()


class Diary:
    """A file in which a flow notes what it does: word, time, process."""

    def __init__(self, path: Path):
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def write(self, word: str) -> None:
        with self.path.open("a") as file:
            file.write(f"{word} 0 0\n")

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def words(self) -> list[str]:
        return [line[0] for line in self.lines()]

    def pids(self) -> set[int]:
        return {int(line[2]) for line in self.lines() if line[2] != "0"}

    def wait_for(self, word: str, *, count=1, timeout_s=30.0) -> None:
        wait_for(lambda: self.words().count(word) >= count, timeout_s=timeout_s, what=f"'{word}' in the diary")


@pytest.fixture
def diary(tmp_path):
    return Diary(tmp_path / "diary")


@pytest.fixture(scope="session")
def place_of_all(tmp_path_factory):
    """The server of all tests of this folder."""
    pytest.importorskip("prefect")
    place = Place(tmp_path_factory.mktemp("place"))
    yield place
    place.close()


@pytest.fixture(scope="module")
def place(place_of_all):
    """The server, with no worker and nothing to do; the diary of each test is its own."""
    if place_of_all.server is None or place_of_all.server.popen.poll() is not None:
        place_of_all.start_server()
    place_of_all.end_workers()
    return place_of_all
