"""The warm worker against a real server: runs, cancellation, and what becomes of runs when a process dies."""

import asyncio
import itertools
import time

import psutil
import pytest

from deployments.order_news import OrderNews
from tests.integration.prefect.conftest import wait_for
from tests.integration.prefect.test_dask_cluster import cluster  # noqa: F401 - a fixture

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def worker(place):
    """A worker that no test harms."""
    process = place.start_worker("unharmed")
    yield process
    process.terminate()


def test_a_flow_runs_inside_the_workers_own_process(place, worker, diary):
    run = place.order("stamp", diary=str(diary))
    place.wait_for_state(run, "Completed")
    assert diary.pids() == {worker.pid}
    assert place.run(run)["infrastructure_pid"].startswith("unharmed:")


def test_a_worker_with_nothing_to_do_seldom_asks(place, worker):
    queues = lambda: place.post("/work_pools/warm/queues/filter", {})  # noqa: E731
    begin, asked = time.monotonic(), set()
    while time.monotonic() - begin < 4.5:
        asked |= {queue["last_polled"] for queue in queues()}
        time.sleep(0.1)
    assert 1 < len(asked) <= 4  # it asks every half a second where nobody tells it of orders


def test_an_order_is_told(place, worker, diary):
    """One for later, so that no worker takes it, whose word would end the wait as well."""
    later = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2100-01-01T00:00:00Z"}}
    body = {"parameters": {"diary": str(diary)}, "state": later}

    async def listen():
        news, before = OrderNews(place.api_url), None
        while news.known != before:  # what earlier tests left may still be told
            before = news.known
            await news.wait()
        waiting = asyncio.create_task(news.wait())
        await asyncio.sleep(0.3)
        run = place.post(f"/deployments/{place.deployment('stamp')['id']}/create_flow_run", body)["id"]
        await waiting
        await news.wait()  # in case the first ran out just before the order
        await news.aclose()
        return run, news.known != before

    run, is_told = asyncio.run(listen())
    place.client.delete(f"/flow_runs/{run}")
    assert is_told


def test_the_same_key_is_one_run(place, worker, diary):
    first = place.order("stamp", key="once", diary=str(diary))
    assert place.order("stamp", key="once", diary=str(diary)) == first
    place.wait_for_state(first, "Completed")
    time.sleep(1)
    assert diary.words() == ["begin"]


def test_tasks_of_a_flow_appear_on_the_server(place, worker, diary):
    run = place.order("with-task", diary=str(diary))
    place.wait_for_state(run, "Completed")
    body = {"flow_runs": {"id": {"any_": [run]}}}
    # the server writes what happened to tasks a moment after it happened
    names = lambda: [(task["state"] or {}).get("name") for task in place.post("/task_runs/filter", body)]  # noqa: E731
    wait_for(lambda: names() == ["Completed"], timeout_s=20, what="the task's run")


def test_a_flow_that_fails_is_failed_and_the_worker_goes_on(place, worker, diary):
    run = place.order("fail", diary=str(diary))
    place.wait_for_state(run, "Failed")
    assert "a bug" in place.run(run)["state"]["message"]
    place.wait_for_state(place.order("stamp", diary=str(diary)), "Completed")


def test_a_flow_that_blocks_keeps_nobody_else_waiting(place, worker, diary):
    blocking = place.order("block", diary=str(diary), seconds=6)
    diary.wait_for("begin")
    begin = time.monotonic()
    place.wait_for_state(place.order("stamp", diary=str(diary), word="other"), "Completed", timeout_s=5)
    assert time.monotonic() - begin < 5
    assert place.state(blocking) == "Running"
    place.wait_for_state(blocking, "Completed")


def test_cancelling_stops_the_flow_and_lets_it_tidy_up(place, worker, diary):
    run = place.order("wait", diary=str(diary), seconds=60)
    diary.wait_for("begin")
    place.cancel(run)
    place.wait_for_state(run, "Cancelled", timeout_s=15)
    assert diary.words() == ["begin", "interrupted", "tidied"]
    assert "Crashed" not in place.state_names(run)


def test_cancelling_a_flow_frees_the_dask_worker_it_waits_for(place, worker, diary, cluster):  # noqa: F811
    with cluster.client() as client:
        client.wait_for_workers(1, timeout=30)
        run = place.order("on-dask", diary=str(diary), address=cluster.address, seconds=4)
        wait_for(lambda: any(client.processing().values()), what="the task's start")
        place.cancel(run)
        place.wait_for_state(run, "Cancelled", timeout_s=15)
        wait_for(lambda: not any(client.processing().values()), what="the task's release")
        assert diary.words() == ["begin"]


@pytest.mark.slow
def test_runs_leave_no_memory_behind(place, worker, diary):
    process = psutil.Process(worker.pid)

    def work_off(count):
        already = diary.words().count("begin")
        for _ in range(count):
            place.order("stamp", diary=str(diary))
        diary.wait_for("begin", count=already + count, timeout_s=150)
        return process.memory_info().rss

    settled = work_off(80)  # lanes and caches fill in the first ones
    assert work_off(50) - settled < 6 * 2**20
    assert process.num_threads() < 60


def test_cancelling_before_the_start_is_cancelled(place, worker, diary):
    deployment = place.deployment("wait")
    later = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2100-01-01T00:00:00Z"}}
    body = {"parameters": {"diary": str(diary), "seconds": 1}, "state": later}
    run = place.post(f"/deployments/{deployment['id']}/create_flow_run", body)["id"]
    place.cancel(run)
    place.wait_for_state(run, "Cancelled")
    assert diary.words() == []


def test_the_concurrency_limit_of_a_deployment_holds(place, worker, diary):
    runs = [place.order("wait", diary=str(diary), seconds=3) for _ in range(5)]
    for run in runs:
        place.wait_for_state(run, "Completed", timeout_s=60)
    steps = [{"begin": 1, "end": -1}.get(word, 0) for word in diary.words()]
    assert max(itertools.accumulate(steps)) == 3


def test_a_deployment_of_a_flow_the_worker_does_not_have_fails_with_a_sentence(place, worker):
    flow = place.post("/flows/", {"name": "stranger"})["id"]
    body = {"name": "warm", "flow_id": flow, "entrypoint": "os.py:system", "work_pool_name": "warm"}
    deployment = place.post("/deployments/", body)["id"]
    run = place.post(f"/deployments/{deployment}/create_flow_run", {})["id"]
    place.wait_for_state(run, "Failed")
    assert "has no flow 'os.py:system'" in place.run(run)["state"]["message"]


def test_a_second_worker_of_the_same_name_is_refused(place, worker):
    second = place.start_worker("unharmed", wait=False)
    assert second.popen.wait(60) != 0
    assert "already runs on the home" in second.log.read_text()
