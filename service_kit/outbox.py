"""Outbox: work ordered in the transaction of the decision, dispatched afterwards, at least once, by its key.

A service adds a table with `OutboxColumns`, writes to it with `enqueue` inside its unit of work, and runs one
`Dispatcher` with a handler for each kind. Several processes may dispatch from one table: rows are leased.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import uuid4

from sqlalchemy import Text, UniqueConstraint, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import declared_attr
from sqlmodel import Field, SQLModel

from service_kit.errors import ServiceError, Unavailable, without_paths
from service_kit.tables import Json, UtcDateTime, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service_kit.database import Database, UnitOfWork

logger = logging.getLogger(__name__)


class OrderStatus(StrEnum):
    """Where an order stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class OutboxColumns(SQLModel):
    """Columns of an outbox table. Derive with the service's base: ``class Outbox(OutboxColumns, Base, table=True)``."""

    @declared_attr.directive  # a constraint of its own for each table: one object would move to the last of them
    def __table_args__(cls) -> tuple[Any, ...]:  # noqa: N805 - SQLAlchemy calls it with the class
        return (UniqueConstraint("kind", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(max_length=32)
    key: str = Field(max_length=200)
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=cast("Any", Json))
    status: str = Field(default=OrderStatus.PENDING.value, max_length=16, index=True)
    attempts: int = 0
    created_at: datetime = Field(default_factory=utc_now, sa_type=cast("Any", UtcDateTime))
    available_at: datetime = Field(default_factory=utc_now, sa_type=cast("Any", UtcDateTime), index=True)
    lease_token: str | None = Field(default=None, max_length=32)
    result: dict[str, Any] | None = Field(default=None, sa_type=cast("Any", Json))
    last_error: str | None = Field(default=None, sa_type=Text)
    settled_at: datetime | None = Field(default=None, sa_type=cast("Any", UtcDateTime))


@dataclass(frozen=True)
class Order:
    """One leased order, as a handler sees it."""

    id: int
    kind: str
    key: str
    payload: dict[str, Any]
    attempts: int
    lease: str


Row = TypeVar("Row", bound=OutboxColumns)


def enqueue(
    uow: UnitOfWork,
    table: type[Row],
    *,
    kind: str,
    key: str,
    payload: Mapping[str, Any],
    available_in_s: float = 0.0,
) -> Row:
    """Order work in the transaction of the decision that asks for it. The same ``(kind, key)`` twice is one order."""
    columns = cast("Any", table)
    found = uow.session.scalars(select(table).where(columns.kind == kind, columns.key == key)).first()
    if found is not None:
        return found
    row = table(kind=kind, key=key, payload=dict(payload), available_at=utc_now() + timedelta(seconds=available_in_s))
    uow.session.add(row)
    uow.session.flush()
    return row


class Dispatcher:
    """A thread that takes due orders, runs their handlers and records what came of it.

    Parameters
    ----------
    handlers
        By kind: ``handler(order) -> mapping or None``. It may run twice for one order and must be idempotent on
        `Order.key`. `Unavailable`, `httpx.TransportError` and database trouble are retried with back-off, up to
        ``max_attempts``; another `ServiceError` ends the order as dead at once.
    on_delivered, on_dead
        Called before the order is settled, for the service to act on it. A kill in between repeats handler and call:
        they must be idempotent.
    on_settled
        Called after the order is settled, to tell live pages; a kill in between loses it.
    poll_s
        How soon an order is found that another process wrote. Orders of this one come by `wake`, and those for later
        at their time.
    lease_s
        How long an order stays with a process that was killed. A handler that takes longer may run beside itself in
        another process; what became of the order is then for the last of them to say.
    """

    def __init__(
        self,
        database: Database,
        table: type[OutboxColumns],
        *,
        handlers: Mapping[str, Callable[[Order], Mapping[str, Any] | None]],
        on_delivered: Callable[[Order, Mapping[str, Any]], None] | None = None,
        on_dead: Callable[[Order, str], None] | None = None,
        on_settled: Callable[[Order], None] | None = None,
        poll_s: float = 1.0,
        lease_s: float = 30.0,
        max_attempts: int = 50,
        max_backoff_s: float = 30.0,
    ) -> None:
        self._database = database
        columns = self._table = cast("Any", table)
        self._oldest = (
            select(columns.id, columns.available_at)
            .where(columns.status == OrderStatus.PENDING.value)
            .order_by(columns.available_at, columns.id)
            .limit(1)
        )
        self._handlers = handlers
        self._on_delivered = on_delivered
        self._on_dead = on_dead
        self._on_settled = on_settled
        self._poll_s = poll_s
        self._lease_s = lease_s
        self._max_attempts = max_attempts
        self._max_backoff_s = max_backoff_s
        self._next_due: datetime | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; a second call does nothing."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name=f"outbox-{self._table.__tablename__}", daemon=True)
            self._thread.start()

    def stop(self, *, timeout_s: float = 5.0) -> None:
        """Let the order in hand end and stop."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def wake(self) -> None:
        """Look at once; meant for `UnitOfWork.after_commit`."""
        self._wake.set()

    def run_due(self) -> int:
        """Dispatch everything that is due now, in order of its age; return how many orders were handled."""
        handled = 0
        while not self._stopping.is_set() and (order := self._lease()) is not None:
            self._dispatch(order)
            handled += 1
        return handled

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self.run_due()
            except (DBAPIError, Unavailable):
                logger.warning("outbox cannot reach its database", exc_info=True)
                self._stopping.wait(1.0)
            except Exception:  # the thread must outlive a fault; the leased order comes again
                logger.exception("the outbox failed in one round")
                self._stopping.wait(1.0)
            self._wake.wait(self._pause_s())

    def _pause_s(self) -> float:
        if self._next_due is None:
            return self._poll_s
        return min(self._poll_s, max(0.0, (self._next_due - utc_now()).total_seconds()))

    def _due(self, now: datetime) -> Any:
        table = self._table
        return (table.status == OrderStatus.PENDING.value) & (table.available_at <= now)

    def _lease(self) -> Order | None:
        """Take the oldest due order: one conditional update decides between several dispatchers."""
        table, now, token = self._table, utc_now(), uuid4().hex
        with self._database.read() as uow:
            candidate, due = uow.session.connection().execute(self._oldest).first() or (None, None)
        self._next_due = due
        if due is None or due > now:
            return None
        with self._database.write() as uow:
            taken = uow.session.connection().execute(
                update(table)
                .where(table.id == candidate, self._due(now))
                .values(
                    lease_token=token,
                    attempts=table.attempts + 1,
                    available_at=now + timedelta(seconds=self._lease_s),
                )
            )
            if taken.rowcount != 1:
                return None  # another dispatcher was quicker; the next round looks again
            row = uow.session.get(table, candidate)
            assert row is not None
            return Order(
                id=row.id, kind=row.kind, key=row.key, payload=dict(row.payload), attempts=row.attempts, lease=token
            )

    def _dispatch(self, order: Order) -> None:
        handler = self._handlers.get(order.kind)
        if handler is None:
            self._bury(order, f"No handler for orders of kind {order.kind!r}.")
            return
        try:
            result = handler(order)
        except (Unavailable, DBAPIError) as error:
            self._postpone(order, str(error))
        except ServiceError as error:
            self._bury(order, error.detail)
        except Exception as error:
            if _is_of_transport(error):
                self._postpone(order, str(error))
                return
            without_paths(error)
            logger.exception("outbox handler failed", extra={"order": order.id, "kind": order.kind})
            self._postpone(order, f"{type(error).__name__}: see the log for order {order.id}.")
        else:
            if self._on_delivered is not None:
                self._on_delivered(order, result or {})
            self._settle(order, OrderStatus.DELIVERED, result=dict(result or {}))

    def _held(self, uow: UnitOfWork, order: Order) -> Any:
        """Return the row of an order, or None when its lease ran out and another dispatcher has it now."""
        table = self._table
        return uow.session.scalars(select(table).where(table.id == order.id, table.lease_token == order.lease)).first()

    def _postpone(self, order: Order, error: str) -> None:
        if order.attempts >= self._max_attempts:
            self._bury(order, error)
            return
        delay_s = min(self._max_backoff_s, 0.5 * 2 ** min(order.attempts - 1, 10))
        logger.info("order postponed", extra={"order": order.id, "kind": order.kind, "attempts": order.attempts})
        with self._database.write() as uow:
            row = self._held(uow, order)
            if row is None:
                return
            row.available_at = utc_now() + timedelta(seconds=delay_s)
            row.lease_token = None
            row.last_error = error
            uow.session.add(row)

    def _bury(self, order: Order, error: str) -> None:
        with self._database.read() as uow:
            if self._held(uow, order) is None:
                return
        logger.error("order given up", extra={"order": order.id, "kind": order.kind, "attempts": order.attempts})
        if self._on_dead is not None:
            self._on_dead(order, error)
        self._settle(order, OrderStatus.DEAD, error=error)

    def _settle(
        self, order: Order, status: OrderStatus, *, result: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        with self._database.write() as uow:
            row = self._held(uow, order)
            if row is None:
                return
            row.status = status.value
            row.result = result
            row.last_error = error if error is not None else row.last_error
            row.settled_at = utc_now()
            row.lease_token = None
            uow.session.add(row)
        if self._on_settled is not None:
            self._on_settled(order)


def _is_of_transport(error: Exception) -> bool:
    from httpx import TransportError  # noqa: PLC0415 - 0.1 s that a start need not pay

    return isinstance(error, TransportError)
