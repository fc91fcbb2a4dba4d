"""Describes what happened to an object: the payload that filters see and webhooks send. May import SQLModel.

Ids, labels, types and addresses; no other field of an object leaves the archive this way.
"""

from typing import Any

from sqlmodel import Session, col, select

from embedded_xnat.db import repository
from embedded_xnat.db.repository import EXPERIMENTS, PROJECTS, SCANS, SUBJECTS
from embedded_xnat.db.tables import ExperimentRow, ProjectRow, ResourceRow, ScanRow, SubjectRow
from embedded_xnat.domain.events import ArchiveEvent, EventStatus, EventType
from embedded_xnat.schema.imaging_types import MODALITIES
from embedded_xnat.schema.registry import MODEL

Watched = ProjectRow | SubjectRow | ExperimentRow | ScanRow | ResourceRow

MAX_SCANS = 500
_MODALITY_OF = {f"xnat:{each.scan}": each.code for each in MODALITIES}


def describe(session: Session, row: Watched, status: EventStatus) -> ArchiveEvent | None:
    """Return the event of a row; None when what it belongs to is gone, too."""
    if isinstance(row, ProjectRow):
        payload = _payload(row.id, row.id, row.xsi_type, f"/data/projects/{row.id}", project_id=row.id)
        return ArchiveEvent(EventType.PROJECT, status, row.id, payload)
    if isinstance(row, SubjectRow):
        payload = _payload(row.id, row.label, row.xsi_type, f"/data/subjects/{row.id}", project_id=row.project_id)
        return ArchiveEvent(EventType.SUBJECT, status, row.project_id, payload)
    if isinstance(row, ExperimentRow):
        return ArchiveEvent(_type_of(row), status, row.project_id, _of_experiment(session, row))
    if isinstance(row, ScanRow):
        return _of_scan(session, row, status)
    return _of_resource(session, row, status)


def _payload(
    object_id: str, label: str, xsi_type: str, uri: str, *, project_id: str, **more: object
) -> dict[str, object]:
    return {"id": object_id, "label": label, "xsiType": xsi_type, "uri": uri, "project-id": project_id, **more}


def _type_of(row: ExperimentRow) -> EventType:
    if row.session_id is not None:
        return EventType.ASSESSOR
    is_session = MODEL.is_a(row.xsi_type, "xnat:imageSessionData")
    return EventType.SESSION if is_session else EventType.SUBJECT_ASSESSOR


def _of_experiment(session: Session, row: ExperimentRow) -> dict[str, Any]:
    uri = f"/data/experiments/{row.id}"
    if row.session_id is not None:
        uri = f"/data/experiments/{row.session_id}/assessors/{row.id}"
    payload: dict[str, Any] = _payload(row.id, row.label, row.xsi_type, uri, project_id=row.project_id)
    payload["subject-id"] = row.subject_id
    if row.session_id is not None:
        payload["session-id"] = row.session_id
    elif _type_of(row) is EventType.SESSION:
        scans = repository.scans_of(session, row.id)[:MAX_SCANS]
        payload["scans"] = [
            {"id": scan.scan_id, "type": scan.data.get("type"), "xsiType": scan.xsi_type, "uri": _scan_uri(scan)}
            for scan in scans
        ]
        payload["modalities-in-study"] = sorted({_MODALITY_OF.get(scan.xsi_type, "OT") for scan in scans})
    return payload


def _scan_uri(row: ScanRow) -> str:
    return f"/data/experiments/{row.experiment_id}/{row.kind}/{row.scan_id}"


def _of_scan(session: Session, row: ScanRow, status: EventStatus) -> ArchiveEvent | None:
    parent = repository.experiment_by_id(session, row.experiment_id)
    if parent is None:
        return None
    payload = _payload(
        row.scan_id,
        row.scan_id,
        row.xsi_type,
        _scan_uri(row),
        project_id=parent.project_id,
        type=row.data.get("type"),
        **{"session-id": parent.id, "subject-id": parent.subject_id},
    )
    return ArchiveEvent(EventType.SCAN, status, parent.project_id, payload)


def _of_resource(session: Session, row: ResourceRow, status: EventStatus) -> ArchiveEvent | None:
    owner = _owner(session, row)
    if owner is None:
        return None
    uri, project_id = owner
    count, size = repository.file_totals(session, [row.number or 0]).get(row.number or 0, (0, 0))
    payload = _payload(
        str(row.number),
        row.label,
        "xnat:resourceCatalog",
        f"{uri}/resources/{row.number}",
        project_id=project_id,
        format=row.format,
        **{"file-count": count, "file-size": size},
    )
    return ArchiveEvent(EventType.RESOURCE, status, project_id, payload)


def _owner(session: Session, row: ResourceRow) -> tuple[str, str] | None:
    """Return address and project of what a resource belongs to."""
    if row.owner_kind == PROJECTS:
        project = session.get(ProjectRow, row.owner_number)
        return None if project is None else (f"/data/projects/{project.id}", project.id)
    if row.owner_kind == SUBJECTS:
        subject = session.get(SubjectRow, row.owner_number)
        return None if subject is None else (f"/data/subjects/{subject.id}", subject.project_id)
    if row.owner_kind == EXPERIMENTS:
        experiment = session.get(ExperimentRow, row.owner_number)
        return None if experiment is None else (f"/data/experiments/{experiment.id}", experiment.project_id)
    if row.owner_kind != SCANS:
        return None
    scan = session.get(ScanRow, row.owner_number)
    if scan is None:
        return None
    project_id = session.exec(
        select(ExperimentRow.project_id).where(col(ExperimentRow.id) == scan.experiment_id)
    ).first()
    return None if project_id is None else (_scan_uri(scan), project_id)
