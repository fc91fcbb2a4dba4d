"""Answers requests for objects: one function an object and method, found by a table. May import Starlette.

Addresses of XNAT form a tree that can be entered at several places; `embedded_xnat.domain.addresses` reads them, and
the table below says what each method does with what was read.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from embedded_xnat.anonymize.archived import anonymize_session, anonymize_subject, names_of
from embedded_xnat.contract.errors import BadRequest, NoNewProjects, NoSuchObject
from embedded_xnat.db import repository
from embedded_xnat.db.tables import ExperimentRow, KeptFolderRow
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.items import items_document
from embedded_xnat.domain.layout import Place
from embedded_xnat.domain.roles import Action, Visitor
from embedded_xnat.domain.tables import Query, Row
from embedded_xnat.domain.values import truth
from embedded_xnat.domain.xml_documents import Document
from embedded_xnat.domain.xml_items import xml_document
from embedded_xnat.locate import Located, check, locate
from embedded_xnat.objects import changes, listing
from embedded_xnat.objects.items import item_of
from embedded_xnat.objects.moves import bring_parts, change_subject, take_out
from embedded_xnat.objects.wishes import (
    Wishes,
    refuse_other_place,
    refuse_other_type,
    set_fields,
    set_project_fields,
    set_status,
)
from embedded_xnat.rendering import render_table
from embedded_xnat.schema.registry import MODEL
from embedded_xnat.storage.archive import Archive, Cause, Change

MAX_REASON = 500
DEFAULT_TYPES = {
    ObjectKind.EXPERIMENT: "xnat:mrSessionData",
    ObjectKind.SCAN: "xnat:mrScanData",
    ObjectKind.ASSESSOR: "xnat:qcAssessmentData",
    ObjectKind.RECONSTRUCTION: "xnat:reconstructedImageData",
}
BASE_TYPES = {
    ObjectKind.EXPERIMENT: "xnat:experimentData",
    ObjectKind.SCAN: "xnat:imageScanData",
    ObjectKind.ASSESSOR: "xnat:derivedData",
    ObjectKind.RECONSTRUCTION: "xnat:reconstructedImageData",
}


@dataclass(frozen=True)
class Call:
    """A request for something in the tree of objects.

    Parameters
    ----------
    creates_projects
        Whether the site lets everybody who is logged in make projects.
    """

    request: Request
    archive: Archive
    visitor: Visitor
    address: Address
    query: Query
    id_prefix: str
    document: Document | None = None
    creates_projects: bool = True

    @property
    def parameters(self) -> Wishes:
        """What the request wants: the parameters of its query, and its document."""
        replaces = self.document is not None and truth(self.query.get("allowDataDeletion"), name="allowDataDeletion")
        return Wishes(self.query.parameters, self.document, replaces=replaces)

    def change(self) -> AbstractContextManager[Change]:
        """Open a change in the visitor's name; the request may say why (`event_reason`)."""
        reason = (self.query.get("event_reason") or "")[:MAX_REASON]
        return self.archive.change(Cause(self.visitor.username, reason=reason if reason.isprintable() else ""))


def table(call: Call, rows: Sequence[Row], columns: Sequence[str] = ()) -> Response:
    """Answer with a table, as JSON, CSV or XML."""
    return render_table(call.query.get("format"), rows, columns)


def list_objects(call: Call) -> Response:
    """List a collection."""
    kind = ObjectKind(call.address.aspect or "")
    with call.archive.read() as session:
        found = locate(session, call.address, call.visitor)
        project_id = found.project.id if call.address.key(ObjectKind.PROJECT) and found.project else None
        if kind is ObjectKind.PROJECT:
            return table(call, listing.list_projects(session, call.visitor, call.query), listing.PROJECT_COLUMNS)
        if kind is ObjectKind.SUBJECT:
            rows = listing.list_subjects(session, call.visitor, project_id, call.query)
            return table(call, rows, listing.SUBJECT_COLUMNS)
        if kind is ObjectKind.EXPERIMENT:
            rows = listing.list_experiments(
                session,
                call.visitor,
                project_id=project_id,
                subject_id=found.subject.id if found.subject is not None else None,
                query=call.query,
            )
            return table(call, rows, listing.EXPERIMENT_COLUMNS)
        if found.experiment is None:
            raise NoSuchObject("experiment")
        if kind is ObjectKind.ASSESSOR:
            rows = listing.list_assessors(session, call.visitor, found.experiment, call.query)
            return table(call, rows, listing.ASSESSOR_COLUMNS)
        rows = listing.list_scans(session, call.visitor, found.experiment, kind=kind, query=call.query)
        return table(call, rows, listing.SCAN_COLUMNS)


