"""Custom forms and the values filled into them: JSON by key at any object. May import FastAPI."""

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import BadField, BadRequest, NoSuchObject
from embedded_xnat.db.site_tables import CustomFormRow, CustomValueRow
from embedded_xnat.domain.addresses import Address, parse_address
from embedded_xnat.domain.documents import check_document
from embedded_xnat.domain.roles import Action, Visitor
from embedded_xnat.locate import locate
from embedded_xnat.site.bodies import json_object
from embedded_xnat.site.config_endpoints import check_is_admin
from embedded_xnat.storage.archive import Archive

router = APIRouter()

MAX_KEY = 200
MAX_FORM_CHARS = 512 * 1024


@router.get("/xapi/customforms")
def list_forms(request: Request) -> list[dict[str, Any]]:
    """List the custom forms."""
    with archive_of(request).read() as session:
        rows = session.exec(select(CustomFormRow).order_by(col(CustomFormRow.created_at))).all()
    return [{**row.document, "formId": row.form_id, "username": row.created_by} for row in rows]


@router.put("/xapi/customforms/save")
async def save_form(request: Request) -> Response:
    """Keep a custom form; one with the `formId` of another takes its place."""
    check_is_admin(request, "change custom forms")
    document = await json_object(request)
    form_id = document.get("formId") or str(uuid4())
    try:
        check_document(document, max_chars=MAX_FORM_CHARS)
    except ValueError as error:
        raise BadRequest(f"This form cannot be kept: {error}.") from error
    if not isinstance(form_id, str) or len(form_id) > 64:
        raise BadRequest("The formId of a form is a text of 64 characters at most.")
    await run_in_threadpool(_save_form, archive_of(request), visitor_of(request), form_id=form_id, document=document)
    return JSONResponse({"formId": form_id})


def _save_form(archive: Archive, visitor: Visitor, *, form_id: str, document: dict[str, Any]) -> None:
    with archive.change() as change:
        row = change.session.get(CustomFormRow, form_id)
        row = row or CustomFormRow(form_id=form_id, created_by=visitor.username)
        row.document = document
        change.session.add(row)


@router.delete("/xapi/customforms/{form_id}")
def delete_form(request: Request, form_id: str) -> Response:
    """Delete a custom form; the values filled into it stay."""
    check_is_admin(request, "change custom forms")
    with archive_of(request).change() as change:
        row = change.session.get(CustomFormRow, form_id)
        if row is None:
            raise NoSuchObject("form")
        change.session.delete(row)
    return JSONResponse({})


@router.get("/xapi/custom-fields/{path:path}")
def read_values(request: Request, path: str, keys: str | None = None) -> Response:
    """Return the values of an object, or the one that the address names."""
    address, key = _read_address(path)
    with archive_of(request).read() as session:
        owner = locate(session, address, visitor_of(request)).owner
        values = _values(session, owner)
    if key is None:
        wanted = set(keys.split(",")) if keys else values.keys()
        return JSONResponse({name: value for name, value in values.items() if name in wanted})
    if key not in values:
        raise NoSuchObject("value")
    return JSONResponse(values[key])


@router.put("/xapi/custom-fields/{path:path}")
async def put_values(request: Request, path: str) -> Response:
    """Set values of an object, the others stay; the answer has all of them."""
    address, key = _read_address(path)
    if key is not None:
        raise BadRequest("Values are set by a PUT to …/fields with a JSON object of key and value.")
    values = await json_object(request)
    for name, value in values.items():
        if not name or len(name) > MAX_KEY:
            raise BadField(name[:50], f"has no key of 1 to {MAX_KEY} characters")
        try:
            check_document({name: value})
        except ValueError as error:
            raise BadField("of the form", f"cannot have this value: {error}") from error
    return JSONResponse(await run_in_threadpool(_set_values, request, address, values))


def _set_values(request: Request, address: Address, values: dict[str, Any]) -> dict[str, Any]:
    with archive_of(request).change() as change:
        kind, number = locate(change.session, address, visitor_of(request), action=Action.UPDATE).owner
        rows = {row.key: row for row in _rows(change.session, (kind, number))}
        for key, value in values.items():
            row = rows.get(key) or CustomValueRow(owner_kind=kind, owner_number=number, key=key)
            row.value = value
            change.session.add(row)
        change.session.flush()
        return _values(change.session, (kind, number))


@router.delete("/xapi/custom-fields/{path:path}")
def delete_value(request: Request, path: str) -> Response:
    """Delete the value that the address names; the answer has those that stay."""
    address, key = _read_address(path)
    with archive_of(request).change() as change:
        owner = locate(change.session, address, visitor_of(request), action=Action.UPDATE).owner
        row = next((row for row in _rows(change.session, owner) if row.key == key), None)
        if row is None:
            raise NoSuchObject("value")
        change.session.delete(row)
        change.session.flush()
        return JSONResponse(_values(change.session, owner))


def _read_address(path: str) -> tuple[Address, str | None]:
    """Return which object is meant, and the key if the address names one."""
    found = parse_address(path)
    if found is None or not found.steps or found.aspect != "fields" or len(found.rest) > 1:
        raise NoSuchObject("page")
    return Address(found.steps), found.rest[0] if found.rest else None


def _rows(session: Session, owner: tuple[str, int]) -> list[CustomValueRow]:
    kind, number = owner
    statement = (
        select(CustomValueRow)
        .where(CustomValueRow.owner_kind == kind, CustomValueRow.owner_number == number)
        .order_by(col(CustomValueRow.number))
    )
    return list(session.exec(statement))


def _values(session: Session, owner: tuple[str, int]) -> dict[str, Any]:
    return {row.key: row.value for row in _rows(session, owner)}
