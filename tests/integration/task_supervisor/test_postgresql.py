"""The same races on a real PostgreSQL: one winner, one task for each key, one answer."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy
from starlette.testclient import TestClient

from service_kit.accounts import Role
from task_supervisor.app import create_app
from task_supervisor.settings import TaskSupervisorSettings

from .conftest import TEMPLATE

pytestmark = pytest.mark.integration


@pytest.fixture
def clients(postgres_url: str, tmp_path: Path):
    name = f"supervisor_{uuid.uuid4().hex[:8]}"
    engine = sqlalchemy.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    url = sqlalchemy.make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    settings = TaskSupervisorSettings(
        accounts_database_url=f"sqlite:///{tmp_path}/accounts.db",
        supervisor_database_url=url,
        governor_url="http://governor.test",
    )
    app = create_app(settings)
    scopes = ["supervisor:read", "supervisor:write", "supervisor:answer"]
    app.state.accounts.create_user("root", None, display_name="Root", email="root@example.org")
    app.state.accounts.grant("root", Role.admin)
    token = app.state.accounts.issue_token("root", "t", scopes)
    made = [TestClient(app, headers={"Authorization": f"Bearer {token}"}) for _ in range(8)]
    made[0].post("/api/v1/task_templates", json={"label": "brain_mask_review", "content": TEMPLATE})
    yield made
    app.state.tasks.database.dispose()


def at_once(clients, call):
    with ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(call, clients))


BODY = {"project": "brain", "template": "brain_mask_review", "content": {}}


def test_one_key_is_one_task(clients):
    answers = at_once(clients, lambda one: one.post("/api/v1/tasks", json=BODY, headers={"Idempotency-Key": "k"}))
    assert {answer.json()["id"] for answer in answers} == {answers[0].json()["id"]}
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]


def test_one_of_eight_claims_wins_and_one_answer_counts(clients):
    task_id = clients[0].post("/api/v1/tasks", json=BODY).json()["id"]
    answers = at_once(clients, lambda one: one.post(f"/api/v1/tasks/{task_id}/claim"))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    token = next(answer.json()["token"] for answer in answers if answer.status_code == 200)
    body = {"token": token, "answer": {"decision": "accept", "comment": ""}}
    settled = at_once(clients, lambda one: one.post(f"/api/v1/tasks/{task_id}/submit", json=body))
    assert {(answer.status_code, answer.json()["revision"]) for answer in settled} == {(200, 1)}
    other = {"token": token, "answer": {"decision": "reject", "comment": ""}}
    refused = at_once(clients, lambda one: one.post(f"/api/v1/tasks/{task_id}/submit", json=other))
    assert {answer.status_code for answer in refused} == {409}
    assert clients[0].get(f"/api/v1/tasks/{task_id}/draft").json()["answer"]["decision"] == "reject"


def test_next_gives_every_client_another_task(clients):
    for _ in range(8):
        clients[0].post("/api/v1/tasks", json=BODY)
    answers = at_once(clients, lambda one: one.post("/api/v1/tasks/next"))
    won = [answer.json()["task"]["id"] for answer in answers if answer.status_code == 200]
    assert len(won) == len(set(won)) == 8


def test_listings_and_filters_answer(clients):
    clients[0].post("/api/v1/tasks", json=BODY | {"tags": ["a"], "users": ["root"]})
    for query in ("", "?tag=a", "?user=root", "?status=queued", "?status=claimed", "?template=brain_mask_review"):
        assert clients[0].get(f"/api/v1/tasks{query}").status_code == 200
