"""What the pages say in words: tones of states, what happens next, how a pedigree reads. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service_kit.web.filters import duration, tone
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


def execution_words(execution: ExecutionBrief, now: datetime) -> str:
    """Return where an execution stands, in a few words."""
    status, result = execution.status, execution.result
    if status is ExecutionStatus.SKIPPED:
        return "not needed"
    if status is ExecutionStatus.CREATED:
        return f"waits to be ordered, {_since(execution.created, now)}"
    if status is ExecutionStatus.QUEUED:
        return f"waits for a worker, {_since(execution.created, now)}"
    if status is ExecutionStatus.RUNNING:
        return f"at work, {_since(execution.run_start or execution.created, now)}"
    if status is ExecutionStatus.WAITING:
        return f"waits for a person, {_since(execution.wait_start or execution.created, now)}"
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


def _since(moment: datetime, now: datetime) -> str:
    return f"since {duration(max(0.0, (now - moment).total_seconds()))}"


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
    """Return a measured value as it is read aloud: four to five significant digits, thousands apart.

    Examples
    --------
    >>> number(1432.5187), number(0.0123456), number(81.25), number(12.0)
    ('1\u202f432.5', '0.012346', '81.25', '12')
    """
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.1f}".replace(",", "\u202f").removesuffix(".0")
    return f"{value:.5g}"


def size_of_text(text: str | None) -> int:
    """Return how many lines a log has."""
    return 0 if not text else text.count("\n") + 1


__all__ = [
    "TRIGGER_WORDS",
    "attention_words",
    "execution_tone",
    "execution_words",
    "leaves",
    "number",
    "size_of_text",
    "state_tone",
]
