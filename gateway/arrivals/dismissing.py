"""What a person, or the gateway itself, sets aside in the quarantine, and brings back. May import the database layer.

Nothing is deleted: an arrival that is set aside is no longer counted as held back, that is all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.contract.errors import ArrivalNotReady, NothingHeldBack
from gateway.contract.ids import ArrivalId
from gateway.contract.states import ArrivalState
from gateway.db import arrivals as rows
from gateway.db.superseded import superseded_by, superseding
from gateway.domain.arrivals import GATEWAY, holds_back, superseded_arrivals, superseded_reason
from service_kit.tables import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.db.tables import Arrival
    from service_kit.database import UnitOfWork


_SET_ASIDE = "Set aside"


def need_held_back(arrival: Arrival) -> None:
    """Check that an arrival is settled and holds something back.

    Raises
    ------
    ArrivalNotReady, NothingHeldBack
    """
    arrival_id, state = ArrivalId(arrival.id or 0), ArrivalState(arrival.state)
    if state in {ArrivalState.receiving, ArrivalState.complete}:
        raise ArrivalNotReady(arrival_id, state=state, wanted="set aside")
    if not holds_back(state, quarantined_count=arrival.quarantined_count):
        raise NothingHeldBack(arrival_id)


def set_aside(uow: UnitOfWork, arrival: Arrival, *, actor: str, reason: str) -> None:
    """Set an arrival aside; the same reason again changes nothing."""
    if arrival.dismissed_at is not None and arrival.dismissed_reason == reason:
        return
    arrival.dismissed_at, arrival.dismissed_by, arrival.dismissed_reason = utc_now(), actor, reason
    rows.note(uow, arrival, actor=actor, what=_SET_ASIDE, detail=reason)


def bring_back(uow: UnitOfWork, arrival: Arrival, *, actor: str) -> None:
    """Count an arrival as held back again; one that is not set aside stays as it is."""
    if arrival.dismissed_at is None:
        return
    arrival.dismissed_at = arrival.dismissed_by = arrival.dismissed_reason = None
    rows.note(uow, arrival, actor=actor, what="Brought back")


def set_aside_superseded(uow: UnitOfWork, settled: Arrival) -> None:
    """Set aside what holds nothing but older copies of what is archived, now that an arrival is settled.

    That is what came before it, once it is accepted, and the arrival itself, where it was settled after what came later.
    The caller has its turn, see `gateway.db.turns`.
    """
    state = ArrivalState(settled.state)
    if state is ArrivalState.accepted:
        _set_aside_for(uow, superseded_by(uow, settled), bringer=settled)
    if settled.dismissed_at is None and holds_back(state, quarantined_count=settled.quarantined_count):
        bringer = superseding(uow, settled)
        if bringer is not None:
            _set_aside_for(uow, [settled], bringer=bringer)


def _set_aside_for(uow: UnitOfWork, superseded: Sequence[Arrival], *, bringer: Arrival) -> None:
    if superseded:
        reason = superseded_reason(bringer.id or 0)
        for one in superseded:
            one.dismissed_at, one.dismissed_by, one.dismissed_reason = utc_now(), GATEWAY, reason
        rows.note_each(uow, superseded, actor=GATEWAY, what=_SET_ASIDE, detail=reason)
        told = superseded_arrivals([one.id or 0 for one in superseded])
        rows.note(uow, bringer, actor=GATEWAY, what="Set aside what came before", detail=told)
