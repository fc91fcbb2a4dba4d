"""Finds the object that an address names, and checks that the visitor may do what is asked. May import SQLModel."""

from dataclasses import dataclass

from sqlmodel import Session

from embedded_xnat.contract.errors import NoSuchObject, NotAllowed
from embedded_xnat.db import repository
from embedded_xnat.db.repository import EXPERIMENTS, PROJECTS, SCANS, SUBJECTS
from embedded_xnat.db.tables import ExperimentRow, ProjectRow, ResourceRow, ScanRow, SubjectRow
from embedded_xnat.domain.addresses import Address, ObjectKind
from embedded_xnat.domain.layout import Place
from embedded_xnat.domain.roles import Accessibility, Action, Visitor, is_allowed

#: Folder of the parts of a session on disk.
PART_FOLDERS = {ObjectKind.SCAN: "SCANS", ObjectKind.ASSESSOR: "ASSESSORS", ObjectKind.RECONSTRUCTION: "PROCESSED"}


@dataclass
class Located:
    """The objects on the way to an address; None for what is not on the way.

    Parameters
    ----------
    project
        The project of the address, or the object's own one where the address names none.
    owning_project
        The project the object belongs to; another one than `project` for shared objects.
    assessed
        The session of an assessor that is reached without it. It says where files lie and nothing else: who may read
        an assessor need not be allowed to read its session.
    is_title_only
        Whether the visitor may see no more of the project than its title (`TITLE_FIELDS`).
    """

    visitor: Visitor
    address: Address
    project: ProjectRow | None = None
    owning_project: ProjectRow | None = None
    subject: SubjectRow | None = None
    experiment: ExperimentRow | None = None
    assessor: ExperimentRow | None = None
    scan: ScanRow | None = None
    resource: ResourceRow | None = None
    assessed: ExperimentRow | None = None
    is_title_only: bool = False

    @property
    def owner(self) -> tuple[str, int]:
        """Kind and number under which resources of the innermost object are kept."""
        row: ProjectRow | SubjectRow | ExperimentRow | ScanRow | None
        for kind, row in (
            (SCANS, self.scan),
            (EXPERIMENTS, self.assessor),
            (EXPERIMENTS, self.experiment),
            (SUBJECTS, self.subject),
            (PROJECTS, self.project),
        ):
            if row is not None and row.number is not None:
                return kind, row.number
        raise NoSuchObject("object")

    @property
    def place(self) -> Place:
        """Where the innermost object's files lie."""
        assert self.owning_project is not None
        project_id = self.owning_project.id
        holder = self.experiment or self.assessed
        if holder is not None:
            if self.scan is not None:
                folder = PART_FOLDERS[ObjectKind(self.scan.kind)]
                return Place(project_id, None, holder.label, folder, self.scan.scan_id)
            if self.assessor is not None:
                return Place(project_id, None, holder.label, PART_FOLDERS[ObjectKind.ASSESSOR], self.assessor.label)
            return Place(project_id, session_label=holder.label)
        if self.subject is not None:
            return Place(project_id, subject_label=self.subject.label)
        return Place(project_id)

    @property
    def canonical_uri(self) -> str:
        """The address under which the innermost object's resources are listed."""
        if self.experiment is not None:
            uri = f"/data/experiments/{self.experiment.id}"
            if self.scan is not None:
                return f"{uri}/{self.scan.kind}/{self.scan.scan_id}"
            return f"{uri}/assessors/{self.assessor.id}" if self.assessor is not None else uri
        if self.assessor is not None:
            return f"/data/experiments/{self.assessor.id}"
        if self.subject is not None:
            return f"/data/subjects/{self.subject.id}"
        return f"/data/projects/{self.project.id}" if self.project is not None else "/data"


def locate(
    session: Session,
    address: Address,
    visitor: Visitor,
    *,
    action: Action = Action.READ,
    resource: bool = True,
    title: bool = False,
) -> Located:
    """Find everything an address names.

    Parameters
    ----------
    resource
        Whether the resource of the address must exist; an upload makes it.
    title
        Whether a project is found, too, of which the visitor may see the title only.

    Raises
    ------
    NoSuchObject
        If one of the objects is not there, or may not be seen.
    NotAllowed
        If it may be seen, but not changed.
    """
    found = Located(visitor, address)
    _locate_project(session, found)
    _locate_subject(session, found)
    _locate_experiment(session, found)
    _locate_part(session, found)
    _enter_through_share(session, found)
    check(session, found, action, title=title)
    key = address.key(ObjectKind.RESOURCE)
    if key is not None:
        found.resource = repository.resource_of(session, *found.owner, key)
        if found.resource is None and resource:
            raise NoSuchObject("resource")
    return found


