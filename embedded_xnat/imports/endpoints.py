"""Endpoints of the import service and the prearchive. May import FastAPI."""

from contextlib import ExitStack

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, PlainTextResponse, Response

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.db.tables import PrearchiveRow
from embedded_xnat.domain.addresses import ObjectKind, parse_address
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.domain.tables import Query, table_document
from embedded_xnat.domain.values import truth
from embedded_xnat.imports import prearchive
from embedded_xnat.imports.planning import plan_session
from embedded_xnat.imports.records import Route
from embedded_xnat.imports.service import Overwrite, read_upload, store_session
from embedded_xnat.logins.gate import visitor_of
from embedded_xnat.resources.uploads import disk_errors, receive_body
from embedded_xnat.settings import EmbeddedXnatSettings
from embedded_xnat.site.endpoints import archive_of
from embedded_xnat.storage.archive import Archive
from embedded_xnat.storage.files import Incoming
from embedded_xnat.storage.unpacking import CHUNK

router = APIRouter()

_HANDLERS = frozenset({"si", "dicom-zip", "gradual-dicom", ""})


def _settings(request: Request) -> EmbeddedXnatSettings:
    settings = request.app.state.settings
    assert isinstance(settings, EmbeddedXnatSettings)
    return settings


@router.post("/data/services/import")
async def import_session(request: Request) -> Response:
    """Import an archive of DICOM files, or one file, as a session; the answer is its address."""
    query = Query(list(request.query_params.multi_items()))
    handler = (query.get("import-handler") or "").lower()
    if handler not in _HANDLERS:
        raise BadRequest("This server imports with the handlers SI, DICOM-zip and gradual-DICOM.")
    archive, visitor = archive_of(request), visitor_of(request)
    with ExitStack() as stack:
        incoming = stack.enter_context(archive.files.incoming())
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            await _receive_form(request, incoming)
        else:
            await receive_body(request, incoming, limit=_settings(request).max_upload_bytes)
        uri = await run_in_threadpool(
            _import, archive, visitor, query=query, incoming=incoming, id_prefix=_settings(request).id_prefix
        )
    return PlainTextResponse(f"{uri}\r\n")


async def _receive_form(request: Request, incoming: Incoming) -> None:
    async with request.form() as form:
        upload = next((value for _, value in form.multi_items() if isinstance(value, UploadFile)), None)
        if upload is None:
            raise BadRequest("The form has no file.")
        while chunk := await upload.read(CHUNK):
            await run_in_threadpool(incoming.write, chunk)


def _import(archive: Archive, visitor: Visitor, *, query: Query, incoming: Incoming, id_prefix: str) -> str:
    destination = query.get("dest") or "/archive"
    wanted = _wanted(query, destination)
    overwrite = _overwrite(query.get("overwrite"))
    if (query.get("import-handler") or "").lower() == "gradual-dicom" and overwrite is Overwrite.NONE:
        overwrite = Overwrite.APPEND
    quarantine = truth(query.get("quarantine"), name="quarantine")
    with ExitStack() as stack, disk_errors():
        instances = read_upload(incoming.finish(), "upload.dcm", archive.files, stack)
        plan = plan_session(instances, wanted)
        if destination.strip("/").startswith("prearchive") or plan.route.project_id is None:
            return prearchive.keep(archive, visitor, plan)
        return store_session(archive, visitor, plan, overwrite=overwrite, quarantine=quarantine, id_prefix=id_prefix)


def _wanted(query: Query, destination: str) -> Route:
    """Return where the request wants a session: named by parameters, or by the destination."""
    address = parse_address(destination.strip("/").removeprefix("prearchive").removeprefix("archive"))

    def pick(kind: ObjectKind, *names: str) -> str | None:
        named = next((value for name in names if (value := query.get(name))), None)
        return named or (address.key(kind) if address is not None else None)

    return Route(
        pick(ObjectKind.PROJECT, "project", "PROJECT_ID"),
        pick(ObjectKind.SUBJECT, "subject", "SUBJECT_ID"),
        pick(ObjectKind.EXPERIMENT, "session", "EXPT_LABEL"),
    )


def _overwrite(text: str | None) -> Overwrite:
    """Read what an import may do to a session that is there; ``True`` arrives too."""
    word = (text or "none").lower()
    if word == "true":
        return Overwrite.APPEND
    try:
        return Overwrite("none" if word == "false" else word)
    except ValueError as error:
        raise BadRequest("overwrite is none, append or delete.") from error


@router.get("/data/prearchive")
@router.get("/data/prearchive/projects")
@router.get("/data/prearchive/projects/{project_id}")
def list_prearchive(request: Request, project_id: str | None = None) -> Response:
    """List what waits in the prearchive."""
    with archive_of(request).read() as session:
        return JSONResponse(table_document(prearchive.list_sessions(session, visitor_of(request), project_id)))


@router.get("/data/prearchive/projects/{project_id}/{stamp}/{folder}")
def read_prearchive(request: Request, project_id: str, stamp: str, folder: str) -> Response:
    """Return one session of the prearchive: a table of one row."""
    with archive_of(request).read() as session:
        row = prearchive.find_session(session, visitor_of(request), project_id=project_id, stamp=stamp, folder=folder)
        return JSONResponse(table_document([prearchive.session_row(row)]))


@router.post("/data/services/archive")
def archive_session(request: Request) -> Response:
    """Move a session from the prearchive to the archive; the answer is its address."""
    query = Query(list(request.query_params.multi_items()))
    archive, visitor = archive_of(request), visitor_of(request)
    row = _source(archive, visitor, query.get("src"))
    wanted = Route(
        query.get("project") or row.project_id,
        query.get("subject") or row.subject_label,
        query.get("session") or row.session_label,
    )
    with ExitStack() as stack, disk_errors():
        plan = plan_session(prearchive.read_again(row, archive.files, stack), wanted)
        uri = store_session(
            archive,
            visitor,
            plan,
            overwrite=_overwrite(query.get("overwrite")),
            quarantine=truth(query.get("quarantine"), name="quarantine"),
            id_prefix=_settings(request).id_prefix,
        )
    prearchive.forget(archive, row)
    return PlainTextResponse(uri)


@router.post("/data/services/prearchive/delete")
def delete_prearchive(request: Request) -> Response:
    """Delete a session from the prearchive."""
    archive = archive_of(request)
    prearchive.forget(archive, _source(archive, visitor_of(request), request.query_params.get("src")))
    return PlainTextResponse("")


def _source(archive: Archive, visitor: Visitor, source: str | None) -> PrearchiveRow:
    parts = (source or "").strip("/").removeprefix("data/").split("/")
    if len(parts) != 5 or parts[:2] != ["prearchive", "projects"]:
        raise BadRequest("src is the address of a session in the prearchive.")
    with archive.read() as session:
        return prearchive.find_session(session, visitor, project_id=parts[2], stamp=parts[3], folder=parts[4])
