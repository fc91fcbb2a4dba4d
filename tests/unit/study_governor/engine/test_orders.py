"""Orders of flows: at least once, once by key; those whose worker died are ordered again."""

from __future__ import annotations

from datetime import timedelta

from service_kit.errors import InvalidInput
from service_kit.flow_orders import FlowRunState
from study_governor.contract.states import ExecutionResult, ExecutionStatus
from study_governor.engine.orders import MAX_ATTEMPTS
from tests.unit.study_governor.house import House

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
    assert not house.flows.ordered


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
