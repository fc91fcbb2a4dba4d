"""Queries over arrivals, their instances and events. May import SQLModel and the tables; decides nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, false, func, insert, or_, select, true, union, update

from gateway.contract.errors import NoSuchArrival
from gateway.contract.ids import ArrivalId
from gateway.contract.naming import filename
from gateway.contract.schemas import EventRecord, InstanceRecord, ReasonCount, SeriesSummary
from gateway.contract.states import ArrivalState, InstanceStatus
from gateway.db.tables import ARRIVALS, EVENTS, INSTANCES, Arrival, ArrivalEvent
from gateway.db.turns import take_turn
from gateway.domain.received import StudyOfSender
from service_kit.database import UnitOfWork
from service_kit.tables import utc_now

_QUARANTINED = INSTANCES.c.status == InstanceStatus.quarantined.value
_NOT_DISMISSED = ARRIVALS.c.dismissed_at.is_(None)
_arrival: Any = Arrival

#: Who asks sees arrivals of these pairs of study and site, None standing for every one; no pairs at all is everything.
#: What is not routed yet belongs to no study: only a right for every study and site shows it.
Reach = frozenset[tuple[str | None, str | None]] | None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One instance as it lies in the spool."""

    filename: str
    path: str
    size_bytes: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ArrivalCounts:
    """How many arrivals there are.

    Parameters
    ----------
    dismissed_by_state
        Of these, how many were set aside.
    holding_back
        How many hold something in the quarantine that was not set aside.
    """

    by_state: Mapping[ArrivalState, int]
    dismissed_by_state: Mapping[ArrivalState, int]
    holding_back: int


@dataclass(frozen=True, slots=True)
class OrderedArrival:
    """An unsettled arrival and the flow run of its current attempt."""

    id: ArrivalId
    attempt: int
    failures: int
    flow_run_id: str


def get(uow: UnitOfWork, arrival_id: ArrivalId, *, reach: Reach = None, lock: bool = False) -> Arrival:
    """Return an arrival's row; with ``lock`` no other transaction changes it until this one ends.

    Raises
    ------
    NoSuchArrival
        If there is none, or it belongs to a study or site that the caller may not see.
    """
    query = select(_arrival).where(ARRIVALS.c.id == arrival_id, _visible(reach))
    row = uow.session.scalars(query.with_for_update() if lock else query).first()
    if row is None:
        raise NoSuchArrival(arrival_id)
    assert isinstance(row, Arrival)
    return row


def newest(
    uow: UnitOfWork,
    *,
    states: Iterable[ArrivalState] | None = None,
    holding_back: bool = False,
    dismissed: bool | None = None,
    before_id: int | None = None,
    limit: int,
    reach: Reach = None,
) -> Sequence[Arrival]:
    """Return arrivals, newest first; ``holding_back`` only those with something in the quarantine.

    With ``dismissed`` only those that were set aside, or that were not.
    """
    query = select(_arrival).where(_visible(reach)).order_by(ARRIVALS.c.id.desc()).limit(limit)
    if states is not None:
        query = query.where(ARRIVALS.c.state.in_([state.value for state in states]))
    if holding_back:
        query = query.where(_holding_back())
    if dismissed is not None:
        query = query.where(ARRIVALS.c.dismissed_at.is_not(None) if dismissed else _NOT_DISMISSED)
    if before_id is not None:
        query = query.where(ARRIVALS.c.id < before_id)
    return uow.session.scalars(query).all()


def counts(uow: UnitOfWork, *, reach: Reach = None) -> ArrivalCounts:
    """Return how many arrivals are in each state, hold something back, or were set aside."""
    is_dismissed = ~_NOT_DISMISSED
    query = select(ARRIVALS.c.state, is_dismissed, func.count()).where(_visible(reach))
    by_state, dismissed = dict.fromkeys(ArrivalState, 0), dict.fromkeys(ArrivalState, 0)
    for state, aside, count in uow.session.connection().execute(query.group_by(ARRIVALS.c.state, is_dismissed)):
        by_state[ArrivalState(state)] += count
        dismissed[ArrivalState(state)] += count if aside else 0
    return ArrivalCounts(by_state, dismissed, holding_back=count_holding_back(uow, reach=reach))


