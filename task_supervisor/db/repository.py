"""Queries over tasks, templates, answers and the outbox. May import SQLAlchemy; decides nothing.

Every function works inside the caller's unit of work. The conditional updates return whether they changed their row:
the database decides races, nobody reads first.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased

from service_kit.accounts.domain import Grant, Principal, Role
from service_kit.database import UnitOfWork
from task_supervisor.contract.states import LeaseToken, TaskId, TaskStatus
from task_supervisor.db.tables import (
    AnswerRow,
    DraftRow,
    EventRow,
    LabelRow,
    OutboxRow,
    TaskRow,
    TemplateRow,
    TemplateVersionRow,
)
from task_supervisor.domain.lifecycle import SOURCES, Holding

TASK = cast("Any", TaskRow)
LABEL = cast("Any", LabelRow)
ANSWER = cast("Any", AnswerRow)
EVENT = cast("Any", EventRow)
OUTBOX = cast("Any", OutboxRow)
TEMPLATE = cast("Any", TemplateRow)
VERSION = cast("Any", TemplateVersionRow)


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks a listing lets through; None lets everything through."""

    project: str | None = None
    template: str | None = None
    status: TaskStatus | None = None
    user: str | None = None
    holder: str | None = None
    answered_by: str | None = None
    application_name: str | None = None
    idempotency_key: str | None = None
    tags: tuple[str, ...] = ()
    answerable_only: bool = False


def holding(row: TaskRow) -> Holding:
    """Return what decides about a row's lease."""
    assert row.id is not None
    return Holding(
        task_id=TaskId(row.id),
        status=TaskStatus(row.status),
        token=LeaseToken(row.lease_token),
        holder=row.lease_holder,
        expires_at=row.lease_expires_at,
    )


def add_event(uow: UnitOfWork, task_id: int, *, actor: str, kind: str, detail: str = "") -> None:
    """Write down who did what to a task."""
    uow.session.add(EventRow(task_id=task_id, actor=actor, kind=kind, detail=detail[:600]))


def is_settling_written(uow: UnitOfWork, task_id: int, *, order_id: int) -> bool:
    """Tell whether an order's outcome is in the task's history: the next order is made only after it."""
    order = uow.session.get(OutboxRow, order_id)
    written = select(EventRow).where(EVENT.task_id == task_id, EVENT.kind == "callback")
    if order is not None:
        written = written.where(EVENT.at >= order.created_at)
    return uow.session.scalars(written.limit(1)).first() is not None


def events(uow: UnitOfWork, task_id: int) -> list[EventRow]:
    """Return what happened to a task, oldest first."""
    return list(uow.session.scalars(select(EventRow).where(EVENT.task_id == task_id).order_by(EVENT.id)))


# ------------------------------------------------------------------ lease: conditional updates


def claim(uow: UnitOfWork, task_id: int, *, username: str, now: datetime, until: datetime) -> bool:
    """Give the lease to somebody if nobody's is running; the token grows by one."""
    free = or_(
        TASK.status == TaskStatus.QUEUED.value,
        and_(TASK.status == TaskStatus.CLAIMED.value, TASK.lease_expires_at <= now),
    )
    return _changed(
        uow,
        update(TaskRow)
        .where(TASK.id == task_id, free)
        .values(
            status=TaskStatus.CLAIMED.value,
            lease_token=TASK.lease_token + 1,
            lease_holder=username,
            lease_expires_at=until,
            update_time=now,
        ),
    )


def move_with_token(
    uow: UnitOfWork, task_id: int, *, token: int, username: str, target: TaskStatus, values: Mapping[str, Any]
) -> bool:
    """Change a task if ``token`` is its newest claim and is ``username``'s; True when it did."""
    return _changed(
        uow,
        update(TaskRow)
        .where(
            TASK.id == task_id,
            TASK.status == TaskStatus.CLAIMED.value,
            TASK.lease_token == token,
            TASK.lease_holder == username,
        )
        .values(status=target.value, **values),
    )


