"""Creates, changes, renames, shares and deletes objects. May import SQLModel.

Every function works inside the caller's unit of work; what has to happen on disk is ordered there too and done after
the commit (deletions) or redone at the next start (renames), so that a kill at any moment leaves no row without its
files.
"""

from collections.abc import Sequence

from sqlalchemy import delete
from sqlmodel import Session, col, select

from embedded_xnat.contract.errors import AlreadyThere, BadRequest, HoldsOthers, HoldsWaiting, LabelTaken, NotAllowed
from embedded_xnat.db import repository
from embedded_xnat.db.repository import EXPERIMENTS, PROJECTS, SCANS, SUBJECTS
from embedded_xnat.db.site_tables import AccessRequestRow, CustomValueRow
from embedded_xnat.db.tables import (
    ExperimentRow,
    FileRow,
    MembershipRow,
    PrearchiveRow,
    ProjectAliasRow,
    ProjectRow,
    ResourceRow,
    ScanRow,
    ShareRow,
    SubjectRow,
)
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.names import check_folder_name, check_label, check_project_id
from embedded_xnat.domain.roles import ProjectRole, Visitor
from embedded_xnat.objects.wishes import Parameters, set_fields, set_project_fields
from embedded_xnat.schema.registry import MODEL
from service_kit.tables import utc_now


def choose_type(wanted: str | None, *, base: str, default: str) -> str:
    """Return the type of a new object: the one the request names, if it fits here.

    Raises
    ------
    BadRequest
        If it is not known, is abstract, or belongs to another kind of object.
    """
    if not wanted:
        return default
    found = MODEL.find(wanted)
    if found is None or found.abstract or not MODEL.is_a(found.name, base):
        raise BadRequest(f"{wanted} is not a type of object that can be made here.")
    return found.name


def create_project(session: Session, visitor: Visitor, project_id: str, parameters: Parameters) -> ProjectRow:
    """Make a project, with the visitor as its owner.

    Raises
    ------
    BadName, LabelTaken, BadField
    NotAllowed
        If a deleted project had this id.
    """
    check_project_id(project_id)
    if session.exec(select(ProjectRow).where(ProjectRow.id == project_id)).first() is not None:
        raise NotAllowed("use the id of a deleted project again", project_id)
    if session.get(ProjectAliasRow, project_id) is not None:
        raise LabelTaken(project_id)
    row = ProjectRow(id=project_id, xsi_type="xnat:projectData", inserted_by=visitor.username)
    session.add(row)
    session.flush()
    set_project_fields(session, row, parameters)
    session.add(MembershipRow(project_id=project_id, username=visitor.username, role=ProjectRole.OWNER.value))
    return row


def create_subject(
    session: Session, visitor: Visitor, project: ProjectRow, *, label: str, id_prefix: str, parameters: Parameters = ()
) -> SubjectRow:
    """Make a subject with the next accession id."""
    check_label(label, what="subject label")
    number = repository.next_accession(session, "subject")
    row = SubjectRow(
        id=f"{id_prefix}_S{number:05d}",
        xsi_type="xnat:subjectData",
        project_id=project.id,
        label=label,
        inserted_by=visitor.username,
    )
    set_fields(row, parameters)
    session.add(row)
    session.flush()
    return row


def create_experiment(
    session: Session,
    visitor: Visitor,
    subject: SubjectRow,
    *,
    project_id: str,
    label: str,
    xsi_type: str,
    id_prefix: str,
    parameters: Parameters = (),
) -> ExperimentRow:
    """Make an experiment of a subject with the next accession id."""
    check_label(label, what="experiment label")
    row = _new_experiment(session, visitor, label=label, xsi_type=xsi_type, id_prefix=id_prefix, project_id=project_id)
    row.subject_id = subject.id
    set_fields(row, parameters)
    session.add(row)
    session.flush()
    return row


