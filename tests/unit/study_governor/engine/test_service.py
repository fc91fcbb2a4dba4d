"""The engine: one transaction is one decision; an answer counts once, and only for where the session is."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlmodel import select

from study_governor.contract.errors import (
    AnswerRefused,
    AnswerTooLate,
    ConditionNotMet,
    MovedMeanwhile,
    NoTransition,
    StateUnknown,
    ThingUnknown,
)
from study_governor.contract.states import Attention, ExecutionResult, ExecutionStatus
from study_governor.db.tables import LateAnswerRow, Outbox
from study_governor.engine.records import Answer
from tests.unit.study_governor.house import BADLY, DONE, TWO_CALLBACKS, WELL, House


def outbox(house):
    with house.database.read() as uow:
        return uow.session.exec(select(Outbox.kind, Outbox.key).order_by(Outbox.id)).all()


def late(house):
    with house.database.read() as uow:
        return uow.session.exec(select(LateAnswerRow.execution_id, LateAnswerRow.result)).all()


def at_once(count, do):
    """Call ``do(n)`` from many threads at the same moment; return what each came to."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(n):
        barrier.wait()
        try:
            results[n] = do(n)
        except Exception as error:
            results[n] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_a_new_session_takes_its_first_step_and_orders_its_flow_in_one_transaction(house):
    session = house.new_session()
    assert house.state(session) == "extracting"
    (action,) = house.actions(session)
    assert (action.source_state, action.state, action.trigger, action.actor) == (
        "arrived",
        "extracting",
        "created",
        "intake",
    )
    assert outbox(house) == [("flow", f"execution-{house.execution(session)}-1")]


def test_the_same_session_twice_is_one(house):
    first, second = house.new_session(), house.new_session()
    assert first == second
    assert len(house.actions(first)) == 1
    assert len(outbox(house)) == 1


def test_nothing_is_stored_when_the_transaction_fails(house):
    house.engine.enter = lambda *_args, **_named: (_ for _ in ()).throw(RuntimeError("power cut"))
    with pytest.raises(RuntimeError):
        house.new_session()
    with house.database.read() as uow, pytest.raises(ThingUnknown):
        house.governor.experiments.find(uow.session, "brain", "sub1", "sub1_MR_20240501")


def test_a_session_goes_all_the_way(house):
    session = house.new_session()
    execution = house.execution(session)
    house.answer(execution, ExecutionStatus.RUNNING)
    house.answer(execution, outcome="measured")
    assert house.state(session) == "review"
    assert house.session(session).variable_map == {"outcome": "measured"}
    review = house.execution(session)
    house.answer(review, ExecutionStatus.WAITING, task_uri="/api/v1/tasks/1")
    house.answer(review, decision="accept", actor="reader")
    assert house.state(session) == "released"
    assert house.session(session).attention is None
    actions = house.actions(session)
    assert [(one.state, one.actor, one.trigger) for one in actions] == [
        ("extracting", "intake", "created"),
        ("review", "flow", "answer"),
        ("released", "reader", "answer"),
    ]
    assert all(one.success and one.end_time for one in actions)
    assert house.record(review).result_values == {"task_uri": "/api/v1/tasks/1", "decision": "accept"}
    assert '"test_result": true' in actions[0].return_value


def test_a_failure_waits_for_an_operator_with_its_cause(house):
    session = house.new_session()
    house.answer(house.execution(session), result=BADLY, reason="no T1-weighted scan could be read")
    found = house.session(session)
    assert (found.state, found.attention) == ("failed", Attention.OPERATOR)
    assert found.why == "The measurement failed: no T1-weighted scan could be read"
    house.engine.move(session, destination="extracting", actor="anna", freetext="scan was sent again")
    assert house.state(session) == "extracting"
    assert house.session(session).attention is None
    assert house.actions(session)[-1].freetext == "scan was sent again"


def test_a_condition_that_raises_leaves_the_session_listed_as_stuck_and_it_can_be_answered_no_more(house):
    session = house.new_session()
    house.answer(house.execution(session), outcome="something else")
    found = house.session(session)
    assert (found.state, found.attention) == ("extracting", Attention.STUCK)
    assert "no transition holds" in found.why
    with pytest.raises(ConditionNotMet):
        house.engine.move(session, destination="failed", actor="anna")


def test_failed_executions_set_no_variables(house):
    session = house.new_session()
    house.answer(house.execution(session), result=BADLY, outcome="measured")
    assert house.session(session).variable_map == {}


def test_a_repeated_answer_is_recorded_and_moves_nothing(house):
    session = house.new_session()
    execution = house.execution(session)
    house.answer(execution, outcome="measured")
    with pytest.raises(AnswerTooLate, match="recorded"):
        house.answer(execution, outcome="measured")
    assert len(house.actions(session)) == 2
    assert late(house) == [(execution, "success")]


def test_an_answer_after_a_manual_move_is_recorded_and_moves_nothing(house):
    session, execution = house.in_review()
    house.answer(execution, decision="accept")
    other, stale = house.in_review(label="sub1_MR_20240601")
    assert house.state(session) == "released"
    house.engine.move(other, destination="rejected", actor="anna")
    assert house.record(stale).status == ExecutionStatus.FINISHED
    assert house.record(stale).result == ExecutionResult.NONE
    with pytest.raises(AnswerTooLate):
        house.answer(stale, decision="accept")
    assert house.state(other) == "rejected"