def count_holding_back(uow: UnitOfWork, *, reach: Reach = None) -> int:
    """Return how many arrivals hold something in the quarantine that was not set aside."""
    query = select(func.count()).select_from(ARRIVALS).where(_visible(reach), _holding_back(), _NOT_DISMISSED)
    return int(uow.session.connection().scalar(query) or 0)


def quiet_ids(uow: UnitOfWork, *, since: datetime, now: datetime) -> Sequence[ArrivalId]:
    """Return the receiving arrivals that got nothing since a moment and are not held now, oldest first."""
    query = select(ARRIVALS.c.id).where(
        ARRIVALS.c.state == ArrivalState.receiving.value,
        ARRIVALS.c.last_instance_at <= since,
        or_(ARRIVALS.c.held_until.is_(None), ARRIVALS.c.held_until <= now),
    )
    return [ArrivalId(found) for found in uow.session.connection().scalars(query.order_by(ARRIVALS.c.id))]


def hold(uow: UnitOfWork, studies: Iterable[StudyOfSender], *, until: datetime) -> None:
    """Hold the receiving arrivals of studies that are being sent: until a moment they are not complete."""
    take_turn(uow)
    for study in studies:
        uow.session.connection().execute(
            update(ARRIVALS)
            .where(
                ARRIVALS.c.state == ArrivalState.receiving.value,
                ARRIVALS.c.study_instance_uid == study.study_instance_uid,
                ARRIVALS.c.calling_ae == study.calling_ae,
                ARRIVALS.c.called_ae == study.called_ae,
            )
            .values(held_until=until)
        )


def ordered(uow: UnitOfWork, *, after_id: int, limit: int) -> Sequence[OrderedArrival]:
    """Return unsettled arrivals whose current attempt has a flow run, in the order of their ids."""
    query = (
        select(ARRIVALS.c.id, ARRIVALS.c.attempt, ARRIVALS.c.failures, ARRIVALS.c.flow_run_id)
        .where(ARRIVALS.c.state == ArrivalState.complete.value, ARRIVALS.c.flow_run_id.is_not(None))
        .where(ARRIVALS.c.id > after_id)
        .order_by(ARRIVALS.c.id)
        .limit(limit)
    )
    return [OrderedArrival(ArrivalId(row[0]), *row[1:]) for row in uow.session.connection().execute(query)]


def last_change(uow: UnitOfWork) -> tuple[datetime | None, int]:
    """Return when anything changed last, and how many arrivals receive now; cheap enough to ask all the time."""
    connection = uow.session.connection()
    changed_at = connection.scalar(select(ARRIVALS.c.changed_at).order_by(ARRIVALS.c.changed_at.desc()).limit(1))
    receiving = select(func.count()).select_from(ARRIVALS).where(ARRIVALS.c.state == ArrivalState.receiving.value)
    return changed_at, int(connection.scalar(receiving) or 0)


def instances(
    uow: UnitOfWork, arrival_id: ArrivalId, *, after_id: int = 0, limit: int, only_quarantined: bool = False
) -> Sequence[InstanceRecord]:
    """Return instances of an arrival in the order in which they came in."""
    query = (
        select(INSTANCES)
        .where(INSTANCES.c.arrival_id == arrival_id, INSTANCES.c.id > after_id)
        .order_by(INSTANCES.c.id)
        .limit(limit)
    )
    if only_quarantined:
        query = query.where(_QUARANTINED)
    return [_instance_record(row) for row in uow.session.connection().execute(query)]


def files(uow: UnitOfWork, arrival_id: ArrivalId) -> Sequence[StoredFile]:
    """Return the files of an arrival that are not in the quarantine."""
    query = select(INSTANCES).where(INSTANCES.c.arrival_id == arrival_id, ~_QUARANTINED).order_by(INSTANCES.c.id)
    return [
        StoredFile(filename(row.sop_instance_uid, row.sha256), row.path, row.size_bytes, row.received_at)
        for row in uow.session.connection().execute(query)
    ]


