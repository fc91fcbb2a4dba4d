"""Sends callbacks that the outbox ordered, and sends one again on request. May import httpx."""

import logging
from typing import Any

import httpx

from service_kit.accounts.domain import Principal, Scope
from service_kit.accounts.errors import ScopeMissing
from service_kit.outbox import Order
from task_supervisor.answers import forms
from task_supervisor.contract.errors import CallbackPostponed, CallbackUnusable, TaskUnknown
from task_supervisor.contract.schemas import CallbackOut
from task_supervisor.contract.states import CallbackStatus, TaskStatus
from task_supervisor.db import repository
from task_supervisor.domain import callbacks
from task_supervisor.domain.answers import flattened
from task_supervisor.domain.rights import may_manage
from task_supervisor.tasks import presentation
from task_supervisor.tasks.service import Context, order_callback, visible_row

logger = logging.getLogger(__name__)

#: Answers of a receiver after which the same callback may succeed later.
_RETRIED = frozenset({401, 403, 404, 408, 425, 429})


class Callbacks:
    """Callbacks over one database.

    Parameters
    ----------
    client
        HTTP client that follows no redirect: an address elsewhere is not on the allow-list.
    """

    def __init__(self, context: Context, client: httpx.Client) -> None:
        self._context = context
        self._client = client

    def send(self, order: Order) -> dict[str, Any]:
        """Send one callback; the handler of the outbox. A 409 is settled: the receiver moved on without us.

        Raises
        ------
        CallbackPostponed
            If the receiver does not answer or may take it later.
        CallbackUnusable
            If it never will.
        """
        task_id = int(order.payload["task_id"])
        url, body = self._request(task_id)
        if not callbacks.is_allowed(url, self._context.callback_allow):
            raise CallbackUnusable(task_id, "its address is not on the allow-list any more")
        try:
            response = self._client.put(url, json=body)
        except httpx.TransportError as error:
            raise CallbackPostponed(task_id, f"no answer ({type(error).__name__})") from error
        status = response.status_code
        if response.is_success or status == httpx.codes.CONFLICT:
            outcome = "late" if status == httpx.codes.CONFLICT else "accepted"
            logger.info("callback sent", extra={"task": task_id, "status": status, "outcome": outcome})
            return {"status_code": status, "outcome": outcome}
        if status in _RETRIED or response.is_server_error:
            raise CallbackPostponed(task_id, f"the receiver answered {status}")
        raise CallbackUnusable(task_id, f"the receiver answered {status}")

    def settled(self, order: Order, *, outcome: str) -> None:
        """Write down what became of an order, once for each order."""
        task_id = int(order.payload["task_id"])
        with self._context.database.write() as uow:
            known = repository.task(uow, task_id) is not None
            if known and not repository.is_settling_written(uow, task_id, order_id=order.id):
                repository.add_event(uow, task_id, actor="supervisor", kind="callback", detail=outcome)

    def announce(self, order: Order) -> None:
        """Let pages know that an order is settled."""
        self._context.changed(int(order.payload["task_id"]))

    def resend(self, task_id: int, *, principal: Principal) -> CallbackOut:
        """Order a task's callback again after it failed for good.

        Raises
        ------
        TaskUnknown, ScopeMissing
        """
        with self._context.database.write() as uow:
            row = visible_row(uow, task_id, principal=principal)
            users = repository.labels(uow, [task_id])[task_id].get("user", [])
            if not may_manage(principal, presentation.audience(row, users)):
                raise ScopeMissing(scope=Scope.supervisor_write, study=row.project)
            newest = repository.newest_order(uow, task_id)
            if newest is not None and newest.status == "dead":
                order_callback(
                    uow, self._context, task_id=task_id, callback_url=row.callback_url, key=f"again-{newest.id}"
                )
                repository.add_event(uow, task_id, actor=principal.username, kind="resent")
                return CallbackOut(status=CallbackStatus.PENDING)
            return presentation.callback_of(uow, row)

    def _request(self, task_id: int) -> tuple[str, dict[str, Any]]:
        """Build address and body from what is stored; the order itself holds no secret."""
        with self._context.database.read() as uow:
            row = repository.task(uow, task_id)
            if row is None or not row.callback_url:
                raise TaskUnknown(task_id)
            content = callbacks.content_object(row.callback_content)
            uri = f"{self._context.web_url}/{task_id}"
            if row.status == TaskStatus.ABORTED.value:
                return row.callback_url, callbacks.aborted_body(content, reason=row.abort_reason or "", uri=uri)
            answer = repository.newest_answer(uow, task_id)
            given = {} if answer is None else answer.answer
            reader = "" if answer is None else answer.username
            values = flattened(forms.form_of(uow, row).fields, given)
            body = callbacks.done_body(content, answer=given, values=values, uri=uri, answered_by=reader)
            return row.callback_url, body
