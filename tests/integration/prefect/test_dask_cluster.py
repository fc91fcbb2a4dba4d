"""The local Dask cluster as a process: what its worker declares, what becomes of it when killed, and how it ends."""

import os
import signal
import time

import psutil
import pytest

from tests.integration.prefect.conftest import Process, free_port, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120), pytest.mark.filterwarnings("default")]


class Cluster:
    def __init__(self, folder):
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.process = Process(
            "dask",
            environment={
                "COHORTFLOW_HOME": str(folder / "home"),
                "COHORTFLOW_DASK_ADDRESS": self.address,
                "COHORTFLOW_DASK_DASHBOARD_PORT": str(free_port()),
            },
            log=folder / "dask.log",
        )

    def client(self):
        from distributed import Client

        wait_for(lambda: "Dask cluster ready" in self.process.log.read_text(), timeout_s=60, what="the cluster")
        return Client(self.address, set_as_default=False, timeout=30)

    def family(self):
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def cluster(tmp_path):
    pytest.importorskip("distributed")
    cluster = Cluster(tmp_path)
    yield cluster
    if cluster.process.popen.poll() is None:
        cluster.process.terminate()


def _thread_settings():
    return os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"], os.getpid()


def test_the_worker_declares_its_resources_and_uses_all_cores_for_one_task(cluster):
    from deployments.dask_cluster import count_gpus, worker_resources

    with cluster.client() as client:
        client.wait_for_workers(1, timeout=30)
        (worker,) = client.scheduler_info()["workers"].values()
        assert worker["resources"] == worker_resources(count_gpus())
        assert worker["nthreads"] == 1
        cores = str(len(os.sched_getaffinity(0)))
        assert client.submit(_thread_settings, resources={"CPU": 1}).result(30)[:2] == (cores, cores)


def test_a_killed_worker_is_replaced_and_the_task_runs_again(cluster, tmp_path):
    marker = tmp_path / "pids"

    def slow():
        with marker.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(3)
        return os.getpid()

    with cluster.client() as client:
        future = client.submit(slow, pure=False)
        wait_for(lambda: marker.exists() and marker.read_text(), what="the task's start")
        first = int(marker.read_text())
        os.kill(first, signal.SIGKILL)
        assert future.result(60) != first
    assert len(marker.read_text().split()) == 2


def test_sigterm_ends_it_within_five_seconds_even_at_work_and_leaves_no_process(cluster):
    with cluster.client() as client:
        future = client.submit(time.sleep, 60)
        wait_for(lambda: client.processing() and any(client.processing().values()), what="the task's start")
        family = cluster.family()
        took = cluster.process.terminate()
        del future
    assert took < 5
    assert family
    _, alive = psutil.wait_procs(family, timeout=2)
    assert alive == []
    assert "Traceback" not in cluster.process.log.read_text()


def test_its_worker_does_not_outlive_a_killed_scheduler(cluster):
    with cluster.client() as client:
        client.wait_for_workers(1, timeout=30)
        family = cluster.family()
        cluster.process.kill()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_a_scheduler_elsewhere_is_used_and_none_is_started(tmp_path):
    process = Process(
        "dask",
        environment={"COHORTFLOW_HOME": str(tmp_path), "COHORTFLOW_DASK_ADDRESS": "tcp://cluster.example.org:8786"},
        log=tmp_path / "dask.log",
    )
    wait_for(lambda: "existing Dask scheduler" in process.log.read_text(), timeout_s=60, what="the sentence")
    assert psutil.Process(process.pid).children() == []
    assert process.terminate() < 5
