"""Endpoints about the site itself: what a client asks while it connects, users, access. May import FastAPI."""

import time
from functools import cache

from fastapi import APIRouter, Request
from sqlalchemy import func
from sqlmodel import Session, col, select
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from embedded_xnat.contract.errors import NoSuchObject, NotAllowed
from embedded_xnat.db.tables import ExperimentRow, MembershipRow, ProjectRow, ScanRow
from embedded_xnat.domain.tables import Row, table_document
from embedded_xnat.logins.gate import visitor_of
from embedded_xnat.schema.model import Field
from embedded_xnat.schema.registry import MODEL, SCHEMA_NAMES
from embedded_xnat.schema.xsd import schema_text
from embedded_xnat.storage.archive import Archive
from service_kit.accounts import Accounts

router = APIRouter()

VERSION = "1.9.2"
_STARTED = time.monotonic()


def archive_of(request: Request) -> Archive:
    """Return the archive of the app."""
    archive = request.app.state.archive
    assert isinstance(archive, Archive)
    return archive


@router.get("/")
def front() -> Response:
    """Answer the first request of a client; the pages of the archive come here."""
    return HTMLResponse(
        "<!doctype html><html lang=en><title>Archive</title><p>Cohortflow archive: speaks XNAT.</p></html>"
    )


@router.get("/xapi/siteConfig/buildInfo")
def build_info() -> dict[str, str]:
    """Say which XNAT this server behaves like."""
    return {"version": VERSION, "application": "XNAT", "buildNumber": "Cohortflow", "buildDate": "", "commit": ""}


@router.get("/xapi/siteConfig/buildInfo/version")
def build_version() -> str:
    """Return the version alone."""
    return VERSION


@router.get("/xapi/siteConfig/uptime")
def uptime() -> dict[str, str]:
    """Say for how long the server has been up."""
    seconds = int(time.monotonic() - _STARTED)
    return {"days": str(seconds // 86_400), "hours": str(seconds // 3600 % 24), "minutes": str(seconds // 60 % 60)}


@router.get("/xapi/schemas")
def schemas() -> list[str]:
    """List the schemas; every one of them can be read."""
    return list(SCHEMA_NAMES.values())


@router.get("/xapi/schemas/{name:path}")
def schema(name: str) -> Response:
    """Return a schema."""
    text = schema_text(name.removesuffix(".xsd"))
    if text is None:
        raise NoSuchObject("schema")
    return Response(text, media_type="application/xml")


@router.get("/data/search/elements")
def search_elements(request: Request) -> Response:
    """List the types that a search may start from."""
    with archive_of(request).read() as session:
        counts = _counts(session)
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
    return JSONResponse(table_document(rows))


def _counts(session: Session) -> dict[str, int]:
    """Return how many experiments of each type there are."""
    statement = select(col(ExperimentRow.xsi_type), func.count()).group_by(col(ExperimentRow.xsi_type))
    return dict(session.exec(statement).all())


@router.get("/data/search/elements/{xsi_type}")
def search_fields(xsi_type: str) -> Response:
    """List the fields of a type."""
    found = MODEL.find(xsi_type)
    if found is None:
        raise NoSuchObject("type")
    return Response(_fields_json(found.name), media_type="application/json")


@cache
def _fields_json(xsi_type: str) -> bytes:
    rows = [_field_row(field, xsi_type) for field in MODEL.fields(xsi_type).values()]
    return bytes(JSONResponse(table_document(rows)).body)


def _field_row(field: Field, xsi_type: str) -> Row:
    return {
        "FIELD_ID": field.path.replace("/", "_").upper(),
        "HEADER": field.path.rpartition("/")[2],
        "SUMMARY": f"{xsi_type}/{field.path}",
        "TYPE": field.kind.value.removeprefix("xs:"),
        "REQUIRES_VALUE": "false",
        "DESC": field.doc or "",
        "ELEMENT_NAME": xsi_type,
        "SRC": "0",
    }


@router.get("/data/users")
def users(request: Request) -> Response:
    """List the users of the site, for those who may do everything."""
    visitor = visitor_of(request)
    if not visitor.everything:
        raise NotAllowed("list the users of the site")
    accounts = request.app.state.accounts
    assert isinstance(accounts, Accounts)
    rows = [
        {
            "login": user.username,
            "xdat_user_id": str(number),
            "email": user.email or "",
            "firstname": user.display_name.partition(" ")[0],
            "lastname": user.display_name.partition(" ")[2],
        }
        for number, user in enumerate(accounts.users(), start=1)
        if user.is_active
    ]
    return JSONResponse(table_document(rows))


@router.get("/xapi/users/username")
def username(request: Request) -> Response:
    """Return the name of whoever asks."""
    return PlainTextResponse(visitor_of(request).username)


@router.get("/xapi/access/projects")
def access(request: Request) -> list[dict[str, str]]:
    """Return the visitor's role in each project."""
    visitor = visitor_of(request)
    with archive_of(request).read() as session:
        if visitor.everything:
            projects = session.exec(select(ProjectRow.id).where(col(ProjectRow.is_deleted).is_(False))).all()
            return [{"ID": project_id, "role": "Owners"} for project_id in projects]
        mine = session.exec(select(MembershipRow).where(MembershipRow.username == visitor.username)).all()
        return [{"ID": row.project_id, "role": row.role} for row in mine]


@router.get("/xapi/plugins")
@router.get("/xapi/plugins/")
def plugins() -> dict[str, str]:
    """List the plug-ins: none."""
    return {}


@router.get("/data/scanners")
def scanners(request: Request) -> Response:
    """List the scanners that sessions name."""
    return _distinct(request, "scanner", ExperimentRow)


@router.get("/data/scan_types")
def scan_types(request: Request) -> Response:
    """List the types that scans have."""
    return _distinct(request, "type", ScanRow)


def _distinct(request: Request, name: str, table: type[ExperimentRow | ScanRow]) -> Response:
    with archive_of(request).read() as session:
        values = session.exec(select(col(table.data)[name].as_string()).distinct()).all()
    found = sorted({value for value in values if value})
    return JSONResponse(table_document([{name: value} for value in found]))
