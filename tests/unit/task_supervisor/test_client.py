"""The typed client against the real app, over real HTTP."""

import threading
import time

import pytest
import uvicorn

from task_supervisor.client import SupervisorClient, SupervisorRejected, SupervisorUnavailable
from task_supervisor.contract.schemas import TaskIn
from task_supervisor.contract.states import TaskStatus

from .conftest import GOVERNOR, TEMPLATE


@pytest.fixture
def url(house):
    server = uvicorn.Server(uvicorn.Config(house.app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_a_program_makes_a_task_and_a_persons_script_answers_it(house, url):
    with SupervisorClient(url, house.tokens["flows"]) as flows, SupervisorClient(url, house.tokens["ada"]) as ada:
        assert flows.put_template("brain_mask_review", TEMPLATE).version == 1
        body = TaskIn(
            project="brain",
            template="brain_mask_review",
            content={"measurements": []},
            callback_url=f"{GOVERNOR}/x",
            callback_content={"secret_key": "s"},
        )
        task = flows.create_task(body, idempotency_key="execution-7")
        assert flows.create_task(body, idempotency_key="execution-7").id == task.id
        claim = ada.next("brain")
        assert claim.task.id == task.id
        assert ada.renew(task.id, token=claim.token).token == claim.token
        done = ada.submit(task.id, token=claim.token, answer={"decision": "accept", "comment": ""})
        assert done.status is TaskStatus.DONE
        assert [one.id for one in flows.tasks(project="brain", status="done")] == [task.id]
        with pytest.raises(SupervisorRejected, match="No open task is left") as refused:
            ada.next()
        assert refused.value.status == 404
    deadline = time.monotonic() + 5
    while not house.governor.received and time.monotonic() < deadline:
        time.sleep(0.05)
    assert house.governor.received[0][1]["result_values"]["decision"] == "accept"


def test_listing_follows_the_cursor(house, url):
    ids = [house.make_task()["id"] for _ in range(5)]
    with SupervisorClient(url, house.tokens["ada"]) as ada:
        assert [task.id for task in ada.tasks(limit=2)] == ids


def test_a_server_that_is_not_there_is_unavailable():
    with SupervisorClient("http://127.0.0.1:9") as nobody, pytest.raises(SupervisorUnavailable):
        nobody.task(1)
