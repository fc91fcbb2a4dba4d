"""How an arrival looks from outside. May import the tables and the domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.contract.schemas import ArrivalRecord
from gateway.contract.states import ArrivalState
from gateway.domain.arrivals import complete_at, next_step
from service_kit.tables import utc_now

if TYPE_CHECKING:
    from gateway.db.tables import Arrival


def record_of(row: Arrival, *, quiet_period_s: float) -> ArrivalRecord:
    """Return an arrival as programs and pages see it."""
    assert row.id is not None
    state = ArrivalState(row.state)
    receiving = state is ArrivalState.receiving
    held = receiving and row.held_until is not None and row.held_until > utc_now()
    return ArrivalRecord(
        id=row.id,
        state=state,
        study_instance_uid=row.study_instance_uid or None,
        calling_ae=row.calling_ae,
        called_ae=row.called_ae,
        peer_ip=row.peer_ip,
        opened_at=row.opened_at,
        last_instance_at=row.last_instance_at,
        completed_at=row.completed_at,
        settled_at=row.settled_at,
        complete_expected_at=(
            complete_at(row.last_instance_at, quiet_period_s=quiet_period_s) if receiving and not held else None
        ),
        instance_count=row.instance_count,
        unreadable_count=row.unreadable_count,
        quarantined_count=row.quarantined_count,
        duplicate_count=row.duplicate_count,
        size_bytes=row.size_bytes,
        reason=row.reason,
        study=row.study,
        site=row.site,
        session_label=row.session_label,
        session_url=row.session_url,
        attempt=row.attempt,
        flow_run_id=row.flow_run_id,
        dismissed_at=row.dismissed_at,
        dismissed_by=row.dismissed_by,
        dismissed_reason=row.dismissed_reason,
        next_step=next_step(
            state,
            attempt=row.attempt,
            ordered=row.flow_run_id is not None,
            is_empty=row.instance_count == 0,
            readable=row.unreadable_count < row.instance_count,
            recovered_sender=receiving and not row.calling_ae,
            held=held,
            quarantined_count=row.quarantined_count,
            dismissed=row.dismissed_at is not None,
        ),
    )
