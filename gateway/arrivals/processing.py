"""Orders the processing of arrivals and finds the orders whose worker died. May import the service and the port.

`Processing.order` is the outbox handler; `Processing.reconcile` runs every few seconds. Both may run twice.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from gateway.contract.ids import ArrivalId
from gateway.contract.states import ArrivalState
from gateway.db import arrivals as rows
from gateway.db.turns import take_turn
from gateway.domain.arrivals import GiveUp, Leave, Reorder, after_flow_run
from service_kit.errors import ServiceError
from service_kit.flow_orders import FlowRunId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.arrivals.service import Arrivals
    from gateway.db.arrivals import OrderedArrival
    from gateway.db.tables import Arrival
    from service_kit.database import Database, UnitOfWork
    from service_kit.flow_orders import FlowOrders, FlowRunState
    from service_kit.outbox import Order

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 200
_ROUND_S = 5.0


class Processing:
    """Gives complete arrivals to flows.

    Parameters
    ----------
    flow_orders
        Where flows are ordered.
    """

    def __init__(self, database: Database, arrivals: Arrivals, flow_orders: FlowOrders) -> None:
        self._database = database
        self._arrivals = arrivals
        self._flow_orders = flow_orders
        self._looked_after_id = 0

    def order(self, order: Order) -> Mapping[str, Any]:
        """Order the flow run of one attempt and remember its id.

        Raises
        ------
        Unavailable
            If the flow server does not answer; the outbox tries again.
        """
        payload = order.payload
        arrival_id = ArrivalId(payload["arrival_id"])
        flow_run_id = self._flow_orders.order(
            payload["deployment"],
            parameters=payload["parameters"],
            idempotency_key=order.key,
            tags=[f"arrival-{arrival_id}"],
        )
        with self._database.write() as uow:
            arrival = rows.get(uow, arrival_id, lock=True)
            if self._is_current(arrival, attempt=payload["attempt"]):
                arrival.flow_run_id = flow_run_id
                rows.note(uow, arrival, actor="gateway", what="Processing ordered", detail=_attempt(arrival))
        return {"flow_run_id": flow_run_id}

    def give_up_order(self, order: Order, error: str) -> None:
        """Quarantine an arrival whose processing could not be ordered."""
        with self._database.write() as uow:
            take_turn(uow)
            arrival = rows.get(uow, ArrivalId(order.payload["arrival_id"]), lock=True)
            if self._is_current(arrival, attempt=order.payload["attempt"]):
                self._arrivals.quarantine_unprocessed(
                    uow, arrival, reason=f"Its processing could not be ordered. {error}"
                )

    def reconcile(self) -> int:
        """Look after unsettled arrivals whose flow run is over, some hundred a round; return how many needed it.

        The next round goes on where this one ended. Nothing is concluded from the flow server's silence, and one
        arrival's trouble does not stop the others.
        """
        with self._database.read() as uow:
            waiting = rows.ordered(uow, after_id=self._looked_after_id, limit=_MOST_AT_ONCE)
        self._looked_after_id = waiting[-1].id if len(waiting) == _MOST_AT_ONCE else 0
        handled, started = 0, time.monotonic()
        for seen in waiting:
            try:
                handled += self._reconcile(seen)
            except ServiceError as error:
                logger.warning("arrival not reconciled", extra={"arrival_id": seen.id, "error": type(error).__name__})
                if time.monotonic() - started > _ROUND_S:  # it is silence, and the clock has more to do
                    break
            except Exception:  # one bad row must not stop the others
                logger.exception("arrival could not be reconciled", extra={"arrival_id": seen.id})
        return handled

    def _reconcile(self, seen: OrderedArrival) -> bool:
        state = self._flow_orders.state(FlowRunId(seen.flow_run_id))
        decision = after_flow_run(None if state is None else state.type, failures=seen.failures)
        if isinstance(decision, Leave):
            return False
        with self._database.write() as uow:
            take_turn(uow)
            arrival = rows.get(uow, seen.id, lock=True)
            is_current = self._is_current(arrival, attempt=seen.attempt)
            if is_current:
                self._act(uow, arrival, decision, state)
            return is_current

    def _act(self, uow: UnitOfWork, arrival: Arrival, decision: Reorder | GiveUp, state: FlowRunState | None) -> None:
        told = "is not known to the flow server" if state is None else f"ended as {state.name} without an answer"
        what = f"The flow run of attempt {arrival.attempt} {told}"
        logger.warning("flow run over without an answer", extra={"arrival_id": arrival.id, "attempt": arrival.attempt})
        if isinstance(decision, GiveUp):
            rows.note(uow, arrival, actor="gateway", what=what)
            self._arrivals.quarantine_unprocessed(uow, arrival, reason=decision.reason)
            return
        arrival.failures += 1
        again = "at once" if decision.delay_s == 0 else f"in {decision.delay_s:g} s"
        rows.note(uow, arrival, actor="gateway", what=what, detail=f"Ordered again {again}.")
        self._arrivals.order(uow, arrival, delay_s=decision.delay_s)

    @staticmethod
    def _is_current(arrival: Arrival, *, attempt: int) -> bool:
        return arrival.state == ArrivalState.complete.value and arrival.attempt == attempt


def _attempt(arrival: Arrival) -> str | None:
    return f"Attempt {arrival.attempt}." if arrival.attempt > 1 else None
