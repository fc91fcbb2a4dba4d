"""Orders and their reconciliation: a worker may die at any moment."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from gateway.arrivals.processing import Processing
from gateway.arrivals.service import FLOW
from gateway.contract.ids import ArrivalId
from gateway.contract.schemas import Settlement
from gateway.contract.states import ArrivalState, Outcome
from gateway.db.tables import Outbox
from gateway.domain.arrivals import MAX_ATTEMPTS
from service_kit.errors import Unavailable
from service_kit.flow_orders import FlowRunState, MemoryFlowOrders
from service_kit.outbox import Dispatcher
from service_kit.tables import utc_now

ONE = ArrivalId(1)
CRASHED = FlowRunState("CRASHED", "Crashed")


@pytest.fixture
def flow_orders():
    return MemoryFlowOrders()


@pytest.fixture
def processing(database, arrivals, flow_orders):
    return Processing(database, arrivals, flow_orders)


@pytest.fixture
def dispatch(database, processing):
    dispatcher = Dispatcher(
        database, Outbox, handlers={FLOW: processing.order}, on_dead=processing.give_up_order, max_attempts=1
    )

    def dispatch_now():
        with database.write() as uow:  # the waiting time is over
            uow.session.connection().execute(update(Outbox).values(available_at=utc_now()))
        dispatcher.run_due()

    return dispatch_now


@pytest.fixture
def ordered(arrivals, receive, dispatch):
    """An arrival whose flow run is ordered."""
    receive()
    arrivals.complete(ONE, actor="anna")
    dispatch()


def test_a_complete_arrival_is_ordered_once_with_its_key(ordered, dispatch, arrivals, flow_orders):
    dispatch()
    assert flow_orders.ordered == {"arrival-1": ("receive-session/warm", {"arrival_id": 1})}
    assert arrivals.get(ONE).flow_run_id == "run-arrival-1"


def test_a_running_flow_is_left_alone(ordered, processing, flow_orders):
    flow_orders.states["run-arrival-1"] = FlowRunState("RUNNING", "Running")
    assert processing.reconcile() == 0


@pytest.mark.parametrize("state", [CRASHED, FlowRunState("FAILED", "Failed"), FlowRunState("COMPLETED", "Completed")])
def test_a_flow_that_ended_without_an_answer_is_ordered_again(
    ordered, processing, dispatch, arrivals, flow_orders, state
):
    flow_orders.states["run-arrival-1"] = state
    assert processing.reconcile() == 1
    assert processing.reconcile() == 0
    dispatch()
    assert list(flow_orders.ordered) == ["arrival-1", "arrival-1-2"]
    assert arrivals.get(ONE).flow_run_id == "run-arrival-1-2"


def test_a_flow_that_the_server_does_not_know_is_ordered_again(ordered, processing, dispatch, flow_orders):
    flow_orders.states.clear()
    processing.reconcile()
    dispatch()
    assert list(flow_orders.ordered) == ["arrival-1", "arrival-1-2"]


def test_after_the_last_attempt_a_person_reads_why(ordered, processing, dispatch, arrivals, flow_orders):
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert arrivals.get(ONE).attempt == attempt
        flow_orders.states[arrivals.get(ONE).flow_run_id] = CRASHED
        processing.reconcile()
        dispatch()
    record = arrivals.get(ONE)
    assert record.state is ArrivalState.quarantined
    assert "could not be processed" in record.reason
    assert len(flow_orders.ordered) == MAX_ATTEMPTS


def test_a_try_by_a_person_starts_the_count_anew(ordered, processing, dispatch, arrivals, flow_orders):
    for _ in range(MAX_ATTEMPTS):
        flow_orders.states[arrivals.get(ONE).flow_run_id] = CRASHED
        processing.reconcile()
        dispatch()
    arrivals.retry(ONE, actor="anna")
    dispatch()
    flow_orders.states[arrivals.get(ONE).flow_run_id] = CRASHED
    processing.reconcile()
    assert arrivals.get(ONE).state is ArrivalState.complete


def test_a_cancelled_flow_is_not_ordered_again(ordered, processing, arrivals, flow_orders):
    flow_orders.states["run-arrival-1"] = FlowRunState("CANCELLED", "Cancelled")
    processing.reconcile()
    assert "cancelled" in arrivals.get(ONE).reason


def test_a_settled_arrival_is_nobodys_business_any_more(ordered, processing, arrivals, flow_orders):
    arrivals.settle(ONE, Settlement(outcome=Outcome.accepted), actor="flows")
    flow_orders.states["run-arrival-1"] = FlowRunState("COMPLETED", "Completed")
    assert processing.reconcile() == 0


def test_a_silent_flow_server_proves_nothing(ordered, processing, arrivals, flow_orders):
    flow_orders.available = False
    assert processing.reconcile() == 0
    assert arrivals.get(ONE).attempt == 1


def test_an_order_that_is_given_up_is_quarantined_with_the_cause(arrivals, receive, dispatch, flow_orders):
    flow_orders.available = False
    receive()
    arrivals.complete(ONE, actor="anna")
    dispatch()
    record = arrivals.get(ONE)
    assert record.state is ArrivalState.quarantined
    assert "could not be ordered" in record.reason


@pytest.mark.parametrize("fault", [Unavailable("The flow server answered 500."), KeyError("type")])
def test_one_bad_row_does_not_stop_the_others(ordered, processing, dispatch, arrivals, receive, flow_orders, fault):
    receive(study="1.2.9")
    arrivals.complete(ArrivalId(2), actor="anna")
    dispatch()
    flow_orders.states["run-arrival-2"] = CRASHED
    state = flow_orders.state

    def faulty(flow_run_id):
        if flow_run_id == "run-arrival-1":
            raise fault
        return state(flow_run_id)

    flow_orders.state = faulty
    assert processing.reconcile() == 1
    assert (arrivals.get(ONE).attempt, arrivals.get(ArrivalId(2)).attempt) == (1, 2)


def test_a_long_queue_is_looked_after_to_its_end(processing, dispatch, arrivals, receive, flow_orders, monkeypatch):
    monkeypatch.setattr("gateway.arrivals.processing._MOST_AT_ONCE", 2)
    for number in (1, 2, 3):
        receive(study=f"1.2.{number}")
        arrivals.complete(ArrivalId(number), actor="anna")
    dispatch()
    for number in (1, 2):
        flow_orders.states[f"run-arrival-{number}"] = FlowRunState("RUNNING", "Running")
    flow_orders.states["run-arrival-3"] = CRASHED
    assert [processing.reconcile() for _ in range(2)] == [0, 1]
    dispatch()
    assert "arrival-3-2" in flow_orders.ordered
