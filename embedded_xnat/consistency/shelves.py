"""Which folder belongs to which resource, for a whole archive at once. May import SQLModel."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from sqlalchemy import select as columns_of
from sqlmodel import Session, col, select

from embedded_xnat.db.repository import EXPERIMENTS, PROJECTS, SCANS, SUBJECTS
from embedded_xnat.db.tables import (
    ExperimentRow,
    KeptFolderRow,
    MoveRow,
    PrearchiveRow,
    ProjectRow,
    ResourceRow,
    ScanRow,
    SubjectRow,
)
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.layout import Place
from embedded_xnat.imports.prearchive import folder_of
from embedded_xnat.locate import PART_FOLDERS


@dataclass(frozen=True)
class Shelves:
    """What the database says at one moment about folders.

    Parameters
    ----------
    resources
        Number of the resource by its folder.
    lost
        Numbers of resources whose object is gone, with their labels.
    moving
        Paths of changes that may still be under way on disk.
    kept
        Folders of objects that were deleted without their files.
    """

    resources: dict[str, int]
    lost: dict[int, str] = field(default_factory=dict)
    prearchive: dict[str, int] = field(default_factory=dict)
    moving: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()

    def is_moving(self, path: str) -> bool:
        """Tell whether a path lies in something that is being renamed or removed."""
        return bool(self.moving) and any(parent in self.moving for parent in _upwards(path))

    def is_kept(self, path: str) -> bool:
        """Tell whether a path lies in a folder that was kept on request."""
        return any(parent in self.kept for parent in _upwards(path))

    def resource_at(self, path: str) -> int | None:
        """Return the resource in whose folder a path lies."""
        return next((self.resources[parent] for parent in _upwards(path) if parent in self.resources), None)


def _upwards(path: str) -> Iterable[str]:
    yield path
    yield from (str(parent) for parent in PurePosixPath(path).parents)


def read_shelves(session: Session) -> Shelves:
    """Return all resources with their folders."""
    owners = _owner_places(session)
    resources: dict[str, int] = {}
    lost: dict[int, str] = {}
    statement = select(ResourceRow.number, ResourceRow.owner_kind, ResourceRow.owner_number, ResourceRow.folder)
    for number, kind, owner_number, folder in session.exec(statement):
        assert number is not None
        place = owners.get((kind, owner_number))
        if place is None:
            lost[number] = folder
        else:
            resources[str(place.resource_folder(folder))] = number
    prearchive = {str(folder_of(row)): row.number or 0 for row in session.exec(select(PrearchiveRow))}
    kept = frozenset(session.exec(select(KeptFolderRow.path)))
    return Shelves(resources, lost, prearchive, read_moving(session), kept)


def read_moving(session: Session) -> frozenset[str]:
    """Return the paths of changes that may still be under way on disk."""
    moves = session.exec(select(MoveRow.source, MoveRow.target)).all()
    return frozenset(path for pair in moves for path in pair if path)


def _owner_places(session: Session) -> dict[tuple[str, int], Place]:
    """Return where every object stands, in a few queries."""
    places: dict[tuple[str, int], Place] = {}
    projects = session.exec(select(ProjectRow.number, ProjectRow.id, ProjectRow.is_deleted))
    for number, project_id, is_deleted in projects:
        if not is_deleted:
            places[PROJECTS, number or 0] = Place(project_id)
    for number, project_id, label in session.exec(select(SubjectRow.number, SubjectRow.project_id, SubjectRow.label)):
        places[SUBJECTS, number or 0] = Place(project_id, subject_label=label)
    columns = (
        col(ExperimentRow.number),
        col(ExperimentRow.id),
        col(ExperimentRow.project_id),
        col(ExperimentRow.label),
        col(ExperimentRow.session_id),
    )
    rows = session.connection().execute(columns_of(*columns)).all()
    sessions = {each_id: (project_id, label) for _, each_id, project_id, label, _ in rows}
    for number, _, project_id, label, session_id in rows:
        if session_id is None:
            places[EXPERIMENTS, number or 0] = Place(project_id, session_label=label)
        elif session_id in sessions:
            parent_project, parent = sessions[session_id]
            places[EXPERIMENTS, number or 0] = Place(parent_project, None, parent, "ASSESSORS", label)
    scans = session.exec(select(ScanRow.number, ScanRow.experiment_id, ScanRow.kind, ScanRow.scan_id))
    for number, experiment_id, kind, scan_id in scans:
        if experiment_id in sessions:
            project_id, label = sessions[experiment_id]
            places[SCANS, number or 0] = Place(project_id, None, label, PART_FOLDERS[ObjectKind(kind)], scan_id)
    return places
