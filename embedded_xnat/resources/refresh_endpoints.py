"""Endpoint of the refresh of catalogs. May import FastAPI."""

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.responses import PlainTextResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.resources.refresh import address_of, read_options, refresh

router = APIRouter()

_MAX_RESOURCES = 100


@router.post("/data/services/refresh/catalog")
async def refresh_catalog(request: Request) -> Response:
    """Take in files that were put into the folder of a resource by hand, drop the rows of those that are gone."""
    parameters = [*request.query_params.multi_items()]
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        async with request.form(max_files=0) as form:
            parameters += [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    query = QueryParams(parameters)
    sources = query.getlist("resource")
    if not sources or len(sources) > _MAX_RESOURCES:
        raise BadRequest(f"Name 1 to {_MAX_RESOURCES} objects: resource=/archive/projects/P/subjects/S/experiments/E.")
    options = read_options(",".join(query.getlist("options")))
    addresses = [address_of(source) for source in sources]
    archive, visitor = archive_of(request), visitor_of(request)

    def work() -> None:
        for address in addresses:
            refresh(archive, visitor, address, options)

    await run_in_threadpool(work)
    return PlainTextResponse("")
