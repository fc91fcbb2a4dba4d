"""Subscriptions and what became of them: made, changed, listed. May import SQLModel.

Who may: an administrator everything; an owner of a project the subscriptions for that project alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, literal
from sqlmodel import Session, col, delete, select, update

from embedded_xnat.contract.errors import BadRequest, NoSuchObject, NotAllowed
from embedded_xnat.db.site_tables import DeliveryRow, EventOrderRow, SubscriptionRow
from embedded_xnat.domain.documents import check_document
from embedded_xnat.domain.event_filters import read_filter
from embedded_xnat.domain.events import KINDS, EventStatus, read_event_type
from embedded_xnat.domain.networks import Network
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.events.actions import ACTIONS, FAILED, check_attributes
from service_kit.tables import utc_now

MAX_NAME = 200
MAX_PAGE = 500
SHOWN_SECRET = "*****"  # noqa: S105 - what is shown in its place


def create(
    session: Session,
    visitor: Visitor,
    document: Mapping[str, Any],
    *,
    project_id: str | None,
    allowed: Sequence[Network],
) -> SubscriptionRow:
    """Make a subscription.

    Raises
    ------
    BadRequest
    """
    row = SubscriptionRow(name="", event_type="", action_key="", created_by=visitor.username)
    _apply(row, {"active": True, **document}, project_id=project_id, allowed=allowed)
    session.add(row)
    session.flush()
    if not row.name:
        row.name = f"Subscription {row.number}"
        session.add(row)
    return row


def change(
    session: Session,
    row: SubscriptionRow,
    document: Mapping[str, Any],
    *,
    project_id: str | None,
    allowed: Sequence[Network],
) -> None:
    """Change a subscription: what the document does not name stays.

    Raises
    ------
    BadRequest
    """
    before = to_document(row)
    event_filter = document.get("event-filter")
    if isinstance(event_filter, Mapping):
        event_filter = {**before["event-filter"], **event_filter}
    attributes = document.get("attributes")
    if isinstance(attributes, Mapping) and attributes.get("secret") == SHOWN_SECRET:
        attributes = {**attributes, "secret": row.attributes.get("secret", "")}
    merged = {
        **before,
        **document,
        "event-filter": event_filter or before["event-filter"],
        "attributes": row.attributes if attributes is None else attributes,
    }
    _apply(row, merged, project_id=project_id, allowed=allowed)
    row.modified_at = utc_now()
    session.add(row)


def _apply(
    row: SubscriptionRow, document: Mapping[str, Any], *, project_id: str | None, allowed: Sequence[Network]
) -> None:
    try:
        check_document(dict(document))
    except ValueError as error:
        raise BadRequest(f"This subscription cannot be kept: {error}.") from error
    wanted = _object(document, "event-filter")
    row.name = _text(document, "name")[:MAX_NAME]
    row.is_active = document.get("active") is not False
    row.act_as_event_user = document.get("act-as-event-user") is True
    row.event_type = _event_type(_text(wanted, "event-type") or _text(wanted, "id"))
    row.event_status = _status(row.event_type, _text(wanted, "status"))
    row.project_ids = _projects(wanted.get("project-ids"), project_id)
    row.payload_filter = _text(wanted, "payload-filter") or None
    if row.payload_filter is not None:
        read_filter(row.payload_filter)
    row.action_key = _text(document, "action-key")
    if row.action_key not in ACTIONS:
        raise BadRequest("There is no such action-key; /xapi/events/actions lists those that there are.")
    row.attributes = dict(_object(document, "attributes"))
    check_attributes(row.action_key, row.attributes, allowed)


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadRequest(f"{name} of a subscription is an object.")
    return value


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest(f"{name} of a subscription is a text.")
    return value


def _event_type(name: str) -> str:
    found = read_event_type(name)
    if found is None:
        raise BadRequest("There is no such event-type; /xapi/events/events lists those that there are.")
    return found.value


def _status(event_type: str, text: str) -> str | None:
    if not text:
        return None
    allowed = {status.value for kind in KINDS.values() if kind.type.value == event_type for status in kind.statuses}
    if text.upper() not in allowed & {status.value for status in EventStatus}:
        raise BadRequest("This event-type has no such status; /xapi/events/events lists those that there are.")
    return text.upper()


def _projects(given: Any, project_id: str | None) -> list[str]:
    named = [] if given is None else given
    if not isinstance(named, list) or not all(isinstance(each, str) and len(each) <= 200 for each in named):
        raise BadRequest("project-ids of a subscription is a list of ids.")
    if project_id is None:
        return list(dict.fromkeys(named))
    if set(named) - {project_id}:
        raise NotAllowed("subscribe to the events of other projects here")
    return [project_id]


def find(session: Session, number: int, *, project_id: str | None) -> SubscriptionRow:
    """Return a subscription; below a project one that is for this project alone.

    Raises
    ------
    NoSuchObject
    """
    row = session.get(SubscriptionRow, number)
    if row is None or (project_id is not None and row.project_ids != [project_id]):
        raise NoSuchObject("subscription")
    return row


def listed(session: Session, *, project_id: str | None) -> list[SubscriptionRow]:
    """Return all subscriptions, or those for one project alone."""
    rows = session.exec(select(SubscriptionRow).order_by(col(SubscriptionRow.number))).all()
    return [row for row in rows if project_id is None or row.project_ids == [project_id]]


def remove(session: Session, row: SubscriptionRow) -> None:
    """Delete a subscription; its history stays, what is not delivered yet fails."""
    session.delete(row)


def to_document(row: SubscriptionRow) -> dict[str, Any]:
    """Return a subscription as clients see it; a secret is not shown again."""
    event_filter = {
        "event-type": row.event_type,
        "status": row.event_status or "",
        "project-ids": row.project_ids,
        "payload-filter": row.payload_filter,
    }
    attributes = {name: SHOWN_SECRET if name == "secret" else value for name, value in row.attributes.items()}
    return {
        "id": row.number,
        "name": row.name,
        "active": row.is_active,
        "valid": True,
        "event-filter": event_filter,
        "action-key": row.action_key,
        "attributes": attributes,
        "act-as-event-user": row.act_as_event_user,
        "subscription-owner": row.created_by,
        "created": int(row.created_at.timestamp() * 1000),
    }


def _which(project_id: str | None, subscription: int | None) -> ColumnElement[bool]:
    found: ColumnElement[bool] = literal(value=True)
    if project_id is not None:
        found &= col(DeliveryRow.project_id) == project_id
    if subscription is not None:
        found &= col(DeliveryRow.subscription_number) == subscription
    return found


def history(
    session: Session, *, project_id: str | None, subscription: int | None, page: int, size: int
) -> list[dict[str, Any]]:
    """Return what became of events that met subscriptions, the newest in front."""
    size = min(size, MAX_PAGE)
    statement = (
        select(DeliveryRow)
        .where(_which(project_id, subscription))
        .order_by(col(DeliveryRow.number).desc())
        .limit(size)
        .offset((page - 1) * size)
    )
    rows = session.exec(statement).all()
    keys = [str(row.number) for row in rows]
    orders = session.exec(select(EventOrderRow).where(col(EventOrderRow.key).in_(keys))).all()
    attempts = {order.key: order for order in orders}
    return [delivery_document(row, attempts.get(str(row.number))) for row in rows]


def count(session: Session, *, project_id: str | None, subscription: int | None) -> int:
    """Return how many events met subscriptions."""
    statement = select(func.count()).select_from(DeliveryRow).where(_which(project_id, subscription))
    return int(session.exec(statement).one())


def forget_payloads(session: Session, *, keep: int) -> None:
    """Forget the payloads of all but the newest events that are settled."""
    newest = select(DeliveryRow.number).order_by(col(DeliveryRow.number).desc()).limit(keep)
    numbers = [number for number in session.exec(newest) if number is not None] if keep else []
    old = col(DeliveryRow.number).not_in(numbers) & col(DeliveryRow.settled_at).is_not(None)
    session.connection().execute(update(DeliveryRow).where(old).values(payload=None))
    keys = [str(number) for number in numbers]
    done = col(EventOrderRow.settled_at).is_not(None) & col(EventOrderRow.key).not_in(keys)
    session.connection().execute(delete(EventOrderRow).where(done))


def find_delivery(session: Session, number: int, *, project_id: str | None) -> dict[str, Any]:
    """Return what became of one event.

    Raises
    ------
    NoSuchObject
    """
    row = session.get(DeliveryRow, number)
    if row is None or (project_id is not None and row.project_id != project_id):
        raise NoSuchObject("delivery")
    order = session.exec(select(EventOrderRow).where(EventOrderRow.key == str(number))).first()
    return delivery_document(row, order)


def delivery_document(row: DeliveryRow, order: EventOrderRow | None) -> dict[str, Any]:
    """Return what became of an event as clients see it."""
    steps = [{"status": "SUBSCRIPTION_TRIGGERED", "time-stamp": int(row.triggered_at.timestamp() * 1000)}]
    message = row.message or (order.last_error if order is not None else None)
    if row.settled_at is not None:
        steps.append({"status": row.status, "time-stamp": int(row.settled_at.timestamp() * 1000)})
    return {
        "id": row.number,
        "subscription": {"id": row.subscription_number, "name": row.subscription_name},
        "action-key": row.action_key,
        "project-id": row.project_id,
        "event": {"event-type": row.event_type, "status": row.event_status},
        "event-type": row.event_type,
        "trigger": row.payload,
        "status": row.status,
        "status-message": message,
        "error-state": row.status == FAILED,
        "attempts": 0 if order is None else order.attempts,
        "timestamp": int(row.triggered_at.timestamp() * 1000),
        "timed-event-status": steps,
    }