def read_object(call: Call) -> Response:
    """Return an object in item form."""
    with call.archive.read() as session:
        item = item_of(session, locate(session, call.address, call.visitor, title=True))
    if (call.query.get("format") or "").lower() == "xml":
        return Response(xml_document(item), media_type="application/xml")
    return JSONResponse(items_document(item))


def put_project(call: Call) -> Response:
    """Make a project, or set fields of it."""
    project_id = call.address.steps[-1].key
    with call.change() as change:
        if repository.project_by_id(change.session, project_id) is None:
            if not (call.creates_projects or call.visitor.everything):
                raise NoNewProjects
            changes.create_project(change.session, call.visitor, project_id, call.parameters)
        else:
            # its fields are settings: who reads it as a study's coordinator, and which images are routed to it
            found = locate(change.session, call.address, call.visitor, action=Action.MANAGE)
            assert found.project is not None
            set_project_fields(change.session, found.project, call.parameters)
            project_id = found.project.id
    return PlainTextResponse(project_id)


def put_subject(call: Call) -> Response:
    """Make a subject, set fields of it, or rename it."""
    with call.change() as change:
        found = _existing(change.session, call)
        if found is not None and found.subject is not None:
            before = found.place.folder()
            subject = found.subject
            refuse_other_place(call.parameters, subject)
            set_fields(subject, call.parameters)
            label = _new_label(call, subject.xsi_type)
            if label and label != subject.label:
                files = call.archive.files
                anonymize_subject(change, files, subject, project_id=subject.project_id, label=label)
            if label and changes.rename(change.session, subject, label):
                change.move(before, found.place.folder())
            change.session.add(subject)
            return PlainTextResponse(subject.id)
        parent = locate(change.session, _parent(call.address), call.visitor, action=Action.CREATE)
        if parent.project is None:
            raise NoSuchObject("subject")
        created = changes.create_subject(
            change.session,
            call.visitor,
            parent.project,
            label=call.address.steps[-1].key,
            id_prefix=call.id_prefix,
            parameters=call.parameters,
        )
        return PlainTextResponse(created.id, 201)


def put_experiment(call: Call) -> Response:
    """Make an experiment, set fields or the status of it, or rename it."""
    with call.change() as change:
        found = _existing(change.session, call)
        experiment = None if found is None else found.assessor or found.experiment
        if found is not None and experiment is not None:
            before = found.place.folder()
            refuse_other_type(call.query.get("xsiType"), experiment)
            refuse_other_place(call.parameters, experiment)
            set_fields(experiment, call.parameters)
            set_status(experiment, call.parameters)
            bring_parts(change.session, call.visitor, experiment, call.document)
            change_subject(change.session, experiment, call.parameters)
            label = _new_label(call, experiment.xsi_type)
            if label and label != experiment.label:
                anonymize_session(change, call.archive.files, experiment, names_of(change.session, experiment, label))
            if label and changes.rename(change.session, experiment, label):
                change.move(before, found.place.folder())
            change.session.add(experiment)
            return PlainTextResponse(experiment.id)
        parent = locate(change.session, _parent(call.address), call.visitor, action=Action.CREATE)
        if parent.subject is None or parent.project is None:
            raise NoSuchObject("experiment")
        kind = ObjectKind.EXPERIMENT
        created = changes.create_experiment(
            change.session,
            call.visitor,
            parent.subject,
            project_id=parent.project.id,
            label=call.address.steps[-1].key,
            xsi_type=changes.choose_type(_type_in(call), base=BASE_TYPES[kind], default=DEFAULT_TYPES[kind]),
            id_prefix=call.id_prefix,
            parameters=call.parameters,
        )
        bring_parts(change.session, call.visitor, created, call.document)
        return PlainTextResponse(created.id, 201)


def put_part(call: Call) -> Response:
    """Make a scan, reconstruction or assessor of a session, or set fields of it."""
    kind = call.address.kind
    with call.change() as change:
        found = _existing(change.session, call)
        if found is not None:
            row = found.assessor or found.scan
            assert row is not None
            refuse_other_type(call.query.get("xsiType"), row)
            before = found.place.folder()
            set_fields(row, call.parameters)
            if isinstance(row, ExperimentRow):
                set_status(row, call.parameters)
                label = _new_label(call, row.xsi_type)
                if label and changes.rename(change.session, row, label):
                    change.move(before, found.place.folder())
            change.session.add(row)
            return PlainTextResponse(call.address.steps[-1].key if found.assessor is None else found.assessor.id)
        parent = locate(change.session, _parent(call.address), call.visitor, action=Action.CREATE)
        if parent.experiment is None:
            raise NoSuchObject(kind.value.removesuffix("s"))
        key = call.address.steps[-1].key
        xsi_type = changes.choose_type(_type_in(call), base=BASE_TYPES[kind], default=DEFAULT_TYPES[kind])
        if kind is ObjectKind.ASSESSOR:
            assessor = changes.create_assessor(
                change.session,
                call.visitor,
                parent.experiment,
                label=key,
                xsi_type=xsi_type,
                id_prefix=call.id_prefix,
                parameters=call.parameters,
            )
            return PlainTextResponse(assessor.id, 201)
        changes.create_scan(
            change.session,
            call.visitor,
            parent.experiment,
            scan_id=key,
            kind=kind,
            xsi_type=xsi_type,
            parameters=call.parameters,
        )
        return PlainTextResponse(key)


