"""Turns rows into payloads, with no more than the reader may see. May import the database rows and the contract.

A reader who only answers sees neither callback nor generator nor tracking id: those name the session and would undo
the blinding.
"""

import json
from datetime import datetime
from typing import Any

from service_kit.accounts.domain import Principal
from service_kit.database import UnitOfWork
from task_supervisor.contract.schemas import CallbackOut, LeaseOut, TaskOut, TaskSummary
from task_supervisor.contract.states import CallbackStatus
from task_supervisor.db import repository
from task_supervisor.db.tables import TaskRow
from task_supervisor.domain import callbacks
from task_supervisor.domain.rights import Audience, may_manage

URI = "/api/v1/tasks"

_CALLBACK = {
    "pending": CallbackStatus.PENDING,
    "delivered": CallbackStatus.DELIVERED,
    "dead": CallbackStatus.FAILED,
}


def audience(row: TaskRow, users: list[str]) -> Audience:
    """Return for whom a task is."""
    return Audience(project=row.project, site=row.site, users=tuple(users), holder=row.lease_holder)


def summaries(
    uow: UnitOfWork, rows: list[TaskRow], *, principal: Principal, now: datetime, web_url: str
) -> list[TaskSummary]:
    """Show tasks as a listing does."""
    labels = repository.labels(uow, [row.id for row in rows if row.id is not None])
    templates = repository.version_labels(uow, {row.template_version_id for row in rows})
    return [
        TaskSummary(
            **_summary(row, labels[row.id or 0], principal=principal, now=now, web_url=web_url),
            template=templates[row.template_version_id],
        )
        for row in rows
    ]


def whole(uow: UnitOfWork, row: TaskRow, *, principal: Principal, now: datetime, web_url: str) -> TaskOut:
    """Show one task with everything that the reader may see."""
    assert row.id is not None
    labels = repository.labels(uow, [row.id])[row.id]
    template, version = repository.version_by_id(uow, row.template_version_id)
    answer = repository.newest_answer(uow, row.id)
    is_manager = may_manage(principal, audience(row, labels.get("user", [])))
    may_see_answer = answer is not None and (is_manager or answer.username == principal.username)
    managed: dict[str, Any] = {}
    if is_manager:
        managed = {
            "tracking_id": row.tracking_id,
            "generator_url": row.generator_url,
            "callback_url": row.callback_url,
            "callback_content": _blanked_text(row.callback_content),
            "callback": callback_of(uow, row),
        }
    return TaskOut(
        **_summary(row, labels, principal=principal, now=now, web_url=web_url),
        **managed,
        template=template.label,
        template_version=version.version,
        content=row.content,
        users=labels.get("user", []),
        groups=labels.get("group", []),
        application_name=row.application_name,
        application_version=row.application_version,
        answer=answer.answer if answer is not None and may_see_answer else None,
        answered_at=answer.submitted_at if answer is not None and may_see_answer else None,
    )


def callback_of(uow: UnitOfWork, row: TaskRow) -> CallbackOut:
    """Return how far the answer of a task is on its way."""
    order = repository.newest_order(uow, row.id or 0)
    if order is None:
        return CallbackOut(status=CallbackStatus.NONE)
    return CallbackOut(status=_CALLBACK[order.status], attempts=order.attempts, last_error=order.last_error)


def lease_of(row: TaskRow, *, principal: Principal, now: datetime, is_manager: bool) -> LeaseOut | None:
    """Return a running lease: the token for its holder, the holder's name for coordinators."""
    if not repository.holding(row).is_held(now) or row.lease_expires_at is None:
        return None
    is_own = row.lease_holder == principal.username
    return LeaseOut(
        is_own=is_own,
        expires_at=row.lease_expires_at,
        token=row.lease_token if is_own else None,
        holder=row.lease_holder if is_own or is_manager else None,
    )


def _summary(
    row: TaskRow, labels: dict[str, list[str]], *, principal: Principal, now: datetime, web_url: str
) -> dict[str, Any]:
    is_manager = may_manage(principal, audience(row, labels.get("user", [])))
    return {
        "id": row.id,
        "uri": f"{URI}/{row.id}",
        "url": f"{URI}/{row.id}",
        "web_uri": f"{web_url}/{row.id}",
        "project": row.project,
        "site": row.site,
        "status": repository.holding(row).effective_status(now),
        "tags": labels.get("tag", []),
        "create_time": row.create_time,
        "update_time": row.update_time,
        "lease": lease_of(row, principal=principal, now=now, is_manager=is_manager),
    }


def _blanked_text(content: str) -> str:
    if not content:
        return content
    return json.dumps(callbacks.blanked(callbacks.content_object(content)))
