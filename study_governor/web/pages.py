"""Pages of the governor: dashboard, sessions, one session, workflows; live. May import FastAPI and the services."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from sqlmodel import Session, col, select
from starlette.responses import RedirectResponse, Response, StreamingResponse

from service_kit.accounts.domain import Principal, Role
from service_kit.accounts.errors import RoleMissing
from service_kit.accounts.guards import CurrentPrincipal, require_role
from service_kit.errors import Conflict, Unavailable
from service_kit.row_ids import PathId
from service_kit.tables import utc_now
from service_kit.web.pages import Pages
from study_governor.access import need_scope, parts_of
from study_governor.contract.states import StateKind
from study_governor.db.tables import CohortRow, StateRow, WorkflowRow
from study_governor.measurements.service import find_artifact
from study_governor.reach import WRITE, Reach, reach_of
from study_governor.releases.service import ReleaseState, release_state, table_file
from study_governor.services import SESSION_TOPIC, Services
from study_governor.web import dashboard
from study_governor.web.chart import chart_of
from study_governor.web.queries import SessionQuery
from study_governor.web.session_view import view_session
from study_governor.web.words import attention_words, minutes, state_tone, waiting_words

router = APIRouter(include_in_schema=False)
pages = Pages(service="study_governor")
Governor = Annotated[Services, Depends(parts_of)]
Looker = Annotated[Principal, Depends(require_role(Role.coordinator))]

_PAGE_SIZE = 50
_PICTURE_CACHE_S = 300


@router.get("/")
def show_dashboard(request: Request, governor: Governor, principal: CurrentPrincipal) -> Response:
    """Show where all sessions are and what needs somebody; annotators are led to their tasks."""
    if not principal.acts_as(Role.coordinator) and principal.acts_as(Role.annotator):
        return RedirectResponse(pages.site_url(request, "/tasks/"), status_code=303)
    if not principal.acts_as(Role.coordinator):
        raise RoleMissing(roles=(Role.coordinator,))
    return pages.render(request, "dashboard.html", _dashboard(request, governor, reach_of(principal)))


@router.get("/parts/dashboard")
def show_dashboard_part(request: Request, governor: Governor, principal: Looker) -> Response:
    """Show the part of the dashboard that changes."""
    return pages.render(request, "dashboard_part.html", _dashboard(request, governor, reach_of(principal)))


@router.get("/sessions")
def show_sessions(
    request: Request, governor: Governor, principal: Looker, wanted: Annotated[SessionQuery, Query()]
) -> Response:
    """Show sessions, the newest first."""
    return pages.render(request, "sessions.html", _sessions(request, governor, reach_of(principal), wanted))


@router.get("/parts/sessions")
def show_sessions_part(
    request: Request, governor: Governor, principal: Looker, wanted: Annotated[SessionQuery, Query()]
) -> Response:
    """Show the part of the list that changes."""
    return pages.render(request, "sessions_part.html", _sessions(request, governor, reach_of(principal), wanted))


@router.get("/sessions/{experiment_id}")
def show_session(request: Request, experiment_id: PathId, governor: Governor, principal: Looker) -> Response:
    """Show one session."""
    return pages.render(request, "session.html", _session(request, governor, principal, experiment_id))


@router.get("/parts/sessions/{experiment_id}")
def show_session_part(request: Request, experiment_id: PathId, governor: Governor, principal: Looker) -> Response:
    """Show the part of one session that changes."""
    return pages.render(request, "session_part.html", _session(request, governor, principal, experiment_id))


@router.post("/sessions/{experiment_id}/move")
def move_session(
    request: Request,
    experiment_id: PathId,
    *,
    destination: Annotated[str, Form(max_length=100)],
    reason: Annotated[str, Form(max_length=2000)],
    version: Annotated[int, Form()],
    governor: Governor,
    principal: Looker,
) -> Response:
    """Move a session by hand; refused with the page and the reason when it is not where the page showed it."""
    with governor.database.read() as uow:
        rows = governor.experiments.rows(uow.session, experiment_id, reach=reach_of(principal))
        need_scope(principal, WRITE, study=rows.cohort.label, site=rows.experiment.site)
    refused: str | None = None
    if not reason.strip():
        refused = "Say in a few words why the session is moved; others will read it."
    else:
        try:
            governor.engine.move(
                experiment_id,
                destination=destination,
                actor=principal.username,
                freetext=reason.strip(),
                expected_version=version,
            )
        except Conflict as error:
            refused = error.detail
    if refused is not None:
        context = {**_session(request, governor, principal, experiment_id), "refused": refused, "reason": reason}
        return pages.render(request, "session.html", context, status=409)
    return RedirectResponse(pages.own_url(request, f"/sessions/{experiment_id}"), status_code=303)


@router.get("/sessions/{experiment_id}/artifacts/{name}")
def show_artifact(
    request: Request, experiment_id: PathId, name: str, *, governor: Governor, principal: Looker
) -> Response:
    """Show a file of the archive under the site's own rights."""
    with governor.database.read() as uow:
        governor.experiments.rows(uow.session, experiment_id, reach=reach_of(principal))
        artifact = find_artifact(uow.session, experiment_id, name)
    if governor.archive is None:
        raise Unavailable("No archive is set up for the pages; set COHORTFLOW_XNAT_URL, _USER and _PASSWORD.")
    return governor.archive.response(
        request,
        artifact.uri,
        artifact.uri.rsplit("/", 1)[-1],
        media_type=artifact.media_type,
        cache_s=_PICTURE_CACHE_S,
    )


