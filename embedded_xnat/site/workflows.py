"""Endpoints of workflow records: pipelines and scripts write what they do to an object, and read it. May import FastAPI.

Whoever may read the object reads its records; whoever may change it writes them. Those that the server writes itself
(`embedded_xnat.site.journal`) stay as they are.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from lxml import etree
from sqlalchemy import and_, exists, or_
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import BadField, BadRequest, NoSuchObject
from embedded_xnat.db.repository import EXPERIMENTS, PROJECTS, SUBJECTS
from embedded_xnat.db.site_tables import WorkflowRow
from embedded_xnat.db.tables import ExperimentRow, ShareRow, SubjectRow
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.items import items_document, sql_date
from embedded_xnat.domain.roles import Action, Visitor
from embedded_xnat.domain.tables import Query
from embedded_xnat.domain.workflows import COLUMNS, IDENTITY, KEY, NAMESPACE, is_called, read_fields, workflow_item
from embedded_xnat.locate import locate
from embedded_xnat.numbers import RowNumber
from embedded_xnat.rendering import render_table
from embedded_xnat.search.visibility import visible_projects
from service_kit.tables import utc_now

router = APIRouter()

LATEST_ONLY, MAX_ROWS = "LATEST", 1000
_FORM = "application/x-www-form-urlencoded"
_KINDS = {
    EXPERIMENTS: ObjectKind.EXPERIMENT,
    SUBJECTS: ObjectKind.SUBJECT,
    PROJECTS: ObjectKind.PROJECT,
}


@router.get("/data/workflows")
def list_records(request: Request) -> Response:
    """List records, the newest last; ``project=`` and ``experiment=`` (or ``ID=``) narrow the list."""
    return _listing(request, None)


@router.get("/data/services/workflows/{name:path}")
def list_of_pipeline(request: Request, name: str) -> Response:
    """List the records of a pipeline, or the one of a number; ``display=LATEST`` gives the last one of each object."""
    return _listing(request, name)


@router.put("/data/workflows")
@router.post("/data/workflows")
async def make_record(request: Request) -> Response:
    """Make a record; the answer is its number."""
    return await run_in_threadpool(_make, request, await _fields(request))


@router.get("/data/workflows/{number}")
def read_record(request: Request, number: RowNumber) -> Response:
    """Return a record, as an item or (``format=xml``) a document."""
    with archive_of(request).read() as session:
        row = _find(session, visitor_of(request), number)
        values = _values(row)
    if (request.query_params.get("format") or "").lower() == "xml":
        root = etree.Element(f"{{{NAMESPACE}}}Workflow", attrib=values, nsmap={"wrk": NAMESPACE})
        return Response(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), media_type="application/xml")
    return JSONResponse(items_document(workflow_item(values, row.created_at)))


@router.put("/data/workflows/{number}")
@router.post("/data/workflows/{number}")
async def change_record(request: Request, number: RowNumber) -> Response:
    """Change a record; what the request does not name stays."""
    return await run_in_threadpool(_change, request, number, await _fields(request))


async def _fields(request: Request) -> dict[str, str]:
    parameters = list(request.query_params.multi_items())
    if request.headers.get("content-type", "").startswith(_FORM):
        async with request.form(max_files=0) as form:
            parameters += [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    return read_fields(parameters)


def _make(request: Request, fields: dict[str, str]) -> Response:
    if not fields.get("ID") or not fields.get("pipeline_name"):
        raise BadRequest("A record names at least an object and a pipeline: wrk:workflowData/ID and /pipeline_name.")
    with archive_of(request).change() as change:
        visitor = visitor_of(request)
        kind, owner_id, xsi_type, project_id = _owner(change.session, visitor, fields["ID"])
        row = WorkflowRow(
            owner_kind=kind,
            owner_id=owner_id,
            data_type=fields.get("data_type") or xsi_type,
            external_id=fields.get("externalID") or project_id,
            pipeline_name=fields["pipeline_name"],
            created_by=visitor.username,
        )
        given = {name: text for name, text in fields.items() if name not in IDENTITY}
        row.data = {"status": "Queued", "launch_time": sql_date(row.created_at), **given}
        change.session.add(row)
        change.session.flush()
        return PlainTextResponse(str(row.number), 201)


def _owner(
    session: Session, visitor: Visitor, object_id: str, kinds: Sequence[str] = tuple(_KINDS)
) -> tuple[str, str, str, str]:
    """Return kind, id, type and project of an object that the visitor may change."""
    for kind in kinds:
        try:
            found = locate(session, Address((Step(_KINDS[kind], object_id),)), visitor, action=Action.UPDATE)
        except NoSuchObject:
            continue
        row = found.assessor or found.experiment or found.subject or found.project
        assert row is not None
        assert found.owning_project is not None
        return kind, row.id, row.xsi_type, found.owning_project.id
    raise NoSuchObject("object")


def _change(request: Request, number: int, fields: dict[str, str]) -> Response:
    with archive_of(request).change() as change:
        visitor = visitor_of(request)
        row = _find(change.session, visitor, number)
        if row.is_own:
            raise BadRequest("The server itself wrote this record; it is not changed. Make another one.")
        _owner(change.session, visitor, row.owner_id, [row.owner_kind])
        before = _values(row)
        for name in IDENTITY:
            if fields.get(name, before[name]) != before[name]:
                raise BadField(name, "of a record cannot be changed; make another record")
        row.data = {**row.data, **{name: text for name, text in fields.items() if name not in IDENTITY}}
        row.modified_at = utc_now()
        change.session.add(row)
    return PlainTextResponse(str(number))


def _find(session: Session, visitor: Visitor, number: int) -> WorkflowRow:
    statement = select(WorkflowRow).where(WorkflowRow.number == number, *_readable(visitor))
    row = session.exec(statement).first()
    if row is None:
        raise NoSuchObject("workflow")
    return row


def _readable(visitor: Visitor) -> list[Any]:
    """Return the conditions that a record is of an object that the visitor may read."""
    visible = visible_projects(visitor)
    if visible is None:
        return []
    kind, owner = col(WorkflowRow.owner_kind), col(WorkflowRow.owner_id)
    shared = select(col(ShareRow.owner_id)).where(col(ShareRow.project_id).in_(visible))
    experiments = select(ExperimentRow.id).where(col(ExperimentRow.project_id).in_(visible))
    subjects = select(SubjectRow.id).where(col(SubjectRow.project_id).in_(visible))
    return [
        or_(
            and_(kind == PROJECTS, owner.in_(visible)),
            and_(kind == SUBJECTS, owner.in_(subjects)),
            and_(kind == EXPERIMENTS, owner.in_(experiments)),
            and_(_is_gone(), col(WorkflowRow.external_id).in_(visible)),
            and_(kind != PROJECTS, owner.in_(shared.where(col(ShareRow.owner_kind) == kind))),
        )
    ]


def _is_gone() -> Any:
    """Return the condition that the object of a record is not there any more."""
    kind, owner = col(WorkflowRow.owner_kind), col(WorkflowRow.owner_id)
    of_subject = and_(kind == SUBJECTS, ~exists().where(col(SubjectRow.id) == owner))
    return or_(of_subject, and_(kind == EXPERIMENTS, ~exists().where(col(ExperimentRow.id) == owner)))


def _listing(request: Request, name: str | None) -> Response:
    query = Query(list(request.query_params.multi_items()))
    if not all(text.isprintable() for text in (name or "", *(value for _, value in query.parameters))):
        raise NoSuchObject("workflow")
    statement = select(WorkflowRow).where(*_readable(visitor_of(request)))
    if project_id := query.get("project"):
        statement = statement.where(WorkflowRow.external_id == project_id)
    if owner_id := query.get("experiment") or query.get("ID"):
        kinds = col(WorkflowRow.owner_kind).in_(list(_KINDS))  # by which they are indexed
        statement = statement.where(kinds, WorkflowRow.owner_id == owner_id)
    is_number = name is not None and name.isascii() and name.isdigit() and len(name) < 10
    if is_number:
        statement = statement.where(WorkflowRow.number == int(name or ""))
    elif name is not None:
        statement = statement.where(col(WorkflowRow.pipeline_name).contains(name, autoescape=True))
    with archive_of(request).read() as session:
        newest = session.exec(statement.order_by(col(WorkflowRow.number).desc()).limit(MAX_ROWS)).all()
    rows = [row for row in reversed(newest) if name is None or is_number or is_called(row.pipeline_name, name)]
    if (query.get("display") or "").upper() == LATEST_ONLY:
        rows = list({(row.owner_kind, row.owner_id, row.pipeline_name): row for row in rows}.values())
    return render_table(query.get("format"), [_values(row) for row in rows], COLUMNS)


def _values(row: WorkflowRow) -> dict[str, str]:
    identity = {
        KEY: str(row.number),
        "ID": row.owner_id,
        "data_type": row.data_type,
        "externalID": row.external_id,
        "pipeline_name": row.pipeline_name,
    }
    return {**identity, **row.data, "create_user": row.created_by}
