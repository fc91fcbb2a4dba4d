"""Orders of flows: at least once, once by key; those whose worker died are ordered again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from service_kit.errors import InvalidInput
from service_kit.flow_orders import FlowRunState
from study_governor.contract.states import ExecutionResult, ExecutionStatus
from study_governor.db.tables import Outbox
from study_governor.engine.orders import MAX_ATTEMPTS
from tests.unit.study_governor.house import House

RELEASED_AT_ONCE = """\
label: release_v1
states:
  - {label: begin, callbacks: [], transitions: [{destination: releasing}]}
  - label: releasing
    callbacks: [{label: release, function: prefect_flow, callback_arguments: {deployment: release/warm}}]
    transitions: [{destination: released, condition: "callbacks['release'].result == 'success'"}, {destination: failed}]
  - {label: released, callbacks: []}
  - {label: failed, freetext: Waits for an operator, callbacks: [], transitions: [{destination: releasing}]}
"""
UNKNOWN_FUNCTION = """\
label: old_v1
states:
  - {label: begin, callbacks: [], transitions: [{destination: work}]}
  - label: work
    callbacks: [{label: prep, function: fastr, callback_arguments: {network_id: a}}]
    transitions: [{destination: done, condition: "callbacks['prep'].result == 'success'"}, {destination: failed}]
  - {label: done, callbacks: []}
  - {label: failed, freetext: Waits for an operator, callbacks: [], transitions: [{destination: work}]}
