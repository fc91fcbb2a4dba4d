"""Kill the worker or the server in the middle of a run: the run ends all the same, under the id it had."""

import os
import time

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def _nothing_to_do(place):
    place.delete_runs()


@pytest.fixture
def alone(place):
    """End the workers that tests before left to those after them."""
    place.end_workers()


def test_a_run_of_a_killed_worker_runs_again_under_the_same_id(place, diary):
    worker = place.worker("mortal")
    run = place.order("until-told", diary=str(diary))
    diary.wait_for("begin")
    worker.kill()
    place.start_worker("mortal")
    diary.wait_for("begin", count=2)
    diary.write("go")
    place.wait_for_state(run, "Completed")
    assert diary.words() == ["begin", "begin", "go", "end"]
    assert place.run(run)["run_count"] == 2
    assert place.state_names(run).count("Completed") == 1


def test_a_limit_is_free_again_after_its_holders_were_killed(place, diary):
    worker = place.worker("mortal")
    runs = [place.order("wait", diary=str(diary), seconds=3) for _ in range(3)]
    diary.wait_for("begin", count=3)
    worker.kill()
    place.start_worker("mortal")
    for run in runs:
        place.wait_for_state(run, "Completed", timeout_s=60)


def test_a_run_cancelled_after_its_worker_was_killed_is_cancelled(place, diary):
    worker = place.worker("mortal")
    run = place.order("wait", diary=str(diary), seconds=30)
    diary.wait_for("begin")
    worker.kill()
    place.cancel(run)
    place.start_worker("mortal")
    place.wait_for_state(run, "Cancelled", timeout_s=30)
    assert diary.words() == ["begin"]


@pytest.mark.slow
def test_another_worker_takes_over_when_the_heartbeat_is_overdue(place, alone, diary):
    first = place.start_worker("first")
    run = place.order("until-told", diary=str(diary))
    diary.wait_for("begin")
    second = place.start_worker("second")
    time.sleep(2)
    assert place.state(run) == "Running"
    assert diary.words() == ["begin"], "a living worker's run was taken"
    first.kill()
    diary.wait_for("begin", count=2, timeout_s=60)
    diary.write("go")
    place.wait_for_state(run, "Completed")
    assert diary.pids() == {first.pid, second.pid}
    second.terminate()


def test_sigterm_lets_a_short_run_finish_and_takes_the_worker_off_the_list(place, alone, diary):
    names = lambda: [row["name"] for row in place.post("/work_pools/warm/workers/filter", {})]  # noqa: E731
    worker = place.start_worker("leaving")
    run = place.order("wait", diary=str(diary), seconds=1)
    diary.wait_for("begin")
    assert "leaving" in names()
    assert worker.terminate() < 8
    assert place.state(run) == "Completed"
    assert "leaving" not in names()


def test_sigterm_hands_a_long_run_back_to_the_next_worker(place, alone, diary):
    worker = place.start_worker("leaving")
    run = place.order("wait", diary=str(diary), seconds=8)
    diary.wait_for("begin")
    assert worker.terminate() < 8
    assert diary.words() == ["begin", "interrupted", "tidied"]
    assert place.state(run) == "AwaitingRetry"
    assert "Crashed" not in place.state_names(run)
    place.start_worker("successor")
    place.wait_for_state(run, "Completed", timeout_s=60)


def test_sigterm_ends_a_worker_whose_flow_blocks_and_its_run_is_handed_back(place, diary):
    worker = place.worker("successor")
    run = place.order("block", diary=str(diary), seconds=60)
    diary.wait_for("begin")
    assert worker.terminate() < 8
    assert place.state(run) == "AwaitingRetry"
    place.client.delete(f"/flow_runs/{run}")


@pytest.mark.slow
def test_runs_outlive_a_killed_server(place, alone, diary):
    worker = place.start_worker("patient")
    running = place.order("until-told", diary=str(diary))
    diary.wait_for("begin")
    place.server.kill()
    diary.write("go")
    time.sleep(3)
    place.start_server()
    ordered = place.order("stamp", diary=str(diary), word="later")
    place.wait_for_state(running, "Completed", timeout_s=120)
    place.wait_for_state(ordered, "Completed", timeout_s=120)
    assert worker.popen.poll() is None


@pytest.mark.slow
def test_sigterm_ends_the_server_within_five_seconds_with_a_worker_connected(place):
    place.worker("patient")
    assert place.server is not None
    assert place.server.terminate() < 5
    assert not os.path.exists(f"/proc/{place.server.pid}/exe")
