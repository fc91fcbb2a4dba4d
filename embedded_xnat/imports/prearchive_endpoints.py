"""Endpoints of the prearchive: listings, what lies in a session, and what can be done with it. May import FastAPI."""

import mimetypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from urllib.parse import unquote

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import BadRequest, NoSuchObject
from embedded_xnat.db.tables import PrearchiveRow
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.names import in_address
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.domain.tables import Query, Row, table_csv, table_document
from embedded_xnat.domain.values import truth
from embedded_xnat.imports import prearchive
from embedded_xnat.imports.bodies import MAX_FIELDS
from embedded_xnat.imports.endpoints import settings_of, worker_of
from embedded_xnat.imports.options import UNASSIGNED, read_destination, read_overwrite
from embedded_xnat.imports.prearchive_actions import STATUS_OF, Actions, Errand
from embedded_xnat.imports.prearchive_content import Content, at_rest, held
from embedded_xnat.imports.records import Overwrite, Route
from embedded_xnat.locate import locate
from embedded_xnat.resources.downloads import OpenFileResponse
from embedded_xnat.storage.archive import Archive
from embedded_xnat.storage.zipping import Entry, zip_stream

router = APIRouter()

_FORM = "application/x-www-form-urlencoded"
_READ = ["GET", "HEAD"]
_ONE = "/data/prearchive/projects/{project_id}/{stamp}/{folder}"
_MAX_SOURCES = 10_000
#: Words of ``?action=`` for the operations.
_ACTIONS = {"build": "rebuild", "reset": "rebuild", "commit": "archive", "archive": "archive"}


def _table(request: Request, rows: Sequence[Row], columns: Sequence[str] = ()) -> Response:
    if request.query_params.get("format", "json").lower() == "csv":
        return PlainTextResponse(table_csv(rows, columns), media_type="text/csv")
    return JSONResponse(table_document(rows))


@router.api_route("/data/prearchive", methods=_READ)
@router.api_route("/data/prearchive/projects", methods=_READ)
@router.api_route("/data/prearchive/projects/{project_id}", methods=_READ)
def list_prearchive(request: Request, project_id: str | None = None) -> Response:
    """List what waits in the prearchive."""
    visitor = visitor_of(request)
    with archive_of(request).read() as session:
        if project_id is not None and project_id != UNASSIGNED:
            locate(session, Address((Step(ObjectKind.PROJECT, project_id),)), visitor)
        rows = prearchive.list_sessions(session, visitor, project_id)
    return _table(request, rows, list(prearchive.COLUMNS))


@router.api_route(_ONE, methods=_READ)
def read_prearchive(request: Request, project_id: str, stamp: str, folder: str) -> Response:
    """Return one session of the prearchive: a table of one row, its document, or its files."""
    archive, visitor = archive_of(request), visitor_of(request)
    form = request.query_params.get("format", "json").lower()

    def look() -> Response:
        row = _find(archive, visitor, [project_id, stamp, folder])
        content = Content(row, archive.files)
        if form == "zip":
            return _zip(content, content.zip_entries(), row.folder)
        if form == "xml":
            return Response(content.xml(), media_type="text/xml")
        return _table(request, [prearchive.session_row(row)])

    return at_rest(archive, look)


@router.api_route(_ONE + "/{rest:path}", methods=_READ)
def read_inside(request: Request, project_id: str, stamp: str, folder: str, *, rest: str) -> Response:
    """Return what lies in a session: scans, their resources, files and bytes; the reasons why it waits."""
    archive, visitor = archive_of(request), visitor_of(request)

    def look() -> Response:
        row = _find(archive, visitor, [project_id, stamp, folder])
        return _read_inside(request, Content(row, archive.files), rest)

    return at_rest(archive, look)


def _read_inside(request: Request, content: Content, rest: str) -> Response:
    row = content.row
    match rest.strip("/").split("/"):
        case ["scans"]:
            packs = _packs(request)
            return _zip(content, content.zip_entries(), row.folder) if packs else _table(request, content.scan_rows())
        case ["scans", scan_id, *inside]:
            return _read_scan(request, content, scan_id, inside)
        case ["resources"]:
            return _table(request, [], ["label", "file_count", "file_size"])
        case ["logs"]:
            return _table(request, [{"code": str(each["code"]), "text": str(each["text"])} for each in row.reasons])
    raise NoSuchObject("page")


def _read_scan(request: Request, content: Content, scan_id: str, inside: Sequence[str]) -> Response:
    files = ["Name", "Size", "URI"]
    match inside:
        case [] | ["files"] if _packs(request):
            return _zip(content, content.zip_entries(scan_id), f"{content.row.folder}-{scan_id}")
        case []:
            return _table(request, [content.scan_row(scan_id)])
        case ["files"]:
            return _table(request, content.file_rows(scan_id), files)
        case ["resources"]:
            return _table(request, content.resource_rows(scan_id), ["label", "file_count", "file_size"])
        case ["resources", label] | ["resources", label, "files"] if _packs(request):
            return _zip(content, content.zip_entries(scan_id, label), f"{content.row.folder}-{scan_id}")
        case ["resources", label] | ["resources", label, "files"]:
            return _table(request, content.file_rows(scan_id, label), files)
        case ["resources", label, "files", *name]:
            path = content.file(scan_id, label, "/".join(name))
            kind = mimetypes.guess_type(path.name)[0] or "application/dicom"
            return OpenFileResponse(path.open("rb"), name=path.name, md5=None, media_type=kind)
    raise NoSuchObject("page")