@router.get("/workflows")
def show_workflows(request: Request, governor: Governor, _principal: Looker) -> Response:
    """Show all workflows, the newest first."""
    with governor.database.read() as uow:
        rows = uow.session.exec(select(WorkflowRow).order_by(col(WorkflowRow.id).desc())).all()
        shown = [(row, governor.workflows.get(uow.session, row.id or 0)) for row in rows]
        shapes = [(row, stored, dashboard.stops_shown(stored, {})) for row, stored in shown]
        return pages.render(request, "workflows.html", {"workflows": shapes})


@router.get("/workflows/{workflow_id}")
def show_workflow(request: Request, workflow_id: PathId, governor: Governor, principal: Looker) -> Response:
    """Show one workflow: its picture with counts, its states, conditions and text."""
    with governor.database.read() as uow:
        stored = governor.workflows.get(uow.session, workflow_id)
        row = uow.session.get(WorkflowRow, workflow_id)
        studies = dashboard.studies_shown(uow.session, governor.workflows, reach=reach_of(principal))
        kinds = {state.label: stored.workflow.kind(state) for state in stored.workflow.states}
        context = {
            "row": row,
            "stored": stored,
            "kinds": kinds,
            "tones": {label: state_tone(label, kind) for label, kind in kinds.items()},
            "stops": dashboard.stops_shown(stored, {}),
            "minutes": minutes,
            "studies": [study for study in studies if study.workflow_id == workflow_id],
        }
        return pages.render(request, "workflow.html", context)


@router.get("/events")
async def stream_events(request: Request, governor: Governor, _principal: Looker) -> StreamingResponse:
    """Stream the ids of sessions that changed."""
    return governor.broadcast.response(request, topics=[SESSION_TOPIC])


def _dashboard(request: Request, governor: Services, reach: Reach) -> dict[str, Any]:
    settings = request.app.state.settings
    with governor.database.read() as uow:
        studies = dashboard.studies_shown(uow.session, governor.workflows, reach=reach)
        days = dashboard.throughput(uow.session, reach=reach, now=utc_now())
        return {
            "studies": studies,
            "total": sum(study.total for study in studies),
            "attention": dashboard.needs_attention(uow.session, reach=reach),
            "attention_total": sum(study.attention_count for study in studies),
            "with_a_reader": dashboard.count_with_a_reader(uow.session, reach=reach),
            "ended": dashboard.ended_lately(uow.session, reach=reach),
            "events": dashboard.latest_events(uow.session, reach=reach),
            "days": days,
            "chart": chart_of(days),
            "attention_words": attention_words,
            "dicom": settings,
            "releases": {
                study.label: release_state(uow.session, settings.releases_dir, study.label, reach=reach)
                for study in studies
            },
            "has_gateway": settings.gateway_url is not None,
        }


def _sessions(request: Request, governor: Services, reach: Reach, wanted: SessionQuery) -> dict[str, Any]:
    with governor.database.read() as uow:
        page = governor.experiments.page(
            uow.session, wanted.filter(), reach=reach, limit=_PAGE_SIZE, cursor=wanted.cursor or None
        )
        kinds = _kinds(uow.session)
        studies = uow.session.exec(select(CohortRow.label).order_by(col(CohortRow.label))).all()
        base = pages.own_url(request, "/sessions")
        next_href = base + wanted.address(cursor=page.next_cursor) if page.next_cursor else None
        return {
            "wanted": wanted,
            "sessions": page.items,
            "studies": [study for study in studies if reach.covers_study(study)],
            "states": sorted(kinds),
            "kinds": kinds,
            "tones": {label: state_tone(label, kind) for label, kind in kinds.items()},
            "next_href": next_href,
            "first_href": base + wanted.address(cursor=None) if wanted.cursor else None,
            "attention_words": attention_words,
            "waiting_words": waiting_words,
            "dicom": request.app.state.settings,
        }


def _kinds(session: Session) -> dict[str, StateKind]:
    """Return every state's kind by label, the newest workflow's where several know it; roots hold nothing."""
    rows = session.exec(select(StateRow.label, StateRow.kind).order_by(col(StateRow.id))).all()
    return {label: StateKind(kind) for label, kind in rows if kind != StateKind.ROOT}


def _session(request: Request, governor: Services, principal: Principal, experiment_id: int) -> dict[str, Any]:
    with governor.database.read() as uow:
        reach, folder = reach_of(principal), request.app.state.settings.releases_dir
        view = view_session(governor, uow.session, experiment_id, reach=reach)
        study, site = view.record.cohort.label, view.record.site
        release = release_state(uow.session, folder, study, reach=reach)
    return {
        "view": view,
        "may_move": principal.holds(WRITE, study=study, site=site),
        "refused": None,
        "reason": "",
        "flow_pages_url": governor.flow_pages_url,
        "release": release,
        "release_file": None if release is ReleaseState.NONE else str(table_file(folder, study)),
    }