def test_a_status_never_goes_back(house):
    _session, execution = house.in_review()
    house.answer(execution, ExecutionStatus.RUNNING)
    assert house.record(execution).status == ExecutionStatus.WAITING


@pytest.mark.parametrize(
    "answer",
    [
        Answer(DONE),
        Answer(DONE, ExecutionResult.NONE),
        Answer(DONE, ExecutionResult.TIMEOUT),
        Answer(ExecutionStatus.SKIPPED),
        Answer(DONE, WELL, {"a": float("nan")}),
        Answer(DONE, WELL, {"a": "x" * 1_100_000}),
    ],
)
def test_an_incomplete_answer_is_refused(house, answer):
    session = house.new_session()
    with pytest.raises(AnswerRefused):
        house.engine.answer(house.execution(session), answer, actor="flow")
    assert house.state(session) == "extracting"


def test_a_secret_never_stays_in_results_or_logs(house):
    session = house.new_session()
    execution = house.execution(session)
    secret = house.record(execution, with_secret=True).secret_key
    assert len(secret) == 256
    answer = Answer(DONE, WELL, {"echo": f"key {secret}\x00"}, run_log=f"sent {secret}\x00")
    house.engine.answer(execution, answer, actor="flow")
    record = house.record(execution)
    assert record.result_values == {"echo": "key ***"}
    assert record.run_log == "sent ***"
    assert record.secret_key is None


def test_what_nobody_knows_is_not_found(house):
    with pytest.raises(ThingUnknown):
        house.answer(99)
    with pytest.raises(ThingUnknown):
        house.engine.move(99, destination="x", actor="anna")
    session = house.new_session()
    with pytest.raises(StateUnknown):
        house.engine.move(session, destination="nowhere", actor="anna")
    with pytest.raises(NoTransition):
        house.engine.move(session, destination="released", actor="anna")


def test_a_move_on_what_was_seen_before_is_refused(house):
    session = house.new_session()
    seen = house.session(session).version
    house.answer(house.execution(session), result=BADLY)
    with pytest.raises(MovedMeanwhile):
        house.engine.move(session, destination="extracting", actor="anna", expected_version=seen)


def test_callbacks_run_side_by_side_and_the_last_one_moves_the_session(database):
    house = House(database, workflow=TWO_CALLBACKS)
    session = house.new_session()
    one, two, never = house.executions(session)
    assert never.status == ExecutionStatus.SKIPPED
    assert len(outbox(house)) == 2
    house.answer(two.id)
    assert house.state(session) == "work"
    house.answer(one.id, result=BADLY)
    assert house.state(session) == "work_again"
    assert not house.actions(session)[0].success


def test_of_many_equal_answers_at_once_exactly_one_moves_the_session(house):
    session, execution = house.in_review()
    results = at_once(8, lambda n: house.answer(execution, decision="accept", actor=f"reader{n}"))
    assert sum(result is None for result in results) == 1
    assert sum(isinstance(result, AnswerTooLate) for result in results) == 7
    assert [one.state for one in house.actions(session)] == ["extracting", "review", "released"]
    assert len(late(house)) == 7


def test_of_many_moves_at_once_exactly_one_happens_even_where_a_state_leads_to_itself(database):
    house = House(database, workflow=TWO_CALLBACKS)
    session = house.new_session()
    for execution in house.executions(session)[:2]:
        house.answer(execution.id)
    seen = house.session(session).version
    results = at_once(
        8, lambda _n: house.engine.move(session, destination="work_again", actor="anna", expected_version=seen)
    )
    assert sum(isinstance(result, MovedMeanwhile) for result in results) == 7
    assert [one.state for one in house.actions(session)] == ["work", "work_again", "work_again"]


def test_the_last_two_callbacks_answered_at_once_move_the_session_exactly_once(database):
    house = House(database, workflow=TWO_CALLBACKS)
    for number in range(5):
        session = house.new_session(label=f"s{number}")
        one, two, _ = house.executions(session)
        assert at_once(2, lambda n, pair=(one, two): house.answer(pair[n].id)) == [None, None]
        assert [action.state for action in house.actions(session)] == ["work", "work_again"]


def test_the_same_session_registered_by_many_at_once_is_one(house):
    results = at_once(8, lambda _n: house.new_session())
    assert len(set(results)) == 1
    assert len(house.actions(results[0])) == 1


def test_running_too_long_is_a_timeout_and_goes_on(house):
    session = house.new_session()
    execution = house.execution(session)
    house.answer(execution, ExecutionStatus.RUNNING)
    house.later = timedelta(minutes=9)
    assert house.engine.check_timeouts() == (0, 0)
    house.later = timedelta(minutes=11)
    assert house.engine.check_timeouts() == (1, 0)
    assert house.state(session) == "failed"
    assert house.session(session).why == "The measurement failed: It ran longer than 10 minutes."
    assert house.actions(session)[-1].trigger == "timeout"
    with pytest.raises(AnswerTooLate):
        house.answer(execution, outcome="measured")


def test_waiting_too_long_is_a_timeout_and_0_minutes_are_for_ever(house):
    session, _ = house.in_review()
    house.later = timedelta(minutes=61)
    assert house.engine.check_timeouts() == (0, 1)
    assert house.state(session) == "overdue"


def test_an_execution_that_never_begins_times_out_too(house):
    session = house.new_session()
    house.later = timedelta(hours=23)
    assert house.engine.check_timeouts() == (0, 0)
    house.later = timedelta(hours=25)
    assert house.engine.check_timeouts() == (1, 0)
    assert house.state(session) == "failed"
