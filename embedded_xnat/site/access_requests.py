"""Wishes to be let into a project: made by somebody who sees its title, decided by an owner. May import FastAPI."""

from fastapi import APIRouter, Request
from sqlmodel import Session, col, or_, select
from starlette.responses import JSONResponse, PlainTextResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import AlreadyThere, BadRequest, LoginFailed, NoSuchObject
from embedded_xnat.db import repository
from embedded_xnat.db.site_tables import AccessRequestRow
from embedded_xnat.db.tables import MembershipRow
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.items import sql_date
from embedded_xnat.domain.roles import Action, ProjectRole, Visitor
from embedded_xnat.domain.tables import Query, Row, table_document
from embedded_xnat.domain.values import truth
from embedded_xnat.locate import locate
from embedded_xnat.objects.endpoints import Call, table
from embedded_xnat.storage.archive import Cause
from service_kit.tables import utc_now

router = APIRouter()

OPEN, ACCEPTED, DECLINED = "open", "accepted", "declined"
COLUMNS = ("par_id", "proj_id", "create_date", "level", "user", "status", "approved", "approval_date")


def list_of_project(call: Call) -> Response:
    """List the requests for a project, decided ones too; for its owners."""
    with call.archive.read() as session:
        project = locate(session, call.address, call.visitor, action=Action.MANAGE).project
        assert project is not None
        statement = select(AccessRequestRow).where(AccessRequestRow.project_id == project.id)
        rows = [_row(found) for found in session.exec(statement.order_by(col(AccessRequestRow.number)))]
    return table(call, rows, COLUMNS)


def ask(call: Call) -> Response:
    """Ask to be let into a project; the answer is the number of the request."""
    if call.visitor.is_guest:
        raise LoginFailed
    role = _read_role(call.query.get("level") or "collaborator")
    with call.change() as change:
        project = locate(change.session, call.address, call.visitor, title=True).project
        assert project is not None
        if repository.role_of(change.session, project.id, call.visitor.username) is not None:
            raise AlreadyThere("Your access to this project")
        mine = select(AccessRequestRow).where(
            AccessRequestRow.project_id == project.id,
            AccessRequestRow.username == call.visitor.username,
            AccessRequestRow.status == OPEN,
        )
        if change.session.exec(mine).first() is not None:
            raise AlreadyThere("Your request for this project")
        row = AccessRequestRow(project_id=project.id, username=call.visitor.username, role=role.value)
        change.session.add(row)
        change.session.flush()
        return PlainTextResponse(str(row.number))


@router.get("/data/pars")
def list_own(request: Request) -> Response:
    """List one's own requests, and the open ones for projects that one owns."""
    visitor = visitor_of(request)
    with archive_of(request).read() as session:
        owned = select(col(MembershipRow.project_id)).where(
            MembershipRow.username == visitor.username, MembershipRow.role == ProjectRole.OWNER.value
        )
        is_mine = col(AccessRequestRow.username) == visitor.username
        is_for_me = col(AccessRequestRow.project_id).in_(owned) & (col(AccessRequestRow.status) == OPEN)
        statement = select(AccessRequestRow).order_by(col(AccessRequestRow.number))
        if not visitor.everything:
            statement = statement.where(or_(is_mine, is_for_me))
        rows = [_row(found) for found in session.exec(statement)]
    return JSONResponse(table_document(rows))


@router.put("/data/pars/{number}")
@router.post("/data/pars/{number}")
def decide(request: Request, number: str) -> Response:
    """Accept or decline a request; for the owners of its project. An accepted one makes its author a member."""
    query = Query(list(request.query_params.multi_items()))
    is_accepted = truth(query.get("accept"), name="accept")
    if is_accepted == truth(query.get("decline"), name="decline"):
        raise BadRequest("Say accept=true or decline=true.")
    visitor = visitor_of(request)
    with archive_of(request).change(Cause(visitor.username)) as change:
        row = _open_request(change.session, visitor, number)
        row.status = ACCEPTED if is_accepted else DECLINED
        row.decided_by, row.decided_at = visitor.username, utc_now()
        change.session.add(row)
        if is_accepted:
            role = _read_role(query.get("level") or row.role)
            key = (row.project_id, row.username)
            member = change.session.get(MembershipRow, key)
            member = member or MembershipRow(project_id=row.project_id, username=row.username, role=role.value)
            member.role = role.value
            change.session.add(member)
    return PlainTextResponse("")


def _open_request(session: Session, visitor: Visitor, number: str) -> AccessRequestRow:
    is_number = number.isascii() and number.isdigit() and len(number) < 10
    row = session.get(AccessRequestRow, int(number)) if is_number else None
    if row is None or row.status != OPEN:
        raise NoSuchObject("open request")
    try:
        locate(session, Address((Step(ObjectKind.PROJECT, row.project_id),)), visitor, action=Action.MANAGE)
    except NoSuchObject as error:
        raise NoSuchObject("open request") from error
    return row


def _read_role(text: str) -> ProjectRole:
    for role in ProjectRole:
        if text.lower() in {role.value.lower(), role.value.lower().removesuffix("s")}:
            return role
    raise BadRequest("The level of access is owner, member or collaborator.")


def _row(row: AccessRequestRow) -> Row:
    return {
        "par_id": str(row.number),
        "proj_id": row.project_id,
        "create_date": sql_date(row.created_at),
        "level": row.role,
        "user": row.username,
        "status": row.status,
        "approved": "" if row.status == OPEN else str(row.status == ACCEPTED).lower(),
        "approval_date": "" if row.decided_at is None else sql_date(row.decided_at),
    }
