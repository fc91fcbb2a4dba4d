"""Where the files of a resource lie, found from the resource alone. May import SQLModel."""

from sqlmodel import Session, col, select

from embedded_xnat.db.repository import PROJECTS, SCANS, SUBJECTS
from embedded_xnat.db.tables import ExperimentRow, ProjectRow, ResourceRow, ScanRow, SubjectRow
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.layout import Place
from embedded_xnat.locate import PART_FOLDERS


def folder_of_resource(session: Session, number: int) -> str | None:
    """Return the folder of one resource; None when it, or its object, is gone."""
    row = session.get(ResourceRow, number)
    if row is None:
        return None
    place = _place_of(session, row.owner_kind, row.owner_number)
    return None if place is None else str(place.resource_folder(row.folder))


def _place_of(session: Session, kind: str, number: int) -> Place | None:
    """Return where one owner of resources stands."""
    if kind == PROJECTS:
        project = session.get(ProjectRow, number)
        return None if project is None or project.is_deleted else Place(project.id)
    if kind == SUBJECTS:
        subject = session.get(SubjectRow, number)
        return None if subject is None else Place(subject.project_id, subject_label=subject.label)
    scan = session.get(ScanRow, number) if kind == SCANS else None
    if kind == SCANS and scan is None:
        return None
    key = col(ExperimentRow.id) == scan.experiment_id if scan is not None else col(ExperimentRow.number) == number
    experiment = session.exec(select(ExperimentRow).where(key)).first()
    if experiment is None:
        return None
    if scan is not None:
        return Place(experiment.project_id, None, experiment.label, PART_FOLDERS[ObjectKind(scan.kind)], scan.scan_id)
    if experiment.session_id is None:
        return Place(experiment.project_id, session_label=experiment.label)
    parent = session.exec(select(ExperimentRow).where(ExperimentRow.id == experiment.session_id)).first()
    return None if parent is None else Place(parent.project_id, None, parent.label, "ASSESSORS", experiment.label)