def series(uow: UnitOfWork, arrival_id: ArrivalId) -> Sequence[SeriesSummary]:
    """Return what came in of each series, in the order of their first object."""
    query = (
        select(
            INSTANCES.c.series_instance_uid,
            INSTANCES.c.sop_class_uid,
            INSTANCES.c.transfer_syntax_uid,
            func.count().label("objects"),
            func.sum(INSTANCES.c.size_bytes).label("size_bytes"),
            func.count().filter(_QUARANTINED).label("quarantined"),
        )
        .where(INSTANCES.c.arrival_id == arrival_id)
        .group_by(INSTANCES.c.series_instance_uid, INSTANCES.c.sop_class_uid, INSTANCES.c.transfer_syntax_uid)
        .order_by(func.min(INSTANCES.c.id))
    )
    kinds: dict[str | None, list[Any]] = {}
    for row in uow.session.connection().execute(query):
        kinds.setdefault(row.series_instance_uid, []).append(row)
    return [
        SeriesSummary(
            series_instance_uid=uid,
            sop_class_uids=tuple(dict.fromkeys(row.sop_class_uid for row in rows)),
            transfer_syntax_uids=tuple(dict.fromkeys(row.transfer_syntax_uid for row in rows)),
            count=sum(row.objects for row in rows),
            quarantined_count=sum(row.quarantined for row in rows),
            size_bytes=sum(int(row.size_bytes) for row in rows),
        )
        for uid, rows in kinds.items()
    ]


def reasons(uow: UnitOfWork, arrival_ids: Sequence[int]) -> dict[int, tuple[ReasonCount, ...]]:
    """Return, by arrival, why its instances are in the quarantine, the most frequent reason first."""
    query = (
        select(INSTANCES.c.arrival_id, INSTANCES.c.reason, func.count().label("objects"))
        .where(INSTANCES.c.arrival_id.in_(arrival_ids), _QUARANTINED)
        .group_by(INSTANCES.c.arrival_id, INSTANCES.c.reason)
        .order_by(func.count().desc(), INSTANCES.c.reason)
    )
    found: dict[int, list[ReasonCount]] = {}
    for row in uow.session.connection().execute(query):
        found.setdefault(row.arrival_id, []).append(ReasonCount(reason=row.reason or "", count=row.objects))
    return {arrival_id: tuple(counts) for arrival_id, counts in found.items()}


def reasons_by_arrivals(uow: UnitOfWork, *, newest: int, reach: Reach = None) -> Sequence[ReasonCount]:
    """Return why arrivals are held back and how many for each reason, the most frequent first.

    Parameters
    ----------
    newest
        Of so many arrivals at most: each look costs as much as they hold instances.
    """
    newest_held = select(ARRIVALS).where(_visible(reach), _holding_back(), _NOT_DISMISSED)
    held = newest_held.order_by(ARRIVALS.c.id.desc()).limit(newest).subquery()
    of_instances = select(INSTANCES.c.arrival_id, INSTANCES.c.reason).join(held, held.c.id == INSTANCES.c.arrival_id)
    # Where each instance has its reason, the arrival's own only sums them up.
    has_own = or_(held.c.quarantined_count < held.c.instance_count, held.c.instance_count == 0)
    of_wholes = select(held.c.id, held.c.reason).where(held.c.state == ArrivalState.quarantined.value, has_own)
    each = union(of_instances.where(_QUARANTINED), of_wholes).subquery()
    arrivals = func.count().label("arrivals")
    query = select(each.c.reason, arrivals).group_by(each.c.reason).order_by(arrivals.desc(), each.c.reason)
    return [ReasonCount(reason=row.reason or "", count=row.arrivals) for row in uow.session.connection().execute(query)]


def ids_by_digest(uow: UnitOfWork, arrival_id: ArrivalId) -> dict[str, list[int]]:
    """Return the row ids of an arrival's instances by digest."""
    found: dict[str, list[int]] = {}
    query = select(INSTANCES.c.sha256, INSTANCES.c.id).where(INSTANCES.c.arrival_id == arrival_id)
    for sha256, instance_id in uow.session.connection().execute(query):
        found.setdefault(sha256, []).append(instance_id)
    return found