"""


def test_the_flow_of_a_state_is_ordered_with_the_executions_id(house):
    session = house.new_session()
    assert house.dispatch() == 1
    execution = house.execution(session)
    assert house.flows.ordered == {f"execution-{execution}-1": ("extract-biomarkers/warm", {"execution_id": execution})}
    record = house.record(execution)
    assert (record.status, record.flow_run_id) == (ExecutionStatus.QUEUED, f"run-execution-{execution}-1")
    assert house.dispatch() == 0


def test_a_review_task_is_ordered_through_its_own_flow(house):
    session = house.new_session()
    house.answer(house.execution(session), outcome="measured")
    house.dispatch()
    execution = house.execution(session)
    assert house.flows.ordered[f"execution-{execution}-1"] == ("request-review/warm", {"execution_id": execution})


def test_an_order_waits_for_a_flow_server_that_is_away(house):
    session = house.new_session()
    house.flows.available = False
    assert house.dispatch() == 1
    assert house.record(house.execution(session)).status == ExecutionStatus.CREATED
    assert not house.flows.ordered


def test_an_order_that_the_flow_server_refuses_fails_the_execution_with_the_reason(house):
    session = house.new_session()

    def refuse(*_arguments, **_named):
        raise InvalidInput("The deployment refuses these parameters.")

    house.flows.order = refuse
    house.dispatch()
    assert house.state(session) == "failed"
    assert "could not be started: The deployment refuses" in house.session(session).why


def test_a_flow_that_reports_before_the_order_is_noted_keeps_its_status(house):
    session = house.new_session()
    execution = house.execution(session)
    order = house.flows.order

    def order_and_run(*arguments, **named):
        house.answer(execution, ExecutionStatus.RUNNING)
        return order(*arguments, **named)

    house.flows.order = order_and_run
    house.dispatch()
    record = house.record(execution)
    assert record.status == ExecutionStatus.RUNNING
    assert record.flow_run_id is not None


def test_what_the_session_left_behind_is_not_ordered(house):
    session, _ = house.in_review()
    house.flows.ordered.clear()
    house.engine.move(session, destination="rejected", actor="anna")
    house.dispatch()
    assert [flow for flow, _ in house.flows.ordered.values()] == ["withdraw/warm"]


def test_a_function_that_nothing_runs_fails_with_a_sentence_that_names_it(database):
    house = House(database, workflow=UNKNOWN_FUNCTION)
    session = house.new_session()
    execution = house.execution(session)
    house.dispatch()
    assert house.record(execution).result == ExecutionResult.FAILED
    assert house.state(session) == "failed"
    assert "nothing here runs the function 'fastr' of callback 'prep'" in house.session(session).why


def die(house, execution, state="CRASHED"):
    run = house.record(execution).flow_run_id
    if state is None:
        del house.flows.states[run]
    else:
        house.flows.states[run] = FlowRunState(state, state.capitalize())


def test_a_flow_run_that_died_is_ordered_again_at_once_and_only_once(house):
    session = house.new_session()
    house.dispatch()
    execution = house.execution(session)
    house.answer(execution, ExecutionStatus.RUNNING)
    die(house, execution)
    assert house.governor.orders.reconcile() == 1
    assert house.governor.orders.reconcile() == 0
    assert house.dispatch() == 1
    assert set(house.flows.ordered) == {f"execution-{execution}-1", f"execution-{execution}-2"}
    record = house.record(execution)
    assert (record.attempt, record.status) == (2, ExecutionStatus.QUEUED)
    assert "Attempt 1: the flow run ended as Crashed without an answer" in record.result_log
    house.answer(execution, outcome="measured")
    assert house.state(session) == "review"


def test_a_flow_run_at_work_is_left_alone(house):
    session = house.new_session()
    house.dispatch()
    die(house, house.execution(session), "RUNNING")
    assert house.governor.orders.reconcile() == 0


def test_an_execution_that_waits_for_a_person_needs_no_flow_run(house):
    _session, execution = house.in_review()
    house.dispatch()
    die(house, execution, "COMPLETED")
    assert house.governor.orders.reconcile() == 0


def test_a_flow_run_that_dies_again_and_again_fails_the_execution(house):
    session = house.new_session()
    execution = house.execution(session)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        house.dispatch()
        with house.database.write() as uow:
            from study_governor.db.tables import ExecutionRow

            row = uow.session.get(ExecutionRow, execution)
            assert row.attempt == attempt
            if row.flow_run_id is None:  # the order has a delay; take it now
                row.flow_run_id = f"run-{attempt}"
                row.ordered_at = row.created - timedelta(minutes=5)
                house.flows.states[row.flow_run_id] = FlowRunState("RUNNING", "Running")
            uow.session.add(row)
        die(house, execution, "FAILED")
        house.governor.orders._asked_at.clear()
        house.governor.orders.reconcile()
    assert house.state(session) == "failed"
    assert "for the 5th time" in house.session(session).why


def test_a_cancelled_flow_run_fails_the_execution_at_once(house):
    session = house.new_session()
    house.dispatch()
    die(house, house.execution(session), "CANCELLED")
    house.governor.orders.reconcile()
    assert house.state(session) == "failed"
    assert "was cancelled" in house.session(session).why


def test_a_flow_run_that_the_server_does_not_know_is_given_some_time(house):
    session = house.new_session()
    house.dispatch()
    die(house, house.execution(session), None)
    assert house.governor.orders.reconcile() == 0
    assert house.record(house.execution(session)).attempt == 1


def withdrawals(house):
    return [said["execution_id"] for flow, said in house.flows.ordered.values() if flow == "withdraw/warm"]


def timed_out(house, session):
    house.later = timedelta(minutes=61)
    house.engine.check_timeouts()


def moved_by_hand(house, session):
    house.engine.move(session, destination="rejected", actor="anna")


def begun_again(house, session):
    images_change(house)


@pytest.mark.parametrize("end", [timed_out, moved_by_hand, begun_again])
def test_whoever_was_asked_is_asked_no_more_once_the_session_leaves_the_review_without_an_answer(house, end):
    session, execution = house.in_review(content_sha256="a" * 64)
    end(house, session)
    house.dispatch()
    assert withdrawals(house) == [execution]


def test_an_answered_review_is_not_withdrawn(house):
    _, execution = house.in_review()
    house.answer(execution, decision="accept")
    house.dispatch()
    assert withdrawals(house) == []


def images_change(house, digest="b"):
    return house.new_session(content_sha256=digest * 64)


def released(house):
    session = house.new_session(content_sha256="a" * 64)
    release = house.execution(session)
    house.answer(release)
    assert house.state(session) == "released"
    return session, release


def test_a_released_session_whose_images_changed_leaves_the_release_in_the_same_transaction(database):
    house = House(database, workflow=RELEASED_AT_ONCE)
    session, release = released(house)
    house.dispatch()
    assert withdrawals(house) == []
    images_change(house)
    house.dispatch()
    assert withdrawals(house) == [release]
    house.answer(house.execution(session), result=ExecutionResult.FAILED)
    images_change(house, "c")
    house.dispatch()
    assert len(withdrawals(house)) == 2


def test_a_withdrawal_whose_run_died_is_ordered_again_until_one_comes_to_its_end(database):
    house = House(database, workflow=RELEASED_AT_ONCE)
    _, release = released(house)
    images_change(house)
    for state in ("CRASHED", "COMPLETED"):
        house.dispatch()
        newest = [run for run in house.flows.states if run.startswith("run-withdrawal")][-1]
        house.flows.states[newest] = FlowRunState(state, state)
        hurry(house)
    house.dispatch()
    assert withdrawals(house) == [release, release]
    assert order_of(house) == "delivered"


def test_a_withdrawal_that_never_succeeds_is_given_up_and_moves_no_session(database):
    house = House(database, workflow=RELEASED_AT_ONCE)
    session, _ = released(house)
    images_change(house)
    for _ in range(MAX_ATTEMPTS + 1):
        house.dispatch()
        for run in house.flows.states:
            house.flows.states[run] = FlowRunState("FAILED", "Failed")
        hurry(house)
    assert order_of(house) == "dead"
    assert house.state(session) == "releasing"


def order_of(house):
    with house.database.read() as uow:
        return uow.session.exec(select(Outbox.status).where(Outbox.kind == "withdrawal")).one()


def hurry(house):
    """Let what is postponed be due."""
    with house.database.write() as uow:
        for row in uow.session.exec(select(Outbox)).all():
            row.available_at = row.created_at
            uow.session.add(row)
