"""Reads objects of the archive. May import SQLModel. Each function takes the session of a unit of work."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from sqlalchemy import func, update
from sqlalchemy import select as columns_of
from sqlmodel import Session, col, select

import embedded_xnat.db.labels  # noqa: F401 - whoever writes objects writes the index of their labels
from embedded_xnat.db.tables import (
    CounterRow,
    ExperimentRow,
    FileRow,
    MembershipRow,
    ProjectAliasRow,
    ProjectRow,
    ResourceRow,
    ScanRow,
    ShareRow,
    SubjectRow,
)
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.roles import ProjectRole

PROJECTS, SUBJECTS, EXPERIMENTS, SCANS = (
    kind.value for kind in (ObjectKind.PROJECT, ObjectKind.SUBJECT, ObjectKind.EXPERIMENT, ObjectKind.SCAN)
)

#: Custom field of a project that names the study it belongs to.
STUDY_FIELD = "cohortflow_study"


def project_by_id(session: Session, project_id: str) -> ProjectRow | None:
    """Return a project that is not deleted, by its id or an alias."""
    row = session.exec(select(ProjectRow).where(ProjectRow.id == project_id)).first()
    if row is None and (alias := session.get(ProjectAliasRow, project_id)) is not None:
        row = session.exec(select(ProjectRow).where(ProjectRow.id == alias.project_id)).first()
    return None if row is None or row.is_deleted else row


def subject_of(session: Session, project_id: str | None, key: str) -> SubjectRow | None:
    """Return a subject by id, or by its label in a project that has it or shares it."""
    found = session.exec(select(SubjectRow).where(SubjectRow.id == key)).first()
    if project_id is None:
        return found
    if found is not None and (
        found.project_id == project_id or share_of(session, SUBJECTS, found.id, project_id) is not None
    ):
        return found
    own = session.exec(select(SubjectRow).where(SubjectRow.project_id == project_id, SubjectRow.label == key)).first()
    if own is not None:
        return own
    share = shared_as(session, SUBJECTS, project_id, key)
    return None if share is None else session.exec(select(SubjectRow).where(SubjectRow.id == share.owner_id)).first()


def experiment_of(session: Session, project_id: str | None, key: str) -> ExperimentRow | None:
    """Return an experiment by id, or by its label in a project that has it or shares it."""
    found = experiment_by_id(session, key)
    if project_id is None:
        return found
    if found is not None and (
        found.project_id == project_id or share_of(session, EXPERIMENTS, found.id, project_id) is not None
    ):
        return found
    own = session.exec(
        select(ExperimentRow).where(ExperimentRow.project_id == project_id, ExperimentRow.label == key)
    ).first()
    if own is not None:
        return own
    share = shared_as(session, EXPERIMENTS, project_id, key)
    return None if share is None else experiment_by_id(session, share.owner_id)


def experiment_by_id(session: Session, experiment_id: str) -> ExperimentRow | None:
    """Return an experiment by its id."""
    return session.exec(select(ExperimentRow).where(ExperimentRow.id == experiment_id)).first()


def subject_by_id(session: Session, subject_id: str) -> SubjectRow | None:
    """Return a subject by its id."""
    return session.exec(select(SubjectRow).where(SubjectRow.id == subject_id)).first()


def assessor_of(session: Session, session_id: str, key: str) -> ExperimentRow | None:
    """Return an assessor of a session, by id or label."""
    statement = select(ExperimentRow).where(
        ExperimentRow.session_id == session_id, (col(ExperimentRow.id) == key) | (col(ExperimentRow.label) == key)
    )
    return session.exec(statement).first()


def assessors_of(session: Session, session_id: str) -> list[ExperimentRow]:
    """Return the assessors of a session, in order of creation."""
    statement = select(ExperimentRow).where(ExperimentRow.session_id == session_id)
    return list(session.exec(statement.order_by(col(ExperimentRow.number))))


def scan_of(session: Session, experiment_id: str, kind: ObjectKind, key: str) -> ScanRow | None:
    """Return a scan or reconstruction of a session."""
    statement = select(ScanRow).where(
        ScanRow.experiment_id == experiment_id, ScanRow.kind == kind.value, ScanRow.scan_id == key
    )
    return session.exec(statement).first()


def scans_of(session: Session, experiment_id: str, kind: ObjectKind = ObjectKind.SCAN) -> list[ScanRow]:
    """Return all scans of a session, in order of creation."""
    statement = (
        select(ScanRow)
        .where(ScanRow.experiment_id == experiment_id, ScanRow.kind == kind.value)
        .order_by(col(ScanRow.number))
    )
    return list(session.exec(statement))


def resource_of(session: Session, owner_kind: str, owner_number: int, key: str) -> ResourceRow | None:
    """Return a resource of an object, by label or number."""
    rows = select(ResourceRow).where(ResourceRow.owner_kind == owner_kind, ResourceRow.owner_number == owner_number)
    found = session.exec(rows.where(ResourceRow.label == key)).first()
    if found is None and key.isascii() and key.isdigit() and len(key) < 16:
        found = session.exec(rows.where(ResourceRow.number == int(key))).first()
    return found


def resources_of(session: Session, owner_kind: str, owner_numbers: list[int]) -> list[ResourceRow]:
    """Return the resources of objects of one kind, in order of creation."""
    if not owner_numbers:
        return []
    statement = (
        select(ResourceRow)
        .where(ResourceRow.owner_kind == owner_kind, col(ResourceRow.owner_number).in_(owner_numbers))
        .order_by(col(ResourceRow.number))
    )
    return list(session.exec(statement))


def file_totals(session: Session, resource_numbers: list[int]) -> dict[int, tuple[int, int]]:
    """Return count and summed size of the files of each resource that has any."""
    if not resource_numbers:
        return {}
    statement = (
        select(FileRow.resource_number, func.count(), func.sum(FileRow.size))
        .where(col(FileRow.resource_number).in_(resource_numbers))
        .group_by(col(FileRow.resource_number))
    )
    return {number: (count, int(size)) for number, count, size in session.exec(statement)}


def files_of(session: Session, resource_numbers: list[int]) -> list[FileRow]:
    """Return the files of resources, by resource and path."""
    if not resource_numbers:
        return []
    statement = (
        select(FileRow)
        .where(col(FileRow.resource_number).in_(resource_numbers))
        .order_by(col(FileRow.resource_number), col(FileRow.path))
    )
    return list(session.exec(statement))


class FileFacts(NamedTuple):
    """What listings and archives need of a file; a row object would take ten times the memory."""

    resource_number: int
    path: str
    size: int
    md5: str
    format: str | None
    content: str | None
    tags: str | None


def file_facts(session: Session, resource_numbers: list[int]) -> Iterator[FileFacts]:
    """Yield the files of resources, by resource and path."""
    columns = [col(getattr(FileRow, name)) for name in FileFacts._fields]
    for start in range(0, len(resource_numbers), 500):
        part = resource_numbers[start : start + 500]
        statement = (
            columns_of(*columns)
            .where(col(FileRow.resource_number).in_(part))
            .order_by(col(FileRow.resource_number), col(FileRow.path))
            .execution_options(yield_per=1000)
        )
        for row in session.connection().execute(statement):
            yield FileFacts(*row)


def file_of(session: Session, resource_number: int, path: str) -> FileRow | None:
    """Return a file by its path."""
    return session.exec(select(FileRow).where(FileRow.resource_number == resource_number, FileRow.path == path)).first()


def share_of(session: Session, owner_kind: str, owner_id: str, project_id: str) -> ShareRow | None:
    """Return how an object is shared into a project."""
    return session.exec(
        select(ShareRow).where(
            ShareRow.owner_kind == owner_kind, ShareRow.owner_id == owner_id, ShareRow.project_id == project_id
        )
    ).first()


def shared_as(session: Session, owner_kind: str, project_id: str, label: str) -> ShareRow | None:
    """Return what is shared into a project under a label."""
    return session.exec(
        select(ShareRow).where(
            ShareRow.owner_kind == owner_kind, ShareRow.project_id == project_id, ShareRow.label == label
        )
    ).first()


def shares_of(session: Session, owner_kind: str, owner_id: str) -> list[ShareRow]:
    """Return all shares of an object."""
    statement = select(ShareRow).where(ShareRow.owner_kind == owner_kind, ShareRow.owner_id == owner_id)
    return list(session.exec(statement.order_by(col(ShareRow.number))))


def types_in(session: Session, project_id: str) -> list[str]:
    """Return the types of experiments that a project has."""
    statement = select(ExperimentRow.xsi_type).where(ExperimentRow.project_id == project_id).distinct()
    return sorted(session.exec(statement))


def role_of(session: Session, project_id: str, username: str) -> ProjectRole | None:
    """Return a person's role in a project."""
    row = session.get(MembershipRow, (project_id, username))
    return None if row is None else ProjectRole(row.role)


