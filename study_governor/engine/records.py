"""What goes into and comes out of the engine's service. May import the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from study_governor.contract.states import ExecutionResult, ExecutionStatus

#: Who acts when nobody asked: the engine itself.
ENGINE = "governor"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a flow, a person's task or a program reports of an execution. What is None is left as it is."""

    status: ExecutionStatus | None = None
    result: ExecutionResult | None = None
    result_values: Mapping[str, Any] | None = None
    run_log: str | None = None
    result_log: str | None = None
    attempt: int | None = None
    flow_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToOrder:
    """What the dispatcher must know of an execution."""

    execution_id: int
    experiment_id: int
    status: ExecutionStatus
    is_current: bool
    attempt: int
    flow_run_id: str | None
    function: str
    callback: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a session is after a move."""

    experiment_id: int
    state: str
    version: int


@dataclass(frozen=True, slots=True)
class Pending:
    """An unresolved execution whose flow run should be asked after."""

    execution_id: int
    attempt: int
    flow_run_id: str
