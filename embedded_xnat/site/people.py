"""Endpoints about the people of the site: accounts, their roles, their access to projects. May import FastAPI."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from sqlmodel import col, select
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import BadField, BadRequest, NoSuchObject, NotAllowed
from embedded_xnat.db.tables import MembershipRow, ProjectRow
from embedded_xnat.domain.documents import check_document
from embedded_xnat.domain.roles import GUEST, ProjectRole, Visitor, group_id
from embedded_xnat.rendering import render_table
from embedded_xnat.site.bodies import json_object
from embedded_xnat.site.config_endpoints import check_is_admin
from service_kit.accounts import Grant, Role, UserRecord
from service_kit.accounts.errors import UserUnknown
from service_kit.accounts.service import Accounts

router = APIRouter()

#: Groups of the site, and the role that stands for each.
ALL_DATA_GROUPS = {"ALL_DATA_ADMIN": Role.engineer, "ALL_DATA_ACCESS": Role.coordinator}
_Text = Annotated[str, StringConstraints(max_length=99, pattern=r"^[^\x00-\x1f\x7f]*$")]
_NO_MAIL = "Accounts here are not verified by e-mail. Leave verified out; enabled: false closes an account."


class _Person(BaseModel):
    """An account as clients write it; None for what they do not say."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)

    username: str | None = None
    password: str | None = None
    first_name: _Text | None = None
    last_name: _Text | None = None
    email: Annotated[_Text, StringConstraints(pattern=r"^(\S+@\S+)?$")] | None = None
    enabled: bool | None = None
    verified: bool | None = None

    def display_name(self, before: str = "") -> str | None:
        """Return the whole name, when a part of it is given."""
        if self.first_name is None and self.last_name is None:
            return None
        first, _, last = before.partition(" ")
        parts = (
            first if self.first_name is None else self.first_name,
            last if self.last_name is None else self.last_name,
        )
        return " ".join(part for part in map(str.strip, parts) if part)


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


@router.post("/xapi/users")
async def make_user(request: Request) -> Response:
    """Make an account; for administrators."""
    check_is_admin(request, "make accounts")
    return await run_in_threadpool(_make_user, request, await _person(request))


def _make_user(request: Request, person: _Person) -> Response:
    if not person.username or not person.password:
        raise BadRequest("An account has at least a username and a password.")
    if person.username.lower() == GUEST:
        raise BadField("username", "cannot be guest, which is whoever does not log in")
    accounts = accounts_of(request)
    made = accounts.create_user(
        person.username,
        person.password,
        display_name=person.display_name(),
        email=person.email or None,
        is_active=person.enabled is not False,
    )
    return JSONResponse(_profile(made), 201)


@router.put("/xapi/users/{username}")
async def change_user(request: Request, username: str) -> Response:
    """Change an account; what the body does not name stays. Names and address one's own, else for administrators."""
    return await run_in_threadpool(_change_user, request, username.lower(), await _person(request))


@router.put("/xapi/users/{username}/enabled/{flag}")
def enable_user(request: Request, username: str, flag: bool) -> Response:
    """Open or close an account; for administrators."""
    return _change_user(request, username.lower(), _Person(enabled=flag))


def _change_user(request: Request, username: str, person: _Person) -> Response:
    visitor = visitor_of(request)
    if username != visitor.username or person.password is not None or person.enabled is not None:
        check_is_admin(request, "change accounts; your own password is changed on your account page")
    if person.username is not None and person.username.lower() != username:
        raise BadField("username", "cannot be changed")
    if person.enabled is False and username == visitor.username:
        raise BadRequest("You cannot close your own account. Let another administrator do it.")
    accounts, found = accounts_of(request), _user(request, username)
    if person.password is not None:
        accounts.set_password(username, person.password)
    accounts.describe(username, display_name=person.display_name(found.display_name), email=person.email)
    if person.enabled is not None:
        accounts.set_active(username, is_active=person.enabled)
    if person.password is not None or person.enabled is False:
        own = request.scope["state"]["login_id"] if username == visitor.username else None
        request.app.state.logins.end_all(username, but=own)
    return JSONResponse(_profile(accounts.user(username)))


async def _person(request: Request) -> _Person:
    document = await json_object(request)
    try:
        person = _Person.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        raise BadField(str(found["loc"][0]), f"cannot have this value ({found['type']})") from error
    try:
        check_document(document)
    except ValueError as error:
        raise BadRequest(f"This account cannot be kept: {error}.") from error
    if person.verified is False:
        raise BadRequest(_NO_MAIL)
    return person


@router.get("/xapi/users/current")
def current_profiles(request: Request) -> list[dict[str, Any]]:
    """List the users whose accounts are open with what is known of them."""
    _check_may_list(request)
    return [_profile(user) for user in accounts_of(request).users() if user.is_active]


@router.get("/xapi/users/profile")
def own_profile(request: Request) -> dict[str, Any]:
    """Return what is known of whoever asks."""
    return _profile(_user(request, visitor_of(request).username))


@router.get("/xapi/users/profile/{username}")
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
    """List the groups that a user is in: of projects, and of the site."""
    user = _user(request, username)
    of_site = [name for name, role in ALL_DATA_GROUPS.items() if Grant(role) in user.grants]
    with archive_of(request).read() as session:
        mine = session.exec(select(MembershipRow).where(MembershipRow.username == user.username)).all()
    return sorted([*of_site, *(group_id(row.project_id, ProjectRole(row.role)) for row in mine)])


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
