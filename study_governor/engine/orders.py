"""Orders flows for executions, and finds orders whose worker died. The only part that speaks to the flow server.

`Orders` is called by the dispatcher and by a periodic thread. May import `study_governor.db` and `service_kit`.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from service_kit.errors import Conflict, Unavailable
from service_kit.flow_orders import FlowRunId
from service_kit.tables import utc_now
from study_governor.contract.states import ExecutionStatus
from study_governor.db.tables import ExecutionRow, ExperimentRow
from study_governor.domain.workflow import RUNNERS
from study_governor.engine.records import Pending, ToOrder
from study_governor.engine.steps import ORDER_KIND, lock_experiment, order_execution

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service_kit.database import Database
    from service_kit.flow_orders import FlowOrders, FlowRunState
    from service_kit.outbox import Order
    from study_governor.engine.service import Engine
    from study_governor.workflows.service import Workflows

logger = logging.getLogger(__name__)

REVIEW_DEPLOYMENT = "request-review/warm"
WITHDRAWAL_DEPLOYMENT = "withdraw/warm"
MAX_ATTEMPTS = 5
_UNRESOLVED = (ExecutionStatus.CREATED.value, ExecutionStatus.QUEUED.value, ExecutionStatus.RUNNING.value)
_DELAYS_S = (0.0, 5.0, 20.0, 60.0)
_UNKNOWN_GRACE_S = 30.0
_ASK_AT_MOST_EVERY_S = 60.0


class Orders:
    """What the dispatcher and the reconciler do for executions.

    Parameters
    ----------
    changed
        Called with a session's id after its execution was ordered.
    """

    def __init__(
        self,
        database: Database,
        workflows: Workflows,
        *,
        engine: Engine,
        flow_orders: FlowOrders,
        wake: Callable[[], None],
        changed: Callable[[int], None],
    ) -> None:
        self._database = database
        self._workflows = workflows
        self._engine = engine
        self._flow_orders = flow_orders
        self._wake = wake
        self._changed = changed
        self._asked_at: dict[int, float] = {}

    def dispatch(self, order: Order) -> Mapping[str, Any]:
        """Order the flow of an execution; the handler of the outbox. The same order twice is one flow run.

        Raises
        ------
        Unavailable
            If the flow server does not answer; the dispatcher tries again.
        """
        wanted = self._to_order(int(order.payload["execution_id"]))
        if wanted is None or not wanted.is_current or wanted.status.is_resolved:
            return {"skipped": "the session has gone on"}
        if wanted.attempt != order.payload["attempt"]:
            return {"skipped": "a later attempt was ordered"}
        if wanted.function not in RUNNERS:
            reason = f"nothing here runs the function {wanted.function!r} of callback {wanted.callback!r}"
            self._engine.give_up(wanted.execution_id, reason=reason)
            return {"failed": reason}
        deployment, parameters = _flow_of(wanted)
        flow_run_id = self._flow_orders.order(
            deployment,
            parameters=parameters,
            idempotency_key=order.key,
            tags=(f"execution:{wanted.execution_id}", f"session:{wanted.experiment_id}"),
        )
        self._note_ordered(wanted, flow_run_id)
        return {"flow_run_id": flow_run_id}

    def withdraw(self, order: Order) -> Mapping[str, Any]:
        """Order the flow that takes back what an execution brought out, until one run of it has come to its end.

        Raises
        ------
        Unavailable
            While a run is under way; the dispatcher asks again.
        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            flow_run_id = self._flow_orders.order(
                WITHDRAWAL_DEPLOYMENT, parameters=order.payload, idempotency_key=f"{order.key}-{attempt}"
            )
            state = self._flow_orders.state(flow_run_id)
            if state is None or not state.terminal:
                raise Unavailable("The withdrawal is under way.")
            if state.type == "COMPLETED":
                return {"flow_run_id": flow_run_id}
        raise Conflict(f"The flow {WITHDRAWAL_DEPLOYMENT} died {MAX_ATTEMPTS} times.")

    def bury(self, order: Order, error: str) -> None:
        """End an execution whose order the dispatcher gave up."""
        if order.kind != ORDER_KIND:
            logger.error("withdrawal given up", extra={"execution": order.payload["execution_id"]})
            return
        self._engine.give_up(
            int(order.payload["execution_id"]),
            reason=f"its flow could not be started: {error}",
            attempt=int(order.payload["attempt"]),
        )

    def reconcile(self) -> int:
        """Ask after the flow runs of unresolved executions and order anew what died; return how many."""
        pending = self._pending()
        self._asked_at = {one.execution_id: self._asked_at.get(one.execution_id, 0.0) for one in pending}
        ordered = 0
        for one in pending:
            self._asked_at[one.execution_id] = time.monotonic()
            try:
                state = self._flow_orders.state(FlowRunId(one.flow_run_id))
            except Unavailable as error:  # the others may be answered
                logger.warning("flow run not answered for", extra={"execution": one.execution_id, "error": str(error)})
                continue
            if state is None or state.terminal:
                ordered += self._recover(one, state)
        return ordered

    def _to_order(self, execution_id: int) -> ToOrder | None:
        with self._database.read() as uow:
            found = uow.session.exec(
                select(ExecutionRow, ExperimentRow)
                .join(ExperimentRow, col(ExperimentRow.id) == ExecutionRow.experiment_id)
                .where(ExecutionRow.id == execution_id)
            ).first()
            if found is None:
                return None
            row, experiment = found
            callback = self._workflows.get(uow.session, experiment.workflow_id).callback_of(row.callback_id)[1]
            return ToOrder(
                execution_id=execution_id,
                experiment_id=row.experiment_id,
                status=ExecutionStatus(row.status),
                is_current=experiment.last_action_id == row.action_id,
                attempt=row.attempt,
                flow_run_id=row.flow_run_id,
                function=callback.function,
                callback=callback.label,
                arguments=callback.arguments,
            )

    def _note_ordered(self, wanted: ToOrder, flow_run_id: FlowRunId) -> None:
        """Keep the flow run's id; the flow itself may have reported first, then its status stands."""
        with self._database.write() as uow:
            lock_experiment(uow.session, wanted.experiment_id)
            row = uow.session.get(ExecutionRow, wanted.execution_id, populate_existing=True)
            assert row is not None
            if row.attempt != wanted.attempt:
                return
            row.flow_run_id, row.ordered_at = flow_run_id, utc_now()
            if row.status == ExecutionStatus.CREATED:
                row.status = ExecutionStatus.QUEUED.value
            uow.session.add(row)
            uow.after_commit(lambda: self._changed(wanted.experiment_id))

    def _pending(self) -> list[Pending]:
        """Return whose flow run to ask after now: the longer it has been under way, the less often."""
        now, clock = utc_now(), time.monotonic()
        with self._database.read() as uow:
            rows = uow.session.exec(
                select(ExecutionRow.id, ExecutionRow.attempt, ExecutionRow.flow_run_id, ExecutionRow.ordered_at)
                .join(ExperimentRow, col(ExperimentRow.last_action_id) == ExecutionRow.action_id)
                .where(col(ExecutionRow.status).in_(_UNRESOLVED), col(ExecutionRow.flow_run_id).is_not(None))
                .order_by(col(ExecutionRow.id))
            ).all()
        due: list[Pending] = []
        for execution_id, attempt, flow_run_id, ordered_at in rows:
            if execution_id is None or flow_run_id is None or ordered_at is None:
                continue
            pause_s = min(_ASK_AT_MOST_EVERY_S, 0.1 * (now - ordered_at).total_seconds())
            if clock - self._asked_at.get(execution_id, 0.0) >= pause_s:
                due.append(Pending(execution_id, attempt, flow_run_id))
        return due

    def _recover(self, pending: Pending, state: FlowRunState | None) -> bool:
        """Order an execution anew, or give it up; return whether it was ordered."""
        if state is not None and state.type == "CANCELLED":
            reason = "its flow run was cancelled"
            self._engine.give_up(pending.execution_id, reason=reason, attempt=pending.attempt)
            return False
        ended = "is unknown to the flow server" if state is None else f"ended as {state.name} without an answer"
        if pending.attempt >= MAX_ATTEMPTS:
            reason = f"its flow run {ended}, for the {MAX_ATTEMPTS}th time"
            self._engine.give_up(pending.execution_id, reason=reason, attempt=pending.attempt)
            return False
        return self._order_again(pending, ended=ended, is_unknown=state is None)

    def _order_again(self, pending: Pending, *, ended: str, is_unknown: bool) -> bool:
        with self._database.write() as uow:
            row = uow.session.get(ExecutionRow, pending.execution_id)
            assert row is not None
            experiment = lock_experiment(uow.session, row.experiment_id)
            uow.session.refresh(row)
            is_same = (row.attempt, row.flow_run_id) == (pending.attempt, pending.flow_run_id)
            if not is_same or row.status not in _UNRESOLVED or experiment.last_action_id != row.action_id:
                return False
            if is_unknown and row.ordered_at and (utc_now() - row.ordered_at).total_seconds() < _UNKNOWN_GRACE_S:
                return False
            row.attempt += 1
            row.flow_run_id, row.ordered_at = None, None
            row.status, row.run_start = ExecutionStatus.CREATED.value, None
            row.result_log = f"Attempt {pending.attempt}: the flow run {ended}; ordered again."
            uow.session.add(row)
            order_execution(uow, row, delay_s=_DELAYS_S[min(pending.attempt, len(_DELAYS_S)) - 1])
            experiment_id = row.experiment_id
            logger.warning("execution ordered again", extra={"execution": row.id, "attempt": row.attempt})
            uow.after_commit(self._wake)
            uow.after_commit(lambda: self._changed(experiment_id))
            return True


def _flow_of(wanted: ToOrder) -> tuple[str, dict[str, Any]]:
    if wanted.function == "create_task":
        return REVIEW_DEPLOYMENT, {"execution_id": wanted.execution_id}
    parameters = wanted.arguments.get("parameters") or {}
    return str(wanted.arguments["deployment"]), {**parameters, "execution_id": wanted.execution_id}
