"""What counts no more is taken back: the rows of a session in the release, the task that nobody answered in time."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta

import pytest

from service_kit.tables import utc_now
from study_governor.client import GovernorClient
from task_supervisor.client import SupervisorClient

NUMBERS = itertools.count(1)


@pytest.fixture
def label():
    return f"BV-W{next(NUMBERS):03}"


def in_the_table(house, label) -> bool:
    table = house.folder / "releases" / "brain-volumetry" / "brain-volumetry.json"
    return label in {row["session"] for row in json.loads(table.read_text())}


def tasks_of(house, execution):
    return [str(task.status) for task in house.supervisor.tasks(idempotency_key=f"execution-{execution}")]


def withdraw_all(house, run) -> list[str]:
    """Run every withdrawal that was ordered, twice: the second time nothing is left."""
    house.dispatch()
    outcomes = [run("withdraw", **said) for said in house.ordered("withdraw")]
    assert {run("withdraw", **said) for said in house.ordered("withdraw")} <= {"nothing", "withdrawn"}
    return outcomes


def release(house, run, session) -> None:
    assert run("release", execution_id=house.execution(session.id)) == "released"
    assert house.governor.experiment(session.id).state == "released"


def test_a_released_number_does_not_outlive_the_rejection_of_later_images(house, run, label):
    release(house, run, house.in_state(label, "releasing"))
    assert in_the_table(house, label)
    again = house.in_state(label, "review", digest="b")
    withdraw_all(house, run)
    assert not in_the_table(house, label)
    rejected = {"decision": "reject"}
    house.governor.answer(house.execution(again.id), status="finished", result="success", result_values=rejected)
    assert house.governor.experiment(again.id).state == "rejected"
    assert not in_the_table(house, label)


def test_a_withdrawal_that_comes_late_leaves_what_was_released_anew(house, run, label):
    release(house, run, house.in_state(label, "releasing"))
    release(house, run, house.in_state(label, "releasing", digest="b"))
    withdraw_all(house, run)
    assert in_the_table(house, label)


def test_a_release_that_was_overtaken_while_it_was_written_takes_itself_back(house, run, label, monkeypatch):
    session = house.in_state(label, "releasing")
    execution, answer = house.execution(session.id), GovernorClient.answer

    def answer_too_late(self, *labels, **said):
        if said["status"] == "finished":
            monkeypatch.setattr(GovernorClient, "answer", answer)
            house.in_state(label, "extracting", digest="b")
        return answer(self, *labels, **said)

    monkeypatch.setattr(GovernorClient, "answer", answer_too_late)
    assert run("release", execution_id=execution) == "closed"
    assert not in_the_table(house, label)


@pytest.fixture
def later(house):
    """Let the governor's clock go on."""
    engine = house.governor_app.state.governor.engine
    clock = engine._clock

    def go_on(**by) -> None:
        engine._clock = lambda: utc_now() + timedelta(**by)

    yield go_on
    engine._clock = clock


def test_a_review_that_nobody_answered_in_time_is_asked_no_more(house, run, label, later):
    session = house.in_state(label, "review")
    execution = house.execution(session.id)
    assert run("request_review", execution_id=execution) == "waiting"
    assert tasks_of(house, execution) == ["queued"]
    later(days=29)
    house.governor_app.state.governor.engine.check_timeouts()
    assert house.governor.experiment(session.id).state == "review_overdue"
    assert "withdrawn" in withdraw_all(house, run)
    assert tasks_of(house, execution) == ["aborted"]


def test_a_task_made_while_the_session_went_on_is_aborted_at_once(house, run, label, monkeypatch):
    session = house.in_state(label, "review")
    execution, create = house.execution(session.id), SupervisorClient.create_task

    def create_while_images_change(self, *task, **said):
        house.in_state(label, "extracting", digest="b")
        return create(self, *task, **said)

    monkeypatch.setattr(SupervisorClient, "create_task", create_while_images_change)
    assert run("request_review", execution_id=execution) == "closed"
    assert tasks_of(house, execution) == ["aborted"]