def abort(uow: UnitOfWork, task_id: int, *, reason: str, now: datetime) -> bool:
    """Take a task out of the queue if it is not settled yet."""
    sources = [status.value for status in SOURCES[TaskStatus.ABORTED]]
    return _changed(
        uow,
        update(TaskRow)
        .where(TASK.id == task_id, TASK.status.in_(sources))
        .values(
            status=TaskStatus.ABORTED.value,
            abort_reason=reason,
            lease_holder=None,
            lease_expires_at=None,
            update_time=now,
            settled_at=now,
        ),
    )


def _changed(uow: UnitOfWork, statement: Any) -> bool:
    result = uow.session.connection().execute(statement)
    uow.session.expire_all()
    return bool(result.rowcount == 1)


# ------------------------------------------------------------------ tasks


def task(uow: UnitOfWork, task_id: int) -> TaskRow | None:
    """Return a task's row."""
    return uow.session.get(TaskRow, task_id)


def task_by_key(uow: UnitOfWork, key: str) -> TaskRow | None:
    """Return the task that was made with an idempotency key."""
    return uow.session.scalars(select(TaskRow).where(TASK.idempotency_key == key)).first()


def labels(uow: UnitOfWork, task_ids: Collection[int]) -> dict[int, dict[str, list[str]]]:
    """Return tags, users and groups by task and kind."""
    found: dict[int, dict[str, list[str]]] = {task_id: {} for task_id in task_ids}
    if task_ids:
        query = select(LabelRow).where(LABEL.task_id.in_(task_ids)).order_by(LABEL.name)
        for row in uow.session.scalars(query):
            found[row.task_id].setdefault(row.kind, []).append(row.name)
    return found


def visible(principal: Principal, *, answerable_only: bool = False) -> ColumnElement[bool]:
    """Return the condition of the tasks that somebody may see, or only of those that he may answer."""
    other = aliased(LabelRow)
    others = cast("Any", other)
    is_assigned = exists().where(others.task_id == TASK.id, others.kind == "user")
    is_mine = exists().where(LABEL.task_id == TASK.id, LABEL.kind == "user", LABEL.name == principal.username)
    answerable = and_(_granted(principal, Role.annotator), or_(~is_assigned, is_mine))
    return answerable if answerable_only else or_(_granted(principal, Role.coordinator), answerable)


def _granted(principal: Principal, role: Role) -> ColumnElement[bool]:
    held = [one for one in principal.grants if Principal("", "", frozenset({one})).may(role)]
    return or_(false(), *(_covered(grant) for grant in held))


def _covered(grant: Grant) -> ColumnElement[bool]:
    study = true() if grant.study is None else TASK.project == grant.study
    site = true() if grant.site is None else or_(TASK.site.is_(None), TASK.site == grant.site)
    return and_(study, site)


def conditions(wanted: TaskFilter, *, now: datetime) -> list[ColumnElement[bool]]:
    """Turn a filter into conditions. An unknown name lets nothing through."""
    plain = (
        (TASK.project, wanted.project),
        (TASK.application_name, wanted.application_name),
        (TASK.idempotency_key, wanted.idempotency_key),
        (TASK.lease_holder, wanted.holder),
    )
    found: list[Any] = [column == value for column, value in plain if value is not None]
    if wanted.template is not None:
        versions = select(VERSION.id).join(TemplateRow, TEMPLATE.id == VERSION.template_id)
        found.append(TASK.template_version_id.in_(versions.where(TEMPLATE.label == wanted.template)))
    if wanted.answered_by is not None:
        found.append(exists().where(ANSWER.task_id == TASK.id, ANSWER.username == wanted.answered_by))
    if wanted.user is not None:
        found.append(_has_label("user", wanted.user))
    found += [_has_label("tag", tag) for tag in wanted.tags]
    claimed = and_(TASK.status == TaskStatus.CLAIMED.value, TASK.lease_expires_at > now)
    if wanted.status is TaskStatus.QUEUED:
        found.append(or_(TASK.status == TaskStatus.QUEUED.value, and_(TASK.status == "claimed", ~claimed)))
    elif wanted.status is TaskStatus.CLAIMED:
        found.append(claimed)
    elif wanted.status is not None:
        found.append(TASK.status == wanted.status.value)
    return found


def _has_label(kind: str, name: str) -> ColumnElement[bool]:
    return exists().where(LABEL.task_id == TASK.id, LABEL.kind == kind, LABEL.name == name)