def study_of(project: ProjectRow) -> str | None:
    """Return the study that a project's custom field `STUDY_FIELD` names."""
    fields = project.lists.get("fields/field", ())
    named = [one.get("field") for one in fields if str(one.get("name", "")).lower() == STUDY_FIELD]
    return str(named[0]) if named and named[0] else None


def projects_of_studies(session: Session, studies: Collection[str]) -> frozenset[str]:
    """Return the projects whose custom field `STUDY_FIELD` names one of the studies."""
    rows = session.exec(select(ProjectRow.id, ProjectRow.lists).where(col(ProjectRow.is_deleted).is_(False)))
    return frozenset(
        project_id
        for project_id, lists in rows
        for field in lists.get("fields/field", ())
        if str(field.get("name", "")).lower() == STUDY_FIELD and field.get("field") in studies
    )


def next_accession(session: Session, name: str) -> int:
    """Return the next number of a kind; the transaction keeps it from being given out twice."""
    statement = (
        update(CounterRow)
        .where(col(CounterRow.name) == name)
        .values(value=CounterRow.value + 1)
        .returning(col(CounterRow.value))
    )
    value = session.connection().execute(statement).scalar()
    if value is None:
        session.add(CounterRow(name=name, value=1))
        session.flush()
        return 1
    return int(value)
