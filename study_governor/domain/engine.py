"""What a session does next: pure decisions over a workflow and what is known of the session.

A decision is a chain of steps. Each condition is evaluated once; one that raises counts as not met and is written down
with its reason. A state whose callbacks are all skipped is left at once; one without callbacks waits for a person.
Source: the engine of studygovernor 8.1. May import `study_governor.domain` and the contract.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from study_governor.contract.errors import ConditionNotMet, NoTransition, StateUnknown
from study_governor.contract.states import Attention, ExecutionResult, ExecutionStatus, StateKind, Trigger
from study_governor.domain.expressions import ConditionError, evaluate
from study_governor.domain.facts import ExecutionFacts, ExperimentFacts, Facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from study_governor.domain.workflow import State, Transition, Workflow

MAX_STEPS = 25


@dataclass(frozen=True, slots=True)
class Test:
    """One evaluated condition.

    Parameters
    ----------
    held
        None when it could not be evaluated; `reason` then says why.
    """

    destination: str
    condition: str | None
    held: bool | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """One callback of the state entered: to be started, or skipped for its condition."""

    callback: str
    is_skipped: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One transition taken.

    Parameters
    ----------
    position
        Of the transition among those of the source state.
    tests
        What was evaluated to choose it.
    """

    source: str
    destination: str
    position: int
    trigger: Trigger
    tests: tuple[Test, ...]
    starts: tuple[Start, ...]

    @property
    def is_waiting_for_callbacks(self) -> bool:
        """Whether at least one callback was started."""
        return any(not start.is_skipped for start in self.starts)


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens: the steps in order, then where the session stands.

    Parameters
    ----------
    tests
        What was evaluated in the last state without a way on; empty when it was not asked.
    attention, why
        Why somebody should look at the session now, if so.
    """

    steps: tuple[Step, ...]
    tests: tuple[Test, ...] = ()
    attention: Attention | None = None
    why: str | None = None


def decide_creation(workflow: Workflow, facts: Facts) -> Decision:
    """Let a new session leave the root: the root's one transition is taken."""
    root = workflow.root
    return _walk(workflow, facts, root, first=(0, ()), trigger=Trigger.CREATED)


def decide_restart(workflow: Workflow, facts: Facts) -> Decision:
    """Let a session go through its workflow again from the root, wherever it is: what it was judged on has changed."""
    return _walk(workflow, facts, workflow.root, first=(0, ()), trigger=Trigger.RESTARTED)


def decide_move(workflow: Workflow, facts: Facts, *, destination: str) -> Decision:
    """Move a session by hand along a drawn transition whose condition holds.

    Raises
    ------
    StateUnknown
        If the workflow has no such state.
    NoTransition
        If none leads there from the present state.
    ConditionNotMet
        If one does, but its condition does not hold or cannot be evaluated.
    """
    source = workflow.state(facts.experiment.state)
    if not workflow.has_state(destination):
        raise StateUnknown(state=destination, workflow=workflow.label)
    ways = [(n, way) for n, way in enumerate(source.transitions) if way.destination == destination]
    if not ways:
        raise NoTransition(source=source.label, destination=destination)
    tests: list[Test] = []
    for position, way in ways:
        tests.append(_test(way, facts))
        if tests[-1].held:
            return _walk(workflow, facts, source, first=(position, tuple(tests)), trigger=Trigger.MANUAL)
    failed = tests[-1]
    condition = failed.condition or ""
    raise ConditionNotMet(source=source.label, destination=destination, condition=condition, reason=failed.reason)


def decide_advance(workflow: Workflow, facts: Facts, *, trigger: Trigger) -> Decision:
    """Go on after an execution was resolved; nothing happens while another one is unresolved."""
    state = workflow.state(facts.experiment.state)
    if any(not execution.status.is_resolved for execution in facts.callbacks.values()):
        return Decision(())
    if not state.callbacks:
        return _rest(workflow, state, (), None)
    taken, tests = _choose(state, facts)
    if taken is None:
        return _rest(workflow, state, tests, facts)
    return _walk(workflow, facts, state, first=(taken, tests), trigger=trigger)


