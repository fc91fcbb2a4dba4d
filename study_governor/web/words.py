"""What the pages say in words: tones of states, what happens next, how a pedigree reads. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service_kit.web.filters import ago, duration, tone
from study_governor.contract.states import Attention, ExecutionResult, ExecutionStatus, StateKind, Trigger

if TYPE_CHECKING:
    from datetime import datetime

    from study_governor.contract.schemas import ExecutionBrief

TRIGGER_WORDS = {
    Trigger.CREATED: "registered the session",
    Trigger.ANSWER: "reported the result",
    Trigger.TIMEOUT: "ended what took too long",
    Trigger.SKIPPED: "went on: nothing had to be done here",
    Trigger.MANUAL: "moved the session",
    Trigger.RESTARTED: "brought other images: the session begins again",
}


def state_tone(label: str, kind: StateKind) -> str:
    """Return the colour of a state: blue works, yellow waits for a reader, red for an operator, an end by its name.

    Examples
    --------
    >>> state_tone("released", StateKind.END), state_tone("rejected", StateKind.END)
    ('green', 'secondary')
    """
    if kind is StateKind.END:
        return "green" if tone(label) == "green" else "secondary"
    return {StateKind.MACHINE: "blue", StateKind.PERSON: "yellow", StateKind.OPERATOR: "red"}.get(kind, "secondary")


def attention_words(attention: str | None) -> str:
    """Return what is asked of a coordinator."""
    if attention == Attention.STUCK:
        return "stuck: no transition holds"
    return "waits to be moved" if attention == Attention.OPERATOR else ""


def waiting_words(kind: StateKind | None) -> str:
    """Return for whom a session waits that needs no attention; nothing when it is at an end.

    Examples
    --------
    >>> waiting_words(StateKind.PERSON), waiting_words(StateKind.END)
    ('waits for a reader', '')
    """
    return {StateKind.PERSON: "waits for a reader", StateKind.MACHINE: "at work"}.get(kind, "") if kind else ""


def execution_words(execution: ExecutionBrief, now: datetime) -> str:
    """Return where an execution stands, in a few words."""
    status, result = execution.status, execution.result
    if status is ExecutionStatus.SKIPPED:
        return "not needed"
    if status is ExecutionStatus.CREATED:
        return f"waits to be ordered {_for(execution.created, now)}"
    if status is ExecutionStatus.QUEUED:
        return f"waits for a worker {_for(execution.created, now)}"
    if status is ExecutionStatus.RUNNING:
        return f"at work {_for(execution.run_start or execution.created, now)}"
    if status is ExecutionStatus.WAITING:
        return f"asked a person {ago(execution.wait_start or execution.created, now)}"
    took = duration(max(0.0, ((execution.finished or now) - execution.created).total_seconds()))
    ended = {
        ExecutionResult.SUCCESS: "done",
        ExecutionResult.FAILED: "failed",
        ExecutionResult.TIMEOUT: "timed out",
        ExecutionResult.NONE: "given up",
    }[result]
    return f"{ended} after {took}"


def execution_tone(execution: ExecutionBrief) -> str:
    """Return the colour of an execution."""
    if execution.status is ExecutionStatus.WAITING:
        return "yellow"
    if execution.status in {ExecutionStatus.CREATED, ExecutionStatus.QUEUED, ExecutionStatus.RUNNING}:
        return "blue"
    return {ExecutionResult.SUCCESS: "green", ExecutionResult.NONE: "secondary"}.get(execution.result, "red")


def _for(moment: datetime, now: datetime) -> str:
    return f"for {duration(max(0.0, (now - moment).total_seconds()))}"


def minutes(count: int) -> str:
    """Return a number of minutes in the largest unit that leaves no rest.

    Examples
    --------
    >>> minutes(15), minutes(60), minutes(1440), minutes(40320)
    ('15 min', '1 h', '1 day', '28 days')
    """
    if count and count % 1440 == 0:
        return "1 day" if count == 1440 else f"{count // 1440} days"
    return f"{count // 60} h" if count and count % 60 == 0 else f"{count} min"


def cause(why: str | None, freetext: str | None) -> str | None:
    """Return why a session waits, without the sentence that stands above it anyway.

    Examples
    --------
    >>> cause("The measurement failed: no T1w scan", "The measurement failed")
    'No T1w scan'
    """
    if why is None or why == freetext:
        return None
    rest = why.removeprefix(f"{freetext}: ") if freetext else why
    return rest[:1].upper() + rest[1:]


def leaves(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Return a nested record as names and values, for a person to read.

    Examples
    --------
    >>> leaves({"weights": {"sha256": "ab"}, "inputs": [{"uid": "1.2"}], "notes": []})
    [('weights / sha256', 'ab'), ('inputs 1 / uid', '1.2')]
    """
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, f"{name} / {key}" if name else str(key))]
    if isinstance(value, list):
        if all(not isinstance(item, (dict, list)) for item in value):
            return [(name, ", ".join(str(item) for item in value))] if value else []
        return [leaf for number, item in enumerate(value, 1) for leaf in leaves(item, f"{name} {number}".strip())]
    return [(name, "none" if value is None else str(value))]


def number(value: float) -> str:
    """Return a measured value as pages and the terminal show it: four to five significant digits, one decimal from 1000 on.

    Examples
    --------
    >>> number(1432.5187), number(0.0123456), number(81.25), number(12.0)
    ('1432.5', '0.012346', '81.25', '12')
    """
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.5g}"


__all__ = [
    "TRIGGER_WORDS",
    "attention_words",
    "cause",
    "execution_tone",
    "execution_words",
    "leaves",
    "minutes",
    "number",
    "state_tone",
    "waiting_words",
]
