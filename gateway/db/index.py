"""Index rows of received objects: which arrival an object belongs to, and whether it is known already.

May import SQLAlchemy, the tables and the domain. A few plain statements an object: the answer to the sender waits.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import case, func, insert, select, update

from gateway.contract.states import ArrivalState, InstanceStatus
from gateway.db.tables import ARRIVALS, EVENTS, INSTANCES
from gateway.db.turns import take_turn
from gateway.domain.arrivals import GATEWAY
from gateway.domain.received import Indexed, ReceivedInstance
from service_kit.database import UnitOfWork


def index_instances(uow: UnitOfWork, received: Sequence[ReceivedInstance]) -> list[Indexed]:
    """Write the rows of received objects, in order, within the caller's transaction.

    A known object (same SOP Instance UID and digest) is counted and opens no arrival, unless it lies in a quarantined
    one: sent again, that is tried again, in the arrival of its new sender if that differs. A new one joins the receiving
    arrival of its DICOM study and sender, or opens one.

    Raises
    ------
    sqlalchemy.exc.IntegrityError
        If another process indexed the same object or opened the same arrival at this moment; run it again.
    """
    take_turn(uow)
    return [_index(uow, instance) for instance in received]


def _index(uow: UnitOfWork, received: ReceivedInstance) -> Indexed:
    connection = uow.session.connection()
    known = connection.execute(
        select(INSTANCES, ARRIVALS.c.state, ARRIVALS.c.calling_ae, ARRIVALS.c.called_ae)
        .join(ARRIVALS, ARRIVALS.c.id == INSTANCES.c.arrival_id)
        .where(INSTANCES.c.sop_instance_uid == received.sop_instance_uid, INSTANCES.c.sha256 == received.sha256)
        .with_for_update()
    ).first()
    if known is not None:
        if known.state == ArrivalState.quarantined.value and known.readable and received.sender.calling_ae:
            _take_up_again(uow, received, known)
        _count_copy(uow, received, instance_id=known.id, arrival_id=_arrival_of(uow, known.id))
        return Indexed.duplicate
    connection.execute(
        insert(INSTANCES).values(
            arrival_id=_join_arrival(uow, received),
            sop_instance_uid=received.sop_instance_uid,
            sha256=received.sha256,
            sop_class_uid=received.sop_class_uid,
            transfer_syntax_uid=received.transfer_syntax_uid,
            study_instance_uid=received.study_instance_uid,
            series_instance_uid=received.series_instance_uid,
            path=received.path,
            size_bytes=received.size_bytes,
            received_at=received.received_at,
            copies=1,
            readable=received.unreadable_reason is None,
            status=(InstanceStatus.stored if received.unreadable_reason is None else InstanceStatus.quarantined).value,
            reason=received.unreadable_reason,
        )
    )
    return Indexed.new


def _take_up_again(uow: UnitOfWork, received: ReceivedInstance, known: Any) -> None:
    """Give a readable object of a quarantined arrival another try: it was sent again, perhaps by a mended route.

    The same sender's arrival receives again, and is processed once it is quiet. Another sender's object moves.
    """
    connection = uow.session.connection()
    receiving = ARRIVALS.c.state == ArrivalState.receiving.value
    same_sender = (known.calling_ae, known.called_ae) == (received.sender.calling_ae, received.sender.called_ae)
    if same_sender and connection.scalar(select(ARRIVALS.c.id).where(receiving, _of_sender(received))) is None:
        _receive_again(uow, received, arrival_id=known.arrival_id)
        return
    joined = _join_arrival(uow, received)
    connection.execute(
        update(INSTANCES)
        .where(INSTANCES.c.id == known.id)
        .values(arrival_id=joined, status=InstanceStatus.stored.value, reason=None)
    )
    held = int(known.status == InstanceStatus.quarantined.value)
    left: int = connection.execute(
        update(ARRIVALS)
        .where(ARRIVALS.c.id == known.arrival_id)
        .values(
            instance_count=ARRIVALS.c.instance_count - 1,
            quarantined_count=ARRIVALS.c.quarantined_count - held,
            size_bytes=ARRIVALS.c.size_bytes - known.size_bytes,
            changed_at=received.received_at,
        )
        .returning(ARRIVALS.c.instance_count)
    ).scalar_one()
    if left == 0:
        told = f"All of its objects were sent again and are now in arrival {joined}."
        aside = {"dismissed_at": received.received_at, "dismissed_by": GATEWAY, "dismissed_reason": told}
        unless_already = {name: func.coalesce(ARRIVALS.c[name], value) for name, value in aside.items()}
        connection.execute(
            update(ARRIVALS).where(ARRIVALS.c.id == known.arrival_id).values(reason=told, **unless_already)
        )
        _note(uow, received, arrival_id=known.arrival_id, what=told)


def _receive_again(uow: UnitOfWork, received: ReceivedInstance, *, arrival_id: int) -> None:
    connection = uow.session.connection()
    connection.execute(
        update(INSTANCES)
        .where(INSTANCES.c.arrival_id == arrival_id, INSTANCES.c.readable)
        .values(status=InstanceStatus.stored.value, reason=None)
    )
    connection.execute(
        update(ARRIVALS)
        .where(ARRIVALS.c.id == arrival_id)
        .values(
            state=ArrivalState.receiving.value,
            quarantined_count=ARRIVALS.c.unreadable_count,
            last_instance_at=received.received_at,
            completed_at=None,
            settled_at=None,
            reason=None,
            failures=0,
            flow_run_id=None,
            dismissed_at=None,
            dismissed_by=None,
            dismissed_reason=None,
        )
    )
    _note(uow, received, arrival_id=arrival_id, what="Sent again; tried again once it is complete")


def _arrival_of(uow: UnitOfWork, instance_id: int) -> int:
    found = uow.session.connection().scalar(select(INSTANCES.c.arrival_id).where(INSTANCES.c.id == instance_id))
    return int(found or 0)


def _note(uow: UnitOfWork, received: ReceivedInstance, *, arrival_id: int, what: str) -> None:
    uow.session.connection().execute(
        insert(EVENTS).values(arrival_id=arrival_id, at=received.received_at, actor="receiver", what=what)
    )


def _count_copy(uow: UnitOfWork, received: ReceivedInstance, *, instance_id: int, arrival_id: int) -> None:
    """Count a repeated object. While its arrival still receives, it also shows that the sender is at work."""
    connection = uow.session.connection()
    receiving = ARRIVALS.c.state == ArrivalState.receiving.value
    connection.execute(
        update(ARRIVALS)
        .where(ARRIVALS.c.id == arrival_id)
        .values(
            duplicate_count=ARRIVALS.c.duplicate_count + 1,
            last_instance_at=case((receiving, received.received_at), else_=ARRIVALS.c.last_instance_at),
            changed_at=received.received_at,
        )
    )
    if received.sender.calling_ae:
        orphan = receiving & (ARRIVALS.c.id == arrival_id) & (ARRIVALS.c.calling_ae == "")
        if connection.scalar(select(ARRIVALS.c.id).where(receiving, _of_sender(received))) is None:
            connection.execute(update(ARRIVALS).where(orphan).values(**_sender_columns(received)))
    connection.execute(update(INSTANCES).where(INSTANCES.c.id == instance_id).values(copies=INSTANCES.c.copies + 1))


def _join_arrival(uow: UnitOfWork, received: ReceivedInstance) -> int:
    """Count the object in at its arrival, which is opened when there is none, and return the arrival's id."""
    joined = _count_in(uow, received, _of_sender(received))
    if joined is None:
        orphan = _orphan_id(uow, received)
        if orphan is not None:
            joined = _count_in(uow, received, ARRIVALS.c.id == orphan, claim=bool(received.sender.calling_ae))
    return joined if joined is not None else _open_arrival(uow, received)


