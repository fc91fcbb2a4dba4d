"""REST endpoints of tasks and their files. May import FastAPI."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from service_kit.accounts.domain import Principal, Scope
from service_kit.accounts.guards import require_scope
from service_kit.archive_files import ArchiveFiles
from service_kit.errors import Unavailable
from service_kit.row_ids import Offset, PathId
from task_supervisor.contract.errors import FileUnknown
from task_supervisor.contract.schemas import AbortIn, Settled, TaskIn, TaskOut, TaskPage
from task_supervisor.contract.states import TaskStatus
from task_supervisor.db.repository import TaskFilter
from task_supervisor.tasks.service import Tasks

router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"])

Reader = Annotated[Principal, Depends(require_scope(Scope.supervisor_read))]
Writer = Annotated[Principal, Depends(require_scope(Scope.supervisor_write))]
FILE_CACHE_S = 3600


def tasks_of(request: Request) -> Tasks:
    """Return the tasks of the app that answers."""
    tasks = request.app.state.tasks
    assert isinstance(tasks, Tasks)
    return tasks


Service = Annotated[Tasks, Depends(tasks_of)]


@router.get("")
def list_tasks(
    *,
    tasks: Service,
    principal: Reader,
    project: str | None = None,
    template: str | None = None,
    status: TaskStatus | None = None,
    user: str | None = None,
    tag: Annotated[list[str] | None, Query()] = None,
    application_name: str | None = None,
    idempotency_key: str | None = None,
    limit: int | None = None,
    offset: Offset = 0,
    cursor: str | None = None,
) -> TaskPage:
    """List the tasks that the caller may see, by id."""
    wanted = TaskFilter(
        project=project,
        template=template,
        status=status,
        user=user,
        tags=tuple(tag or ()),
        application_name=application_name,
        idempotency_key=idempotency_key,
    )
    return tasks.page(wanted, principal=principal, limit=limit, offset=offset, cursor=cursor)


@router.post("", status_code=201)
def create_task(
    *,
    body: TaskIn,
    response: Response,
    tasks: Service,
    principal: Writer,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> TaskOut:
    """Make a task: 201; with an ``Idempotency-Key`` that is known already: 200 and the task of that key."""
    made = tasks.create(body, principal=principal, key=idempotency_key)
    response.status_code = 201 if made.is_new else 200
    return made.task


@router.get("/{task_id}")
def get_task(task_id: PathId, tasks: Service, principal: Reader) -> TaskOut:
    """Show a task."""
    return tasks.get(task_id, principal=principal)


@router.post("/{task_id}/abort")
def abort_task(task_id: PathId, body: AbortIn, tasks: Service, principal: Writer) -> Settled:
    """Take a task out of the queue; whoever ordered it is told that it failed."""
    return tasks.abort(task_id, reason=body.reason, principal=principal)


@router.get("/{task_id}/files/{number}")
def get_file(*, task_id: PathId, number: int, request: Request, tasks: Service, principal: Reader) -> Response:
    """Stream a file that the task shows, in the order of its content: volumes, then pictures.

    Neither address nor file name says which session it is.
    """
    files = tasks.content(task_id, principal=principal).files
    if not 0 <= number < len(files):
        raise FileUnknown(task_id, number)
    archive = request.app.state.archive
    if not isinstance(archive, ArchiveFiles):
        raise Unavailable("No archive is set up for this supervisor: set COHORTFLOW_XNAT_URL and its account.")
    uri = files[number].uri
    suffix = ".nii.gz" if uri.endswith(".nii.gz") else "." + uri.rsplit(".", 1)[-1][:8]
    return archive.response(request, uri, f"task-{task_id}-{number}{suffix}", cache_s=FILE_CACHE_S)
