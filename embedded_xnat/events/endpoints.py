"""Endpoints of events: what there is, subscriptions and their history; of the site and of one project. May import FastAPI."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import BadRequest, NoSuchObject
from embedded_xnat.domain.event_filters import read_filter
from embedded_xnat.domain.events import KINDS, EventKind, read_event_type
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.events import service
from embedded_xnat.events.actions import ACTIONS, ActionKind, Actions
from embedded_xnat.events.rights import check_may_manage
from embedded_xnat.numbers import LARGEST, RowNumber
from embedded_xnat.site.bodies import json_body, json_object, small_body
from embedded_xnat.site.config_endpoints import check_is_admin, config_of

router = APIRouter()

SITE, PROJECT = "/xapi/events", "/xapi/projects/{project}/events"

_Subscription = Annotated[int | None, Query(alias="subscription-id", ge=1, le=LARGEST)]


def _actions(request: Request) -> Actions:
    actions = request.app.state.actions
    assert isinstance(actions, Actions)
    return actions


def _enter(request: Request, session: Session, project: str | None) -> Visitor:
    """Return who asks, if they may manage subscriptions here."""
    visitor = visitor_of(request)
    check_may_manage(session, visitor, project)
    return visitor


@router.get(f"{SITE}/events")
@router.get(f"{PROJECT}/events")
def list_events(request: Request, project: str | None = None) -> list[dict[str, Any]]:  # noqa: ARG001 - the same for all
    """List the kinds of events."""
    in_project = "project" in request.path_params
    return [_kind(kind) for kind in KINDS.values() if not in_project or "PROJECT" in kind.scopes]


@router.get(f"{SITE}/event")
def read_event(event_type: Annotated[str, Query(alias="event-type")]) -> dict[str, Any]:
    """Return one kind of events."""
    found = read_event_type(event_type)
    if found is None:
        raise NoSuchObject("kind of events")
    return _kind(KINDS[found])


def _kind(kind: EventKind) -> dict[str, Any]:
    return {
        "type": kind.type.value,
        "display-name": kind.name,
        "description": kind.description,
        "statuses": [status.value for status in kind.statuses],
        "event-scope": list(kind.scopes),
        "is-xsi-type": False,
    }


@router.get(f"{SITE}/actions")
@router.get(f"{SITE}/allactions")
@router.get(f"{SITE}/actionsbyevent")
@router.get(f"{PROJECT}/actions")
@router.get(f"{PROJECT}/actionsbyevent")
def list_actions() -> list[dict[str, Any]]:
    """List the actions that a subscription may call."""
    return [_action(action) for action in ACTIONS.values()]


@router.get(f"{SITE}/action")
def read_action(actionkey: str) -> dict[str, Any]:
    """Return one action."""
    if actionkey not in ACTIONS:
        raise NoSuchObject("action")
    return _action(ACTIONS[actionkey])


def _action(action: ActionKind) -> dict[str, Any]:
    provider, _, name = action.key.partition(":")
    attributes = {
        each.name: {"description": each.description, "type": "string", "default-value": "", "required": each.required}
        for each in action.attributes
    }
    return {
        "action-key": action.key,
        "id": name,
        "provider": provider,
        "display-name": action.name,
        "description": action.description,
        "attributes": attributes,
    }


@router.get(f"{SITE}/prefs")
def read_preferences(request: Request) -> dict[str, bool]:
    """Say whether events are recorded."""
    return {"enabled": config_of(request).flag("eventServiceEnabled")}


@router.put(f"{SITE}/prefs")
async def change_preferences(request: Request) -> Response:
    """Switch the recording of events on or off; for administrators."""
    check_is_admin(request, "change the preferences of events")
    wanted = await json_object(request)
    if not isinstance(wanted.get("enabled"), bool):
        raise BadRequest("The preferences of events are an object with enabled: true or false.")
    await run_in_threadpool(config_of(request).change, {"eventServiceEnabled": wanted["enabled"]})
    return JSONResponse({})


@router.post(f"{SITE}/subscription/filter/validate")
async def validate_filter(request: Request) -> Response:
    """Say whether a filter can be read."""
    text = (await small_body(request)).decode("utf-8", "replace")
    read_filter(text)
    return PlainTextResponse("")


@router.get(f"{SITE}/subscriptions")
@router.get(f"{PROJECT}/subscriptions")
def list_subscriptions(request: Request, project: str | None = None) -> list[dict[str, Any]]:
    """List subscriptions."""
    place = project if "project" in request.path_params else None
    with archive_of(request).read() as session:
        _enter(request, session, place)
        return [service.to_document(row) for row in service.listed(session, project_id=place)]


@router.post(f"{SITE}/subscription")
@router.post(f"{PROJECT}/subscription")
async def create_subscription(request: Request) -> Response:
    """Make a subscription; the answer is its name and number."""
    document = await json_object(request)
    return await run_in_threadpool(_create, request, document)


def _create(request: Request, document: dict[str, Any]) -> Response:
    project = request.path_params.get("project")
    with archive_of(request).change() as change:
        visitor = _enter(request, change.session, project)
        if not config_of(request).flag("eventServiceEnabled"):
            return PlainTextResponse("Event Service disabled.", 405)
        allowed = _actions(request).allowed
        row = service.create(change.session, visitor, document, project_id=project, allowed=allowed)
        return PlainTextResponse(f"{row.name}:{row.number}", 201)


@router.get(f"{SITE}/subscription/{{number}}")
@router.get(f"{PROJECT}/subscription/{{number}}")
def read_subscription(request: Request, number: RowNumber) -> dict[str, Any]:
    """Return a subscription."""
    project = request.path_params.get("project")
    with archive_of(request).read() as session:
        _enter(request, session, project)
        return service.to_document(service.find(session, number, project_id=project))


@router.put(f"{SITE}/subscription/{{number}}")
@router.put(f"{PROJECT}/subscription/{{number}}")
async def change_subscription(request: Request, number: RowNumber) -> Response:
    """Change a subscription; what the body does not name stays."""
    document = await json_object(request)
    return await run_in_threadpool(_change, request, number, document)


def _change(request: Request, number: int, document: dict[str, Any]) -> Response:
    project = request.path_params.get("project")
    with archive_of(request).change() as change:
        _enter(request, change.session, project)
        row = service.find(change.session, number, project_id=project)
        service.change(change.session, row, document, project_id=project, allowed=_actions(request).allowed)
    return PlainTextResponse("")


@router.delete(f"{SITE}/subscription/{{number}}")
@router.delete(f"{PROJECT}/subscription/{{number}}")
def delete_subscription(request: Request, number: RowNumber) -> Response:
    """Delete a subscription; its history stays."""
    project = request.path_params.get("project")
    with archive_of(request).change() as change:
        _enter(request, change.session, project)
        service.remove(change.session, service.find(change.session, number, project_id=project))
    return Response(status_code=204)


@router.post(f"{SITE}/subscription/{{number}}/activate")
@router.post(f"{PROJECT}/subscription/{{number}}/activate")
def activate(request: Request, number: RowNumber) -> Response:
    """Let a subscription be called again."""
    return _switch(request, number, is_active=True)


@router.post(f"{SITE}/subscription/{{number}}/deactivate")
@router.post(f"{PROJECT}/subscription/{{number}}/deactivate")
def deactivate(request: Request, number: RowNumber) -> Response:
    """Let a subscription rest."""
    return _switch(request, number, is_active=False)


def _switch(request: Request, number: int, *, is_active: bool) -> Response:
    project = request.path_params.get("project")
    with archive_of(request).change() as change:
        _enter(request, change.session, project)
        row = service.find(change.session, number, project_id=project)
        row.is_active = is_active
        change.session.add(row)
    return PlainTextResponse("")


@router.get(f"{SITE}/delivered/count")
@router.get(f"{PROJECT}/delivered/count")
def count_delivered(request: Request, subscription: _Subscription = None, project: str | None = None) -> int:
    """Return how many events met subscriptions."""
    with archive_of(request).read() as session:
        _enter(request, session, request.path_params.get("project"))
        return service.count(session, project_id=project, subscription=subscription)


@router.get(f"{SITE}/delivered")
@router.get(f"{PROJECT}/delivered")
@router.post(f"{SITE}/delivered")
@router.post(f"{PROJECT}/delivered")
async def list_delivered(
    request: Request, subscription: _Subscription = None, project: str | None = None
) -> list[dict[str, Any]]:
    """Return what became of events that met subscriptions, the newest in front; ``page`` and ``size`` in the body."""
    wanted = await json_body(request) if request.method == "POST" else dict(request.query_params)
    page, size = _page(wanted)

    def read() -> list[dict[str, Any]]:
        with archive_of(request).read() as session:
            _enter(request, session, request.path_params.get("project"))
            return service.history(session, project_id=project, subscription=subscription, page=page, size=size)

    return await run_in_threadpool(read)


def _page(wanted: Any) -> tuple[int, int]:
    given = wanted if isinstance(wanted, dict) else {}
    found = []
    for name, default in (("page", 1), ("size", 50)):
        text = str(given.get(name) or default)
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:7]) <= 100_000:
            raise BadRequest("page and size are whole numbers from 1 to 100,000.")
        found.append(int(text[:7]))
    return found[0], found[1]


@router.get(f"{SITE}/delivered/{{number}}")
@router.get(f"{PROJECT}/delivered/{{number}}")
def read_delivered(request: Request, number: RowNumber) -> dict[str, Any]:
    """Return what became of one event."""
    project = request.path_params.get("project")
    with archive_of(request).read() as session:
        _enter(request, session, project)
        return service.find_delivery(session, number, project_id=project)


@router.post(f"{SITE}/delivered/cleanup")
def clean_up(request: Request, keep: Annotated[int, Query(alias="keep-recent", ge=0, le=10_000)] = 0) -> Response:
    """Forget the payloads of all but the newest events; for administrators."""
    with archive_of(request).change() as change:
        _enter(request, change.session, None)
        service.forget_payloads(change.session, keep=keep)
    return PlainTextResponse("")
