"""REST endpoint of callbacks. May import FastAPI."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from service_kit.accounts.domain import Principal, Scope
from service_kit.accounts.guards import require_scope
from service_kit.row_ids import PathId
from task_supervisor.callbacks.service import Callbacks
from task_supervisor.contract.schemas import CallbackOut

router = APIRouter(prefix="/api/v1/tasks", tags=["callbacks"])

Writer = Annotated[Principal, Depends(require_scope(Scope.supervisor_write))]


def callbacks_of(request: Request) -> Callbacks:
    """Return the callbacks of the app that answers."""
    callbacks = request.app.state.callbacks
    assert isinstance(callbacks, Callbacks)
    return callbacks


Service = Annotated[Callbacks, Depends(callbacks_of)]


@router.post("/{task_id}/resend")
def resend_callback(task_id: PathId, callbacks: Service, principal: Writer) -> CallbackOut:
    """Send the callback of a task again after it was given up."""
    return callbacks.resend(task_id, principal=principal)
