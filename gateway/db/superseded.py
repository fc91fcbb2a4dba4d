"""Which arrivals hold only what came again and was archived. May import SQLAlchemy and the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, false, or_, select

from gateway.contract.naming import UNNAMED
from gateway.contract.states import ArrivalState, InstanceStatus
from gateway.db.tables import ARRIVALS, INSTANCES, Arrival

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service_kit.database import UnitOfWork

_ACCEPTED = InstanceStatus.accepted.value
#: So many arrivals are looked at for one that is accepted.
_MOST_AT_ONCE = 1000
_arrival: Any = Arrival


def superseded_by(uow: UnitOfWork, accepted: Arrival) -> Sequence[Arrival]:
    """Return the arrivals that hold nothing any more but older copies of what is archived now, locked, oldest first.

    Two statements. They look up, by SOP Instance UID, what the accepted arrival brought, and then the held objects of
    those arrivals alone that hold some of it: the cost follows these, not the number of all arrivals. The caller has
    its turn, see `gateway.db.turns`.

    Parameters
    ----------
    accepted
        An arrival that was just accepted into a study. Without a study nothing is superseded.
    """
    holders = _holders(uow, accepted) if accepted.study is not None else ()
    if not holders:
        return ()
    query = (
        select(_arrival)
        .where(
            ARRIVALS.c.id.in_(holders),
            ARRIVALS.c.state.in_([ArrivalState.quarantined.value, ArrivalState.accepted.value]),
            ARRIVALS.c.dismissed_at.is_(None),
            _is_of_same_place(accepted),
            ~_holds_what_is_not_archived(accepted),
        )
        .order_by(ARRIVALS.c.id)
        .with_for_update()
    )
    return uow.session.scalars(query).all()


def _holders(uow: UnitOfWork, accepted: Arrival) -> Sequence[int]:
    """Return the other arrivals, the newest ones, with an older copy, not accepted, of an object that this one brought."""
    brought, held = INSTANCES.alias("brought"), INSTANCES.alias("held")
    query = (
        select(held.c.arrival_id)
        .distinct()
        .join(
            brought,
            and_(held.c.sop_instance_uid == brought.c.sop_instance_uid, held.c.received_at < brought.c.received_at),
        )
        .where(brought.c.arrival_id == accepted.id, brought.c.status == _ACCEPTED)
        .where(held.c.arrival_id != accepted.id, held.c.status != _ACCEPTED)
        .order_by(held.c.arrival_id.desc())
        .limit(_MOST_AT_ONCE)
    )
    return uow.session.connection().scalars(query).all()


def _holds_what_is_not_archived(accepted: Arrival) -> Any:
    """Tell whether an arrival holds an object of which no newer copy is accepted in the same study and site.

    Of a settled arrival everything is held that is not accepted. ``offset(0)`` keeps PostgreSQL from joining what is to
    be looked up: before it has counted its rows, it would walk through the whole study.
    """
    held, copy, place = INSTANCES.alias("kept"), INSTANCES.alias("copy"), ARRIVALS.alias("place")
    here = select(place.c.id).where(
        place.c.id == copy.c.arrival_id,
        place.c.study == accepted.study,
        place.c.site.is_not_distinct_from(accepted.site),
    )
    archived = select(copy.c.id).where(
        copy.c.sop_instance_uid == held.c.sop_instance_uid,
        copy.c.sop_instance_uid != UNNAMED,
        copy.c.received_at > held.c.received_at,
        copy.c.status == _ACCEPTED,
        here.offset(0).correlate(copy).exists(),
    )
    left = select(held.c.id).where(
        held.c.arrival_id == ARRIVALS.c.id,
        held.c.status != _ACCEPTED,
        ~archived.offset(0).correlate(held).exists(),
    )
    return left.offset(0).correlate(ARRIVALS).exists()


def _is_of_same_place(accepted: Arrival) -> Any:
    """Tell whether an arrival is of the same study and site.

    What is not routed, or not wholly, is shown only to those with a wider right; only its own sender supersedes it.
    """
    same_sender = and_(ARRIVALS.c.calling_ae == accepted.calling_ae, ARRIVALS.c.called_ae == accepted.called_ae)
    known_sender = same_sender if accepted.calling_ae else false()
    return and_(
        or_(ARRIVALS.c.study == accepted.study, and_(ARRIVALS.c.study.is_(None), known_sender)),
        or_(ARRIVALS.c.site.is_not_distinct_from(accepted.site), and_(ARRIVALS.c.site.is_(None), known_sender)),
    )
