"""Endpoints of the texts that tools are configured by (`/data/config`). May import FastAPI.

Those of the site are read by whoever is logged in and changed by administrators; those of a project are read by whoever
reads it and changed by its owners.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import BadRequest, LoginFailed, NoSuchObject, NotAllowed
from embedded_xnat.db.site_tables import ConfigurationRow
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.roles import Action
from embedded_xnat.domain.values import truth
from embedded_xnat.locate import locate
from embedded_xnat.rendering import render_table
from embedded_xnat.site import configurations
from embedded_xnat.site.bodies import small_body

router = APIRouter()

_SITE, _PROJECT = "/data/config", "/data/projects/{project_id}/config"
_STATUS = {"enabled": True, "true": True, "disabled": False, "false": False}


@router.get(_SITE)
@router.get(_PROJECT)
def list_tools(request: Request, project_id: str | None = None) -> Response:
    """List the tools that have a text."""
    with archive_of(request).read() as session:
        found = configurations.tools(session, _scope(request, session, project_id))
    if not found:
        raise NoSuchObject("configuration")
    return render_table(request.query_params.get("format"), [{"tool": name} for name in found], ("tool",))


@router.get(_SITE + "/{tool}")
@router.get(_PROJECT + "/{tool}")
def list_texts(request: Request, tool: str, project_id: str | None = None) -> Response:
    """List the texts of a tool."""
    with archive_of(request).read() as session:
        scope = _scope(request, session, project_id)
        found = configurations.texts_of(session, scope, tool) if tool.isprintable() else []
    return _answer(request, found)


@router.get(_SITE + "/{tool}/{path:path}")
@router.get(_PROJECT + "/{tool}/{path:path}")
def read_text(request: Request, tool: str, path: str, project_id: str | None = None) -> Response:
    """Return a text: with all that is known of it, or (`contents=true`) alone; its versions (`action=getHistory`)."""
    query = request.query_params
    is_bare = truth(query.get("contents"), name="contents") and not truth(query.get("meta"), name="meta")
    with archive_of(request).read() as session:
        scope = _scope(request, session, project_id)
        found = configurations.history(session, scope, tool, path) if f"{tool}{path}".isprintable() else []
        if (
            not found
            and scope != configurations.SITE
            and truth(query.get("defaultToSiteWide"), name="defaultToSiteWide")
        ):
            found = configurations.history(session, configurations.SITE, tool, path)
    if query.get("action", "").lower() == "gethistory":
        return _answer(request, found)
    version = query.get("version")
    found = [row for row in found if str(row.version) == version] if version else found[-1:]
    if is_bare and found and found[0].is_enabled:
        return PlainTextResponse(found[0].contents)
    return _answer(request, [] if is_bare else found)


def _answer(request: Request, found: Sequence[ConfigurationRow]) -> Response:
    query = request.query_params
    if not found:
        if truth(query.get("accept-not-found"), name="accept-not-found"):
            return Response(status_code=204)
        raise NoSuchObject("configuration")
    is_bare = truth(query.get("meta"), name="meta") and not truth(query.get("contents"), name="contents")
    rows = [configurations.shown(row, with_contents=not is_bare) for row in found]
    return render_table(query.get("format"), rows, configurations.COLUMNS)


@dataclass(frozen=True)
class _Wish:
    contents: str | None
    is_enabled: bool | None
    reason: str


@router.put(_SITE + "/{tool}/{path:path}")
@router.put(_PROJECT + "/{tool}/{path:path}")
async def put_text(request: Request, tool: str, path: str, project_id: str | None = None) -> Response:
    """Store a text, or (`status=enabled` or `disabled`) switch the one that is there on or off."""
    wish = await _wish(request)
    is_new = await run_in_threadpool(_store, request, project_id, tool=tool, path=path, wish=wish)
    return PlainTextResponse("", 201 if is_new else 200)


@router.delete(_SITE + "/{tool}/{path:path}")
@router.delete(_PROJECT + "/{tool}/{path:path}")
def disable_text(request: Request, tool: str, path: str, project_id: str | None = None) -> Response:
    """Switch a text off; as in XNAT it is kept."""
    _store(request, project_id, tool=tool, path=path, wish=_Wish(None, False, ""))
    return PlainTextResponse("")


def _store(request: Request, project_id: str | None, *, tool: str, path: str, wish: _Wish) -> bool:
    with archive_of(request).change() as change:
        scope = _scope(request, change.session, project_id, Action.MANAGE)
        row = ConfigurationRow(
            project_id=scope,
            tool=tool,
            path=path,
            version=0,
            contents="",
            reason=wish.reason,
            created_by=visitor_of(request).username,
        )
        return configurations.store(change.session, row, contents=wish.contents, is_enabled=wish.is_enabled)


async def _wish(request: Request) -> _Wish:
    """Read what a request wants: the text is its body, or comes with the status in a JSON object."""
    try:
        text = (await small_body(request)).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest("The text of a configuration is in UTF-8.") from error
    said: dict[str, str] = dict(request.query_params)
    contents: str | None = text or None
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadRequest("The body is no JSON.") from error
        if isinstance(document, dict) and ("contents" in document or "status" in document):
            if not all(isinstance(value, str) for value in document.values()):
                raise BadRequest("contents, status and reason are texts.")
            said, contents = {**said, **document}, document.get("contents")
    status = said.get("status", "").lower()
    if status and status not in _STATUS:
        raise BadRequest("status is enabled or disabled.")
    if contents is None and not status:
        raise BadRequest("Send a text in the body, or status=enabled or status=disabled.")
    return _Wish(contents, _STATUS.get(status), said.get("reason", "")[: configurations.MAX_REASON])


def _scope(request: Request, session: Session, project_id: str | None, action: Action = Action.READ) -> str:
    """Return whose texts are meant, if the visitor may do this with them.

    Raises
    ------
    LoginFailed, NotAllowed, NoSuchObject
    """
    visitor = visitor_of(request)
    if project_id is None:
        if visitor.is_guest:
            raise LoginFailed
        if action is not Action.READ and not visitor.is_admin:
            raise NotAllowed("change how the site is configured")
        return configurations.SITE
    project = locate(session, Address((Step(ObjectKind.PROJECT, project_id),)), visitor, action=action).project
    assert project is not None
    return project.id
