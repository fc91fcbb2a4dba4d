"""Endpoints of the anonymisation scripts. May import FastAPI."""

import json

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.anonymize import service
from embedded_xnat.anonymize.script import MAX_LENGTH
from embedded_xnat.contract.errors import BadRequest, NoSuchObject, NotAllowed
from embedded_xnat.db.tables import AnonymizeScriptRow
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.items import sql_date
from embedded_xnat.domain.roles import Action, Visitor
from embedded_xnat.domain.tables import table_document
from embedded_xnat.domain.values import truth
from embedded_xnat.locate import locate
from embedded_xnat.storage.archive import Archive

router = APIRouter()


@router.get("/xapi/anonymize/default")
def read_default() -> Response:
    """Return the script that a site may begin with."""
    return PlainTextResponse(service.DEFAULT)


@router.get("/xapi/anonymize/site")
def read_site(request: Request) -> Response:
    """Return the script of the site; the default one when none is stored."""
    with archive_of(request).read() as session:
        row = service.find(session, service.SITE)
    return PlainTextResponse(service.DEFAULT if row is None else row.text)


@router.put("/xapi/anonymize/site")
async def put_site(request: Request) -> Response:
    """Store the script of the site."""
    return await _put_script(request, service.SITE)


@router.get("/xapi/anonymize/site/enabled")
def read_site_enabled(request: Request) -> bool:
    """Say whether the script of the site is in force."""
    with archive_of(request).read() as session:
        return _is_enabled(service.find(session, service.SITE))


@router.put("/xapi/anonymize/site/enabled")
async def put_site_enabled(request: Request) -> Response:
    """Put the script of the site in force, or out of it."""
    return await _put_enabled(request, service.SITE)


@router.get("/xapi/anonymize/projects/{project_id}")
def read_project(request: Request, project_id: str) -> Response:
    """Return the script of a project; nothing (204) when there is none in force."""
    with archive_of(request).read() as session:
        row = service.find(session, _scope(session, visitor_of(request), project_id, Action.READ))
    return PlainTextResponse(row.text) if row is not None and row.is_enabled else Response(status_code=204)


@router.put("/xapi/anonymize/projects/{project_id}")
async def put_project(request: Request, project_id: str) -> Response:
    """Store the script of a project."""
    return await _put_script(request, project_id)


@router.get("/xapi/anonymize/projects/{project_id}/enabled")
def read_project_enabled(request: Request, project_id: str) -> bool:
    """Say whether the script of a project is in force."""
    with archive_of(request).read() as session:
        return _is_enabled(service.find(session, _scope(session, visitor_of(request), project_id, Action.READ)))


@router.put("/xapi/anonymize/projects/{project_id}/enabled")
async def put_project_enabled(request: Request, project_id: str) -> Response:
    """Put the script of a project in force, or out of it."""
    return await _put_enabled(request, project_id)


@router.get("/data/config/anon")
@router.get("/data/config/anon/script")
def read_site_config(request: Request) -> Response:
    """Return the script of the site as uploaders ask for it: as a table, or (`contents=true`) alone while in force."""
    with archive_of(request).read() as session:
        row = service.find(session, service.SITE)
    is_bare = truth(request.query_params.get("contents"), name="contents")
    if row is None or (is_bare and not row.is_enabled):
        raise NoSuchObject("script")
    return PlainTextResponse(row.text) if is_bare else _as_table(row, path="script")


@router.get("/data/projects/{project_id}/config/anon")
def read_project_config(request: Request, project_id: str) -> Response:
    """Return the stored script of a project, in force or not, as a table."""
    with archive_of(request).read() as session:
        scope = _scope(session, visitor_of(request), project_id, Action.READ)
        row = service.find(session, scope)
    if row is None:
        raise NoSuchObject("script")
    return _as_table(row, path=f"projects/{scope}")


def _as_table(row: AnonymizeScriptRow, *, path: str) -> Response:
    shown = {
        "tool": "anon",
        "path": path,
        "project": row.scope,
        "user": row.modified_by,
        "create_date": sql_date(row.modified_at),
        "status": "enabled" if row.is_enabled else "disabled",
        "contents": row.text,
        "version": "1",
    }
    return JSONResponse(table_document([shown]))


async def _put_script(request: Request, scope: str) -> Response:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > 4 * MAX_LENGTH:
            raise BadRequest(f"A script has at most {MAX_LENGTH} characters.")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest("A script is a text in UTF-8.") from error
    await run_in_threadpool(_store, archive_of(request), visitor_of(request), scope, text)
    return PlainTextResponse("")


def _store(archive: Archive, visitor: Visitor, scope: str, text: str) -> None:
    with archive.change() as change:
        scope = _scope(change.session, visitor, scope, Action.MANAGE)
        service.store(change.session, scope, text, username=visitor.username)


async def _put_enabled(request: Request, scope: str) -> Response:
    """Read the wish from ``?enable=``, or from a body that is ``true`` or ``false``."""
    wish = request.query_params.get("enable")
    body = (await request.body())[:100].strip()
    if wish is None and body:
        try:
            value = json.loads(body)
        except ValueError as error:
            raise BadRequest("Say true or false.") from error
        wish = str(value) if isinstance(value, bool) else None
    is_enabled = truth(wish, name="enable", default=True)
    await run_in_threadpool(_enable, archive_of(request), visitor_of(request), scope, is_enabled=is_enabled)
    return PlainTextResponse("")


def _enable(archive: Archive, visitor: Visitor, scope: str, *, is_enabled: bool) -> None:
    with archive.change() as change:
        session = change.session
        scope = _scope(session, visitor, scope, Action.MANAGE)
        row = service.find(session, scope)
        if row is None and scope == service.SITE:
            row = AnonymizeScriptRow(scope=scope, text=service.DEFAULT, modified_by=visitor.username)
        if row is None:
            raise BadRequest("The project has no script; store one first.")
        row.is_enabled = is_enabled
        session.add(row)


def _scope(session: Session, visitor: Visitor, scope: str, action: Action) -> str:
    """Return the scope of a script, if the visitor may do this with it."""
    if scope == service.SITE:
        if not visitor.everything:
            raise NotAllowed("change the script of the site")
        return scope
    project = locate(session, Address((Step(ObjectKind.PROJECT, scope),)), visitor, action=action).project
    assert project is not None
    return project.id


def _is_enabled(row: AnonymizeScriptRow | None) -> bool:
    return row is not None and row.is_enabled
