"""Answers requests about the projects in which an object shows. May import Starlette."""

from starlette.responses import PlainTextResponse, Response

from embedded_xnat.anonymize.archived import anonymize_session, anonymize_subject, names_of
from embedded_xnat.contract.errors import BadRequest, NoSuchObject, NotAllowed
from embedded_xnat.db import repository
from embedded_xnat.db.tables import ExperimentRow, SubjectRow
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.roles import Action
from embedded_xnat.domain.values import as_text, truth
from embedded_xnat.locate import Located, check, locate
from embedded_xnat.objects import changes
from embedded_xnat.objects.endpoints import Call, table
from embedded_xnat.objects.moves import move_to_project
from embedded_xnat.search.visibility import visible_projects


def put_share(call: Call) -> Response:
    """Show a subject or experiment in another project too."""
    if not call.address.rest:
        raise BadRequest("Name the project to share into.")
    with call.change() as change:
        found = locate(change.session, call.address, call.visitor, action=Action.UPDATE)
        row = _shared_object(found)
        target = Address((Step(ObjectKind.PROJECT, call.address.rest[0]),))
        project = locate(change.session, target, call.visitor, action=Action.CREATE).project
        assert project is not None
        if truth(call.query.get("primary"), name="primary"):
            check(change.session, found, Action.DELETE)
            label = call.query.get("label") or row.label
            if isinstance(row, SubjectRow):
                anonymize_subject(change, call.archive.files, row, project_id=project.id, label=label)
            else:
                names = names_of(change.session, row, label, project_id=project.id)
                anonymize_session(change, call.archive.files, row, names)
            move_to_project(change, row, project, label=label)
        else:
            changes.share(change.session, row, project, label=call.query.get("label"))
    return PlainTextResponse("")


def delete_share(call: Call) -> Response:
    """Take a shared subject or experiment out of a project: for owners of that project, and of its own."""
    with call.change() as change:
        found = locate(change.session, call.address, call.visitor)
        row = _shared_object(found)
        target = Address((Step(ObjectKind.PROJECT, "/".join(call.address.rest)),))
        try:
            locate(change.session, target, call.visitor, action=Action.DELETE)
        except (NoSuchObject, NotAllowed):
            check(change.session, found, Action.DELETE)
        project = repository.project_by_id(change.session, target.steps[0].key)
        if project is None or not changes.unshare(change.session, row, project.id):
            raise NoSuchObject("share")
    return PlainTextResponse("")


def list_shares(call: Call) -> Response:
    """List the projects in which a subject or experiment shows."""
    with call.archive.read() as session:
        found = locate(session, call.address, call.visitor)
        row = _shared_object(found)
        kind = repository.SUBJECTS if isinstance(row, SubjectRow) else repository.EXPERIMENTS
        places = [(row.project_id, row.label)]
        places += [(each.project_id, each.label) for each in repository.shares_of(session, kind, row.id)]
        visible = visible_projects(call.visitor)
        if visible is not None:
            seen = set(session.connection().scalars(visible))
            places = [place for place in places if place[0] in seen]
        rows = []
        for project_id, label in places:
            project = repository.project_by_id(session, project_id)
            data = project.data if project is not None else {}
            rows.append(
                {
                    "ID": project_id,
                    "label": label,
                    "Secondary_ID": as_text(data.get("secondary_ID")),
                    "Name": as_text(data.get("name") or project_id),
                }
            )
    return table(call, rows)


def _shared_object(found: Located) -> SubjectRow | ExperimentRow:
    row = found.assessor or found.experiment or found.subject
    if row is None:
        raise BadRequest("Only subjects and experiments are shared.")
    return row
