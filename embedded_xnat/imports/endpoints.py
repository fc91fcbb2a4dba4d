"""Endpoints of the import service. May import FastAPI."""

from contextlib import ExitStack

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.domain.tables import Query
from embedded_xnat.imports.bodies import Body, receive
from embedded_xnat.imports.importing import Importer
from embedded_xnat.imports.inbox import Inbox, find_request, request_document
from embedded_xnat.imports.options import Handler, ImportOptions, read_options
from embedded_xnat.imports.reading import read_upload
from embedded_xnat.imports.worker import ImportWorker
from embedded_xnat.imports.xar import XarImporter
from embedded_xnat.numbers import RowNumber
from embedded_xnat.settings import EmbeddedXnatSettings
from embedded_xnat.storage.space import disk_errors

router = APIRouter()


def settings_of(request: Request) -> EmbeddedXnatSettings:
    """Return the settings of the app."""
    settings = request.app.state.settings
    assert isinstance(settings, EmbeddedXnatSettings)
    return settings


def worker_of(request: Request) -> ImportWorker:
    """Return what imports in the background."""
    worker = request.app.state.import_worker
    assert isinstance(worker, ImportWorker)
    return worker


@router.post("/data/services/import")
async def import_session(request: Request) -> Response:
    """Import an archive of DICOM files, or one file; the answer is the address of each session, one a line."""
    query = list(request.query_params.multi_items())
    content_type = request.headers.get("content-type", "")
    options = read_options(Query(query).get, content_type=content_type)  # refuse before the body comes
    files, limit = archive_of(request).files, settings_of(request).max_upload_bytes
    inbody = (Query(query).get("inbody") or "").lower() == "true"
    with ExitStack() as stack:
        body = await receive(request, files, stack, limit=limit, inbody=inbody)
        if body.fields:
            query += body.fields
            options = read_options(Query(query).get, content_type=content_type)
        if options.handler is Handler.INBOX:
            uris = [await run_in_threadpool(_request, request, query)]
        else:
            uris = await run_in_threadpool(_import, request, body, options)
    return PlainTextResponse("".join(f"{uri}\r\n" for uri in uris))


def _import(request: Request, body: Body, options: ImportOptions) -> list[str]:
    archive = archive_of(request)
    if not body.files:
        raise BadRequest("The request brings no file.")
    with ExitStack() as stack, disk_errors():
        received = [(name, incoming.finish(sync=False)) for name, incoming in body.files]
        visitor, id_prefix = visitor_of(request), settings_of(request).id_prefix
        if options.handler is Handler.XAR:
            return XarImporter(archive, visitor, id_prefix).run(received, options, stack)
        upload = read_upload(received, archive.files, stack)
        importer = Importer(archive, visitor, id_prefix)
        return importer.run(upload, options, stack)


def _request(request: Request, query: list[tuple[str, str]]) -> str:
    inbox = request.app.state.inbox
    if not isinstance(inbox, Inbox):
        raise BadRequest("This server has no inbox; its administrator sets COHORTFLOW_XNAT_INBOX_DIR.")
    row = inbox.request(visitor_of(request), {name.lower(): value for name, value in reversed(query)})
    worker_of(request).wake()
    return f"/data/services/import/inbox/{row.number}"


@router.get("/data/services/import/inbox/{number}")
def read_request(request: Request, number: RowNumber) -> Response:
    """Say how far a request for the inbox is."""
    with archive_of(request).read() as session:
        return JSONResponse(request_document(find_request(session, visitor_of(request), number)))