def check(session: Session, found: Located, action: Action, *, title: bool = False) -> None:
    """Raise unless the visitor may do this: read through the address's project, change in the owning one."""
    project, owning = found.project, found.owning_project
    if found.visitor.everything or project is None or owning is None:
        return
    if not _may(session, found.visitor, project, Action.READ):
        if project.accessibility != Accessibility.PROTECTED or found.visitor.is_guest:
            raise NoSuchObject(found.address.kind.value.removesuffix("s"))
        if action is not Action.READ or not title or found.address.kind is not ObjectKind.PROJECT:
            raise NotAllowed(Action.READ.value, project.id)
        found.is_title_only = True
    if action is not Action.READ and not _may(session, found.visitor, owning, action):
        raise NotAllowed(action.value, owning.id)


def _enter_through_share(session: Session, found: Located) -> None:
    """Choose a project that shows the object, where the address names none and the object's own is closed."""
    row, owning = found.experiment or found.assessor or found.subject, found.owning_project
    if row is None or owning is None or found.address.key(ObjectKind.PROJECT) is not None:
        return
    if found.visitor.everything or _may(session, found.visitor, owning, Action.READ):
        return
    for share in repository.shares_of(session, SUBJECTS if isinstance(row, SubjectRow) else EXPERIMENTS, row.id):
        project = repository.project_by_id(session, share.project_id)
        if project is not None and _may(session, found.visitor, project, Action.READ):
            found.project = project
            return


def _may(session: Session, visitor: Visitor, project: ProjectRow, action: Action) -> bool:
    role = repository.role_of(session, project.id, visitor.username) or visitor.role_by_study(project.id)
    return is_allowed(action, visitor=visitor, role=role, accessibility=project.accessibility)


def _locate_project(session: Session, found: Located) -> None:
    key = found.address.key(ObjectKind.PROJECT)
    if key is None:
        return
    found.project = repository.project_by_id(session, key)
    if found.project is None:
        raise NoSuchObject("project")
    found.owning_project = found.project


def _own(session: Session, found: Located, project_id: str) -> None:
    """Note the project an object belongs to."""
    if found.owning_project is None or found.owning_project.id != project_id:
        found.owning_project = repository.project_by_id(session, project_id)
    if found.address.key(ObjectKind.PROJECT) is None:
        found.project = found.owning_project


def _locate_subject(session: Session, found: Located) -> None:
    key = found.address.key(ObjectKind.SUBJECT)
    if key is None:
        return
    found.subject = repository.subject_of(session, found.project.id if found.project else None, key)
    if found.subject is None and found.address.key(ObjectKind.EXPERIMENT) is not None:
        found.subject = repository.subject_by_id(session, key)  # of an experiment that is shared without its subject
    if found.subject is None:
        raise NoSuchObject("subject")
    _own(session, found, found.subject.project_id)


def _locate_experiment(session: Session, found: Located) -> None:
    key = found.address.key(ObjectKind.EXPERIMENT)
    if key is None:
        return
    project_id = found.project.id if found.project else None
    experiment = repository.experiment_of(session, project_id, key)
    if experiment is None and found.address.key(ObjectKind.PROJECT) is None:
        experiment = repository.experiment_by_id(session, key)  # of another project than its subject
    if experiment is None or (found.subject is not None and experiment.subject_id != found.subject.id):
        raise NoSuchObject("experiment")
    _own(session, found, experiment.project_id)
    if experiment.session_id is not None:
        found.assessor = experiment
        found.assessed = repository.experiment_by_id(session, experiment.session_id)
    else:
        found.experiment = experiment


def _locate_part(session: Session, found: Located) -> None:
    if found.experiment is None:
        if any(found.address.key(kind) is not None for kind in PART_FOLDERS):  # an assessor has no such parts
            raise NoSuchObject("scan, reconstruction or assessor")
        return
    for kind in (ObjectKind.SCAN, ObjectKind.RECONSTRUCTION):
        key = found.address.key(kind)
        if key is not None:
            found.scan = repository.scan_of(session, found.experiment.id, kind, key)
            if found.scan is None:
                raise NoSuchObject(kind.value.removesuffix("s"))
    key = found.address.key(ObjectKind.ASSESSOR)
    if key is not None:
        found.assessor = repository.assessor_of(session, found.experiment.id, key)
        if found.assessor is None:
            raise NoSuchObject("assessor")
