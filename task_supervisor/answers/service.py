"""Takes answers and keeps drafts. May import the database and the domain; knows no HTTP."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service_kit.accounts.domain import Principal
from service_kit.database import UnitOfWork
from service_kit.tables import utc_now
from task_supervisor.answers import forms
from task_supervisor.contract.errors import AnswerRefused, LeaseLost, TaskSettled
from task_supervisor.contract.schemas import Kept, Settled
from task_supervisor.contract.states import TaskStatus
from task_supervisor.db import repository
from task_supervisor.db.tables import AnswerRow
from task_supervisor.domain.answers import checked
from task_supervisor.domain.lifecycle import refused_token
from task_supervisor.tasks import presentation
from task_supervisor.tasks.service import Context, order_callback, visible_row

logger = logging.getLogger(__name__)


class Answers:
    """Answers over one database."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def submit(self, task_id: int, *, token: int, answer: Mapping[str, Any], principal: Principal) -> Settled:
        """Settle a task with an answer: answer, state, lease and callback order in one transaction.

        The same answer under the same token again says the same again. An answer that comes too late, or does not
        fit the form, is kept as the author's draft.

        Raises
        ------
        TaskUnknown, AnswerRefused, LeaseLost, TaskSettled
        """
        try:
            with self._context.database.write() as uow:
                return self._submit(uow, task_id, token=token, answer=answer, principal=principal)
        except (AnswerRefused, LeaseLost, TaskSettled):
            self.keep_draft(task_id, answer=answer, principal=principal)
            logger.info("answer kept as draft", extra={"task": task_id, "token": token})
            raise

    def _submit(
        self, uow: UnitOfWork, task_id: int, *, token: int, answer: Mapping[str, Any], principal: Principal
    ) -> Settled:
        now = utc_now()
        row = visible_row(uow, task_id, principal=principal)
        whole, mistakes = checked(forms.form_of(uow, row), answer)
        before = repository.newest_answer(uow, task_id)
        if before is not None and _is_same(before, token=token, username=principal.username, answer=whole):
            return _settled(task_id, before.revision)
        callback_url, version_id = row.callback_url, row.template_version_id
        if mistakes and repository.holding(row).token == token:
            raise AnswerRefused(mistakes, draft_kept=True)
        if not self._settle(uow, task_id, token=token, username=principal.username, now=now):
            row = visible_row(uow, task_id, principal=principal)
            meanwhile = repository.newest_answer(uow, task_id)
            if meanwhile is not None and _is_same(meanwhile, token=token, username=principal.username, answer=whole):
                return _settled(task_id, meanwhile.revision)  # the same call ran twice at once
            raise refused_token(repository.holding(row), username=principal.username, now=now, draft_kept=True)
        revision = 1 if before is None else before.revision + 1
        uow.session.add(
            AnswerRow(
                task_id=task_id,
                revision=revision,
                username=principal.username,
                lease_token=token,
                answer=whole,
                template_version_id=version_id,
                submitted_at=now,
            )
        )
        if (draft := repository.draft(uow, task_id, principal.username)) is not None:
            uow.session.delete(draft)
        repository.add_event(uow, task_id, actor=principal.username, kind="answered", detail=f"revision {revision}")
        order_callback(uow, self._context, task_id=task_id, callback_url=callback_url, key="done")
        uow.after_commit(lambda: self._context.changed(task_id))
        logger.info("task answered", extra={"task": task_id, "revision": revision})
        return _settled(task_id, revision)

    @staticmethod
    def _settle(uow: UnitOfWork, task_id: int, *, token: int, username: str, now: datetime) -> bool:
        values = {"lease_holder": None, "lease_expires_at": None, "update_time": now, "settled_at": now}
        return repository.move_with_token(
            uow, task_id, token=token, username=username, target=TaskStatus.DONE, values=values
        )

    def keep_draft(self, task_id: int, *, answer: Mapping[str, Any], principal: Principal) -> Kept:
        """Keep what somebody wrote; nobody else sees it.

        Raises
        ------
        TaskUnknown
        """
        with self._context.database.write() as uow:
            visible_row(uow, task_id, principal=principal)
            now = utc_now()
            repository.keep_draft(uow, task_id, username=principal.username, answer=answer, now=now)
            return Kept(updated_at=now)

    def draft(self, task_id: int, *, principal: Principal) -> dict[str, Any] | None:
        """Return what somebody wrote and did not submit, or None.

        Raises
        ------
        TaskUnknown
        """
        with self._context.database.read() as uow:
            visible_row(uow, task_id, principal=principal)
            row = repository.draft(uow, task_id, principal.username)
            return None if row is None else row.answer


def _is_same(before: AnswerRow, *, token: int, username: str, answer: Mapping[str, Any]) -> bool:
    return before.lease_token == token and before.username == username and before.answer == dict(answer)


def _settled(task_id: int, revision: int) -> Settled:
    return Settled(id=task_id, uri=f"{presentation.URI}/{task_id}", status=TaskStatus.DONE, revision=revision)
