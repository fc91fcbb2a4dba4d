"""Pages of the archive: projects, subjects, sessions, scans, files, search, prearchive. May import FastAPI.

A page has the path of what it shows in the REST tree, without ``/data``; changes go from the pages' scripts to the same
REST addresses that every client uses, with the CSRF token of the page.
"""

from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from sqlmodel import Session
from starlette.responses import HTMLResponse, RedirectResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import NoSuchObject, NotAllowed
from embedded_xnat.db import repository
from embedded_xnat.domain.addresses import Address, ObjectKind, Step, parse_address
from embedded_xnat.domain.roles import Action, Visitor, is_allowed
from embedded_xnat.imports import prearchive
from embedded_xnat.locate import Located, locate
from embedded_xnat.logins.gate import is_navigation, to_login
from embedded_xnat.site.endpoints import user_info
from embedded_xnat.web import pictures, queries, views
from embedded_xnat.web.addresses import path_of_display
from embedded_xnat.web.lines import Findings
from service_kit.web.pages import Pages

router = APIRouter(include_in_schema=False)
pages = Pages(service="embedded_xnat")

Text = Annotated[str, Query(alias="q", max_length=200)]
Cursor = Annotated[int | None, Query(alias="before", ge=1, lt=2**63)]


@router.api_route("/", methods=["GET", "HEAD"])
def show_projects(request: Request, after: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Show the projects; programs that only knock get a short answer, strangers with a browser the log-in."""
    if not is_navigation(request):
        return _knock(request)
    if request.scope["state"]["visitor"] is None:
        return to_login(request)
    visitor = visitor_of(request)
    with archive_of(request).read() as session:
        found = queries.projects(session, visitor, after=after, limit=queries.PAGE + 1)
    shown = found[: queries.PAGE]
    context = {
        "projects": shown,
        "may_create": visitor.everything,
        "of_sites": views.OF_SITES if visitor.is_of_sites else "",
        "first_href": "/" if after else None,
        "next_href": f"/?after={quote(shown[-1].id)}" if len(found) > queries.PAGE else None,
        "url_of_site": str(request.base_url).rstrip("/"),
    }
    return pages.render(request, "projects.html", context)


def _knock(request: Request) -> Response:
    """Answer the first request of a client: who is logged in, in the words that clients look for."""
    who = user_info(request.scope["state"]["visitor"])
    return HTMLResponse(f"<!doctype html><html lang=en><title>Archive</title><p>Cohortflow archive.</p>{who}</html>")


@router.get("/search")
def search(request: Request, text: Text = "") -> Response:
    """Show projects, subjects and sessions with a text in their label."""
    text = text.strip()
    found = Findings()
    if text:
        with archive_of(request).read() as session:
            found = queries.find(session, visitor_of(request), text)
            exact = [one for one in found.sessions if text in {one.id, one.label}]
            is_id = not exact and _may_read(session, visitor_of(request), text)
        if is_id:
            return RedirectResponse(f"/experiments/{quote(text, safe='')}", status_code=303)
    return pages.render(request, "search.html", {"text": text, "found": found, "views": views})


def _may_read(session: Session, visitor: Visitor, experiment_id: str) -> bool:
    """Tell whether there is an experiment of this id that a visitor may read."""
    try:
        locate(session, Address((Step(ObjectKind.EXPERIMENT, experiment_id),)), visitor)
    except (NoSuchObject, NotAllowed):
        return False
    return True


@router.get("/prearchive")
def show_prearchive(request: Request, project: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Show what waits in the prearchive."""
    visitor = visitor_of(request)
    with archive_of(request).read() as session:
        waiting = prearchive.sessions_to_handle(session, visitor, project or None)
        targets = [one.id for one in queries.projects(session, visitor, limit=500) if one.may_open]
    rows = [
        {**prearchive.session_row(row), "reasons": row.reasons, "can_be_merged": prearchive.can_be_merged(row)}
        for row in reversed(waiting)
    ]
    return pages.render(request, "prearchive.html", {"rows": rows, "project": project, "targets": targets})


@router.get("/app/{path:path}")
def from_other_xnat(path: str) -> Response:
    """Lead links that were made for real XNAT's pages to ours."""
    return RedirectResponse(path_of_display(path), status_code=303)


@router.get("/projects/{path:path}")
@router.get("/subjects/{path:path}")
@router.get("/experiments/{path:path}")
def show_object(
    request: Request,
    path: str,
    *,
    text: Text = "",
    before: Cursor = None,
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """Show a project, subject, session, scan, assessor or resource."""
    address = parse_address(request.scope["path"])
    if address is None or address.rest or not path:
        raise NoSuchObject("page")
    archive = archive_of(request)
    with archive.read() as session:
        found = locate(session, address, visitor_of(request))
        if found.scan is not None and address.aspect in {pictures.PREVIEW, pictures.VOLUME}:
            return pictures.answer(request, archive, found)
        template, context = _context(session, found, views.Listing(text.strip(), before, after))
        context |= {"where": views.Where(found), "views": views, "may": _rights(session, found)}
    return pages.render(request, template, context)


def _context(session: Session, found: Located, listing: views.Listing) -> tuple[str, dict[str, Any]]:
    """Return the template and what it shows, by what the address names."""
    kind, aspect = found.address.kind, found.address.aspect
    if found.resource is not None and aspect is None:
        return "resource.html", _resource_context(session, found, listing)
    if aspect == "upload" and kind in {ObjectKind.PROJECT, ObjectKind.EXPERIMENT, ObjectKind.SCAN, ObjectKind.SUBJECT}:
        kind_of_owner, number = found.owner
        study = None if found.project is None else repository.study_of(found.project)
        return "upload.html", {"resources": queries.resources(session, kind_of_owner, number), "study": study}
    if found.scan is not None and aspect == "view":
        line = queries.scan(session, found.scan)
        return "viewer.html", {"line": line, **views.volumes(session, found, line)}
    if kind is ObjectKind.PROJECT and aspect in {None, "subjects", "resources"}:
        return "project.html", _project_context(session, found, listing, tab=aspect or "sessions")
    if aspect is not None:
        raise NoSuchObject("page")
    if found.scan is not None:
        return "scan.html", {"line": queries.scan(session, found.scan)}
    if found.assessor is not None:
        number = found.assessor.number or 0
        return "assessor.html", {"resources": queries.resources(session, repository.EXPERIMENTS, number)}
    if found.experiment is not None:
        return "session.html", _session_context(session, found)
    return "subject.html", _subject_context(session, found)


def _project_context(session: Session, found: Located, listing: views.Listing, *, tab: str) -> dict[str, Any]:
    assert found.project is not None
    project_id = found.project.id
    context: dict[str, Any] = {"tab": tab, "totals": queries.totals(session, project_id), "text": listing.text}
    path = f"/projects/{quote(project_id, safe='')}" + ("" if tab == "sessions" else f"/{tab}")
    more = queries.PAGE + 1
    lines: list[Any]
    if tab == "resources":
        lines = queries.resources(session, repository.PROJECTS, found.project.number or 0)
        return {**context, "lines": lines}
    if tab == "subjects":
        lines = list(queries.subjects(session, project_id, text=listing.text, before=listing.before, limit=more))
    else:
        lines = list(
            queries.sessions(session, project_id=project_id, text=listing.text, before=listing.before, limit=more)
        )
    context["next_href"], context["first_href"] = _pager(path, listing, lines)
    return {**context, "lines": lines[: queries.PAGE]}


def _pager(path: str, listing: views.Listing, lines: list[Any]) -> tuple[str | None, str | None]:
    """Return the links to the next page and back to the first."""
    text = {"q": listing.text} if listing.text else {}
    onward = None
    if len(lines) > queries.PAGE:
        onward = f"{path}?{urlencode({**text, 'before': lines[queries.PAGE - 1].number})}"
    first = (path + (f"?{urlencode(text)}" if text else "")) if listing.before is not None else None
    return onward, first


def _subject_context(session: Session, found: Located) -> dict[str, Any]:
    assert found.subject is not None
    assert found.project is not None
    lines = queries.sessions(session, subject_id=found.subject.id, project_id=found.project.id, limit=500)
    number = found.subject.number or 0
    return {"lines": lines, "resources": queries.resources(session, repository.SUBJECTS, number)}


def _session_context(session: Session, found: Located) -> dict[str, Any]:
    experiment = found.experiment
    assert experiment is not None
    subject = repository.subject_by_id(session, experiment.subject_id) if experiment.subject_id else None
    scans = queries.scans(session, experiment.id)
    resources = queries.resources(session, repository.EXPERIMENTS, experiment.number or 0)
    every = [*resources, *(one for line in scans for one in line.resources)]
    return {
        "subject": subject,
        "scans": scans,
        "reconstructions": queries.scans(session, experiment.id, ObjectKind.RECONSTRUCTION),
        "assessors": queries.assessors(session, experiment.id),
        "resources": resources,
        "file_count": sum(one.files for one in every),
        "file_size": sum(one.size for one in every),
    }


def _resource_context(session: Session, found: Located, listing: views.Listing) -> dict[str, Any]:
    assert found.resource is not None
    line = queries.resource_lines(session, [found.resource])[0]
    files = queries.files(session, line.number, after=listing.after, limit=queries.FILES_PAGE + 1)
    shown = files[: queries.FILES_PAGE]
    path = views.Where(found).page
    return {
        "line": line,
        "files": shown,
        "next_href": f"{path}?{urlencode({'after': shown[-1].path})}" if len(files) > queries.FILES_PAGE else None,
        "first_href": path if listing.after else None,
    }


def _rights(session: Session, found: Located) -> dict[str, bool]:
    """Return what the visitor may do here, for what the page offers."""
    project, visitor = found.owning_project, found.visitor
    if project is None or found.project is not project:
        return dict.fromkeys(Action, visitor.everything)
    role = repository.role_of(session, project.id, visitor.username) or visitor.role_by_study(project.id)
    return {
        action.value: is_allowed(action, visitor=visitor, role=role, accessibility=project.accessibility)
        for action in Action
    }
