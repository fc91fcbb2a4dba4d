"""Claims, renews and gives back tasks. May import the database and the domain; knows no HTTP."""

import logging
from datetime import datetime, timedelta

from service_kit.accounts.domain import Principal
from service_kit.database import UnitOfWork
from service_kit.tables import utc_now
from task_supervisor.contract.errors import NotAssigned, NothingToClaim, TaskUnknown
from task_supervisor.contract.schemas import Claim, Renewed
from task_supervisor.contract.states import TaskStatus
from task_supervisor.db import repository
from task_supervisor.db.repository import TaskFilter
from task_supervisor.domain.lifecycle import LEASE, refused_claim, refused_token
from task_supervisor.domain.rights import may_answer
from task_supervisor.tasks import presentation
from task_supervisor.tasks.service import Context, visible_row

logger = logging.getLogger(__name__)

_CANDIDATES = 20


class Leases:
    """Leases over one database.

    Parameters
    ----------
    lease
        How long a claim lasts unless it is renewed.
    """

    def __init__(self, context: Context, *, lease: timedelta = LEASE) -> None:
        self._context = context
        self._lease = lease

    def claim(self, task_id: int, *, principal: Principal) -> Claim:
        """Take a task. Also one's own running claim refuses: its holder finds the token in the task.

        Raises
        ------
        TaskUnknown, NotAssigned, TaskHeld, TaskSettled
        """
        now = utc_now()
        with self._context.database.write() as uow:
            row = visible_row(uow, task_id, principal=principal)
            users = repository.labels(uow, [task_id])[task_id].get("user", [])
            if not may_answer(principal, presentation.audience(row, users)):
                raise NotAssigned(task_id)
            if self._take(uow, task_id, principal=principal, now=now):
                return self._claimed(uow, task_id, principal=principal, now=now)
            row = visible_row(uow, task_id, principal=principal)
            raise refused_claim(repository.holding(row), username=principal.username, now=now)

    def claim_next(self, *, principal: Principal, project: str | None = None) -> Claim:
        """Take the open task that should be done next: those assigned to oneself first, then the oldest.

        Raises
        ------
        NothingToClaim
        """
        now = utc_now()
        wanted = TaskFilter(project=project, status=TaskStatus.QUEUED)
        where = [repository.visible(principal, answerable_only=True), *repository.conditions(wanted, now=now)]
        with self._context.database.write() as uow:
            for task_id in repository.claimable_ids(uow, where, username=principal.username, limit=_CANDIDATES):
                if self._take(uow, task_id, principal=principal, now=now):
                    return self._claimed(uow, task_id, principal=principal, now=now)
        raise NothingToClaim(project)

    def renew(self, task_id: int, *, token: int, principal: Principal) -> Renewed:
        """Let one's lease run on from now. A lease that ran out comes back as long as nobody claimed the task.

        Raises
        ------
        TaskUnknown, LeaseLost, TaskSettled
        """
        now = utc_now()
        until = now + self._lease
        with self._context.database.write() as uow:
            is_renewed = repository.move_with_token(
                uow,
                task_id,
                token=token,
                username=principal.username,
                target=TaskStatus.CLAIMED,
                values={"lease_expires_at": until},
            )
            if not is_renewed:
                self._refuse(uow, task_id, principal=principal, now=now)
        return Renewed(token=token, expires_at=until, expires_in_s=self._lease.total_seconds())

    def release(self, task_id: int, *, token: int, principal: Principal) -> None:
        """Give a task back to the queue.

        Raises
        ------
        TaskUnknown, LeaseLost, TaskSettled
        """
        now = utc_now()
        values = {"lease_holder": None, "lease_expires_at": None, "update_time": now}
        with self._context.database.write() as uow:
            is_released = repository.move_with_token(
                uow, task_id, token=token, username=principal.username, target=TaskStatus.QUEUED, values=values
            )
            if not is_released:
                self._refuse(uow, task_id, principal=principal, now=now)
            repository.add_event(uow, task_id, actor=principal.username, kind="released")
            uow.after_commit(lambda: self._context.changed(task_id))

    def _take(self, uow: UnitOfWork, task_id: int, *, principal: Principal, now: datetime) -> bool:
        return repository.claim(uow, task_id, username=principal.username, now=now, until=now + self._lease)

    def _claimed(self, uow: UnitOfWork, task_id: int, *, principal: Principal, now: datetime) -> Claim:
        row = visible_row(uow, task_id, principal=principal)
        repository.add_event(uow, task_id, actor=principal.username, kind="claimed", detail=f"claim {row.lease_token}")
        uow.after_commit(lambda: self._context.changed(task_id))
        logger.info("task claimed", extra={"task": task_id, "token": row.lease_token})
        assert row.lease_expires_at is not None
        task = presentation.whole(uow, row, principal=principal, now=now, web_url=self._context.web_url)
        return Claim(
            token=row.lease_token,
            expires_at=row.lease_expires_at,
            expires_in_s=self._lease.total_seconds(),
            task=task,
        )

    @staticmethod
    def _refuse(uow: UnitOfWork, task_id: int, *, principal: Principal, now: datetime) -> None:
        row = repository.task(uow, task_id)
        if row is None:
            raise TaskUnknown(task_id)
        visible_row(uow, task_id, principal=principal)
        raise refused_token(repository.holding(row), username=principal.username, now=now)