def manual_moves(workflow: Workflow, facts: Facts) -> tuple[Test, ...]:
    """Return where the session could be moved by hand, each destination once, with what its condition says now."""
    best: dict[str, Test] = {}
    for way in workflow.state(facts.experiment.state).transitions:
        test = _test(way, facts)
        if way.destination not in best or (test.held and not best[way.destination].held):
            best[way.destination] = test
    return tuple(best.values())


def _walk(
    workflow: Workflow, facts: Facts, source: State, *, first: tuple[int, tuple[Test, ...]], trigger: Trigger
) -> Decision:
    """Take the first step, and those that follow from it at once because all callbacks were skipped."""
    steps: list[Step] = []
    position, tests = first
    while True:
        state = workflow.state(source.transitions[position].destination)
        facts = _entered(facts, state)
        starts = tuple(_start(state, callback.label, facts) for callback in state.callbacks)
        steps.append(Step(source.label, state.label, position, trigger, tests, starts))
        if steps[-1].is_waiting_for_callbacks:
            return Decision(tuple(steps))
        if not state.callbacks:
            return replace(_rest(workflow, state, (), None), steps=tuple(steps))
        if len(steps) >= MAX_STEPS:
            why = f"The workflow went through {MAX_STEPS} states in a row in which every callback was skipped."
            return Decision(tuple(steps), attention=Attention.STUCK, why=why)
        facts = replace(facts, callbacks={start.callback: _SKIPPED for start in starts})
        taken, tests = _choose(state, facts)
        if taken is None:
            return replace(_rest(workflow, state, tests, facts), steps=tuple(steps))
        source, position, trigger = state, taken, Trigger.SKIPPED


_SKIPPED = ExecutionFacts(ExecutionStatus.SKIPPED, ExecutionResult.NONE, {})


def _entered(facts: Facts, state: State) -> Facts:
    experiment: ExperimentFacts = replace(facts.experiment, state=state.label)
    nothing: Mapping[str, ExecutionFacts] = {}
    return replace(facts, experiment=experiment, callbacks=nothing)


def _start(state: State, label: str, facts: Facts) -> Start:
    """Decide whether a callback of the state just entered runs; a condition that raises skips it, with the reason."""
    condition = state.callback(label).condition
    try:
        holds = evaluate(condition, facts)
    except ConditionError as error:
        return Start(label, is_skipped=True, reason=f"its condition could not be evaluated: {error.reason}")
    return Start(label) if holds else Start(label, is_skipped=True, reason="its condition does not hold")


def _choose(state: State, facts: Facts) -> tuple[int | None, tuple[Test, ...]]:
    """Return the first transition that holds, and every test made to find it."""
    tests: list[Test] = []
    for position, way in enumerate(state.transitions):
        tests.append(_test(way, facts))
        if tests[-1].held:
            return position, tuple(tests)
    return None, tuple(tests)


def _test(way: Transition, facts: Facts) -> Test:
    try:
        return Test(way.destination, way.condition, evaluate(way.condition, facts))
    except ConditionError as error:
        return Test(way.destination, way.condition, None, error.reason)


def _rest(workflow: Workflow, state: State, tests: tuple[Test, ...], facts: Facts | None) -> Decision:
    """Say where a session stands that goes nowhere by itself."""
    kind = workflow.kind(state)
    if kind is StateKind.END or (state.callbacks and not state.transitions):
        return Decision((), tests)
    if not state.callbacks:
        return Decision(
            (), tests, Attention.OPERATOR, state.freetext or f"Waits in {state.label!r} for somebody to move it."
        )
    raised = [f"to {test.destination!r}: {test.reason}" for test in tests if test.held is None]
    ended = sorted({str(execution.result) for execution in (facts.callbacks if facts else {}).values()})
    why = f"All work in {state.label!r} has ended ({', '.join(ended)}), but no transition holds."
    if raised:
        why += " Conditions that could not be evaluated: " + "; ".join(raised) + "."
    return Decision((), tests, Attention.STUCK, why)
