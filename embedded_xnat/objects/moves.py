"""Shares objects into other projects, moves them there, and brings in what a document holds. May import SQLModel."""

from sqlmodel import Session, select

from embedded_xnat.contract.errors import AlreadyThere, BadRequest, LabelTaken, NoSuchObject, OtherPlace
from embedded_xnat.db import repository
from embedded_xnat.db.repository import EXPERIMENTS, SUBJECTS
from embedded_xnat.db.tables import ExperimentRow, ProjectRow, SubjectRow
from embedded_xnat.domain.addresses import Address, ObjectKind
from embedded_xnat.domain.layout import Place
from embedded_xnat.domain.names import check_label
from embedded_xnat.domain.roles import Action, Visitor
from embedded_xnat.domain.xml_documents import Document
from embedded_xnat.locate import Located, locate
from embedded_xnat.objects import changes
from embedded_xnat.objects.wishes import Parameters, set_fields, wishes
from embedded_xnat.storage.archive import Change
from service_kit.tables import utc_now


def take_out(session: Session, visitor: Visitor, found: Located) -> None:
    """Take a shared object out of the project through which it was found; the object itself stays.

    Raises
    ------
    NoSuchObject
        If it is a part of a shared object, which cannot be taken out alone.
    """
    row = found.experiment or found.assessor or found.subject
    locate(session, Address(found.address.steps[:1]), visitor, action=Action.DELETE)
    is_part = found.address.kind not in {ObjectKind.SUBJECT, ObjectKind.EXPERIMENT}
    if row is None or is_part or found.project is None or not changes.unshare(session, row, found.project.id):
        raise NoSuchObject("share")


def bring_parts(session: Session, visitor: Visitor, experiment: ExperimentRow, document: Document | None) -> None:
    """Make or change the scans and reconstructions that the document of a session holds."""
    for collection, parts in (document.parts if document is not None else {}).items():
        kind = ObjectKind(collection)
        for part in parts:
            key = part.identity.get("id")
            if not key:
                raise BadRequest(f"One of the {collection} in the document has no ID.")
            row = repository.scan_of(session, experiment.id, kind, key)
            if row is None:
                changes.create_scan(
                    session,
                    visitor,
                    experiment,
                    scan_id=key,
                    kind=kind,
                    xsi_type=part.xsi_type,
                    parameters=wishes_of(part),
                )
            else:
                set_fields(row, wishes_of(part))
                session.add(row)


def wishes_of(document: Document) -> Parameters:
    """Return what a document alone wants."""
    return wishes(()).with_document(document)


def change_subject(session: Session, experiment: ExperimentRow, parameters: Parameters) -> None:
    """Give an experiment to another subject of its project, when the request names one.

    Raises
    ------
    OtherPlace
        If the subject belongs to another project.
    """
    key = wishes(parameters).read(experiment.xsi_type).identity.get("subject_id")
    if not key or experiment.session_id is not None or key == experiment.subject_id:
        return
    subject = repository.subject_of(session, experiment.project_id, key)
    if subject is None:
        raise NoSuchObject("subject")
    if subject.project_id != experiment.project_id:
        raise OtherPlace
    experiment.subject_id = subject.id
    for assessor in session.exec(select(ExperimentRow).where(ExperimentRow.session_id == experiment.id)):
        assessor.subject_id = subject.id
        session.add(assessor)


def move_to_project(
    change: Change, row: SubjectRow | ExperimentRow, target: ProjectRow, *, label: str | None = None
) -> None:
    """Make another project the owner of a subject, with its experiments, or of an experiment.

    Raises
    ------
    AlreadyThere
        If the project owns it already.
    LabelTaken
        If the label is in use there.
    BadRequest
        If it is an assessor: its files lie with its session's.
    """
    session = change.session
    if isinstance(row, ExperimentRow) and row.session_id is not None:
        raise BadRequest("An assessor belongs to the project of its session; move the session, or share the assessor.")
    if row.project_id == target.id:
        raise AlreadyThere("The object in this project")
    label = check_label(label or row.label, what="label")
    kind = SUBJECTS if isinstance(row, SubjectRow) else EXPERIMENTS
    changes.unshare(session, row, target.id)
    session.flush()
    if changes.label_in_use(session, kind, target.id, label):
        raise LabelTaken(label)
    if isinstance(row, SubjectRow):
        own = select(ExperimentRow).where(ExperimentRow.subject_id == row.id, ExperimentRow.session_id == None)  # noqa: E711
        for experiment in session.exec(own).all():
            if experiment.project_id == row.project_id:
                move_to_project(change, experiment, target)
        before = Place(row.project_id, subject_label=row.label).folder()
        change.move(before, Place(target.id, subject_label=label).folder())
    else:
        before = Place(row.project_id, session_label=row.label).folder()
        change.move(before, Place(target.id, session_label=label).folder())
        for assessor in session.exec(select(ExperimentRow).where(ExperimentRow.session_id == row.id)):
            if changes.label_in_use(session, EXPERIMENTS, target.id, assessor.label):
                raise LabelTaken(assessor.label)
            assessor.project_id = target.id
            session.add(assessor)
    row.project_id, row.label, row.modified_at = target.id, label, utc_now()
    session.add(row)
    session.flush()
