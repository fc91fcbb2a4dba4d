"""Makes, lists, shows and aborts tasks. May import the database and the domain; knows no HTTP."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError

from service_kit.accounts.domain import Principal, Scope
from service_kit.accounts.errors import EVERY_STUDY, ScopeMissing
from service_kit.database import Database, UnitOfWork
from service_kit.outbox import enqueue
from service_kit.paging import clamp_limit, decode_id_cursor, encode_cursor
from service_kit.tables import utc_now
from task_supervisor.contract.errors import CallbackRefused, KeyTaken, TaskSettled, TaskUnknown, TemplateUnknown
from task_supervisor.contract.schemas import Settled, TaskIn, TaskOut, TaskPage
from task_supervisor.contract.states import TaskStatus
from task_supervisor.db import repository
from task_supervisor.db.repository import TaskFilter
from task_supervisor.db.tables import LabelRow, OutboxRow, TaskRow
from task_supervisor.domain import callbacks
from task_supervisor.domain.content import TaskContent, shown_content
from task_supervisor.domain.rights import may_manage, may_see
from task_supervisor.tasks import presentation

logger = logging.getLogger(__name__)

CALLBACK_KIND = "callback"


@dataclass(frozen=True, slots=True)
class Context:
    """What all nouns of the supervisor share.

    Parameters
    ----------
    web_url
        Address of the supervisor's pages, without a slash at the end.
    callback_allow
        Addresses below which callbacks may go.
    changed
        Called with a task's id after a change is durable.
    wake
        Called when a callback was ordered and is durable.
    """

    database: Database
    web_url: str
    callback_allow: Sequence[str]
    changed: Callable[[int], None]
    wake: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Made:
    """A task after it was posted; ``is_new`` is False when its key was known."""

    task: TaskOut
    is_new: bool


class Tasks:
    """Tasks over one database."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def database(self) -> Database:
        """The database, for pages that gather several things in one reading."""
        return self._context.database

    def create(self, body: TaskIn, *, principal: Principal, key: str | None = None) -> Made:
        """Make a task, once for each idempotency key.

        Raises
        ------
        TemplateUnknown, CallbackRefused, ContentRefused
        ScopeMissing
            Also when the content names files of the archive and ``supervisor:execute`` is not held in every study.
        KeyTaken
            If the key is a task's of another study, or of one that the caller may not see.
        """
        if not principal.has_scope(Scope.supervisor_write, study=body.project, site=body.site):
            raise ScopeMissing(scope=Scope.supervisor_write, study=body.project)
        if body.callback_url and not callbacks.is_allowed(body.callback_url, self._context.callback_allow):
            raise CallbackRefused(self._context.callback_allow)
        callbacks.content_object(body.callback_content)
        if shown_content(body.content).files and not principal.has_scope_everywhere(Scope.supervisor_execute):
            # a task shows its files to its readers, and the archive alone knows to which study they belong
            raise ScopeMissing(scope=Scope.supervisor_execute, study=EVERY_STUDY)
        try:
            with self._context.database.write() as uow:
                known = None if key is None else _task_of_key(uow, key, project=body.project, principal=principal)
                row = known or self._insert(uow, body, actor=principal.username, key=key)
                return Made(self._whole(uow, row, principal), is_new=known is None)
        except IntegrityError:
            if key is None:
                raise
            with self._context.database.read() as uow:  # the same key was stored at the same moment
                row_of_key = _task_of_key(uow, key, project=body.project, principal=principal)
                assert row_of_key is not None
                return Made(self._whole(uow, row_of_key, principal), is_new=False)

    def _insert(self, uow: UnitOfWork, body: TaskIn, *, actor: str, key: str | None) -> TaskRow:
        found = repository.template_version(uow, _template_label(body.template))
        if found is None or found[1].id is None:
            raise TemplateUnknown(body.template)
        row = TaskRow(
            **body.model_dump(exclude={"template", "content", "callback_content", "tags", "users", "groups"}),
            template_version_id=found[1].id,
            content=_text(body.content),
            callback_content=_text(body.callback_content),
            idempotency_key=key,
            created_by=actor,
        )
        uow.session.add(row)
        uow.session.flush()
        assert row.id is not None
        for kind, names in (("tag", body.tags), ("user", body.users), ("group", body.groups)):
            uow.session.add_all([LabelRow(task_id=row.id, kind=kind, name=name) for name in sorted(set(names))])
        repository.add_event(uow, row.id, actor=actor, kind="created")
        uow.session.flush()
        task_id = row.id
        uow.after_commit(lambda: self._context.changed(task_id))
        logger.info("task created", extra={"task": task_id, "project": row.project})
        return row

    def page(
        self,
        wanted: TaskFilter,
        *,
        principal: Principal,
        limit: int | None = None,
        cursor: str | None = None,
        offset: int = 0,
        newest_first: bool = False,
    ) -> TaskPage:
        """List the tasks that somebody may see, page by page."""
        now, size = utc_now(), clamp_limit(limit)
        after = decode_id_cursor(cursor)
        with self._context.database.read() as uow:
            where = [
                repository.visible(principal, answerable_only=wanted.answerable_only),
                *repository.conditions(wanted, now=now),
            ]
            total = repository.count(uow, where)
            rows = repository.page(
                uow,
                where,
                limit=size + 1,
                after=after,
                offset=max(0, offset),
                newest_first=newest_first,
            )
            has_more, rows = len(rows) > size, rows[:size]
            return TaskPage(
                tasks=presentation.summaries(uow, rows, principal=principal, now=now, web_url=self._context.web_url),
                total_tasks=total,
                limit=size,
                offset=max(0, offset),
                next_cursor=encode_cursor(rows[-1].id) if has_more else None,
            )

    def count(self, wanted: TaskFilter, *, principal: Principal) -> int:
        """Count the tasks that a listing would show."""
        with self._context.database.read() as uow:
            visible = repository.visible(principal, answerable_only=wanted.answerable_only)
            return repository.count(uow, [visible, *repository.conditions(wanted, now=utc_now())])

    def projects(self, principal: Principal) -> list[str]:
        """Return the studies of which somebody may see tasks."""
        with self._context.database.read() as uow:
            return repository.projects(uow, [repository.visible(principal)])

    def get(self, task_id: int, *, principal: Principal) -> TaskOut:
        """Show one task.

        Raises
        ------
        TaskUnknown
        """
        with self._context.database.read() as uow:
            return self._whole(uow, visible_row(uow, task_id, principal=principal), principal)

    def content(self, task_id: int, *, principal: Principal) -> TaskContent:
        """Return what the page shows of a task.

        Raises
        ------
        TaskUnknown
        """
        with self._context.database.read() as uow:
            return shown_content(visible_row(uow, task_id, principal=principal).content)

    def abort(self, task_id: int, *, reason: str, principal: Principal) -> Settled:
        """Take a task out of the queue and tell whoever ordered it; what somebody drafted is kept.

        Raises
        ------
        TaskUnknown, ScopeMissing, TaskSettled
        """
        with self._context.database.write() as uow:
            row = visible_row(uow, task_id, principal=principal)
            users = repository.labels(uow, [task_id])[task_id].get("user", [])
            if not may_manage(principal, presentation.audience(row, users)):
                raise ScopeMissing(scope=Scope.supervisor_write, study=row.project)
            if not repository.abort(uow, task_id, reason=reason, now=utc_now()):
                raise TaskSettled(task_id, status=row.status)
            repository.add_event(uow, task_id, actor=principal.username, kind="aborted", detail=reason)
            order_callback(uow, self._context, task_id=task_id, callback_url=row.callback_url, key="aborted")
            uow.after_commit(lambda: self._context.changed(task_id))
        return Settled(id=task_id, uri=f"{presentation.URI}/{task_id}", status=TaskStatus.ABORTED)

    def _whole(self, uow: UnitOfWork, row: TaskRow, principal: Principal) -> TaskOut:
        return presentation.whole(uow, row, principal=principal, now=utc_now(), web_url=self._context.web_url)


