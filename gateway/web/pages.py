"""Pages of the gateway: arrivals, one arrival, the quarantine; live. May import FastAPI and the service."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response, StreamingResponse

from gateway.arrivals.endpoints import ArrivalsService, Reader, Writer
from gateway.arrivals.monitor import TOPIC
from gateway.arrivals.rights import WRITE, Right, reach_of
from gateway.arrivals.service import REASONS_OF_NEWEST, Arrivals
from gateway.contract.ids import ArrivalId
from gateway.contract.schemas import ArrivalRecord, Dismissal
from gateway.contract.states import ArrivalState
from gateway.web import views
from service_kit.accounts.domain import Principal, Role
from service_kit.accounts.guards import require_role
from service_kit.row_ids import PathId
from service_kit.web.pages import Pages

router = APIRouter(include_in_schema=False)
pages = Pages(service="gateway")

_PAGE_SIZE = 50
_HELD_BACK_SHOWN = 200
_REASON_WANTED = "Say in a few words, 500 characters at most, why it is set aside; others will read it."
Looker = Annotated[Principal, Depends(require_role(Role.coordinator))]


@router.get("/")
def show_arrivals(
    request: Request,
    arrivals: ArrivalsService,
    principal: Looker,
    *,
    state: views.Shown | None = None,
    cursor: str | None = None,
) -> Response:
    """Show the arrivals, newest first."""
    return pages.render(
        request, "arrivals.html", _list_context(request, arrivals, principal, state=state, cursor=cursor)
    )


@router.get("/parts/arrivals")
def show_arrivals_part(
    request: Request,
    arrivals: ArrivalsService,
    principal: Looker,
    *,
    state: views.Shown | None = None,
    cursor: str | None = None,
) -> Response:
    """Show the part of the list that changes."""
    return pages.render(
        request, "arrivals_part.html", _list_context(request, arrivals, principal, state=state, cursor=cursor)
    )


@router.get("/arrivals/{arrival_id}")
def show_arrival(
    request: Request, arrival_id: PathId, arrivals: ArrivalsService, principal: Looker, *, set_aside: bool = False
) -> Response:
    """Show one arrival; with ``set_aside`` the form for it is open."""
    context = _arrival_context(arrivals, principal, arrival_id) | {"asks_reason": set_aside}
    return pages.render(request, "arrival.html", context)


@router.get("/parts/arrivals/{arrival_id}")
def show_arrival_part(request: Request, arrival_id: PathId, arrivals: ArrivalsService, principal: Looker) -> Response:
    """Show the part of one arrival that changes."""
    return pages.render(request, "arrival_part.html", _arrival_context(arrivals, principal, arrival_id))


@router.post("/arrivals/{arrival_id}/complete")
def complete_arrival(request: Request, arrival_id: PathId, arrivals: ArrivalsService, principal: Writer) -> Response:
    """Count an arrival as complete now."""
    arrivals.complete(ArrivalId(arrival_id), actor=principal.username, right=Right(principal, WRITE))
    return RedirectResponse(pages.own_url(request, f"/arrivals/{arrival_id}"), status_code=303)


@router.post("/arrivals/{arrival_id}/retry")
def retry_arrival(request: Request, arrival_id: PathId, arrivals: ArrivalsService, principal: Writer) -> Response:
    """Try what is in the quarantine again."""
    arrivals.retry(ArrivalId(arrival_id), actor=principal.username, right=Right(principal, WRITE))
    return RedirectResponse(pages.own_url(request, f"/arrivals/{arrival_id}"), status_code=303)


@router.post("/arrivals/{arrival_id}/dismiss")
def dismiss_arrival(
    request: Request,
    arrival_id: PathId,
    *,
    reason: Annotated[str, Form()] = "",
    arrivals: ArrivalsService,
    principal: Writer,
) -> Response:
    """Set aside what an arrival holds back; refused with the page and what was written."""
    try:
        dismissal = Dismissal(reason=reason)
    except ValidationError:
        context = _arrival_context(arrivals, principal, arrival_id)
        told = {"refused": _REASON_WANTED, "reason": reason, "asks_reason": True}
        return pages.render(request, "arrival.html", context | told, status=400)
    arrivals.dismiss(ArrivalId(arrival_id), dismissal, actor=principal.username, right=Right(principal, WRITE))
    return RedirectResponse(pages.own_url(request, f"/arrivals/{arrival_id}"), status_code=303)


@router.post("/arrivals/{arrival_id}/reopen")
def reopen_arrival(request: Request, arrival_id: PathId, arrivals: ArrivalsService, principal: Writer) -> Response:
    """Bring back what was set aside."""
    arrivals.reopen(ArrivalId(arrival_id), actor=principal.username, right=Right(principal, WRITE))
    return RedirectResponse(pages.own_url(request, f"/arrivals/{arrival_id}"), status_code=303)


@router.get("/quarantine")
def show_quarantine(
    request: Request,
    arrivals: ArrivalsService,
    principal: Looker,
    *,
    dismissed: bool = False,
    cursor: str | None = None,
) -> Response:
    """Show what is held back, and why; with ``dismissed`` what was set aside."""
    context = _quarantine_context(request, arrivals, principal, dismissed=dismissed, cursor=cursor)
    return pages.render(request, "quarantine.html", context)


@router.get("/parts/quarantine")
def show_quarantine_part(
    request: Request,
    arrivals: ArrivalsService,
    principal: Looker,
    *,
    dismissed: bool = False,
    cursor: str | None = None,
) -> Response:
    """Show the part of the quarantine that changes."""
    context = _quarantine_context(request, arrivals, principal, dismissed=dismissed, cursor=cursor)
    return pages.render(request, "quarantine_part.html", context)


@router.get("/parts/held")
def show_held_part(request: Request, arrivals: ArrivalsService, principal: Looker) -> Response:
    """Show how many arrivals the quarantine holds, and why: a card for the pages of other services."""
    count, reasons = arrivals.held_in_all(reach=reach_of(principal))
    told = [(one.count, views.told_reason(one.reason)) for one in reasons]
    newest = REASONS_OF_NEWEST if count > REASONS_OF_NEWEST else None
    return pages.render(request, "held_part.html", {"count": count, "reasons": told, "newest": newest})


@router.get("/parts/held-count")
def show_held_count(request: Request, arrivals: ArrivalsService, principal: Looker) -> Response:
    """Show the same as a few words for a sentence."""
    count = arrivals.counts(reach=reach_of(principal)).holding_back
    return pages.render(request, "held_count.html", {"count": count})


@router.get("/events")
async def stream_events(request: Request, _principal: Reader) -> StreamingResponse:
    """Stream the signal that something about arrivals changed."""
    response: StreamingResponse = request.app.state.broadcast.response(request, topics=[TOPIC])
    return response


def _list_context(
    request: Request, arrivals: Arrivals, principal: Principal, *, state: views.Shown | None, cursor: str | None
) -> dict[str, Any]:
    reach = reach_of(principal)
    filters: dict[str, Any] = {} if state is None else {"states": [state.state], "dismissed": state.dismissed_only}
    page = arrivals.page(**filters, cursor=cursor, limit=_PAGE_SIZE, reach=reach)
    return {
        **_tabs(arrivals, principal),
        "arrivals": [_view(principal, record) for record in page.items],
        "state": state,
        "labels": views.LABELS,
        "query": _query(state=state.value if state else None, cursor=cursor),
        "next_href": _next_href(request, "/", page.next_cursor, state=state.value if state else None),
        "first_href": pages.own_url(request, "/") + _query(state=state.value if state else None) if cursor else None,
        "short_uid": views.short_uid,
        "settings": request.app.state.settings,
    }


def _arrival_context(arrivals: Arrivals, principal: Principal, arrival_id: int) -> dict[str, Any]:
    record = arrivals.get(ArrivalId(arrival_id), reach=reach_of(principal))
    return {
        "arrival": _view(principal, record),
        "series": arrivals.series(ArrivalId(arrival_id)),
        "history": arrivals.history(ArrivalId(arrival_id)),
        "held_back": arrivals.held_back(ArrivalId(arrival_id), limit=_HELD_BACK_SHOWN),
        "short_uid": views.short_uid,
        "told_reason": views.told_reason,
        "uid_names": views.uid_names,
        "refused": None,
        "reason": "",
        "asks_reason": False,
    }


def _quarantine_context(
    request: Request, arrivals: Arrivals, principal: Principal, *, dismissed: bool, cursor: str | None
) -> dict[str, Any]:
    page = arrivals.quarantine(dismissed=dismissed, cursor=cursor, limit=_PAGE_SIZE, reach=reach_of(principal))
    view = {"dismissed": "true"} if dismissed else {}
    return {
        **_tabs(arrivals, principal),
        "entries": [(_view(principal, entry.arrival), entry.reasons) for entry in page.items],
        "told_reason": views.told_reason,
        "dismissed": dismissed,
        "query": _query(**view, cursor=cursor),
        "next_href": _next_href(request, "/quarantine", page.next_cursor, **view),
        "first_href": pages.own_url(request, "/quarantine") + _query(**view) if cursor else None,
        "short_uid": views.short_uid,
    }


def _view(principal: Principal, record: ArrivalRecord) -> views.ArrivalView:
    return views.view(record, may_change=Right(principal, WRITE).covers(record.study, record.site))


def _tabs(arrivals: Arrivals, principal: Principal) -> dict[str, Any]:
    counts = arrivals.counts(reach=reach_of(principal))
    aside = counts.dismissed_by_state[ArrivalState.quarantined]
    shown = {one: counts.by_state[one.state] for one in views.Shown}
    shown |= {views.Shown.quarantined: shown[views.Shown.quarantined] - aside, views.Shown.dismissed: aside}
    return {
        "by_state": shown,
        "total": sum(shown.values()),
        "holding_back": counts.holding_back,
        "dismissed_count": sum(counts.dismissed_by_state.values()),
    }


def _query(**values: str | None) -> str:
    given = {name: value for name, value in values.items() if value}
    return f"?{urlencode(given)}" if given else ""


def _next_href(request: Request, path: str, cursor: str | None, **values: str | None) -> str | None:
    return pages.own_url(request, path) + _query(**values, cursor=cursor) if cursor else None
