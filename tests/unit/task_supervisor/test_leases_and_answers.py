"""Claim, renew, submit over the real app: one winner, fenced tokens, answers never lost."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

ACCEPT = {"decision": "accept", "comment": "fine"}


def claim(client: TestClient, task_id: int) -> int:
    response = client.post(f"/api/v1/tasks/{task_id}/claim")
    assert response.status_code == 200, response.text
    return response.json()["token"]


def submit(client: TestClient, task_id: int, token: int, answer=ACCEPT):
    return client.post(f"/api/v1/tasks/{task_id}/submit", json={"token": token, "answer": answer})


def let_lease_end(house, task_id: int) -> None:
    from datetime import timedelta

    from service_kit.tables import utc_now
    from task_supervisor.db.tables import TaskRow

    with house.app.state.tasks.database.write() as uow:
        row = uow.session.get(TaskRow, task_id)
        row.lease_expires_at = utc_now() - timedelta(seconds=1)
        uow.session.add(row)


def test_of_eight_clients_who_claim_at_once_one_wins(house):
    task_id = house.make_task()["id"]
    clients = [house.as_("ada" if number % 2 else "bea") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: one.post(f"/api/v1/tasks/{task_id}/claim"), clients))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert all(answer.json()["title"] == "Conflict" for answer in answers if answer.status_code == 409)


def test_eight_clients_who_ask_for_the_next_task_get_different_ones(house):
    for _ in range(6):
        house.make_task()
    clients = [house.as_("ada" if number % 2 else "bea") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: one.post("/api/v1/tasks/next"), clients))
    won = [answer.json()["task"]["id"] for answer in answers if answer.status_code == 200]
    assert len(won) == len(set(won)) == 6
    assert sorted(answer.status_code for answer in answers)[6:] == [404, 404]


def test_an_answer_settles_the_task_and_frees_the_lease(house):
    task_id = house.make_task()["id"]
    ada = house.as_("ada")
    token = claim(ada, task_id)
    answer = submit(ada, task_id, token)
    assert answer.status_code == 200
    assert answer.json()["status"] == "done"
    shown = ada.get(f"/api/v1/tasks/{task_id}").json()
    assert (shown["status"], shown["lease"], shown["answer"]) == ("done", None, ACCEPT)
    assert house.as_("bea").post(f"/api/v1/tasks/{task_id}/claim").status_code == 409


def test_submitting_twice_is_one_answer_and_one_callback(house):
    task_id = house.make_task()["id"]
    ada = house.as_("ada")
    token = claim(ada, task_id)
    first, second = submit(ada, task_id, token), submit(ada, task_id, token)
    assert first.json() == second.json()
    assert second.status_code == 200
    house.deliver()
    assert len(house.governor.received) == 1


def test_another_answer_to_a_done_task_is_refused_and_kept(house):
    task_id = house.make_task()["id"]
    ada = house.as_("ada")
    token = claim(ada, task_id)
    submit(ada, task_id, token)
    refused = submit(ada, task_id, token, {"decision": "reject", "comment": ""})
    assert refused.status_code == 409
    assert "is done already" in refused.json()["detail"]
    assert ada.get(f"/api/v1/tasks/{task_id}/draft").json()["answer"]["decision"] == "reject"


@pytest.mark.parametrize("offset", [-1, 1, 99])
def test_a_token_that_is_not_the_newest_cannot_submit(house, offset):
    task_id = house.make_task()["id"]
    ada = house.as_("ada")
    token = claim(ada, task_id)
    assert submit(ada, task_id, token + offset).status_code == 409
    assert ada.get(f"/api/v1/tasks/{task_id}").json()["status"] == "claimed"


def test_somebody_elses_token_cannot_submit(house):
    task_id = house.make_task()["id"]
    token = claim(house.as_("ada"), task_id)
    assert submit(house.as_("bea"), task_id, token).status_code == 409


def test_after_a_lease_ended_another_may_claim_and_the_first_ones_answer_is_kept_as_a_draft(house):
    task_id = house.make_task()["id"]
    ada, bea = house.as_("ada"), house.as_("bea")
    old = claim(ada, task_id)
    let_lease_end(house, task_id)
    assert ada.get(f"/api/v1/tasks/{task_id}").json()["status"] == "queued"
    new = claim(bea, task_id)
    assert new > old
    refused = submit(ada, task_id, old)
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["detail"] == (
        f"Your claim on task {task_id} has ended: another person holds the task now. "
        "Your answer was not sent; it is kept as a draft."
    )
    assert ada.get(f"/api/v1/tasks/{task_id}/draft").json() == {"answer": ACCEPT}
    assert bea.get(f"/api/v1/tasks/{task_id}/draft").status_code == 204
    assert submit(bea, task_id, new).status_code == 200


def test_a_lease_that_ended_still_counts_while_nobody_else_claimed(house):
    task_id = house.make_task()["id"]
    ada = house.as_("ada")
    token = claim(ada, task_id)
    let_lease_end(house, task_id)
    renewed = ada.post(f"/api/v1/tasks/{task_id}/renew", json={"token": token})
    assert renewed.status_code == 200
    assert renewed.json()["expires_in_s"] == 900
    let_lease_end(house, task_id)
    assert submit(ada, task_id, token).status_code == 200


def test_a_task_given_back_is_open_and_its_old_token_is_worth_nothing(house):
    task_id = house.make_task()["id"]
    ada = house.as_("ada")
    token = claim(ada, task_id)
    assert ada.post(f"/api/v1/tasks/{task_id}/release", json={"token": token}).status_code == 204
    assert ada.post(f"/api/v1/tasks/{task_id}/renew", json={"token": token}).status_code == 409
    assert submit(ada, task_id, token).status_code == 409
    assert claim(house.as_("bea"), task_id) == token + 1


def test_ones_own_running_claim_refuses_too_and_the_task_tells_its_holder_the_token(house):
    task_id = house.make_task()["id"]
    ada = house.as_("ada")
    token = claim(ada, task_id)
    again = ada.post(f"/api/v1/tasks/{task_id}/claim")
    assert again.status_code == 409
    assert "You hold task" in again.json()["detail"]
    assert ada.get(f"/api/v1/tasks/{task_id}").json()["lease"]["token"] == token
    assert house.as_("bea").get(f"/api/v1/tasks/{task_id}").json()["lease"]["token"] is None
    assert house.as_("coco").get(f"/api/v1/tasks/{task_id}").json()["lease"]["holder"] == "ada"


def test_an_answer_that_does_not_fit_the_form_is_refused_and_kept(house):
    task_id = house.make_task()["id"]
    ada = house.as_("ada")
    token = claim(ada, task_id)
    refused = submit(ada, task_id, token, {"decision": "perhaps"})
    assert refused.status_code == 400
    assert "must be one of accept, reject" in refused.json()["detail"]
    assert ada.get(f"/api/v1/tasks/{task_id}/draft").json()["answer"] == {"decision": "perhaps"}
    assert submit(ada, task_id, token).status_code == 200
    assert ada.get(f"/api/v1/tasks/{task_id}/draft").status_code == 204


def test_tasks_of_ones_own_come_first_then_the_oldest(house):
    house.make_task()
    mine = house.make_task(users=["ada"])["id"]
    assert house.as_("ada").post("/api/v1/tasks/next").json()["task"]["id"] == mine


def test_next_stays_in_the_study(house):
    house.make_task(project="chest")
    assert house.as_("ada").post("/api/v1/tasks/next", json={"project": "brain"}).status_code == 404
    assert house.as_("ada").post("/api/v1/tasks/next", json={"project": "chest"}).status_code == 200
