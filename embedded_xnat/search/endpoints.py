"""Endpoints of searches: what may be searched, running one, storing some. May import FastAPI."""

from functools import cache

from fastapi import APIRouter, Request
from sqlalchemy import func
from sqlmodel import Session, col
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import BadRequest, NoSuchObject
from embedded_xnat.db.tables import ExperimentRow
from embedded_xnat.domain.bundles import read_bundle
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.domain.tables import Row, table_xml
from embedded_xnat.rendering import render_table
from embedded_xnat.schema.registry import MODEL
from embedded_xnat.search import saved, service
from embedded_xnat.search.display import display_fields
from embedded_xnat.search.visibility import readable_experiments
from embedded_xnat.xml_bodies import document_bytes

router = APIRouter()


def _format(request: Request) -> str | None:
    return request.query_params.get("format")


@router.get("/data/search/elements")
def search_elements(request: Request) -> Response:
    """List the types that a search may start from."""
    with archive_of(request).read() as session:
        counts = _counts(session, visitor_of(request))
    rows = [
        {
            "ELEMENT_NAME": each.name,
            "SINGULAR": each.singular or each.local_name,
            "PLURAL": each.plural or each.local_name,
            "SECURED": "true",
            "COUNT": str(counts.get(each.name, 0)),
        }
        for each in MODEL.elements()
    ]
    return render_table(_format(request), rows)


def _counts(session: Session, visitor: Visitor) -> dict[str, int]:
    """Return how many experiments of each type a visitor may read."""
    statement = readable_experiments(visitor, col(ExperimentRow.xsi_type), func.count())
    return {str(name): int(count) for name, count in session.exec(statement.group_by(col(ExperimentRow.xsi_type)))}


@router.get("/data/search/elements/{xsi_type}")
def search_fields(request: Request, xsi_type: str) -> Response:
    """List the fields of a type."""
    found = MODEL.find(xsi_type)
    if found is None:
        raise NoSuchObject("type")
    return render_table(_format(request), _field_rows(found.name))


@cache
def _field_rows(xsi_type: str) -> list[Row]:
    return [
        {
            "FIELD_ID": name,
            "HEADER": path.rpartition("/")[2],
            "SUMMARY": f"{xsi_type}/{path}",
            "TYPE": kind,
            "REQUIRES_VALUE": "false",
            "DESC": "",
            "ELEMENT_NAME": xsi_type,
            "SRC": "0",
        }
        for name, path, kind in display_fields(xsi_type)
    ]


@router.post("/data/search")
async def search(request: Request) -> Response:
    """Run the search in the body."""
    body = await document_bytes(request)
    if body is None:
        raise BadRequest("Send the search as an XML document.")
    return await run_in_threadpool(_run, request, body)


def _run(request: Request, document: bytes) -> Response:
    bundle = read_bundle(document)
    with archive_of(request).read() as session:
        found = service.run(session, visitor_of(request), bundle)
    match (_format(request) or "json").lower():
        case "csv":
            return PlainTextResponse(service.as_csv(found), media_type="text/csv")
        case "xml":
            names = [*(column.key for column in found.columns), service.STATUS]
            return Response(table_xml(found.rows, names), media_type="application/xml")
        case _:
            return Response(service.as_json(found), media_type="application/json")


@router.get("/data/search/saved")
def list_saved(request: Request) -> Response:
    """List the stored searches of whoever asks, and the shared ones."""
    with archive_of(request).read() as session:
        rows = saved.list_saved(session, visitor_of(request))
    return render_table(_format(request), rows, saved.COLUMNS)


@router.get("/data/search/saved/{search_id}")
def read_saved(request: Request, search_id: str) -> Response:
    """Return a stored search as its document."""
    with archive_of(request).read() as session:
        row = saved.saved(session, visitor_of(request), search_id)
    return Response(row.document, media_type="application/xml")


@router.get("/data/search/saved/{search_id}/results")
def saved_results(request: Request, search_id: str) -> Response:
    """Run a stored search."""
    with archive_of(request).read() as session:
        row = saved.saved(session, visitor_of(request), search_id)
    return _run(request, row.document.encode())


@router.put("/data/search/saved/{search_id}")
@router.post("/data/search/saved/{search_id}")
async def put_saved(request: Request, search_id: str) -> Response:
    """Store the search in the body."""
    body = await document_bytes(request)
    if body is None:
        raise BadRequest("Send the search as an XML document.")
    return await run_in_threadpool(_put_saved, request, search_id, body)


def _put_saved(request: Request, search_id: str, body: bytes) -> Response:
    with archive_of(request).change() as change:
        is_new = saved.save(change.session, visitor_of(request), search_id, body)
    return PlainTextResponse(search_id, 201 if is_new else 200)


@router.delete("/data/search/saved/{search_id}")
def delete_saved(request: Request, search_id: str) -> Response:
    """Delete a stored search."""
    with archive_of(request).change() as change:
        saved.remove(change.session, visitor_of(request), search_id)
    return PlainTextResponse("")