def create_assessor(
    session: Session,
    visitor: Visitor,
    experiment: ExperimentRow,
    *,
    label: str,
    xsi_type: str,
    id_prefix: str,
    parameters: Parameters = (),
) -> ExperimentRow:
    """Make an assessor of a session with the next accession id."""
    check_label(label, what="assessor label")
    row = _new_experiment(
        session, visitor, label=label, xsi_type=xsi_type, id_prefix=id_prefix, project_id=experiment.project_id
    )
    row.session_id = experiment.id
    row.subject_id = experiment.subject_id
    set_fields(row, parameters)
    session.add(row)
    session.flush()
    return row


def _new_experiment(
    session: Session, visitor: Visitor, *, label: str, xsi_type: str, id_prefix: str, project_id: str
) -> ExperimentRow:
    if label_in_use(session, EXPERIMENTS, project_id, label):
        raise LabelTaken(label)
    number = repository.next_accession(session, "experiment")
    return ExperimentRow(
        id=f"{id_prefix}_E{number:05d}",
        xsi_type=xsi_type,
        project_id=project_id,
        label=label,
        inserted_by=visitor.username,
    )


def create_scan(
    session: Session,
    visitor: Visitor,
    experiment: ExperimentRow,
    *,
    scan_id: str,
    kind: ObjectKind,
    xsi_type: str,
    parameters: Parameters = (),
) -> ScanRow:
    """Make a scan or reconstruction of a session."""
    check_folder_name(scan_id, what=f"{kind.value.removesuffix('s')} id")
    row = ScanRow(
        experiment_id=experiment.id, kind=kind.value, scan_id=scan_id, xsi_type=xsi_type, inserted_by=visitor.username
    )
    set_fields(row, parameters)
    session.add(row)
    session.flush()
    return row


def label_in_use(session: Session, kind: str, project_id: str, label: str) -> bool:
    """Tell whether a label is taken in a project, by an object of its own or a shared one."""
    if repository.shared_as(session, kind, project_id, label) is not None:
        return True
    if kind == SUBJECTS:
        statement = select(SubjectRow.number).where(SubjectRow.project_id == project_id, SubjectRow.label == label)
    else:
        statement = select(ExperimentRow.number).where(
            ExperimentRow.project_id == project_id, ExperimentRow.label == label
        )
    return session.exec(statement).first() is not None


def rename(session: Session, row: SubjectRow | ExperimentRow, label: str) -> bool:
    """Give an object another label; False when it has it already. Moving its files is the caller's part.

    Raises
    ------
    LabelTaken, BadName
    """
    if label == row.label:
        return False
    kind = SUBJECTS if isinstance(row, SubjectRow) else EXPERIMENTS
    check_label(label, what="label")
    if label_in_use(session, kind, row.project_id, label):
        raise LabelTaken(label)
    row.label = label
    row.modified_at = utc_now()
    session.add(row)
    return True


def share(session: Session, row: SubjectRow | ExperimentRow, project: ProjectRow, *, label: str | None = None) -> None:
    """Show an object in another project too.

    Raises
    ------
    AlreadyThere
        If it shows there already.
    LabelTaken
        If another object has this label there.
    """
    kind = SUBJECTS if isinstance(row, SubjectRow) else EXPERIMENTS
    if row.project_id == project.id or repository.share_of(session, kind, row.id, project.id) is not None:
        raise AlreadyThere("A share into this project")
    label = check_label(label or row.label, what="label")
    if label_in_use(session, kind, project.id, label):
        raise LabelTaken(label)
    session.add(ShareRow(owner_kind=kind, owner_id=row.id, project_id=project.id, label=label))


def unshare(session: Session, row: SubjectRow | ExperimentRow, project_id: str) -> bool:
    """Take a shared object out of a project; False when it was not shared there."""
    kind = SUBJECTS if isinstance(row, SubjectRow) else EXPERIMENTS
    found = repository.share_of(session, kind, row.id, project_id)
    if found is not None:
        session.delete(found)
    return found is not None


