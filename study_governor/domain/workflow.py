"""A workflow as frozen values: what the parser produces and the engine reads.

Source: the workflow language of studygovernor 8.1 (Erasmus MC, Apache-2.0). May import `study_governor.contract`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from study_governor.contract.states import StateKind

DEFAULT_RUN_TIMEOUT_MIN = 60

#: Callback functions the governor can start; the value says whether a person answers.
RUNNERS: Mapping[str, StateKind] = MappingProxyType(
    {"prefect_flow": StateKind.MACHINE, "create_task": StateKind.PERSON},
)


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Callback:
    """Work that a state starts when it is entered.

    Parameters
    ----------
    variable_map
        Variable to source: a key of, or a JSON pointer into, the result values.
    run_timeout_min, wait_timeout_min
        0 means no limit.
    line
        Where it stands in the file; 0 when it came from elsewhere.
    """

    label: str
    function: str
    arguments: Mapping[str, Any] = field(default_factory=_empty)
    variable_map: Mapping[str, str] = field(default_factory=_empty)
    run_timeout_min: int = DEFAULT_RUN_TIMEOUT_MIN
    wait_timeout_min: int = 0
    initial_delay_s: int = 0
    description: str | None = None
    condition: str | None = None
    condition_line: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Transition:
    """A way from one state to another; no condition, or a blank one, always holds."""

    destination: str
    condition: str | None = None
    condition_line: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """A place where a session can be."""

    label: str
    freetext: str | None = None
    callbacks: tuple[Callback, ...] = ()
    transitions: tuple[Transition, ...] = ()
    line: int = 0

    def callback(self, label: str) -> Callback:
        """Return the callback with this label.

        Raises
        ------
        KeyError
            If the state has none.
        """
        for callback in self.callbacks:
            if callback.label == label:
                return callback
        raise KeyError(label)


@dataclass(frozen=True, slots=True)
class Workflow:
    """States in the order of the file."""

    label: str
    states: tuple[State, ...]

    def state(self, label: str) -> State:
        """Return the state with this label.

        Raises
        ------
        KeyError
            If there is none.
        """
        for state in self.states:
            if state.label == label:
                return state
        raise KeyError(label)

    def has_state(self, label: str) -> bool:
        """Tell whether there is a state with this label."""
        return any(state.label == label for state in self.states)

    @property
    def root(self) -> State:
        """The state that no transition leads to.

        Raises
        ------
        ValueError
            If there is not exactly one; `study_governor.domain.checks` refuses such a workflow.
        """
        entered = {transition.destination for state in self.states for transition in state.transitions}
        roots = [state for state in self.states if state.label not in entered]
        if len(roots) != 1:
            raise ValueError(f"workflow {self.label} has {len(roots)} states that no transition leads to")
        return roots[0]

    def kind(self, state: State) -> StateKind:
        """Return what a session does in the state.

        Examples
        --------
        >>> flow = Workflow("w1", (State("start", transitions=(Transition("end"),)), State("end")))
        >>> flow.kind(flow.states[0]).value, flow.kind(flow.states[1]).value
        ('root', 'end')
        """
        if state.label == self.root.label:
            return StateKind.ROOT
        if state.callbacks:
            asks = any(callback.wait_timeout_min > 0 or is_person(callback) for callback in state.callbacks)
            return StateKind.PERSON if asks else StateKind.MACHINE
        return StateKind.OPERATOR if state.transitions else StateKind.END


#: The flow that brings a session's measurements into the release, under whatever deployment.
RELEASE_FLOW = "release"


def is_release(callback: Callback) -> bool:
    """Tell whether the callback brings a session's measurements into the release.

    Examples
    --------
    >>> is_release(Callback("r", "prefect_flow", {"deployment": "release/warm"}))
    True
    """
    flow = str(callback.arguments.get("deployment", "")).partition("/")[0]
    return callback.function == "prefect_flow" and flow == RELEASE_FLOW


def is_person(callback: Callback) -> bool:
    """Tell whether a person answers the callback."""
    return RUNNERS.get(callback.function) is StateKind.PERSON or callback.function == "create_taskgroup"