def _packs(request: Request) -> bool:
    return request.query_params.get("format", "json").lower() == "zip"


class _HeldResponse(StreamingResponse):
    """An archive of files that are held until it is sent, or its reader has gone."""

    def __init__(self, content: Iterator[bytes], stack: ExitStack, *, headers: Mapping[str, str]) -> None:
        super().__init__(content, media_type="application/zip", headers=headers)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the archive and let go of the files."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await run_in_threadpool(self._stack.close)


def _zip(content: Content, entries: list[Entry], name: str) -> Response:
    disposition = f"attachment; filename*=UTF-8''{in_address(name).encode('ascii', 'replace').decode()}.zip"
    headers = {"Content-Disposition": disposition.replace("\n", " "), "Cache-Control": "no-store"}
    with ExitStack() as stack:
        kept = held(entries, content.files, stack)
        return _HeldResponse(zip_stream(kept), stack.pop_all(), headers=headers)


@router.post(_ONE)
async def act_on_one(request: Request, project_id: str, stamp: str, folder: str) -> Response:
    """Do something with one session: ``action`` is build, rebuild, move, commit, archive or delete."""
    query = await _parameters(request)
    wanted = (query.get("action") or "").lower()
    operation = _ACTIONS.get(wanted, wanted)
    if operation not in STATUS_OF:
        raise BadRequest("action is build, rebuild, move, commit or delete.")
    return await run_in_threadpool(_act, request, query, operation, [[project_id, stamp, folder]])


@router.delete(_ONE)
def delete_one(request: Request, project_id: str, stamp: str, folder: str) -> Response:
    """Delete one session."""
    return _act(request, Query(list(request.query_params.multi_items())), "delete", [[project_id, stamp, folder]])


@router.post("/data/services/archive")
async def archive_sessions(request: Request) -> Response:
    """Move sessions from the prearchive to the archive; the answer is the address of each."""
    query = await _parameters(request)
    return await run_in_threadpool(_act, request, query, "archive", _sources(query))


@router.post("/data/services/prearchive/{operation}")
async def act_on_sessions(request: Request, operation: str) -> Response:
    """Move, rebuild or delete sessions of the prearchive."""
    query = await _parameters(request)
    if operation.lower() not in {"move", "rebuild", "delete"}:
        raise BadRequest("The service is move, rebuild or delete.")
    return await run_in_threadpool(_act, request, query, operation.lower(), _sources(query))


def _act(request: Request, query: Query, operation: str, sources: Sequence[list[str]]) -> Response:
    """Do one thing with each session, or leave it to the background."""
    archive, visitor = archive_of(request), visitor_of(request)
    actions = Actions(archive, settings_of(request).id_prefix)
    errand = _errand(operation, query)
    rows = [_find(archive, visitor, source) for source in sources]  # all of them, before anything is done
    if len(rows) > 1 and errand.route.session_label is not None:
        raise BadRequest("Several sessions cannot be archived under one label.")
    if truth(query.get("async"), name="async"):
        for row in rows:
            actions.queue(visitor, row, errand)
        worker_of(request).wake()
        return PlainTextResponse("")
    act: Callable[[PrearchiveRow], str] = lambda row: actions.run(visitor, row, errand)  # noqa: E731
    uris = [act(row) for row in rows]
    return PlainTextResponse("\r\n".join(uri for uri in uris if uri))


def _errand(operation: str, query: Query) -> Errand:
    _, place = read_destination(query.get("dest") if operation == "archive" else None)
    for name in ("auto-archive", "triggerPipelines", "tiggerPipelines", "allowDataDeletion"):
        truth(query.get(name), name=name)
    return Errand(
        operation,
        route=Route(
            query.get("project") or place.project_id,
            query.get("subject") or place.subject_label,
            query.get("session") or query.get("experiment") or place.session_label,
        ),
        overwrite=read_overwrite(query.get("overwrite")) or Overwrite.NONE,
        quarantine=truth(query.get("quarantine"), name="quarantine"),
        new_project=query.get("newProject"),
    )


def _sources(query: Query) -> list[list[str]]:
    """Return project, time stamp and folder of each session that a request names."""
    texts = [value for name, value in query.parameters if name.lower() == "src"]
    if not texts or len(texts) > _MAX_SOURCES:
        raise BadRequest("src is the address of a session in the prearchive; it may come several times.")
    return [_source(part) for text in texts for part in text.split(",")]


def _source(text: str) -> list[str]:
    parts = text.strip().strip("/").removeprefix("data/").removeprefix("archive/").split("/")
    if len(parts) != 5 or parts[:2] != ["prearchive", "projects"]:
        raise BadRequest("src is such as /prearchive/projects/P/20260203_091500123/S.")
    return [unquote(part) for part in parts[2:]]  # some clients encode it once more


def _find(archive: Archive, visitor: Visitor, source: Sequence[str]) -> PrearchiveRow:
    project_id, stamp, folder = source
    with archive.read() as session:
        return prearchive.find_session(session, visitor, project_id=project_id, stamp=stamp, folder=folder)


async def _parameters(request: Request) -> Query:
    """Return the parameters of a request, those of a form in its body too."""
    parameters = list(request.query_params.multi_items())
    if request.headers.get("content-type", "").startswith(_FORM):
        async with request.form(max_files=0, max_fields=_MAX_SOURCES + MAX_FIELDS) as form:
            parameters += [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    return Query(parameters)