def _count_in(uow: UnitOfWork, received: ReceivedInstance, which: Any, *, claim: bool = False) -> int | None:
    unreadable = int(received.unreadable_reason is not None)
    joined: int | None = uow.session.connection().scalar(
        update(ARRIVALS)
        .where(ARRIVALS.c.state == ArrivalState.receiving.value, which)
        .values(
            instance_count=ARRIVALS.c.instance_count + 1,
            unreadable_count=ARRIVALS.c.unreadable_count + unreadable,
            quarantined_count=ARRIVALS.c.quarantined_count + unreadable,
            size_bytes=ARRIVALS.c.size_bytes + received.size_bytes,
            last_instance_at=received.received_at,
            changed_at=received.received_at,
            **(_sender_columns(received) if claim else {}),
        )
        .returning(ARRIVALS.c.id)
    )
    return joined


def _open_arrival(uow: UnitOfWork, received: ReceivedInstance) -> int:
    connection = uow.session.connection()
    unreadable = int(received.unreadable_reason is not None)
    arrival_id: int = connection.scalar(
        insert(ARRIVALS)
        .values(
            state=ArrivalState.receiving.value,
            study_instance_uid=received.study_instance_uid or "",
            opened_at=received.received_at,
            last_instance_at=received.received_at,
            changed_at=received.received_at,
            instance_count=1,
            unreadable_count=unreadable,
            quarantined_count=unreadable,
            duplicate_count=0,
            size_bytes=received.size_bytes,
            attempt=0,
            failures=0,
            **_sender_columns(received),
        )
        .returning(ARRIVALS.c.id)
    )
    what = "First object received" if received.sender.calling_ae else "Object recovered after a restart"
    _note(uow, received, arrival_id=arrival_id, what=what)
    return arrival_id


def _of_sender(received: ReceivedInstance) -> Any:
    return (
        (ARRIVALS.c.study_instance_uid == (received.study_instance_uid or ""))
        & (ARRIVALS.c.calling_ae == received.sender.calling_ae)
        & (ARRIVALS.c.called_ae == received.sender.called_ae)
    )


def _orphan_id(uow: UnitOfWork, received: ReceivedInstance) -> int | None:
    """Return the receiving arrival that lacks a sender, or, for an object that lacks one, the study's newest."""
    query = select(ARRIVALS.c.id).where(
        ARRIVALS.c.state == ArrivalState.receiving.value,
        ARRIVALS.c.study_instance_uid == (received.study_instance_uid or ""),
    )
    if received.sender.calling_ae:
        query = query.where(ARRIVALS.c.calling_ae == "")
    found: int | None = uow.session.connection().scalar(query.order_by(ARRIVALS.c.id.desc()).limit(1))
    return found


def _sender_columns(received: ReceivedInstance) -> dict[str, str | None]:
    sender = received.sender
    return {"calling_ae": sender.calling_ae, "called_ae": sender.called_ae, "peer_ip": sender.peer_ip}
