"""Watches the rows of a change and records, in the same transaction, what subscriptions wait for. May import SQLModel.

It looks at what the session of the change writes, so that no part of the archive has to tell it: an import, an
upload, a PUT and a deletion all come by here. Rows that SQL deletes in bulk (the scans of a deleted session) are not
seen; the deletion of the session is.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import event
from sqlmodel import Session, col, select

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.db.site_tables import DeliveryRow, EventOrderRow, SubscriptionRow
from embedded_xnat.db.tables import ExperimentRow, FileRow, ProjectRow, ResourceRow, ScanRow, SubjectRow
from embedded_xnat.domain.event_filters import Predicate, read_filter
from embedded_xnat.domain.events import ArchiveEvent, EventStatus
from embedded_xnat.events.payloads import Watched, describe
from embedded_xnat.site.config import SiteConfig
from embedded_xnat.storage.archive import Change
from service_kit.database import UnitOfWork
from service_kit.outbox import enqueue

logger = logging.getLogger(__name__)

_WATCHED = (ProjectRow, SubjectRow, ExperimentRow, ScanRow, ResourceRow)


@dataclass
class _Seen:
    """What happened to the rows of a change, by table and number."""

    rows: dict[tuple[str, int], tuple[Watched, EventStatus]] = field(default_factory=dict)
    resources: set[int] = field(default_factory=set)

    def note(self, row: object, status: EventStatus) -> None:
        if isinstance(row, FileRow):
            self.resources.add(row.resource_number)
        if not isinstance(row, _WATCHED) or row.number is None:
            return
        key = (type(row).__name__, row.number)
        before = self.rows.get(key)
        if status is EventStatus.DELETED and before is not None and before[1] is EventStatus.CREATED:
            del self.rows[key]
        elif status is EventStatus.DELETED or before is None:
            self.rows[key] = (row, status)


class Recorder:
    """Records events with the change that causes them.

    Parameters
    ----------
    wake
        Called after the commit of a change that ordered an action.
    """

    def __init__(self, config: SiteConfig, *, wake: Callable[[], None]) -> None:
        self._config = config
        self._wake = wake

    def watch(self, uow: UnitOfWork, change: Change) -> Callable[[], None]:
        """Watch a change; what is returned is called before its commit."""
        seen = _Seen()

        def after_flush(session: Session, _context: object) -> None:
            for row in session.new:
                seen.note(row, EventStatus.CREATED)
            for row in session.dirty:
                if session.is_modified(row):
                    is_gone = isinstance(row, ProjectRow) and row.is_deleted
                    seen.note(row, EventStatus.DELETED if is_gone else EventStatus.UPDATED)
            for row in session.deleted:
                seen.note(row, EventStatus.DELETED)

        event.listen(uow.session, "after_flush", after_flush)

        def finish() -> None:
            uow.session.flush()
            event.remove(uow.session, "after_flush", after_flush)
            if (seen.rows or seen.resources) and self._config.flag("eventServiceEnabled"):
                self._record(uow, change, seen)

        return finish

    def _record(self, uow: UnitOfWork, change: Change, seen: _Seen) -> None:
        active = select(SubscriptionRow).where(col(SubscriptionRow.is_active).is_(True))
        subscriptions = uow.session.exec(active.order_by(col(SubscriptionRow.number))).all()
        if not subscriptions:
            return
        ordered = False
        for found in _events(uow.session, change, seen):
            for subscription in subscriptions:
                if concerns(subscription, found):
                    order(uow, subscription, found)
                    ordered = True
        if ordered:
            uow.after_commit(self._wake)


def _events(session: Session, change: Change, seen: _Seen) -> Iterable[ArchiveEvent]:
    for number in seen.resources - {key[1] for key in seen.rows if key[0] == ResourceRow.__name__}:
        resource = session.get(ResourceRow, number)
        if resource is not None:
            seen.note(resource, EventStatus.UPDATED)
    for row, status in list(seen.rows.values()):
        found = describe(session, row, status)
        if found is None:
            continue
        yield found
        if isinstance(row, ExperimentRow) and row.id in change.archived:
            yield ArchiveEvent(found.type, EventStatus.ARCHIVED, found.project_id, found.payload)


def concerns(subscription: SubscriptionRow, found: ArchiveEvent) -> bool:
    """Tell whether a subscription waits for an event."""
    if subscription.event_type != found.type.value:
        return False
    if subscription.event_status and subscription.event_status != found.status.value:
        return False
    if subscription.project_ids and found.project_id not in subscription.project_ids:
        return False
    if not subscription.payload_filter:
        return True
    try:
        return _predicate(subscription.payload_filter)(found.payload)
    except BadRequest:  # was readable when it was stored; an older version's may not be
        logger.warning("filter of a subscription cannot be read", extra={"subscription": subscription.number})
        return False


@lru_cache(maxsize=256)
def _predicate(text: str) -> Predicate:
    return read_filter(text)


def order(uow: UnitOfWork, subscription: SubscriptionRow, found: ArchiveEvent) -> None:
    """Record an event that met a subscription, and order the action."""
    assert subscription.number is not None
    payload: dict[str, Any] = {
        **found.payload,
        "event-type": found.type.value,
        "event-status": found.status.value,
    }
    row = DeliveryRow(
        subscription_number=subscription.number,
        subscription_name=subscription.name,
        action_key=subscription.action_key,
        event_type=found.type.value,
        event_status=found.status.value,
        project_id=found.project_id,
        payload=payload,
    )
    uow.session.add(row)
    uow.session.flush()
    enqueue(uow, EventOrderRow, kind="event", key=str(row.number), payload={"delivery": row.number})
