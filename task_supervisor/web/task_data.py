"""Gathers what the page of a task needs. May import FastAPI."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request

from service_kit.accounts.domain import Principal, Role, Scope
from service_kit.accounts.guards import require_role
from service_kit.database import Database
from service_kit.row_ids import PathId
from service_kit.tables import utc_now
from service_kit.web.pages import Pages
from task_supervisor.answers import forms
from task_supervisor.contract.schemas import LeaseOut, TaskOut
from task_supervisor.db import repository
from task_supervisor.domain.content import TaskContent, content_object, shown_content
from task_supervisor.domain.forms import CONTAINERS, DESKTOP_ONLY, Control, Form, FormField
from task_supervisor.domain.rights import may_answer, may_manage
from task_supervisor.tasks import presentation
from task_supervisor.tasks.endpoints import tasks_of
from task_supervisor.tasks.service import Tasks, visible_row


@dataclass(frozen=True, slots=True)
class PageData:
    """Everything that the task's page shows, and ``script`` for its scripts.

    Parameters
    ----------
    shown
        The content's objects that the form's JSONDisplays name.
    may_open_session
        Whether the session's page, which belongs to coordinators, opens to who looks.
    first_group
        The group of options whose numbers are keys.
    """

    task: TaskOut
    form: Form
    content: TaskContent
    may_answer: bool
    is_manager: bool
    may_open_session: bool
    shown: dict[str, Any] = field(default_factory=dict)
    first_group: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    script: dict[str, Any] = field(default_factory=dict)


def page_data(
    *,
    request: Request,
    task_id: PathId,
    principal: Annotated[Principal, Depends(require_role(Role.annotator, Role.coordinator))],
    tasks: Annotated[Tasks, Depends(tasks_of)],
) -> PageData:
    """Gather what the page shows to this person.

    Raises
    ------
    TaskUnknown
    """
    now = utc_now()
    database = tasks.database
    task = tasks.get(task_id, principal=principal)
    with database.read() as uow:
        row = visible_row(uow, task_id, principal=principal)
        audience = presentation.audience(row, task.users)
        form = forms.form_of(uow, row)
        draft = repository.draft(uow, task_id, principal.username)
        content = shown_content(row.content)
        is_manager = may_manage(principal, audience)
        events = _events(database, task_id) if is_manager else []
    can_answer = may_answer(principal, audience)
    values = task.answer if task.answer is not None else (draft.answer if draft is not None else None)
    script = {
        "taskId": task_id,
        "status": task.status,
        "project": task.project,
        "api": Pages.own_url(request, f"/api/v1/tasks/{task_id}"),
        "nextApi": Pages.own_url(request, "/api/v1/tasks/next"),
        "pages": Pages.own_url(request, "/"),
        "lease": _script_lease(task.lease, now=now),
        "mayAnswer": can_answer,
        "volumes": [
            {
                "name": volume.name,
                "role": volume.role,
                "url": Pages.own_url(request, f"/api/v1/tasks/{task_id}/files/{number}"),
            }
            for number, volume in enumerate(content.volumes)
        ],
        "labels": [label.model_dump() for label in form.labels],
        "fields": _script_fields(form.fields, ()),
        "values": values,
        "isDraft": task.answer is None and draft is not None,
    }
    return PageData(
        task=task,
        form=form,
        content=content,
        may_answer=can_answer,
        is_manager=is_manager,
        may_open_session=principal.holds(Scope.governor_read, study=task.project, site=task.site),
        shown=_displayed(form, content_object(task.content)),
        first_group=next((one.name for one in form.walk() if one.control is Control.RADIO), None),
        events=events,
        script=script,
    )


def _script_lease(lease: LeaseOut | None, *, now: datetime) -> dict[str, Any] | None:
    if lease is None:
        return None
    remaining_s = max(0.0, (lease.expires_at - now).total_seconds())
    return {"isOwn": lease.is_own, "token": lease.token, "remainingS": remaining_s}


def _script_fields(fields: tuple[FormField, ...], path: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return every field flat, with the way to its value in the answer."""
    found: list[dict[str, Any]] = []
    for one in fields:
        way = (*path, one.name)
        found.append(
            {
                "name": one.name,
                "path": list(way),
                "control": one.control,
                "type": one.type,
                "initial": one.initial_value,
                "enabled": one.enabled and one.editable,
                "visible": one.visible,
                "dependsOn": one.depends_on,
                "visibleOn": one.visible_on,
                "formula": one.formula,
                "variables": one.variables,
                "alertOnChecked": one.alert_on_checked,
                "alertOnUnchecked": one.alert_on_unchecked,
                "isDesktopOnly": one.control in DESKTOP_ONLY,
            }
        )
        if one.control in CONTAINERS:
            found += _script_fields(one.children, way)
    return found


def _displayed(form: Form, content: Any) -> dict[str, Any]:
    """Return the objects that JSONDisplays show: the content's entry of the field's name, else its initial value."""
    given = content if isinstance(content, dict) else {}
    fields = (one for one in form.walk() if one.control is Control.JSON)
    objects = {one.name: given.get(one.name, one.initial_value) for one in fields}
    return {name: value for name, value in objects.items() if isinstance(value, dict)}


def _events(database: Database, task_id: int) -> list[dict[str, Any]]:
    with database.read() as uow:
        return [
            {"at": row.at, "actor": row.actor, "kind": row.kind, "detail": row.detail}
            for row in repository.events(uow, task_id)
        ]