def quarantine_instances(uow: UnitOfWork, reasons: Mapping[int, str]) -> None:
    """Put instances into the quarantine, each by its row id. One that could not be read keeps the reason it has."""
    if reasons:
        uow.session.connection().execute(
            update(INSTANCES)
            .where(INSTANCES.c.id == bindparam("of_id"), INSTANCES.c.readable)
            .values(status=InstanceStatus.quarantined.value, reason=bindparam("why")),
            [{"of_id": instance_id, "why": reason} for instance_id, reason in sorted(reasons.items())],
        )


def accept_stored(uow: UnitOfWork, arrival_id: ArrivalId) -> None:
    """Mark every instance that is not in the quarantine as accepted."""
    uow.session.connection().execute(
        update(INSTANCES)
        .where(INSTANCES.c.arrival_id == arrival_id, ~_QUARANTINED)
        .values(status=InstanceStatus.accepted.value)
    )


def release_readable(uow: UnitOfWork, arrival_id: ArrivalId) -> None:
    """Take every readable instance out of the quarantine, for another try."""
    uow.session.connection().execute(
        update(INSTANCES)
        .where(INSTANCES.c.arrival_id == arrival_id, INSTANCES.c.readable)
        .values(status=InstanceStatus.stored.value, reason=None)
    )


def count_quarantined(uow: UnitOfWork, arrival_id: ArrivalId) -> int:
    """Return how many instances of an arrival are in the quarantine."""
    query = select(func.count()).select_from(INSTANCES).where(INSTANCES.c.arrival_id == arrival_id, _QUARANTINED)
    return int(uow.session.connection().scalar(query) or 0)


def note(uow: UnitOfWork, arrival: Arrival, *, actor: str, what: str, detail: str | None = None) -> None:
    """Write one line of an arrival's history and mark the arrival as changed."""
    assert arrival.id is not None
    arrival.changed_at = utc_now()
    uow.session.add(arrival)
    uow.session.add(ArrivalEvent(arrival_id=arrival.id, actor=actor, what=what, detail=detail))


def note_each(uow: UnitOfWork, arrivals: Sequence[Arrival], *, actor: str, what: str, detail: str) -> None:
    """Write the same line into the history of several arrivals, by one statement, and mark them as changed."""
    now = utc_now()
    for arrival in arrivals:
        arrival.changed_at = now
    line = {"at": now, "actor": actor, "what": what, "detail": detail}
    uow.session.connection().execute(insert(EVENTS), [{"arrival_id": arrival.id, **line} for arrival in arrivals])


def history(uow: UnitOfWork, arrival_id: ArrivalId) -> Sequence[EventRecord]:
    """Return an arrival's history, newest first."""
    query = select(EVENTS).where(EVENTS.c.arrival_id == arrival_id).order_by(EVENTS.c.id.desc())
    rows = uow.session.connection().execute(query)
    return [EventRecord(at=row.at, actor=row.actor, what=row.what, detail=row.detail) for row in rows]


def _visible(reach: Reach) -> Any:
    if reach is None or (None, None) in reach:
        return true()
    ways = []
    for study, site in reach:
        parts = [ARRIVALS.c.study.is_not(None) if study is None else ARRIVALS.c.study == study]
        ways.append(and_(*parts, true() if site is None else ARRIVALS.c.site == site))
    return or_(false(), *ways)


def _holding_back() -> Any:
    return or_(ARRIVALS.c.state == ArrivalState.quarantined.value, ARRIVALS.c.quarantined_count > 0)


def _instance_record(row: Any) -> InstanceRecord:
    return InstanceRecord(
        id=row.id,
        sop_instance_uid=row.sop_instance_uid,
        sha256=row.sha256,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        size_bytes=row.size_bytes,
        received_at=row.received_at,
        copies=row.copies,
        status=InstanceStatus(row.status),
        reason=row.reason,
        filename=filename(row.sop_instance_uid, row.sha256),
    )
