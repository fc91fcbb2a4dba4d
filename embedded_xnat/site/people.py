"""Endpoints about the people of the site: accounts, their roles, their access to projects. May import FastAPI."""

from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import col, select
from starlette.responses import PlainTextResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import NoSuchObject, NotAllowed
from embedded_xnat.db.tables import MembershipRow, ProjectRow
from embedded_xnat.domain.roles import ProjectRole, Visitor, group_id
from embedded_xnat.rendering import render_table
from service_kit.accounts import Grant, Role, UserRecord
from service_kit.accounts.errors import UserUnknown
from service_kit.accounts.service import Accounts

router = APIRouter()


def accounts_of(request: Request) -> Accounts:
    """Return the accounts of the app."""
    accounts = request.app.state.accounts
    assert isinstance(accounts, Accounts)
    return accounts


@router.get("/data/users")
def users(request: Request) -> Response:
    """List the users of the site."""
    _check_may_list(request)
    rows = [
        {
            "login": user.username,
            "xdat_user_id": str(number),
            "email": user.email or "",
            "firstname": user.display_name.partition(" ")[0],
            "lastname": user.display_name.partition(" ")[2],
        }
        for number, user in enumerate(accounts_of(request).users(), start=1)
        if user.is_active
    ]
    return render_table(request.query_params.get("format"), rows)


@router.get("/xapi/users")
def usernames(request: Request) -> list[str]:
    """List the names of the users of the site."""
    _check_may_list(request)
    return [user.username for user in accounts_of(request).users() if user.is_active]


@router.get("/xapi/users/profiles")
def profiles(request: Request) -> list[dict[str, Any]]:
    """List the users of the site with what is known of them."""
    _check_may_list(request)
    return [_profile(user) for user in accounts_of(request).users()]


@router.get("/xapi/users/username")
def username(request: Request) -> Response:
    """Return the name of whoever asks."""
    return PlainTextResponse(visitor_of(request).username)


@router.get("/xapi/users/{username}")
def user(request: Request, username: str) -> dict[str, Any]:
    """Return what is known of a user; of others than oneself only for those who may list users."""
    return _profile(_user(request, username))


@router.get("/xapi/users/{username}/roles")
def roles(request: Request, username: str) -> list[str]:
    """List the roles that a user has on the site."""
    return ["Administrator"] if _is_admin(_user(request, username)) else []


@router.get("/xapi/users/{username}/groups")
def groups(request: Request, username: str) -> list[str]:
    """List the groups of projects that a user is in."""
    name = _user(request, username).username
    with archive_of(request).read() as session:
        mine = session.exec(select(MembershipRow).where(MembershipRow.username == name)).all()
    return sorted(group_id(row.project_id, ProjectRole(row.role)) for row in mine)


@router.get("/xapi/access/projects")
def access(request: Request) -> list[dict[str, str]]:
    """Return the visitor's role in each project."""
    visitor = visitor_of(request)
    with archive_of(request).read() as session:
        mine = session.exec(select(MembershipRow).where(MembershipRow.username == visitor.username)).all()
        roles = {row.project_id: row.role for row in mine}
        if visitor.everything or visitor.reads_everything:
            everywhere = ProjectRole.OWNER if visitor.everything else ProjectRole.COLLABORATOR
            projects = session.exec(select(ProjectRow.id).where(col(ProjectRow.is_deleted).is_(False))).all()
            others = dict.fromkeys(projects, everywhere.value)
            roles = others if visitor.everything else others | roles
    return [{"ID": project_id, "role": role} for project_id, role in roles.items()]


def _check_may_list(request: Request) -> None:
    if not _may_list(request, visitor_of(request)):
        raise NotAllowed("list the users of the site")


def _may_list(request: Request, visitor: Visitor) -> bool:
    is_open = not request.app.state.site_config.flag("restrictUserListAccessToAdmins")
    return visitor.everything or (is_open and not visitor.is_guest)


def _user(request: Request, name: str) -> UserRecord:
    visitor = visitor_of(request)
    if name.lower() != visitor.username and not _may_list(request, visitor):
        raise NotAllowed("see what is known of other users")
    try:
        return accounts_of(request).user(name)
    except UserUnknown as error:
        raise NoSuchObject("user") from error


def _profile(user: UserRecord) -> dict[str, Any]:
    first, _, last = user.display_name.partition(" ")
    return {
        "username": user.username,
        "firstName": first,
        "lastName": last,
        "email": user.email or "",
        "enabled": user.is_active,
        "verified": True,
        "admin": _is_admin(user),
        "secured": True,
    }


def _is_admin(user: UserRecord) -> bool:
    return Grant(Role.admin) in user.grants
