"""Which arrivals hold only what came again and was archived, and what brought it. May import SQLAlchemy and the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import aliased

from gateway.contract.naming import UNNAMED
from gateway.contract.states import ArrivalState, InstanceStatus
from gateway.db.tables import ARRIVALS, INSTANCES, Arrival

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service_kit.database import UnitOfWork

_ACCEPTED = InstanceStatus.accepted.value
_SETTLED = (ArrivalState.quarantined.value, ArrivalState.accepted.value)
#: So many arrivals are looked at for one that is settled.
_MOST_AT_ONCE = 1000
#: An arrival that holds something back, and one that brought newer copies, of which some are archived.
_HOLDER: Any = ARRIVALS.alias("holder")
_BRINGER: Any = ARRIVALS.alias("bringer")


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
    holders = _newest_candidates(uow, _HOLDER, of=_BRINGER.c.id == accepted.id)
    if not holders:
        return ()
    query = (
        select(aliased(Arrival, _HOLDER))
        .where(_BRINGER.c.id == accepted.id, _HOLDER.c.id.in_(holders), _may_be_superseded(), ~_holds_what_is_left())
        .order_by(_HOLDER.c.id)
        .with_for_update(of=_HOLDER)
    )
    return uow.session.scalars(query).all()


def superseding(uow: UnitOfWork, settled: Arrival) -> Arrival | None:
    """Return the arrival accepted last that supersedes one that was just settled and holds something, locked.

    The same question as that of `superseded_by`, asked by the one that comes late; None when there is no such arrival.
    """
    bringers = _newest_candidates(uow, _BRINGER, of=_HOLDER.c.id == settled.id)
    if not bringers:
        return None
    query = (
        select(aliased(Arrival, _BRINGER))
        .where(_HOLDER.c.id == settled.id, _BRINGER.c.id.in_(bringers), _may_be_superseded(), ~_holds_what_is_left())
        .order_by(_BRINGER.c.settled_at.desc(), _BRINGER.c.id.desc())
        .limit(1)
        .with_for_update(of=_BRINGER)
    )
    found: Arrival | None = uow.session.scalars(query).first()
    return found


def _newest_candidates(uow: UnitOfWork, wanted: Any, *, of: Any) -> Sequence[int]:
    """Return the newest holders of older copies of what one arrival brought, or bringers of newer ones of what it holds."""
    brought, held = INSTANCES.alias("brought"), INSTANCES.alias("held")
    newer = and_(brought.c.sop_instance_uid == held.c.sop_instance_uid, brought.c.received_at > held.c.received_at)
    query = (
        select(wanted.c.id)
        .distinct()
        .select_from(held)
        .join(brought, newer)
        .join(_HOLDER, _HOLDER.c.id == held.c.arrival_id)
        .join(_BRINGER, _BRINGER.c.id == brought.c.arrival_id)
        .where(of, held.c.status != _ACCEPTED, held.c.sop_instance_uid != UNNAMED, brought.c.status == _ACCEPTED)
        .where(_may_be_superseded())
        .order_by(wanted.c.id.desc())
        .limit(_MOST_AT_ONCE)
    )
    return uow.session.scalars(query).all()


def _holds_what_is_left() -> Any:
    """Tell whether the holder holds an object of which no newer copy is accepted in the bringer's study and site.

    Of a settled arrival everything is held that is not accepted. ``offset(0)`` keeps PostgreSQL from joining what is to
    be looked up: before it has counted its rows, it would walk through the whole study.
    """
    held, copy, place = INSTANCES.alias("kept"), INSTANCES.alias("copy"), ARRIVALS.alias("place")
    here = select(place.c.id).where(
        place.c.id == copy.c.arrival_id,
        place.c.study == _BRINGER.c.study,
        place.c.site.is_not_distinct_from(_BRINGER.c.site),
    )
    archived = select(copy.c.id).where(
        copy.c.sop_instance_uid == held.c.sop_instance_uid,
        copy.c.sop_instance_uid != UNNAMED,
        copy.c.received_at > held.c.received_at,
        copy.c.status == _ACCEPTED,
        here.offset(0).correlate(copy, _BRINGER).exists(),
    )
    left = select(held.c.id).where(
        held.c.arrival_id == _HOLDER.c.id,
        held.c.status != _ACCEPTED,
        ~archived.offset(0).correlate(held, _BRINGER).exists(),
    )
    return left.offset(0).correlate(_HOLDER, _BRINGER).exists()


def _may_be_superseded() -> Any:
    """Tell whether the holder is settled, not set aside, and of the bringer's study and site.

    What is not routed, or not wholly, is shown only to those with a wider right; only its own sender supersedes it.
    """
    holder, bringer = _HOLDER.c, _BRINGER.c
    same_sender = and_(
        bringer.calling_ae != "", holder.calling_ae == bringer.calling_ae, holder.called_ae == bringer.called_ae
    )
    return and_(
        holder.state.in_(_SETTLED),
        holder.dismissed_at.is_(None),
        bringer.study.is_not(None),
        or_(holder.study == bringer.study, and_(holder.study.is_(None), same_sender)),
        or_(holder.site.is_not_distinct_from(bringer.site), and_(holder.site.is_(None), same_sender)),
    )
