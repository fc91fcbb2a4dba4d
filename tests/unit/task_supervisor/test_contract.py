"""States and errors: closed tables, and sentences that name nobody."""

import inspect
from datetime import UTC, datetime, timedelta

import pytest

from service_kit.errors import ServiceError
from service_kit.problems import status_of
from task_supervisor.contract import errors
from task_supervisor.contract.states import TRANSITIONS, LeaseToken, TaskId, TaskStatus, is_settled
from task_supervisor.domain.lifecycle import SOURCES, Holding, refused_claim, refused_token

NOW = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)


def holding(status=TaskStatus.CLAIMED, *, left_s=60, holder="bea"):
    return Holding(TaskId(7), status, LeaseToken(3), holder, NOW + timedelta(seconds=left_s))


def test_every_state_has_its_row_and_no_move_leads_out_of_the_table():
    assert set(TRANSITIONS) == set(TaskStatus)
    assert {target for targets in TRANSITIONS.values() for target in targets} <= set(TaskStatus)
    assert [status for status in TaskStatus if is_settled(status)] == [TaskStatus.DONE, TaskStatus.ABORTED]


def test_sources_are_the_table_read_backwards():
    assert SOURCES[TaskStatus.DONE] == (TaskStatus.CLAIMED,)
    assert SOURCES[TaskStatus.ABORTED] == (TaskStatus.QUEUED, TaskStatus.CLAIMED)


def test_every_error_stands_in_the_tree_and_has_a_status():
    own = [
        kind for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, ServiceError) and kind.__module__ == errors.__name__
    ]  # fmt: skip
    assert own
    for kind in own:
        assert f"+-- {kind.__name__}" in (errors.__doc__ or ""), kind
        assert status_of(kind.__new__(kind)) in {400, 403, 404, 409, 503}


@pytest.mark.parametrize(
    ("task", "error", "words"),
    [
        (holding(), errors.TaskHeld, "Another person holds task 7 until 10:01 UTC"),
        (holding(holder="ada"), errors.TaskHeld, "You hold task 7"),
        (holding(TaskStatus.DONE), errors.TaskSettled, "is done already"),
    ],
)
def test_a_refused_claim_says_why_and_names_nobody(task, error, words):
    refused = refused_claim(task, username="ada", now=NOW)
    assert isinstance(refused, error)
    assert words in refused.detail
    assert "bea" not in refused.detail


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (holding(), "another person holds the task now"),
        (holding(left_s=-1), "the task is open; claim it again"),
        (holding(TaskStatus.QUEUED, holder=None), "the task is open; claim it again"),
        (holding(TaskStatus.DONE), "is done already"),
    ],
)
def test_a_stale_token_is_answered_with_a_clear_sentence(task, words):
    detail = refused_token(task, username="ada", now=NOW, draft_kept=True).detail
    assert words in detail
    assert detail.endswith("Your answer was not sent; it is kept as a draft.")
