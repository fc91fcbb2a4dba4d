"""The service of arrivals: each method is one transaction. May import the database layer and the domain."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gateway.arrivals.dismissing import bring_back, need_held_back, set_aside, set_aside_superseded
from gateway.arrivals.records import record_of
from gateway.contract.errors import (
    ArrivalNotReady,
    ArrivalOrderedAnew,
    ArrivalSettled,
    NothingToProcess,
    ReasonMissing,
    UnknownInstances,
)
from gateway.contract.ids import ArrivalId
from gateway.contract.schemas import (
    ArrivalRecord,
    Dismissal,
    EventRecord,
    InstanceRecord,
    QuarantineEntry,
    ReasonCount,
    SeriesSummary,
    Settlement,
)
from gateway.contract.states import ArrivalState, Outcome
from gateway.db import arrivals as rows
from gateway.db import doors
from gateway.db.tables import Arrival, Outbox
from gateway.db.turns import take_turn
from gateway.domain.arrivals import (
    GATEWAY,
    Settling,
    may_move,
    settling,
    state_after_quiet,
    told_settlement,
    unreadable_reason,
)
from service_kit.outbox import enqueue
from service_kit.paging import Page, clamp_limit, decode_id_cursor, encode_cursor
from service_kit.tables import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from gateway.arrivals.rights import Right
    from gateway.db.arrivals import ArrivalCounts, Reach, StoredFile
    from service_kit.database import Database, UnitOfWork

logger = logging.getLogger(__name__)

DEPLOYMENT = "receive-session/warm"
FLOW = "flow"
#: Among so many arrivals the reasons of the quarantine are counted.
REASONS_OF_NEWEST = 200


class Arrivals:
    """Arrivals over one database.

    Parameters
    ----------
    quiet_period_s
        An arrival is complete when nothing came in for so long.
    on_order
        Called after a transaction that ordered work, to wake the dispatcher.
    """

    def __init__(
        self, database: Database, *, quiet_period_s: float, on_order: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self._quiet_period_s = quiet_period_s
        self._on_order = on_order

    # ------------------------------------------------------------------ reading
    def get(self, arrival_id: ArrivalId, *, reach: Reach = None) -> ArrivalRecord:
        """Return one arrival.

        Raises
        ------
        NoSuchArrival
        """
        with self._database.read() as uow:
            return self._record(rows.get(uow, arrival_id, reach=reach))

    def page(
        self,
        *,
        states: Iterable[ArrivalState] | None = None,
        dismissed: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        reach: Reach = None,
    ) -> Page[ArrivalRecord]:
        """Return arrivals, newest first; with ``dismissed`` only those that were set aside, or that were not.

        Raises
        ------
        InvalidInput
            If the cursor is not one of this listing.
        """
        size, before_id = clamp_limit(limit), decode_id_cursor(cursor)
        with self._database.read() as uow:
            found = rows.newest(
                uow, states=states, dismissed=dismissed, before_id=before_id, limit=size + 1, reach=reach
            )
            items = [self._record(row) for row in found[:size]]
        return Page(items=items, next_cursor=encode_cursor(items[-1].id) if len(found) > size else None)

    def quarantine(
        self, *, dismissed: bool = False, cursor: str | None = None, limit: int | None = None, reach: Reach = None
    ) -> Page[QuarantineEntry]:
        """Return the arrivals that hold something back, or those set aside, newest first, with the reasons.

        Raises
        ------
        InvalidInput
            If the cursor is not one of this listing.
        """
        size, before_id = clamp_limit(limit), decode_id_cursor(cursor)
        with self._database.read() as uow:
            found = rows.newest(
                uow, holding_back=True, dismissed=dismissed, before_id=before_id, limit=size + 1, reach=reach
            )
            records = [self._record(row) for row in found[:size]]
            reasons = rows.reasons(uow, [record.id for record in records])
        items = [QuarantineEntry(arrival=record, reasons=reasons.get(record.id, ())) for record in records]
        return Page(items=items, next_cursor=encode_cursor(records[-1].id) if len(found) > size else None)

    def counts(self, *, reach: Reach = None) -> ArrivalCounts:
        """Return how many arrivals are in each state, hold something in the quarantine, or were set aside."""
        with self._database.read() as uow:
            return rows.counts(uow, reach=reach)

    def held_in_all(self, *, reach: Reach = None) -> tuple[int, Sequence[ReasonCount]]:
        """Return how many arrivals hold something in the quarantine, and how many of the newest for each reason."""
        with self._database.read() as uow:
            count = rows.count_holding_back(uow, reach=reach)
            return count, rows.reasons_by_arrivals(uow, newest=REASONS_OF_NEWEST, reach=reach) if count else ()

    def instances(
        self, arrival_id: ArrivalId, *, cursor: str | None = None, limit: int | None = None, reach: Reach = None
    ) -> Page[InstanceRecord]:
        """Return instances in the order in which they came in.

        Raises
        ------
        NoSuchArrival
        InvalidInput
            If the cursor is not one of this listing.
        """
        size, after_id = clamp_limit(limit), decode_id_cursor(cursor) or 0
        with self._database.read() as uow:
            rows.get(uow, arrival_id, reach=reach)
            found = rows.instances(uow, arrival_id, after_id=after_id, limit=size + 1)
        items = list(found[:size])
        return Page(items=items, next_cursor=encode_cursor(items[-1].id) if len(found) > size else None)

    def held_back(self, arrival_id: ArrivalId, *, limit: int) -> Sequence[InstanceRecord]:
        """Return instances of an arrival that are in the quarantine."""
        with self._database.read() as uow:
            return rows.instances(uow, arrival_id, limit=limit, only_quarantined=True)

    def series(self, arrival_id: ArrivalId) -> Sequence[SeriesSummary]:
        """Return what came in of each series."""
        with self._database.read() as uow:
            return rows.series(uow, arrival_id)

    def history(self, arrival_id: ArrivalId) -> Sequence[EventRecord]:
        """Return what happened, newest first."""
        with self._database.read() as uow:
            return rows.history(uow, arrival_id)

    def files(self, arrival_id: ArrivalId, *, right: Right | None = None) -> Sequence[StoredFile]:
        """Return the files of an arrival that are not in the quarantine.

        Raises
        ------
        NoSuchArrival, ScopeMissing
        ArrivalNotReady
            If it still receives.
        """
        with self._database.read() as uow:
            arrival = _get(uow, arrival_id, right)
            _refuse(arrival, ArrivalState.receiving, wanted="downloaded")
            return rows.files(uow, arrival_id)

    # ------------------------------------------------------------------ deciding
    def complete(self, arrival_id: ArrivalId, *, actor: str, right: Right | None = None) -> ArrivalRecord:
        """Count an arrival as complete without waiting for the quiet period. Once complete, it stays as it is.

        Raises
        ------
        NoSuchArrival, ScopeMissing
        """
        with self._database.write() as uow:
            take_turn(uow)
            arrival = _get(uow, arrival_id, right, lock=True)
            if arrival.state == ArrivalState.receiving.value:
                self._end_receiving(uow, arrival, actor=actor, what="Marked as complete")
            return self._record(arrival)

    def complete_quiet(self, *, now: datetime | None = None) -> int:
        """Complete every arrival in which nothing came in for the quiet period; return how many.

        The period stands still while a receiver that was killed is not back, see `gateway.db.doors`. While the sender
        is connected, its last arrival is not complete.
        """
        now = now or utc_now()
        with self._database.read() as uow:
            since = doors.quiet_since(uow, now=now, quiet_period_s=self._quiet_period_s)
            quiet = rows.quiet_ids(uow, since=since, now=now) if since is not None else ()
        completed = 0
        for arrival_id in quiet:
            with self._database.write() as uow:
                take_turn(uow)
                arrival = rows.get(uow, arrival_id, lock=True)
                if since and arrival.state == ArrivalState.receiving.value and arrival.last_instance_at <= since:
                    what = f"Complete: nothing more came for {self._quiet_period_s:g} s"
                    self._end_receiving(uow, arrival, actor=GATEWAY, what=what)
                    completed += 1
        return completed

    def settle(
        self, arrival_id: ArrivalId, settlement: Settlement, *, actor: str, right: Right | None = None
    ) -> ArrivalRecord:
        """Write down what processing an arrival came to. The same outcome again changes nothing.

        Raises
        ------
        NoSuchArrival, ScopeMissing
        ArrivalNotReady
            If it still receives.
        ArrivalSettled
            If it was settled with another outcome before.
        ArrivalOrderedAnew
            If the answer is that of an earlier attempt.
        UnknownInstances
            If a rejected instance is not one of this arrival.
        ReasonMissing
            If it is to be quarantined without a reason.
        """
        with self._database.write() as uow:
            take_turn(uow)
            arrival = _get(uow, arrival_id, right, lock=True)
            if right is not None:
                right.need(settlement.study or arrival.study, settlement.site or arrival.site)
            state = ArrivalState(arrival.state)
            match settling(state, settlement.outcome):
                case Settling.repeats:
                    return self._record(arrival)
                case Settling.comes_early:
                    raise ArrivalNotReady(arrival_id, state=state, wanted="settled")
                case Settling.comes_late:
                    raise ArrivalSettled(arrival_id, state=state)
                case Settling.moves if settlement.attempt not in {None, arrival.attempt}:
                    raise ArrivalOrderedAnew(arrival_id, attempt=arrival.attempt)
                case Settling.moves:
                    self._settle(uow, arrival, settlement, actor=actor)
            return self._record(arrival)

    def retry(self, arrival_id: ArrivalId, *, actor: str, right: Right | None = None) -> ArrivalRecord:
        """Give what is in the quarantine to processing again, once a person mended the cause; set aside or not.

        Raises
        ------
        NoSuchArrival, ScopeMissing
        ArrivalNotReady
            If nothing of it is in the quarantine, or it is being processed.
        NothingToProcess
            If none of its objects can be read.
        """
        with self._database.write() as uow:
            take_turn(uow)
            arrival = _get(uow, arrival_id, right, lock=True)
            state = ArrivalState(arrival.state)
            accepted_whole = state is ArrivalState.accepted and arrival.quarantined_count == 0
            if state is ArrivalState.complete:
                return self._record(arrival)
            if accepted_whole or not may_move(state, ArrivalState.complete) or state is ArrivalState.receiving:
                raise ArrivalNotReady(arrival_id, state=state, wanted="tried again")
            if arrival.unreadable_count >= arrival.instance_count:
                raise NothingToProcess(arrival_id)
            bring_back(uow, arrival, actor=actor)
            rows.release_readable(uow, arrival_id)
            arrival.quarantined_count = arrival.unreadable_count
            arrival.state = ArrivalState.complete.value
            arrival.reason, arrival.settled_at, arrival.failures = None, None, 0
            rows.note(uow, arrival, actor=actor, what="Try again")
            self.order(uow, arrival)
            return self._record(arrival)

    def dismiss(
        self, arrival_id: ArrivalId, dismissal: Dismissal, *, actor: str, right: Right | None = None
    ) -> ArrivalRecord:
        """Set aside what an arrival holds back, with a reason. The same reason again changes nothing.

        Raises
        ------
        NoSuchArrival, ScopeMissing
        ArrivalNotReady
            If it still receives or is being processed.
        NothingHeldBack
        """
        with self._database.write() as uow:
            arrival = _get(uow, arrival_id, right, lock=True)
            need_held_back(arrival)
            set_aside(uow, arrival, actor=actor, reason=dismissal.reason)
            return self._record(arrival)

    def reopen(self, arrival_id: ArrivalId, *, actor: str, right: Right | None = None) -> ArrivalRecord:
        """Bring back what was set aside; what is not set aside stays as it is.

        Raises
        ------
        NoSuchArrival, ScopeMissing
        """
        with self._database.write() as uow:
            arrival = _get(uow, arrival_id, right, lock=True)
            bring_back(uow, arrival, actor=actor)
            return self._record(arrival)

    def order(self, uow: UnitOfWork, arrival: Arrival, *, delay_s: float = 0.0) -> None:
        """Order the next attempt within the caller's transaction."""
        arrival.attempt += 1
        arrival.flow_run_id = None
        key = f"arrival-{arrival.id}" if arrival.attempt == 1 else f"arrival-{arrival.id}-{arrival.attempt}"
        payload = {
            "deployment": DEPLOYMENT,
            "parameters": {"arrival_id": arrival.id},
            "arrival_id": arrival.id,
            "attempt": arrival.attempt,
        }
        enqueue(uow, Outbox, kind=FLOW, key=key, payload=payload, available_in_s=delay_s)
        uow.session.add(arrival)
        uow.after_commit(self._on_order)

    def quarantine_unprocessed(self, uow: UnitOfWork, arrival: Arrival, *, reason: str) -> None:
        """Put an arrival that could not be processed into the quarantine, in the caller's transaction and turn."""
        arrival.state = ArrivalState.quarantined.value
        arrival.reason, arrival.settled_at = reason, utc_now()
        rows.note(uow, arrival, actor=GATEWAY, what="Quarantined", detail=reason)
        set_aside_superseded(uow, arrival)

    def _end_receiving(self, uow: UnitOfWork, arrival: Arrival, *, actor: str, what: str) -> None:
        arrival.completed_at = utc_now()
        rows.note(uow, arrival, actor=actor, what=what)
        state = state_after_quiet(instance_count=arrival.instance_count, unreadable_count=arrival.unreadable_count)
        if state is ArrivalState.quarantined:
            reasons = [one.reason for one in rows.reasons(uow, [arrival.id or 0]).get(arrival.id or 0, ())]
            self.quarantine_unprocessed(uow, arrival, reason=unreadable_reason(arrival.instance_count, reasons))
            return
        arrival.state = state.value
        self.order(uow, arrival)

    def _settle(self, uow: UnitOfWork, arrival: Arrival, settlement: Settlement, *, actor: str) -> None:
        arrival_id = ArrivalId(arrival.id or 0)
        known = rows.ids_by_digest(uow, arrival_id)
        unknown = [each.sha256 for each in settlement.rejected if each.sha256 not in known]
        if unknown:
            raise UnknownInstances(arrival_id, digests=unknown)
        if settlement.outcome is Outcome.quarantined and not settlement.reason:
            raise ReasonMissing(arrival_id)
        rejected = {one: each.reason for each in settlement.rejected for one in known[each.sha256]}
        rows.quarantine_instances(uow, rejected)
        if settlement.outcome is Outcome.accepted:
            rows.accept_stored(uow, arrival_id)
        arrival.state = settlement.outcome.value
        arrival.quarantined_count = rows.count_quarantined(uow, arrival_id)
        arrival.reason = settlement.reason
        arrival.study = settlement.study or arrival.study
        arrival.site = settlement.site or arrival.site
        arrival.session_label = settlement.session_label or arrival.session_label
        arrival.session_url = settlement.session_url or arrival.session_url
        arrival.settled_at = utc_now()
        what = "Accepted" if settlement.outcome is Outcome.accepted else "Quarantined"
        rows.note(uow, arrival, actor=actor, what=what, detail=told_settlement(settlement))
        set_aside_superseded(uow, arrival)

    def _record(self, row: Arrival) -> ArrivalRecord:
        return record_of(row, quiet_period_s=self._quiet_period_s)


def _get(uow: UnitOfWork, arrival_id: ArrivalId, right: Right | None, *, lock: bool = False) -> Arrival:
    """Return an arrival for which somebody has a right; the gateway itself, which needs none, asks with None."""
    arrival = rows.get(uow, arrival_id, reach=None if right is None else right.reach, lock=lock)
    if right is not None:
        right.need(arrival.study, arrival.site)
    return arrival


def _refuse(arrival: Arrival, state: ArrivalState, *, wanted: str) -> None:
    if arrival.state == state.value:
        raise ArrivalNotReady(ArrivalId(arrival.id or 0), state=state, wanted=wanted)