#: What makes an object of a collection.
_MAKERS: Mapping[str, Callable[[Call], Response]] = {
    ObjectKind.PROJECT: put_project,
    ObjectKind.SUBJECT: put_subject,
    ObjectKind.EXPERIMENT: put_experiment,
    ObjectKind.SCAN: put_part,
    ObjectKind.RECONSTRUCTION: put_part,
    ObjectKind.ASSESSOR: put_part,
}


def put_into_collection(call: Call) -> Response:
    """Make or change the object whose document comes to a collection; its label or id is in the document."""
    kind = ObjectKind(call.address.aspect or "")
    if call.document is None or kind not in _MAKERS:
        raise BadRequest("Name the object in the address, or send its XML document.")
    identity = call.document.identity
    named = ("id",) if kind in {ObjectKind.PROJECT, ObjectKind.SCAN, ObjectKind.RECONSTRUCTION} else ("label", "id")
    key = next((identity[name] for name in named if identity.get(name)), None)
    if key is None:
        raise BadRequest(f"The document names no {' and no '.join(named)}.")
    steps = call.address.steps
    if (project := identity.get("project")) and not steps and kind is not ObjectKind.PROJECT:
        steps = (Step(ObjectKind.PROJECT, project),)
    if kind is ObjectKind.EXPERIMENT and not any(step.kind is ObjectKind.SUBJECT for step in steps):
        subject = identity.get("subject_id") or identity.get("subject_ID")
        steps = (*steps, Step(ObjectKind.SUBJECT, subject)) if subject else steps
    return _MAKERS[kind](replace(call, address=Address((*steps, Step(kind, key)))))


def delete_object(call: Call) -> Response:
    """Delete an object with everything in it; with its files if the request says so."""
    remove_files = truth(call.query.get("removeFiles"), name="removeFiles")
    with call.change() as change:
        found = locate(change.session, call.address, call.visitor)
        session, folders = change.session, [found.place.folder()]
        if found.project is not None and found.project is not found.owning_project:
            take_out(session, call.visitor, found)
            return PlainTextResponse("")
        check(session, found, Action.DELETE)
        if found.scan is not None:
            changes.delete_scan(session, found.scan)
        elif (experiment := found.assessor or found.experiment) is not None:
            changes.delete_experiment(session, experiment)
        elif found.subject is not None:
            assert found.project is not None
            rows = listing.list_experiments(
                session, call.visitor, project_id=None, subject_id=found.subject.id, query=Query()
            )
            folders += [_session_folder(row) for row in rows]
            changes.delete_subject(session, found.subject)
        elif found.project is not None:
            changes.delete_project(session, found.project)
        for folder in folders:
            if remove_files:
                change.remove(folder)
            else:
                session.merge(KeptFolderRow(path=str(folder), kept_by=call.visitor.username))
    return PlainTextResponse("")


def read_status(call: Call) -> Response:
    """Say whether an experiment is active or in quarantine."""
    with call.archive.read() as session:
        found = locate(session, call.address, call.visitor)
        row = found.assessor or found.experiment
        if row is None:
            raise NoSuchObject("experiment")
        return PlainTextResponse(row.status)


def _existing(session: Session, call: Call) -> Located | None:
    """Return the object of a PUT, if it is there, checked for being changed."""
    try:
        return locate(session, call.address, call.visitor, action=Action.UPDATE)
    except NoSuchObject:
        return None


def _parent(address: Address) -> Address:
    return Address(address.steps[:-1])


def _new_label(call: Call, xsi_type: str) -> str | None:
    """Return the label that a PUT gives to an object that is there, in either form."""
    return call.query.get("label") or call.parameters.read(xsi_type).identity.get("label")


def _type_in(call: Call) -> str | None:
    """Return the type of a new object: that of its document, as named, or with which the fields of the PUT begin."""
    if call.document is not None:
        return call.document.xsi_type
    if xsi_type := call.query.get("xsiType"):
        return xsi_type
    for name, _ in call.query.parameters:
        head, separator, _rest = name.partition("/")
        found = MODEL.find(head) if separator else None
        if found is not None and not found.abstract:
            return found.name
    return None


def _session_folder(row: Row) -> PurePosixPath:
    return Place(row["project"], session_label=row["label"]).folder()