def visible_row(uow: UnitOfWork, task_id: int, *, principal: Principal) -> TaskRow:
    """Return a task's row if the reader may know of it.

    Raises
    ------
    TaskUnknown
    """
    row = repository.task(uow, task_id)
    if row is None or not _is_visible(uow, row, principal):
        raise TaskUnknown(task_id)
    return row


def _is_visible(uow: UnitOfWork, row: TaskRow, principal: Principal) -> bool:
    assert row.id is not None
    users = repository.labels(uow, [row.id])[row.id].get("user", [])
    return may_see(principal, presentation.audience(row, users))


def _task_of_key(uow: UnitOfWork, key: str, *, project: str, principal: Principal) -> TaskRow | None:
    row = repository.task_by_key(uow, key)
    if row is not None and (row.project != project or not _is_visible(uow, row, principal)):
        raise KeyTaken
    return row


def order_callback(
    uow: UnitOfWork, context: Context, *, task_id: int, callback_url: str | None, key: str
) -> OutboxRow | None:
    """Order a task's callback in the transaction that settles it; no address, no order.

    The order names the task alone: the secret stays in the task's row.
    """
    if not callback_url:
        return None
    order = enqueue(uow, OutboxRow, kind=CALLBACK_KIND, key=f"task-{task_id}-{key}", payload={"task_id": task_id})
    uow.after_commit(context.wake)
    return order


def _template_label(name: str) -> str:
    """Return the label of a template named by its label or by its URI."""
    return name.rsplit("/", 1)[-1]


def _text(content: Any) -> str:
    if content is None:
        return ""
    return content if isinstance(content, str) else json.dumps(content)
