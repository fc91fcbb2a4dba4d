"""Who may hold a task, and which answer counts: leases with an end, and a fencing token that grows with every claim.

The database decides races with one conditional update; these functions say what the update may assume and put the
refusal into words. May import the contract only.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from task_supervisor.contract.errors import LeaseLost, TaskHeld, TaskSettled
from task_supervisor.contract.states import TRANSITIONS, LeaseToken, TaskId, TaskStatus, is_settled

LEASE: Final = timedelta(minutes=15)

#: States that a conditional update may start from, by the state it leads to.
SOURCES: Final[dict[TaskStatus, tuple[TaskStatus, ...]]] = {
    target: tuple(source for source in TaskStatus if target in TRANSITIONS[source]) for target in TaskStatus
}


@dataclass(frozen=True, slots=True)
class Holding:
    """What decides about a task's lease.

    Parameters
    ----------
    token
        Number of the newest claim; 0 before the first one. It never goes back.
    """

    task_id: TaskId
    status: TaskStatus
    token: LeaseToken
    holder: str | None
    expires_at: datetime | None

    def is_held(self, now: datetime) -> bool:
        """Tell whether somebody's lease is running."""
        return self.status is TaskStatus.CLAIMED and self.expires_at is not None and self.expires_at > now

    def effective_status(self, now: datetime) -> TaskStatus:
        """Return the state as people see it: a task whose lease ran out is open again.

        Examples
        --------
        >>> from datetime import UTC
        >>> ended = datetime(2024, 1, 31, 10, 0, tzinfo=UTC)
        >>> task = Holding(TaskId(7), TaskStatus.CLAIMED, LeaseToken(1), "ada", ended)
        >>> str(task.effective_status(ended + timedelta(seconds=1)))
        'queued'
        """
        if self.status is TaskStatus.CLAIMED and not self.is_held(now):
            return TaskStatus.QUEUED
        return self.status


def refused_claim(task: Holding, *, username: str, now: datetime) -> TaskHeld | TaskSettled:
    """Say why a claim was refused; the task was read after its conditional update changed no row."""
    if is_settled(task.status):
        return TaskSettled(task.task_id, status=task.status)
    return TaskHeld(task.task_id, is_own=task.holder == username, expires_at=task.expires_at or now)


def refused_token(task: Holding, *, username: str, now: datetime, draft_kept: bool = False) -> LeaseLost | TaskSettled:
    """Say why a call with a fencing token was refused; the task was read after its conditional update changed no row."""
    if is_settled(task.status):
        return TaskSettled(task.task_id, status=task.status, draft_kept=draft_kept)
    is_held = task.is_held(now) and task.holder != username
    return LeaseLost(task.task_id, is_held=is_held, draft_kept=draft_kept)
