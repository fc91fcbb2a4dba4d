"""Endpoints about the site itself: what a client asks while it connects, users, access. May import FastAPI."""

import time
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import select
from sqlmodel import col
from starlette.responses import PlainTextResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import NoSuchObject
from embedded_xnat.db.tables import ExperimentRow, ScanRow
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.rendering import render_table
from embedded_xnat.schema.registry import SCHEMA_NAMES
from embedded_xnat.schema.xsd import schema_text
from embedded_xnat.search.visibility import readable_experiments

router = APIRouter()

VERSION = "1.9.2"
_STARTED = time.monotonic()


def user_info(visitor: Visitor | None) -> str:
    """Return who is logged in, in the words that clients look for on a page."""
    if visitor is None:
        return ""
    name = '<span style="color:red;">Guest</span>' if visitor.is_guest else f'&nbsp;<a href="/">{visitor.username}</a>'
    return f'<span id="user_info">Logged in as: {name}</span>'


@router.get("/xapi/siteConfig/buildInfo")
def build_info() -> dict[str, str]:
    """Say which XNAT this server behaves like."""
    return {"version": VERSION, "application": "XNAT", "buildNumber": "Cohortflow", "buildDate": "", "commit": ""}


@router.get("/xapi/siteConfig/buildInfo/version")
def build_version() -> Response:
    """Return the version alone."""
    return PlainTextResponse(VERSION)


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


@router.get("/data/scanners")
def scanners(request: Request) -> Response:
    """List the scanners that sessions name, as far as the visitor may read them."""
    visitor = visitor_of(request)
    return _distinct(request, "scanner", readable_experiments(visitor, col(ExperimentRow.data)))


@router.get("/data/scan_types")
def scan_types(request: Request) -> Response:
    """List the types that scans have, as far as the visitor may read them."""
    readable = readable_experiments(visitor_of(request), col(ExperimentRow.id))
    return _distinct(request, "type", select(col(ScanRow.data)).where(col(ScanRow.experiment_id).in_(readable)))


def _distinct(request: Request, name: str, documents: Any) -> Response:
    """Return a table of the values that a field has in the documents that a statement selects."""
    field = documents.selected_columns[0][name].as_string()
    with archive_of(request).read() as session:
        values = session.connection().scalars(documents.with_only_columns(field).distinct())
        found = sorted({value for value in values if value})
    return render_table(request.query_params.get("format"), [{name: value} for value in found], (name,))
