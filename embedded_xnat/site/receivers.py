"""Endpoints of the site's DICOM receivers. For administrators. May import FastAPI.

This server opens no port: what is defined here is kept and given back as XNAT does, and every answer says in `remark`
what becomes of it. Routing expressions are applied (`embedded_xnat.imports.routing`), whatever way images come in, and
before the rules of the site (`embedded_xnat.site.configurations`).
"""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from embedded_xnat.access import archive_of
from embedded_xnat.contract.errors import AlreadyThere, BadField, BadRequest, NoSuchObject
from embedded_xnat.db.site_tables import ReceiverRow
from embedded_xnat.domain.documents import check_document
from embedded_xnat.domain.routing_rules import read_rules
from embedded_xnat.numbers import RowNumber
from embedded_xnat.site.bodies import json_object
from embedded_xnat.site.config_endpoints import check_is_admin
from service_kit.tables import utc_now

router = APIRouter()

ROOT = "/xapi/dicomscp"
DEFAULT_PORT = 8104
IDENTIFIER = "dicomObjectIdentifier"
REMARK = (
    "This archive opens no DICOM port; Cohortflow's gateway receives images. Applied are the routing expressions, to "
    "every import that does not name its place itself; everything else is kept and given back only."
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_Rules = Annotated[str, Field(default="")]


class Receiver(BaseModel):
    """A receiver as clients write it."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)

    ae_title: str = Field(min_length=1, max_length=16)
    port: int = Field(default=DEFAULT_PORT, ge=1, le=65_535)
    identifier: str = IDENTIFIER
    enabled: bool = True
    custom_processing: bool = False
    direct_archive: bool = False
    anonymization_enabled: bool = True
    whitelist_enabled: bool = False
    whitelist: list[Annotated[str, Field(max_length=100)]] = Field(default=[], max_length=200)
    routing_expressions_enabled: bool = False
    project_routing_expression: _Rules
    subject_routing_expression: _Rules
    session_routing_expression: _Rules

    @field_validator("ae_title", mode="before")
    @classmethod
    def _trim(cls, value: Any) -> Any:
        value = value.strip(" ") if isinstance(value, str) else value
        if isinstance(value, str) and (_CONTROL.search(value) or not value.isprintable()):
            raise ValueError("it has a backslash or a control character (PS3.5 6.2)")
        return value

    @field_validator("identifier", mode="before")
    @classmethod
    def _check_identifier(cls, value: Any) -> Any:
        if value not in (None, "", IDENTIFIER):
            raise ValueError(f"the one identifier here is {IDENTIFIER}")
        return IDENTIFIER

    @field_validator("whitelist", mode="after")
    @classmethod
    def _check_whitelist(cls, value: list[str]) -> list[str]:
        if any(_CONTROL.search(entry) or not entry.isprintable() for entry in value):
            raise ValueError("an entry has a backslash or a control character")
        return value

    @field_validator(
        "project_routing_expression", "subject_routing_expression", "session_routing_expression", mode="before"
    )
    @classmethod
    def _check_rules(cls, value: Any) -> Any:
        if isinstance(value, str):
            read_rules(value)
        return "" if value is None else value


#: Column of each field whose name differs.
_COLUMNS = {
    "enabled": "is_enabled",
    "custom_processing": "has_custom_processing",
    "direct_archive": "is_direct",
    "anonymization_enabled": "is_anonymized",
    "whitelist_enabled": "has_whitelist",
    "routing_expressions_enabled": "has_rules",
    "project_routing_expression": "project_rules",
    "subject_routing_expression": "subject_rules",
    "session_routing_expression": "session_rules",
}


@router.get(f"{ROOT}/identifiers")
def identifiers(request: Request) -> dict[str, str]:
    """List what can tell where a received session belongs."""
    check_is_admin(request, "see the receivers of the site")
    return {IDENTIFIER: "Routing expressions, comments, study description, patient name and id"}


@router.get(ROOT)
def receivers(request: Request) -> list[dict[str, Any]]:
    """List the DICOM receivers."""
    check_is_admin(request, "see the receivers of the site")
    with archive_of(request).read() as session:
        return [_document(row) for row in session.exec(select(ReceiverRow).order_by(col(ReceiverRow.number)))]


@router.post(ROOT)
async def make_receiver(request: Request) -> Response:
    """Define a DICOM receiver."""
    check_is_admin(request, "change the receivers of the site")
    return await run_in_threadpool(_store, request, None, await json_object(request))


@router.get(f"{ROOT}/{{number}}")
def receiver(request: Request, number: RowNumber) -> dict[str, Any]:
    """Return a DICOM receiver."""
    check_is_admin(request, "see the receivers of the site")
    with archive_of(request).read() as session:
        return _document(_find(session, number))


@router.put(f"{ROOT}/{{number}}")
async def change_receiver(request: Request, number: RowNumber) -> Response:
    """Change a DICOM receiver; what the body does not name stays."""
    check_is_admin(request, "change the receivers of the site")
    return await run_in_threadpool(_store, request, number, await json_object(request))


@router.put(f"{ROOT}/{{number}}/enabled/{{flag}}")
def enable_receiver(request: Request, number: RowNumber, flag: bool) -> Response:
    """Let the routing expressions of a receiver count, or not."""
    check_is_admin(request, "change the receivers of the site")
    return _store(request, number, {"enabled": flag})


@router.delete(f"{ROOT}/{{number}}")
def delete_receiver(request: Request, number: RowNumber) -> Response:
    """Delete a DICOM receiver."""
    check_is_admin(request, "change the receivers of the site")
    with archive_of(request).change() as change:
        change.session.delete(_find(change.session, number))
    return JSONResponse({})


def _store(request: Request, number: int | None, wanted: dict[str, Any]) -> Response:
    with archive_of(request).change() as change:
        session = change.session
        row = None if number is None else _find(session, number)
        values = _read({**({} if row is None else _document(row)), **wanted})
        same = select(ReceiverRow).where(ReceiverRow.ae_title == values.ae_title, ReceiverRow.port == values.port)
        other = session.exec(same).first()
        if other is not None and other.number != number:
            raise AlreadyThere(f"A receiver with this AE title and port (its id is {other.number})")
        columns = {_COLUMNS.get(name, name): value for name, value in values.model_dump().items()}
        row = row or ReceiverRow(**columns)
        row.sqlmodel_update({**columns, "modified_at": utc_now()})
        session.add(row)
        session.flush()
        return JSONResponse(_document(row))


def _read(document: dict[str, Any]) -> Receiver:
    try:
        check_document(document)
    except ValueError as error:
        raise BadRequest(f"This receiver cannot be kept: {error}.") from error
    try:
        return Receiver.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        reason = found["msg"].removeprefix("Value error, ")
        raise BadField(str(found["loc"][0]), f"cannot have this value: {reason}") from error


def _find(session: Session, number: int) -> ReceiverRow:
    row = session.get(ReceiverRow, number)
    if row is None:
        raise NoSuchObject("receiver")
    return row


def _document(row: ReceiverRow) -> dict[str, Any]:
    values = {to_camel(name): getattr(row, _COLUMNS.get(name, name)) for name in Receiver.model_fields}
    return {
        "id": row.number,
        "label": f"{row.ae_title}:{row.port}",
        **values,
        "created": int(row.created_at.timestamp() * 1000),
        "timestamp": int(row.modified_at.timestamp() * 1000),
        "receives": False,
        "remark": REMARK,
    }
