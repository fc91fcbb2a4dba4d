"""Answers requests about a project itself: its people, its accessibility. May import Starlette."""

from collections.abc import Callable
from typing import Any

from lxml import etree
from sqlmodel import col, select
from starlette.responses import PlainTextResponse, Response

from embedded_xnat.contract.errors import BadRequest, NoSuchObject, NotAllowed
from embedded_xnat.db import repository
from embedded_xnat.db.tables import ExperimentRow, MembershipRow, ProjectRow, ScanRow
from embedded_xnat.domain.layout import ARC
from embedded_xnat.domain.roles import Accessibility, Action, ProjectRole, group_id
from embedded_xnat.domain.values import as_text
from embedded_xnat.locate import locate
from embedded_xnat.objects.endpoints import Call, table
from service_kit.accounts.errors import UserUnknown
from service_kit.accounts.service import Accounts

_ARC_SPACE = "http://nrg.wustl.edu/arc"
PREARCHIVE_CODES = frozenset({"0", "4", "5"})


def list_members(call: Call) -> Response:
    """List the people of a project with their roles."""
    accounts = _accounts(call)
    people = {user.username: user for user in accounts.users()}
    with call.archive.read() as session:
        project = locate(session, call.address, call.visitor).project
        assert project is not None
        role = repository.role_of(session, project.id, call.visitor.username)
        if role is None and not call.visitor.everything:
            raise NotAllowed("see the people", project.id)
        members = session.exec(select(MembershipRow).where(MembershipRow.project_id == project.id)).all()
    order = {username: str(number) for number, username in enumerate(people, start=1)}
    rows = []
    for member in members:
        person = people.get(member.username)
        role = ProjectRole(member.role)
        first, _, last = (person.display_name if person is not None else member.username).partition(" ")
        rows.append(
            {
                "login": member.username,
                "xdat_user_id": order.get(member.username, ""),
                "email": (person.email or "") if person is not None else "",
                "firstname": first,
                "lastname": last,
                "displayname": role.value,
                "GROUP_ID": group_id(project.id, role),
            }
        )
    return table(call, rows)


def put_member(call: Call) -> Response:
    """Give a person a role in a project; it replaces the one held before."""
    role, username = _role_and_name(call)
    try:
        _accounts(call).user(username)
    except UserUnknown as error:
        raise NoSuchObject("user") from error
    with call.change() as change:
        project = locate(change.session, call.address, call.visitor, action=Action.MANAGE).project
        assert project is not None
        row = change.session.get(MembershipRow, (project.id, username))
        row = row or MembershipRow(project_id=project.id, username=username, role=role.value)
        row.role = role.value
        change.session.add(row)
    return PlainTextResponse("")


def delete_member(call: Call) -> Response:
    """Take a person's role in a project away."""
    role, username = _role_and_name(call)
    with call.change() as change:
        project = locate(change.session, call.address, call.visitor, action=Action.MANAGE).project
        assert project is not None
        row = change.session.get(MembershipRow, (project.id, username))
        if row is None or row.role != role.value:
            raise NoSuchObject("member")
        change.session.delete(row)
    return PlainTextResponse("")


def read_accessibility(call: Call) -> Response:
    """Say how far a project is open."""
    with call.archive.read() as session:
        project = locate(session, call.address, call.visitor, title=True).project
        assert project is not None
        return PlainTextResponse(project.accessibility)


def put_accessibility(call: Call) -> Response:
    """Open or close a project."""
    try:
        wanted = Accessibility(call.address.file_path)
    except ValueError as error:
        raise BadRequest("A project is private, protected or public.") from error
    with call.change() as change:
        project = locate(change.session, call.address, call.visitor, action=Action.MANAGE).project
        assert project is not None
        project.accessibility = wanted.value
        change.session.add(project)
    return PlainTextResponse("")


def read_prearchive_code(call: Call) -> Response:
    """Say what happens with sessions that come in: 0 by hand, 4 automatic, 5 automatic and overwriting."""
    with call.archive.read() as session:
        project = locate(session, call.address, call.visitor).project
        assert project is not None
        return PlainTextResponse(str(project.prearchive_code))


def put_prearchive_code(call: Call) -> Response:
    """Set what happens with sessions that come in."""
    if call.address.file_path not in PREARCHIVE_CODES:
        raise BadRequest("The code is 0, 4 or 5.")
    with call.change() as change:
        project = locate(change.session, call.address, call.visitor, action=Action.MANAGE).project
        assert project is not None
        project.prearchive_code = int(call.address.file_path)
        change.session.add(project)
    return PlainTextResponse("")


