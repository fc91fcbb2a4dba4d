"""When an arrival is complete, which moves it may make, and what a person is told. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.contract.schemas import Settlement
from gateway.contract.states import ArrivalState, Outcome

#: Who acts when nobody does.
GATEWAY = "gateway"

#: How often an arrival is given to processing before a person has to look.
MAX_ATTEMPTS = 5

#: Waiting time before the next attempt, by the number of attempts that failed. A killed worker costs nothing.
RETRY_AFTER_S: Mapping[int, float] = {1: 0.0, 2: 5.0, 3: 30.0, 4: 120.0}

#: Which state may follow which. Everything else is refused. Back to complete goes only what a person tries again,
#: back to receiving only what its sender sends again.
MOVES: Mapping[ArrivalState, frozenset[ArrivalState]] = {
    ArrivalState.receiving: frozenset({ArrivalState.complete, ArrivalState.quarantined}),
    ArrivalState.complete: frozenset({ArrivalState.accepted, ArrivalState.quarantined}),
    ArrivalState.quarantined: frozenset({ArrivalState.complete, ArrivalState.receiving}),
    ArrivalState.accepted: frozenset({ArrivalState.complete}),
}


def may_move(state: ArrivalState, to: ArrivalState) -> bool:
    """Tell whether an arrival may go from one state to another.

    Examples
    --------
    >>> may_move(ArrivalState.complete, ArrivalState.accepted), may_move(ArrivalState.receiving, ArrivalState.accepted)
    (True, False)
    """
    return to in MOVES[state]


def complete_at(last_instance_at: datetime, *, quiet_period_s: float) -> datetime:
    """Return when an arrival counts as complete if nothing more comes in."""
    return last_instance_at + timedelta(seconds=quiet_period_s)


def state_after_quiet(*, instance_count: int, unreadable_count: int) -> ArrivalState:
    """Return the state of an arrival in which nothing moves any more.

    Examples
    --------
    >>> state_after_quiet(instance_count=3, unreadable_count=3).value
    'quarantined'
    """
    nothing_readable = instance_count == unreadable_count
    return ArrivalState.quarantined if nothing_readable else ArrivalState.complete


def unreadable_reason(count: int, reasons: Sequence[str]) -> str:
    """Return why an arrival without a readable object goes no further.

    Examples
    --------
    >>> unreadable_reason(1, ["Its header is broken."])
    'Its header is broken.'
    >>> unreadable_reason(3, ["Its header is broken."])
    'None of its 3 objects can go on, all for one reason: Its header is broken.'
    """
    if len(reasons) != 1:
        return f"None of its {count} objects can go on; each has its reason."
    return reasons[0] if count == 1 else f"None of its {count} objects can go on, all for one reason: {reasons[0]}"


def holds_back(state: ArrivalState, *, quarantined_count: int) -> bool:
    """Tell whether a settled arrival holds something in the quarantine: as a whole, or some of its objects.

    Examples
    --------
    >>> holds_back(ArrivalState.accepted, quarantined_count=2), holds_back(ArrivalState.accepted, quarantined_count=0)
    (True, False)
    """
    return state is ArrivalState.quarantined or (state is ArrivalState.accepted and quarantined_count > 0)


def superseded_reason(arrival_id: int) -> str:
    """Return why the gateway sets an arrival aside by itself.

    Examples
    --------
    >>> superseded_reason(7)
    'Arrival 7 brought these objects again and was archived.'
    """
    return f"Arrival {arrival_id} brought these objects again and was archived."


def superseded_arrivals(arrival_ids: Sequence[int]) -> str:
    """Return which arrivals one superseded.

    Examples
    --------
    >>> superseded_arrivals([3])
    'It brought again what arrival 3 held back.'
    >>> superseded_arrivals([3, 4, 5, 6, 7, 8])
    'It brought again what arrivals 3, 4, 5, 6 and 2 others held back.'
    """
    named = [str(arrival_id) for arrival_id in arrival_ids]
    if len(named) > 5:
        named = [*named[:4], f"{len(named) - 4} others"]
    if len(named) == 1:
        return f"It brought again what arrival {named[0]} held back."
    return f"It brought again what arrivals {', '.join(named[:-1])} and {named[-1]} held back."


class Settling(StrEnum):
    """What an answer of the processing does to an arrival."""

    moves = "moves"
    repeats = "repeats"
    comes_late = "comes_late"
    comes_early = "comes_early"


def settling(state: ArrivalState, outcome: Outcome) -> Settling:
    """Decide what an answer does in a state: the same answer twice is no error, another one comes late.

    Examples
    --------
    >>> settling(ArrivalState.accepted, Outcome.accepted).value
    'repeats'
    """
    if state is ArrivalState.receiving:
        return Settling.comes_early
    if state is ArrivalState.complete:
        return Settling.moves
    return Settling.repeats if state.value == outcome.value else Settling.comes_late


@dataclass(frozen=True)
class Reorder:
    """Order the processing again, after a while."""

    delay_s: float


@dataclass(frozen=True)
class GiveUp:
    """Stop trying; a person reads the reason."""

    reason: str


@dataclass(frozen=True)
class Leave:
    """The processing is under way."""


def after_flow_run(state_type: str | None, *, failures: int) -> Reorder | GiveUp | Leave:
    """Decide what to do about an unsettled arrival, given the state of its flow run.

    Parameters
    ----------
    state_type
        Prefect's state type, None when the flow server does not know the run.
    failures
        How many earlier attempts ended without an answer.

    Examples
    --------
    >>> after_flow_run("RUNNING", failures=0)
    Leave()
    >>> after_flow_run("CRASHED", failures=0)
    Reorder(delay_s=0.0)
    """
    if state_type == "CANCELLED":
        return GiveUp("Somebody cancelled its processing. Try again when it should go on.")
    if state_type is not None and state_type not in {"COMPLETED", "FAILED", "CRASHED"}:
        return Leave()
    failed = failures + 1
    if failed >= MAX_ATTEMPTS:
        return GiveUp(
            f"It could not be processed: {failed} attempts ended without an answer. "
            "Look at the last flow run for the cause, then try again."
        )
    return Reorder(RETRY_AFTER_S[failed])


def next_step(
    state: ArrivalState,
    *,
    attempt: int,
    ordered: bool,
    readable: bool = True,
    is_empty: bool = False,
    recovered_sender: bool = False,
    held: bool = False,
    quarantined_count: int = 0,
    dismissed: bool = False,
) -> str:
    """Return the sentence that tells a person what happens next.

    Parameters
    ----------
    ordered
        Whether a flow run exists for the current attempt.
    readable
        Whether any of its objects can be read.
    is_empty
        Whether all of its objects moved to another arrival.
    recovered_sender
        Whether the sender is unknown because the object was recovered after a crash.
    held
        Whether the sender is still connected.
    dismissed
        Whether what it holds back was set aside.
    """
    match state:
        case ArrivalState.receiving if recovered_sender:
            return "Recovered after a restart; waits for its sender, then counts as complete."
        case ArrivalState.receiving if held:
            return "Its sender is connected and may send more."
        case ArrivalState.receiving:
            return "Waits for more objects, then counts as complete."
        case ArrivalState.complete if not ordered:
            return "Complete; its processing is ordered and starts as soon as a worker is free."
        case ArrivalState.complete:
            again = f" (attempt {attempt})" if attempt > 1 else ""
            return f"Being checked, routed to its study and archived{again}."
        case ArrivalState.quarantined:
            return _next_of_quarantined(is_empty=is_empty, dismissed=dismissed, readable=readable)
        case ArrivalState.accepted:
            where = "were set aside" if dismissed else "stay in the quarantine"
            kept = f"; {quarantined_count} of its objects {where}" if quarantined_count else ""
            return f"Archived as a session{kept}."


def _next_of_quarantined(*, is_empty: bool, dismissed: bool, readable: bool) -> str:
    if is_empty:
        return "Nothing is left to do: its objects were sent again and belong to another arrival now."
    if dismissed:
        return "Nothing is left to do: it was set aside."
    if not readable:
        return "Waits for its sender to send it again."
    return "Waits for a person: read the reason, mend the cause, then try again."


def told_settlement(settlement: Settlement) -> str | None:
    """Return what an arrival's history says of the outcome of its processing.

    Examples
    --------
    >>> told_settlement(Settlement(outcome=Outcome.accepted, session_label="S1"))
    'Session S1.'
    """
    parts = [settlement.reason] if settlement.reason else []
    if settlement.session_label:
        parts.append(f"Session {settlement.session_label}.")
    if settlement.rejected:
        count = len(settlement.rejected)
        parts.append(f"{count} {'object stays' if count == 1 else 'objects stay'} in the quarantine.")
    return " ".join(parts) or None
