import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from deployments import prefect_server
from deployments.dask_cluster import DaskClusterSettings, worker_environment, worker_resources
from deployments.prefect_server import (
    PrefectServerSettings,
    block_environment,
    provide_database,
    server_environment,
)
from deployments.warm_worker import WarmWorkerSettings, only_one
from deployments.worker.errors import WorkerNameTaken


def test_the_server_listens_on_loopback_and_keeps_everything_under_the_home(tmp_path):
    settings = PrefectServerSettings(home=tmp_path, prefect_api_url="http://127.0.0.1:4444/api")
    environment = server_environment(settings)
    assert settings.address == ("127.0.0.1", 4444)
    assert environment["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert str(tmp_path) in environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"]
    assert environment["DO_NOT_TRACK"] == "1"
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


def test_another_database_is_taken_as_given(tmp_path):
    url = "postgresql+asyncpg://u@h/prefect"
    settings = PrefectServerSettings(home=tmp_path, prefect_api_url="http://127.0.0.1:1/api", prefect_database_url=url)
    assert server_environment(settings)["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == url


def test_without_a_template_the_server_makes_its_database_itself(tmp_path):
    assert provide_database(tmp_path / "prefect", template=tmp_path / "none.db") is False
    assert (tmp_path / "prefect").is_dir()


def test_the_server_looks_for_new_block_types_unless_its_database_came_with_all(tmp_path, monkeypatch):
    home, template = tmp_path / "prefect", tmp_path / "template.db"
    template.touch()
    provide_database(home, template=template)
    assert block_environment(home) == {}, "a template that says nothing of its blocks"
    (home / "prefect.db").unlink()
    template.with_name(prefect_server._BLOCKS).write_text(prefect_server._all_blocks())
    assert block_environment(home) == {}
    provide_database(home, template=template)
    assert set(block_environment(home).values()) == {"false"}
    with monkeypatch.context() as patch:
        collection = entry_points(group="pytest11")
        patch.setattr("importlib.metadata.entry_points", lambda group: collection)
        assert block_environment(home) == {}, "a collection that was installed later brings its own"
    assert block_environment(home)
    (home / "prefect.db").unlink()
    provide_database(home, template=tmp_path / "none.db")
    assert block_environment(home) == {}, "a database that the server makes itself holds none"


def test_a_name_is_one_workers_at_a_time(tmp_path):
    with only_one("warm", tmp_path):
        with pytest.raises(WorkerNameTaken, match="already runs"), only_one("warm", tmp_path):
            pass
        with only_one("other", tmp_path):
            pass
    with only_one("warm", tmp_path):
        pass


def test_a_worker_name_holds_no_colon(tmp_path):
    with pytest.raises(ValueError, match="worker_name"):
        WarmWorkerSettings(home=tmp_path, prefect_api_url="http://127.0.0.1:1/api", worker_name="a:b")


@pytest.mark.parametrize(
    ("address", "said", "external"),
    [
        ("tcp://127.0.0.1:8786", None, False),
        ("tcp://localhost:8786", None, False),
        ("tcp://cluster.example.org:8786", None, True),
        ("tls://10.0.0.7:8786", None, True),
        ("tcp://127.0.0.1:8786", True, True),
    ],
)
def test_a_scheduler_elsewhere_is_not_started(tmp_path, address, said, external):
    settings = DaskClusterSettings(home=tmp_path, dask_address=address, dask_external=said)
    assert settings.is_external is external
    assert settings.scheduler_port == 8786


def test_a_worker_without_gpu_declares_cpu_only_and_gets_all_cores():
    assert worker_resources(0) == {"CPU": 1}
    assert worker_resources(3) == {"CPU": 1, "GPU": 1}
    assert worker_environment(6)["OMP_NUM_THREADS"] == "6"
    assert int(worker_environment(6)["GOMP_SPINCOUNT"]) <= 1000


def test_importing_an_entry_brings_in_neither_prefect_nor_dask():
    entries = ["prefect_server", "warm_worker", "dask_cluster", "worker.flows_file"]
    code = (
        f"import importlib, sys\nfor entry in {entries!r}:\n    importlib.import_module('deployments.' + entry)\n"
        "    print(entry, sorted({'prefect', 'distributed', 'torch'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{entry} []" for entry in entries]