def read_quarantine_code(call: Call) -> Response:
    """Say whether sessions that come in are put into quarantine: 0 no, 1 yes."""
    return PlainTextResponse(str(_project(call).quarantine_code))


def put_quarantine_code(call: Call) -> Response:
    """Set whether sessions that come in are put into quarantine."""
    if call.address.file_path not in {"0", "1"}:
        raise BadRequest("The code is 0 or 1.")
    with call.change() as change:
        project = locate(change.session, call.address, call.visitor, action=Action.MANAGE).project
        assert project is not None
        project.quarantine_code = int(call.address.file_path)
        change.session.add(project)
    return PlainTextResponse("")


def list_aliases(call: Call) -> Response:
    """List the other names of a project."""
    project = _project(call)
    rows = [{"alias": as_text(each.get("alias"))} for each in project.lists.get("aliases/alias", ())]
    return table(call, rows, ("alias",))


def list_scan_types(call: Call) -> Response:
    """List the types that scans of a project have."""
    types = col(ScanRow.data)["type"].as_string()
    return _list_distinct(call, "type", lambda own: select(types).where(col(ScanRow.experiment_id).in_(own)))


def list_scanners(call: Call) -> Response:
    """List the scanners that sessions of a project name."""
    scanners = col(ExperimentRow.data)["scanner"].as_string()
    return _list_distinct(call, "scanner", lambda own: select(scanners).where(col(ExperimentRow.id).in_(own)))


def _list_distinct(call: Call, name: str, values_of: Callable[[Any], Any]) -> Response:
    project = _project(call)
    own = select(col(ExperimentRow.id)).where(col(ExperimentRow.project_id) == project.id)
    with call.archive.read() as session:
        found = sorted({value for value in session.connection().scalars(values_of(own).distinct()) if value})
    return table(call, [{name: value} for value in found], (name,))


def read_current_arc(call: Call) -> Response:
    """Name the folder into which sessions are put."""
    _project(call)
    return PlainTextResponse(ARC)


def put_current_arc(call: Call) -> Response:
    """Refuse another folder: this archive has one in every project."""
    with call.archive.read() as session:
        locate(session, call.address, call.visitor, action=Action.MANAGE)
    if call.address.rest not in {(), (ARC,)}:
        raise BadRequest(f"Sessions of this archive lie in {ARC}; it has no other folder.")
    return PlainTextResponse("")


def read_archive_spec(call: Call) -> Response:
    """Return the settings of a project for its archive, as a document: codes, folder, and no pipelines."""
    project = _project(call)
    root = etree.Element(f"{{{_ARC_SPACE}}}Project", id=project.id, current_arc=ARC, nsmap={"arc": _ARC_SPACE})
    for name in ("prearchive_code", "quarantine_code"):
        etree.SubElement(root, f"{{{_ARC_SPACE}}}{name}").text = str(getattr(project, name))
    pipelines = etree.SubElement(root, f"{{{_ARC_SPACE}}}pipelines")
    etree.SubElement(pipelines, f"{{{_ARC_SPACE}}}descendants")
    return Response(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), media_type="application/xml")


def list_pipelines(call: Call) -> Response:
    """List the pipelines of a project: this server has none; what works on the images are flows beside it."""
    _project(call)
    if call.address.rest:
        raise NoSuchObject("pipeline")
    return table(call, [], ("Name", "Datatype", "Description", "Generates"))


def _project(call: Call) -> ProjectRow:
    with call.archive.read() as session:
        project = locate(session, call.address, call.visitor).project
    assert project is not None
    return project


def _accounts(call: Call) -> Accounts:
    accounts = call.request.app.state.accounts
    assert isinstance(accounts, Accounts)
    return accounts


def _role_and_name(call: Call) -> tuple[ProjectRole, str]:
    if len(call.address.rest) != 2:
        raise BadRequest("The address ends in the role and the user's name.")
    name, username = call.address.rest
    for role in ProjectRole:
        if name.lower() in {role.value.lower(), role.value.lower().removesuffix("s")}:
            return role, username.lower()
        if name == group_id(call.address.steps[0].key, role):
            return role, username.lower()
    raise BadRequest("A role is Owners, Members or Collaborators.")
