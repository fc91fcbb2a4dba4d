"""Ids of the governor's things. May import the standard library only."""

from __future__ import annotations

from typing import NewType

WorkflowId = NewType("WorkflowId", int)
StateId = NewType("StateId", int)
CohortId = NewType("CohortId", int)
SubjectId = NewType("SubjectId", int)
ExperimentId = NewType("ExperimentId", int)
ActionId = NewType("ActionId", int)
ExecutionId = NewType("ExecutionId", int)
