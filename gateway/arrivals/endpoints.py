"""REST interface of arrivals, below ``/api/v1``. May import FastAPI."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import StreamingResponse

from gateway.arrivals.archive import MEDIA_TYPE, stream_tar, tar_length
from gateway.arrivals.rights import EXECUTE, WRITE, Right, reach_of
from gateway.arrivals.service import Arrivals
from gateway.contract.ids import ArrivalId
from gateway.contract.schemas import ArrivalRecord, Dismissal, InstanceRecord, QuarantineEntry, Settlement
from gateway.contract.states import ArrivalState
from gateway.spool import Spool
from service_kit.accounts.domain import Principal
from service_kit.accounts.guards import require_scope
from service_kit.paging import Page
from service_kit.row_ids import PathId

router = APIRouter(prefix="/api/v1", tags=["arrivals"])

Reader = Annotated[Principal, Depends(require_scope("gateway:read"))]
Writer = Annotated[Principal, Depends(require_scope(WRITE))]
Processor = Annotated[Principal, Depends(require_scope(EXECUTE))]
Limit = Annotated[int | None, Query(ge=1, le=500)]


def arrivals_of(request: Request) -> Arrivals:
    """Return the arrivals of the app that answers."""
    arrivals = request.app.state.arrivals
    assert isinstance(arrivals, Arrivals)
    return arrivals


def spool_of(request: Request) -> Spool:
    """Return the spool of the app that answers."""
    spool = request.app.state.spool
    assert isinstance(spool, Spool)
    return spool


ArrivalsService = Annotated[Arrivals, Depends(arrivals_of)]


@router.get("/arrivals")
def list_arrivals(
    arrivals: ArrivalsService,
    principal: Reader,
    *,
    state: Annotated[list[ArrivalState] | None, Query()] = None,
    cursor: str | None = None,
    limit: Limit = None,
) -> Page[ArrivalRecord]:
    """List arrivals, newest first; ``state`` may be given several times."""
    return arrivals.page(states=state, cursor=cursor, limit=limit, reach=reach_of(principal))


@router.get("/arrivals/{arrival_id}")
def get_arrival(arrival_id: PathId, arrivals: ArrivalsService, principal: Reader) -> ArrivalRecord:
    """Return one arrival."""
    return arrivals.get(ArrivalId(arrival_id), reach=reach_of(principal))


@router.get("/arrivals/{arrival_id}/instances")
def list_instances(
    arrival_id: PathId, arrivals: ArrivalsService, principal: Reader, *, cursor: str | None = None, limit: Limit = None
) -> Page[InstanceRecord]:
    """List the instances of an arrival in the order in which they came in."""
    return arrivals.instances(ArrivalId(arrival_id), cursor=cursor, limit=limit, reach=reach_of(principal))


@router.get("/arrivals/{arrival_id}/instances.tar", response_class=StreamingResponse)
def download_instances(
    arrival_id: PathId, arrivals: ArrivalsService, principal: Processor, spool: Annotated[Spool, Depends(spool_of)]
) -> StreamingResponse:
    """Stream the Part 10 files that are not in the quarantine, named ``<SOP Instance UID>_<sha256>.dcm``."""
    files = arrivals.files(ArrivalId(arrival_id), right=Right(principal, EXECUTE))
    headers = {
        "Content-Length": str(tar_length(files)),
        "Content-Disposition": f'attachment; filename="arrival-{arrival_id}.tar"',
        "Cohortflow-Instance-Count": str(len(files)),
        "Cache-Control": "no-store",
    }
    return StreamingResponse(stream_tar(spool, files), media_type=MEDIA_TYPE, headers=headers)


@router.post("/arrivals/{arrival_id}/complete")
def complete_arrival(arrival_id: PathId, arrivals: ArrivalsService, principal: Writer) -> ArrivalRecord:
    """Count an arrival as complete without waiting for the quiet period."""
    return arrivals.complete(ArrivalId(arrival_id), actor=principal.username, right=Right(principal, WRITE))


@router.post("/arrivals/{arrival_id}/settle")
def settle_arrival(
    arrival_id: PathId, settlement: Settlement, arrivals: ArrivalsService, principal: Processor
) -> ArrivalRecord:
    """Write down what processing an arrival came to. The same outcome again changes nothing."""
    return arrivals.settle(ArrivalId(arrival_id), settlement, actor=principal.username, right=Right(principal, EXECUTE))


@router.post("/arrivals/{arrival_id}/retry")
def retry_arrival(arrival_id: PathId, arrivals: ArrivalsService, principal: Writer) -> ArrivalRecord:
    """Give what is in the quarantine to processing again."""
    return arrivals.retry(ArrivalId(arrival_id), actor=principal.username, right=Right(principal, WRITE))


@router.post("/arrivals/{arrival_id}/dismiss")
def dismiss_arrival(
    arrival_id: PathId, dismissal: Dismissal, arrivals: ArrivalsService, principal: Writer
) -> ArrivalRecord:
    """Set aside what an arrival holds back, with a reason. The same reason again changes nothing."""
    return arrivals.dismiss(ArrivalId(arrival_id), dismissal, actor=principal.username, right=Right(principal, WRITE))


@router.post("/arrivals/{arrival_id}/reopen")
def reopen_arrival(arrival_id: PathId, arrivals: ArrivalsService, principal: Writer) -> ArrivalRecord:
    """Bring back what was set aside. What is not set aside stays as it is."""
    return arrivals.reopen(ArrivalId(arrival_id), actor=principal.username, right=Right(principal, WRITE))


@router.get("/quarantine")
def list_quarantine(
    arrivals: ArrivalsService,
    principal: Reader,
    *,
    dismissed: bool = False,
    cursor: str | None = None,
    limit: Limit = None,
) -> Page[QuarantineEntry]:
    """List the arrivals that hold something back, newest first, with the reasons; ``dismissed`` those set aside."""
    return arrivals.quarantine(dismissed=dismissed, cursor=cursor, limit=limit, reach=reach_of(principal))
