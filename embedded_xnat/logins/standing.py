"""Endpoints that give people roles on the site and put them into groups, and take them out again. May import FastAPI.

Roles on the site are those of the accounts, which all services share: an administrator here is one everywhere, all-data
administration is an engineer's, all-data access a coordinator's of all studies.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import BadRequest, NoSuchObject
from embedded_xnat.db.tables import MembershipRow
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.roles import Action, ProjectRole, group_id
from embedded_xnat.locate import locate
from embedded_xnat.logins.service import Logins
from embedded_xnat.site.config_endpoints import check_is_admin
from embedded_xnat.site.people import ALL_DATA_GROUPS, accounts_of
from embedded_xnat.storage.archive import Cause
from service_kit.accounts import Role
from service_kit.accounts.errors import UserUnknown

router = APIRouter()

_ROLES: Mapping[str, Role] = {"administrator": Role.admin}
_ROLE, _GROUP = "/xapi/users/{username}/roles/{name}", "/xapi/users/{username}/groups/{name}"


@router.put(_ROLE)
def give_role(request: Request, username: str, name: str) -> Response:
    """Give a user a role on the site; for administrators."""
    return _change_site_role(request, username, _role(name), is_given=True)


@router.delete(_ROLE)
def take_role(request: Request, username: str, name: str) -> Response:
    """Take a role on the site from a user; for administrators."""
    return _change_site_role(request, username, _role(name), is_given=False)


@router.put(_GROUP)
def join_group(request: Request, username: str, name: str) -> Response:
    """Put a user into a group of a project, for its owners, or into one of the site, for administrators."""
    if name in ALL_DATA_GROUPS:
        return _change_site_role(request, username, ALL_DATA_GROUPS[name], is_given=True)
    return _change_membership(request, username, name, is_given=True)


@router.delete(_GROUP)
def leave_group(request: Request, username: str, name: str) -> Response:
    """Take a user out of a group."""
    if name in ALL_DATA_GROUPS:
        return _change_site_role(request, username, ALL_DATA_GROUPS[name], is_given=False)
    return _change_membership(request, username, name, is_given=False)


def _role(name: str) -> Role:
    if name.lower() not in _ROLES:
        raise BadRequest("The one role on the site is Administrator; ALL_DATA_ADMIN and ALL_DATA_ACCESS are groups.")
    return _ROLES[name.lower()]


def _change_site_role(request: Request, username: str, role: Role, *, is_given: bool) -> Response:
    check_is_admin(request, "change the roles of others")
    username = _known(request, username)
    if role is Role.admin and not is_given and username == visitor_of(request).username:
        raise BadRequest("You cannot take the role from yourself. Let another administrator do it.")
    accounts = accounts_of(request)
    change = accounts.grant if is_given else accounts.revoke_grant
    change(username, role)
    logins = request.app.state.logins
    assert isinstance(logins, Logins)
    logins.look_again(username)
    return JSONResponse({})


def _change_membership(request: Request, username: str, name: str, *, is_given: bool) -> Response:
    project_id, _, _ = name.rpartition("_")
    visitor = visitor_of(request)
    with archive_of(request).change(Cause(visitor.username)) as change:
        address = Address((Step(ObjectKind.PROJECT, project_id),))
        project = (
            locate(change.session, address, visitor, action=Action.MANAGE).project if project_id.isprintable() else None
        )
        role = next((each for each in ProjectRole if name == group_id(project_id, each)), None)
        if project is None or role is None:
            raise NoSuchObject("group")
        username = _known(request, username)
        row = change.session.get(MembershipRow, (project.id, username))
        if is_given:
            row = row or MembershipRow(project_id=project.id, username=username, role=role.value)
            row.role = role.value
            change.session.add(row)
        elif row is None or row.role != role.value:
            raise NoSuchObject("member")
        else:
            change.session.delete(row)
    return JSONResponse({})


def _known(request: Request, username: str) -> str:
    """Return the name of a user as it is kept.

    Raises
    ------
    NoSuchObject
    """
    try:
        return accounts_of(request).user(username).username
    except UserUnknown as error:
        raise NoSuchObject("user") from error
