"""The pages: queue, task, live events. May import FastAPI; decides nothing.

A task's page shows what the template and the content name, nothing else: it is seen by people who may have to stay
blind to the session.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from service_kit.accounts.domain import Principal, Role
from service_kit.accounts.guards import require_role
from service_kit.row_ids import PathId
from service_kit.web.pages import Pages
from task_supervisor.callbacks.endpoints import callbacks_of
from task_supervisor.callbacks.service import Callbacks
from task_supervisor.contract.errors import NothingToClaim
from task_supervisor.contract.states import TaskStatus
from task_supervisor.db.repository import TaskFilter
from task_supervisor.leases.endpoints import leases_of
from task_supervisor.leases.service import Leases
from task_supervisor.tasks.endpoints import tasks_of
from task_supervisor.tasks.service import Tasks
from task_supervisor.web.task_data import PageData, page_data

router = APIRouter(include_in_schema=False)
PAGES = Pages("task_supervisor")
PAGE_SIZE = 50

Viewer = Annotated[Principal, Depends(require_role(Role.annotator, Role.coordinator))]
TaskService = Annotated[Tasks, Depends(tasks_of)]


@dataclass(frozen=True, slots=True)
class Tab:
    """One list of the queue page."""

    name: str
    label: str
    wanted: TaskFilter
    newest_first: bool = False


def _tabs(principal: Principal, project: str | None) -> list[Tab]:
    me = principal.username
    tabs = [
        Tab("open", "Open", TaskFilter(project=project, status=TaskStatus.QUEUED)),
        Tab("mine", "Mine", TaskFilter(project=project, status=TaskStatus.CLAIMED, holder=me)),
    ]
    if not principal.may(Role.coordinator):
        done = TaskFilter(project=project, status=TaskStatus.DONE, answered_by=me)
        return [*tabs, Tab("done", "Done by me", done, newest_first=True)]
    return [
        *tabs,
        Tab("claimed", "At work", TaskFilter(project=project, status=TaskStatus.CLAIMED)),
        Tab("done", "Done", TaskFilter(project=project, status=TaskStatus.DONE), newest_first=True),
        Tab("aborted", "Aborted", TaskFilter(project=project, status=TaskStatus.ABORTED), newest_first=True),
    ]


@router.get("/")
def queue(
    *,
    request: Request,
    tasks: TaskService,
    principal: Viewer,
    tab: str = "open",
    project: Annotated[str, Query(max_length=64)] = "",
    cursor: str | None = None,
) -> Response:
    """Show the queue: what is open, what is mine, what is done."""
    tabs = _tabs(principal, project or None)
    chosen = next((one for one in tabs if one.name == tab), tabs[0])
    listing = tasks.page(
        chosen.wanted, principal=principal, limit=PAGE_SIZE, cursor=cursor, newest_first=chosen.newest_first
    )
    context: dict[str, Any] = {
        "tabs": [(one, tasks.count(one.wanted, principal=principal)) for one in tabs],
        "chosen": chosen,
        "project": project,
        "projects": tasks.projects(principal),
        "cursor": cursor,
        "listing": listing,
        "may_answer": principal.may(Role.annotator),
        "is_coordinator": principal.may(Role.coordinator),
    }
    is_part = request.headers.get("hx-request") == "true"
    return PAGES.render(request, "queue_part.html" if is_part else "queue.html", context)


@router.post("/next")
def claim_next(
    request: Request,
    leases: Annotated[Leases, Depends(leases_of)],
    principal: Annotated[Principal, Depends(require_role(Role.annotator))],
    project: Annotated[str, Form()] = "",
) -> Response:
    """Claim the next task and open it; back to the queue when none is left."""
    try:
        claim = leases.claim_next(principal=principal, project=project or None)
    except NothingToClaim:
        return RedirectResponse(PAGES.own_url(request, "/?tab=open"), status_code=303)
    return RedirectResponse(PAGES.own_url(request, f"/{claim.task.id}"), status_code=303)


@router.post("/{task_id:int}/abort")
def abort(
    *,
    request: Request,
    task_id: PathId,
    tasks: TaskService,
    principal: Annotated[Principal, Depends(require_role(Role.coordinator))],
    reason: Annotated[str, Form(min_length=1, max_length=500)],
) -> Response:
    """Take a task out of the queue."""
    tasks.abort(task_id, reason=reason, principal=principal)
    return RedirectResponse(PAGES.own_url(request, f"/{task_id}"), status_code=303)


@router.post("/{task_id:int}/resend")
def resend(
    request: Request,
    task_id: PathId,
    callbacks: Annotated[Callbacks, Depends(callbacks_of)],
    principal: Annotated[Principal, Depends(require_role(Role.coordinator))],
) -> Response:
    """Send the answer of a task again after it was given up."""
    callbacks.resend(task_id, principal=principal)
    return RedirectResponse(PAGES.own_url(request, f"/{task_id}"), status_code=303)


@router.get("/events")
async def events(request: Request, _principal: Viewer) -> Response:
    """Stream the numbers of tasks that changed."""
    return request.app.state.broadcast.response(request, topics=["task"])  # type: ignore[no-any-return]


@router.get("/{task_id:int}")
def task_page(request: Request, task_id: PathId, data: Annotated[PageData, Depends(page_data)]) -> Response:
    """Show a task: the images, and the form beside them."""
    return PAGES.render(request, "task.html", {"task_id": task_id, "data": data})
