"""The answer on its way to the governor: once, retried, settled by a conflict, given up for good, sent again."""

import httpx
import pytest
from sqlmodel import select

from service_kit.outbox import Order
from task_supervisor.db import repository
from task_supervisor.db.tables import OutboxRow

from .conftest import GOVERNOR
from .test_leases_and_answers import ACCEPT, claim, submit


def answered(house, **changes) -> int:
    task_id = house.make_task(**changes)["id"]
    ada = house.as_("ada")
    assert submit(ada, task_id, claim(ada, task_id)).status_code == 200
    return task_id


def make_due(house) -> None:
    from service_kit.tables import utc_now

    with house.app.state.tasks.database.write() as uow:
        for row in uow.session.exec(select(OutboxRow)).all():
            row.available_at = utc_now()
            uow.session.add(row)


def callback(house, task_id: int) -> dict:
    return house.as_("coco").get(f"/api/v1/tasks/{task_id}").json()["callback"]


def test_the_governor_hears_the_decision_and_its_own_secret(house):
    task_id = answered(house)
    house.deliver()
    url, body = house.governor.received[0]
    assert url == f"{GOVERNOR}/api/v2/callback_executions/7"
    assert body == {
        "status": "finished",
        "result": "success",
        "secret_key": "s3cret",
        "result_values": {
            "decision": "accept",
            "comment": "fine",
            "answer": ACCEPT,
            "answered_by": "ada",
            "task_uri": f"http://site.test/tasks/{task_id}",
        },
    }
    assert callback(house, task_id)["status"] == "delivered"
    assert house.deliver() == 0


def test_the_order_holds_no_secret(house):
    answered(house)
    with house.app.state.tasks.database.read() as uow:
        rows = uow.session.exec(select(OutboxRow)).all()
        assert len(rows) == 1
        assert rows[0].payload.keys() == {"task_id"}


@pytest.mark.parametrize("trouble", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), 500, 503, 429])
def test_trouble_is_retried_and_visible(house, trouble):
    house.governor.answers = [trouble]
    task_id = answered(house)
    house.deliver()
    waiting = callback(house, task_id)
    assert (waiting["status"], waiting["attempts"]) == ("pending", 1)
    assert waiting["last_error"]
    make_due(house)
    house.deliver()
    assert callback(house, task_id)["status"] == "delivered"


def test_a_late_callback_answered_409_is_settled(house):
    house.governor.answers = [409]
    task_id = answered(house)
    house.deliver()
    assert callback(house, task_id)["status"] == "delivered"
    make_due(house)
    assert house.deliver() == 0


def test_a_callback_that_can_never_be_taken_is_given_up_and_can_be_sent_again(house):
    house.governor.answers = [422]
    task_id = answered(house)
    house.deliver()
    assert callback(house, task_id)["status"] == "failed"
    assert house.as_("ada").post(f"/api/v1/tasks/{task_id}/resend").status_code == 403
    coco = house.as_("coco")
    assert coco.post(f"/api/v1/tasks/{task_id}/resend").json()["status"] == "pending"
    house.deliver()
    assert callback(house, task_id)["status"] == "delivered"
    assert coco.post(f"/api/v1/tasks/{task_id}/resend").json()["status"] == "delivered"
    assert len(house.governor.received) == 2


def test_a_task_without_an_address_calls_nobody(house):
    task_id = answered(house, callback_url=None, callback_content=None)
    assert house.deliver() == 0
    assert callback(house, task_id)["status"] == "none"


def test_an_aborted_task_tells_the_governor_that_it_failed(house):
    task_id = house.make_task()["id"]
    assert house.as_("ada").post(f"/api/v1/tasks/{task_id}/abort", json={"reason": "x"}).status_code == 403
    assert house.as_("coco").post(f"/api/v1/tasks/{task_id}/abort", json={"reason": "wrong scan"}).status_code == 200
    assert house.as_("coco").post(f"/api/v1/tasks/{task_id}/abort", json={"reason": "again"}).status_code == 409
    house.deliver()
    body = house.governor.received[0][1]
    assert (body["result"], body["secret_key"]) == ("failed", "s3cret")
    assert "wrong scan" in body["run_log"]
    assert house.as_("ada").post(f"/api/v1/tasks/{task_id}/claim").status_code == 409


def test_a_refused_answer_orders_no_callback(house):
    task_id = house.make_task()["id"]
    ada = house.as_("ada")
    submit(ada, task_id, claim(ada, task_id), {"decision": "perhaps"})
    assert house.deliver() == 0


def test_what_became_of_an_order_is_written_once(house):
    task_id = answered(house)
    callbacks = house.app.state.callbacks
    order = Order(id=1, kind="callback", key=f"task-{task_id}", payload={"task_id": task_id}, attempts=1, lease="")
    callbacks.settled(order, outcome="accepted")
    callbacks.settled(order, outcome="accepted")
    with house.app.state.tasks.database.read() as uow:
        assert [one.kind for one in repository.events(uow, task_id)].count("callback") == 1
