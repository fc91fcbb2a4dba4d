"""The Prefect server as a process of ours, and what is registered with it."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import yaml

from tests.integration.prefect.conftest import TINY

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180), pytest.mark.filterwarnings("default")]


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.syspath_prepend(str(TINY.parent.parent))
    return TINY


@pytest.fixture
def registered(place, tiny):
    from deployments.worker.registration import register_deployments

    return register_deployments(place.api_url, tiny)


def test_the_ui_is_served_and_talks_to_the_api_beside_it(place):
    site = place.api_url.removesuffix("/api")
    page = httpx.get(site, follow_redirects=True, headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "<html" in page.text.lower()
    assert httpx.get(f"{site}/ui-settings").json()["api_url"] == place.api_url


def test_pages_of_other_sites_may_not_call_the_api(place):
    answer = place.client.options(
        "/flows/filter", headers={"origin": "https://evil.example", "access-control-request-method": "POST"}
    )
    assert answer.headers.get("access-control-allow-origin") != "https://evil.example"
    assert answer.headers.get("access-control-allow-origin") != "*"


def test_everything_it_writes_lies_under_the_home(place):
    settings = place.client.get("/admin/settings").json()
    assert settings["home"] == str(place.home / "prefect")
    assert settings["server"]["analytics_enabled"] is False
    assert (place.home / "prefect" / "prefect.db").stat().st_size > 0


def test_registering_twice_changes_nothing(place, registered, tiny):
    from deployments.worker.registration import register_deployments

    before = place.post("/deployments/filter", {})
    begin = time.monotonic()
    assert register_deployments(place.api_url, tiny) == registered
    assert time.monotonic() - begin < 5
    assert place.post("/deployments/filter", {}) == before
    pool = place.client.get("/work_pools/warm").json()
    assert pool["type"] == "cohortflow-warm"
    assert pool["base_job_template"]


def test_schedules_and_waiting_runs_survive_a_changed_file(place, registered, tiny, tmp_path):
    from deployments.worker.registration import register_deployments

    waiting = place.order("stamp", diary=str(tmp_path / "diary"))
    schedule = [{"active": False, "schedule": {"cron": "0 3 * * *"}}]
    place.post(f"/deployments/{registered['stamp/warm']}/schedules", schedule)
    changed = tmp_path / "deployments" / "prefect.yaml"
    changed.parent.mkdir()
    shutil.copy(tiny.parent.parent / "tiny_flows.py", tmp_path)
    content = yaml.safe_load(tiny.read_text())
    content["deployments"][0] |= {"tags": ["other"], "concurrency_limit": 2}
    changed.write_text(yaml.safe_dump(content))
    assert register_deployments(place.api_url, changed) == registered
    deployment = place.deployment("stamp")
    assert deployment["tags"] == ["other"]
    assert deployment["global_concurrency_limit"]["limit"] == 2
    assert len(deployment["schedules"]) == 1
    assert place.state(waiting) in {"Scheduled", "Late"}


def test_an_order_with_wrong_parameters_is_refused(place, registered):
    path = f"/deployments/{registered['wait/warm']}/create_flow_run"
    answer = place.client.post(path, json={"parameters": {"diary": "x", "seconds": "many"}})
    assert 400 <= answer.status_code < 500
    assert "many" in answer.text


def test_many_orders_at_once_are_all_taken(place, registered, tmp_path):
    with ThreadPoolExecutor(12) as pool:
        runs = list(pool.map(lambda number: place.order("stamp", key=f"k{number}", diary=str(tmp_path)), range(60)))
    assert len(set(runs)) == 60


def test_the_block_types_of_prefect_are_there(place):
    known = place.client.post("/block_types/filter", json={"limit": 200}).json()
    assert {"local-file-system", "secret", "slack-webhook"} <= {one["slug"] for one in known}


def test_a_new_home_starts_from_the_template(tmp_path):
    from deployments.prefect_server import provide_database

    template = tmp_path / "template.db"
    template.write_bytes(b"migrated")
    assert provide_database(tmp_path / "prefect", template=template) is True
    assert (tmp_path / "prefect" / "prefect.db").read_bytes() == b"migrated"
    assert (tmp_path / "prefect" / "prefect.db").stat().st_mode & 0o077 == 0
    template.write_bytes(b"newer")
    assert provide_database(tmp_path / "prefect", template=template) is False
    assert (tmp_path / "prefect" / "prefect.db").read_bytes() == b"migrated"


def test_the_shipped_file_is_valid_for_prefects_own_command():
    from prefect.cli.deploy._models import PrefectYamlModel

    from deployments.worker.flows_file import DEFAULT_FLOWS_FILE, read_flows_file

    content = yaml.safe_load(DEFAULT_FLOWS_FILE.read_text())
    theirs = PrefectYamlModel.model_validate(content).deployments
    ours = read_flows_file(DEFAULT_FLOWS_FILE).deployments
    assert [entry.entrypoint for entry in theirs] == [entry.entrypoint for entry in ours]
    assert {entry.work_pool.name for entry in theirs if entry.work_pool} == {"warm"}