def count(uow: UnitOfWork, where: Iterable[ColumnElement[bool]]) -> int:
    """Count tasks."""
    return uow.session.scalar(select(func.count()).select_from(TaskRow).where(*where)) or 0


def page(
    uow: UnitOfWork,
    where: Iterable[ColumnElement[bool]],
    *,
    limit: int,
    after: int | None = None,
    offset: int = 0,
    newest_first: bool = False,
) -> list[TaskRow]:
    """Return up to ``limit`` tasks by id, from behind ``after`` on."""
    query = select(TaskRow).where(*where).order_by(TASK.id.desc() if newest_first else TASK.id)
    if after is not None:
        query = query.where(TASK.id < after if newest_first else TASK.id > after)
    return list(uow.session.scalars(query.offset(offset).limit(limit)))


def projects(uow: UnitOfWork, where: Iterable[ColumnElement[bool]]) -> list[str]:
    """Return the studies that have tasks."""
    return list(uow.session.scalars(select(TASK.project).where(*where).distinct().order_by(TASK.project)))


def claimable_ids(uow: UnitOfWork, where: Iterable[ColumnElement[bool]], *, username: str, limit: int) -> list[int]:
    """Return open tasks in the order in which they should be taken: one's own first, then the oldest."""
    is_mine = _has_label("user", username)
    return list(uow.session.scalars(select(TASK.id).where(*where).order_by(is_mine.desc(), TASK.id).limit(limit)))


# ------------------------------------------------------------------ templates, answers, drafts


def template_version(uow: UnitOfWork, label: str) -> tuple[TemplateRow, TemplateVersionRow] | None:
    """Return a template with its newest version."""
    query = (
        select(TemplateRow, TemplateVersionRow)
        .join(TemplateVersionRow, VERSION.template_id == TEMPLATE.id)
        .where(TEMPLATE.label == label)
        .order_by(VERSION.version.desc())
    )
    found = uow.session.execute(query).first()
    return None if found is None else (found[0], found[1])


def version_by_id(uow: UnitOfWork, version_id: int) -> tuple[TemplateRow, TemplateVersionRow]:
    """Return one version with its template."""
    query = select(TemplateRow, TemplateVersionRow).join(TemplateVersionRow, VERSION.template_id == TEMPLATE.id)
    found = uow.session.execute(query.where(VERSION.id == version_id)).one()
    return found[0], found[1]


def version_labels(uow: UnitOfWork, version_ids: Collection[int]) -> dict[int, str]:
    """Return the labels of template versions."""
    query = select(VERSION.id, TEMPLATE.label).join(TemplateRow, TEMPLATE.id == VERSION.template_id)
    return {row[0]: row[1] for row in uow.session.execute(query.where(VERSION.id.in_(version_ids)))}


def template_labels(uow: UnitOfWork) -> list[str]:
    """Return all labels."""
    return list(uow.session.scalars(select(TEMPLATE.label).order_by(TEMPLATE.label)))


def newest_answer(uow: UnitOfWork, task_id: int) -> AnswerRow | None:
    """Return the newest answer to a task."""
    query = select(AnswerRow).where(ANSWER.task_id == task_id).order_by(ANSWER.revision.desc())
    return uow.session.scalars(query).first()


def draft(uow: UnitOfWork, task_id: int, username: str) -> DraftRow | None:
    """Return somebody's draft."""
    return uow.session.get(DraftRow, (task_id, username))


def keep_draft(uow: UnitOfWork, task_id: int, *, username: str, answer: Mapping[str, Any], now: datetime) -> None:
    """Store somebody's draft in place of the older one, in one statement: two pages may save at once."""
    connection = uow.session.connection()
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    changes = {"answer": dict(answer), "updated_at": now}
    statement = insert(DraftRow).values(task_id=task_id, username=username, **changes)
    connection.execute(statement.on_conflict_do_update(index_elements=["task_id", "username"], set_=changes))


def newest_order(uow: UnitOfWork, task_id: int) -> OutboxRow | None:
    """Return the newest callback order of a task."""
    query = select(OutboxRow).where(OUTBOX.kind == "callback", OUTBOX.key.like(f"task-{task_id}-%"))
    return uow.session.scalars(query.order_by(OUTBOX.id.desc())).first()
