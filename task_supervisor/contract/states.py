"""States of a task and of its callback, and the moves between them. Imports the standard library only."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NewType

TaskId = NewType("TaskId", int)
LeaseToken = NewType("LeaseToken", int)


class TaskStatus(StrEnum):
    """Where a task stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DONE = "done"
    ABORTED = "aborted"


class CallbackStatus(StrEnum):
    """How far the answer is on its way to whoever ordered the task."""

    NONE = "none"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


#: A lease that ran out is not a move: the task stays `CLAIMED` and anybody may claim it anew.
TRANSITIONS: Final[Mapping[TaskStatus, frozenset[TaskStatus]]] = {
    TaskStatus.QUEUED: frozenset({TaskStatus.CLAIMED, TaskStatus.ABORTED}),
    TaskStatus.CLAIMED: frozenset({TaskStatus.QUEUED, TaskStatus.CLAIMED, TaskStatus.DONE, TaskStatus.ABORTED}),
    TaskStatus.DONE: frozenset(),
    TaskStatus.ABORTED: frozenset(),
}


def is_settled(status: TaskStatus) -> bool:
    """Tell whether nothing more can happen to a task in this state.

    Examples
    --------
    >>> is_settled(TaskStatus.DONE), is_settled(TaskStatus.CLAIMED)
    (True, False)
    """
    return not TRANSITIONS[status]