def delete_project(session: Session, project: ProjectRow) -> None:
    """Delete a project with everything in it; its id stays taken.

    Raises
    ------
    HoldsWaiting
        If sessions of it are in the prearchive.
    HoldsOthers
        If sessions of other projects belong to its subjects.
    """
    waiting = select(PrearchiveRow.number).where(PrearchiveRow.project_id == project.id)
    if count := len(session.exec(waiting).all()):
        raise HoldsWaiting(count)
    for subject in session.exec(select(SubjectRow).where(SubjectRow.project_id == project.id)).all():
        delete_subject(session, subject)
    for experiment in session.exec(select(ExperimentRow).where(ExperimentRow.project_id == project.id)).all():
        delete_experiment(session, experiment)
    connection = session.connection()
    connection.execute(delete(ShareRow).where(col(ShareRow.project_id) == project.id))
    connection.execute(delete(MembershipRow).where(col(MembershipRow.project_id) == project.id))
    connection.execute(delete(AccessRequestRow).where(col(AccessRequestRow.project_id) == project.id))
    connection.execute(delete(ProjectAliasRow).where(col(ProjectAliasRow.project_id) == project.id))
    _delete_resources(session, PROJECTS, [project.number])
    project.is_deleted = True
    project.data, project.lists, project.protocols = {}, {}, []
    session.add(project)
    session.flush()


def delete_subject(session: Session, subject: SubjectRow) -> None:
    """Delete a subject with its experiments.

    Raises
    ------
    HoldsOthers
        If some of them belong to other projects: who owns the subject need not own those.
    """
    statement = select(ExperimentRow).where(
        ExperimentRow.subject_id == subject.id, col(ExperimentRow.session_id).is_(None)
    )
    experiments = session.exec(statement).all()
    if others := sum(experiment.project_id != subject.project_id for experiment in experiments):
        raise HoldsOthers(others)
    for experiment in experiments:
        delete_experiment(session, experiment)
    _delete_shares(session, SUBJECTS, subject.id)
    _delete_resources(session, SUBJECTS, [subject.number])
    session.delete(subject)
    session.flush()


def delete_experiment(session: Session, experiment: ExperimentRow) -> None:
    """Delete an experiment with its scans, reconstructions and assessors."""
    for assessor in session.exec(select(ExperimentRow).where(ExperimentRow.session_id == experiment.id)).all():
        delete_experiment(session, assessor)
    numbers = session.exec(select(ScanRow.number).where(ScanRow.experiment_id == experiment.id)).all()
    _delete_resources(session, SCANS, list(numbers))
    session.connection().execute(delete(ScanRow).where(col(ScanRow.experiment_id) == experiment.id))
    _delete_shares(session, EXPERIMENTS, experiment.id)
    _delete_resources(session, EXPERIMENTS, [experiment.number])
    session.delete(experiment)
    session.flush()


def delete_scan(session: Session, scan: ScanRow) -> None:
    """Delete a scan or reconstruction."""
    _delete_resources(session, SCANS, [scan.number])
    session.delete(scan)
    session.flush()


def delete_resource(session: Session, resource: ResourceRow) -> None:
    """Delete a resource with its files."""
    session.connection().execute(delete(FileRow).where(col(FileRow.resource_number) == resource.number))
    session.delete(resource)
    session.flush()


def _delete_shares(session: Session, kind: str, owner_id: str) -> None:
    statement = delete(ShareRow).where(col(ShareRow.owner_kind) == kind, col(ShareRow.owner_id) == owner_id)
    session.connection().execute(statement)


def _delete_resources(session: Session, kind: str, owner_numbers: Sequence[int | None]) -> None:
    mine = select(col(ResourceRow.number)).where(
        col(ResourceRow.owner_kind) == kind, col(ResourceRow.owner_number).in_(owner_numbers)
    )
    connection = session.connection()
    values = (col(CustomValueRow.owner_kind) == kind) & col(CustomValueRow.owner_number).in_(owner_numbers)
    connection.execute(delete(CustomValueRow).where(values))
    connection.execute(delete(FileRow).where(col(FileRow.resource_number).in_(mine)))
    connection.execute(
        delete(ResourceRow).where(col(ResourceRow.owner_kind) == kind, col(ResourceRow.owner_number).in_(owner_numbers))
    )
