"""The picture of a workflow: the way most sessions go, and what branches off from it.

The main way is the longest one from the root to an end without states that wait for an operator; every other state
hangs below the first state of the main way that leads to it. May import `study_governor.domain` and the contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from study_governor.contract.states import StateKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from study_governor.domain.workflow import State, Workflow


@dataclass(frozen=True, slots=True)
class Stop:
    """One state of the main way, and the states that branch off below it."""

    label: str
    branches: tuple[str, ...]


def main_path(workflow: Workflow) -> tuple[Stop, ...]:
    """Return the main way, the root left out: nothing rests there.

    Examples
    --------
    >>> from study_governor.domain.workflow import Callback, State, Transition, Workflow
    >>> flow = Workflow("w1", (
    ...     State("start", transitions=(Transition("work"),)),
    ...     State("work", callbacks=(Callback("c", "f"),), transitions=(Transition("done"), Transition("failed"))),
    ...     State("failed", transitions=(Transition("work"),)),
    ...     State("done"),
    ... ))
    >>> main_path(flow)
    (Stop(label='work', branches=('failed',)), Stop(label='done', branches=()))
    """
    states = {state.label: state for state in workflow.states}
    spine = _longest(workflow, states)[1:]
    branches = _branches(states, spine)
    return tuple(Stop(label, tuple(branches[label])) for label in spine)


def _longest(workflow: Workflow, states: Mapping[str, State]) -> list[str]:
    """Return the longest way from the root without going back, first transitions first."""
    best: dict[str, list[str]] = {}
    ahead: list[tuple[str, bool]] = [(workflow.root.label, False)]
    above: set[str] = set()
    while ahead:
        label, is_done = ahead.pop()
        if is_done:
            ways = [best[way.destination] for way in states[label].transitions if way.destination in best]
            best[label] = [label, *max(ways, key=len, default=[])]
            above.discard(label)
            continue
        if label in best or label in above:
            continue
        above.add(label)
        ahead.append((label, True))
        ways_on = (way.destination for way in reversed(states[label].transitions))
        ahead += [(way, False) for way in ways_on if workflow.kind(states[way]) is not StateKind.OPERATOR]
    return best[workflow.root.label]


def _branches(states: Mapping[str, State], spine: list[str]) -> dict[str, list[str]]:
    """Hang every state off the main way below the first stop that leads to it; what nothing leads to, below the last."""
    found: dict[str, list[str]] = {label: [] for label in spine}
    placed = set(spine)
    for label in spine:
        ahead = [way.destination for way in states[label].transitions]
        while ahead:
            branch = ahead.pop(0)
            if branch in placed:
                continue
            placed.add(branch)
            found[label].append(branch)
            ahead.extend(way.destination for way in states[branch].transitions)
    entered = {way.destination for state in states.values() for way in state.transitions}
    if spine:
        found[spine[-1]].extend(label for label in states if label not in placed and label in entered)
    return found
