"""REST endpoints of leases. May import FastAPI."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from service_kit.accounts.domain import Principal, Scope
from service_kit.accounts.guards import require_scope
from service_kit.row_ids import PathId
from task_supervisor.contract.schemas import Claim, NextIn, Renewed, TokenIn
from task_supervisor.leases.service import Leases

router = APIRouter(prefix="/api/v1/tasks", tags=["leases"])

Answerer = Annotated[Principal, Depends(require_scope(Scope.supervisor_answer))]


def leases_of(request: Request) -> Leases:
    """Return the leases of the app that answers."""
    leases = request.app.state.leases
    assert isinstance(leases, Leases)
    return leases


Service = Annotated[Leases, Depends(leases_of)]


@router.post("/next")
def claim_next(leases: Service, principal: Answerer, body: NextIn | None = None) -> Claim:
    """Claim the open task that should be done next; 404 when none is left."""
    return leases.claim_next(principal=principal, project=body.project if body is not None else None)


@router.post("/{task_id}/claim")
def claim_task(task_id: PathId, leases: Service, principal: Answerer) -> Claim:
    """Claim a task; 409 when somebody holds it or it is settled."""
    return leases.claim(task_id, principal=principal)


@router.post("/{task_id}/renew")
def renew_lease(task_id: PathId, body: TokenIn, leases: Service, principal: Answerer) -> Renewed:
    """Let one's lease run on; 409 when the token is not the newest one."""
    return leases.renew(task_id, token=body.token, principal=principal)


@router.post("/{task_id}/release", status_code=204)
def release_task(task_id: PathId, body: TokenIn, leases: Service, principal: Answerer) -> Response:
    """Give a task back to the queue."""
    leases.release(task_id, token=body.token, principal=principal)
    return Response(status_code=204)
