"""Cohorts, their subjects and external systems. May import `study_governor.db`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import func
from sqlmodel import col, select

from study_governor.addresses import uri
from study_governor.contract.errors import LabelRefused, LabelTaken, ThingUnknown
from study_governor.contract.schemas import LABEL, CohortRecord, StateCount, SubjectRecord, Summary
from study_governor.db.tables import (
    CohortRow,
    ExperimentRow,
    ExternalSubjectLinkRow,
    ExternalSystemRow,
    StateRow,
    SubjectRow,
    WorkflowRow,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from sqlmodel import Session

    from study_governor.reach import Reach


_select: Any = select  # its types know four columns at most


def checked_label(label: str, *, what: str) -> str:
    """Return a label that addresses and folders can carry.

    Raises
    ------
    LabelRefused
    """
    if not re.fullmatch(LABEL.strip("^$"), label):
        raise LabelRefused(what=what)
    return label


def find_cohort(session: Session, label: str) -> CohortRow:
    """Return a cohort by label.

    Raises
    ------
    ThingUnknown
    """
    row = session.exec(select(CohortRow).where(CohortRow.label == label)).first()
    if row is None:
        raise ThingUnknown("cohort", label)
    return row


def get_cohort(session: Session, key: str) -> CohortRow:
    """Return a cohort by id, else by label.

    Raises
    ------
    ThingUnknown
    """
    row = session.get(CohortRow, int(key)) if key.isascii() and key.isdigit() and len(key) < 10 else None
    return row or find_cohort(session, key)


def seen_cohort(session: Session, key: str, *, reach: Reach) -> CohortRow:
    """Return a cohort by id, else by label, if something of it is within reach.

    Raises
    ------
    ThingUnknown
    """
    row = get_cohort(session, key)
    if not reach.covers_study(row.label):
        raise ThingUnknown("cohort", key)
    return row


def put_cohort(session: Session, label: str, *, description: str | None) -> tuple[CohortRow, bool]:
    """Create a cohort, or change what is said of it; return whether it is new."""
    row = session.exec(select(CohortRow).where(CohortRow.label == label)).first()
    is_new = row is None
    if row is None:
        row = CohortRow(label=checked_label(label, what="cohort"))
    if description is not None:
        row.description = description
    session.add(row)
    session.flush()
    return row, is_new


def ensure_subject(session: Session, cohort: CohortRow, label: str) -> SubjectRow:
    """Return a subject of a cohort; a new one is created."""
    row = find_subject(session, cohort, label)
    if row is None:
        assert cohort.id is not None
        row = SubjectRow(cohort_id=cohort.id, label=checked_label(label, what="subject"))
        session.add(row)
        session.flush()
    return row


def find_subject(session: Session, cohort: CohortRow, label: str) -> SubjectRow | None:
    """Return a subject of a cohort by label."""
    return session.exec(select(SubjectRow).where(SubjectRow.cohort_id == cohort.id, SubjectRow.label == label)).first()


def create_subject(session: Session, cohort: CohortRow, label: str, *, date_of_birth: date | None) -> SubjectRow:
    """Create a subject.

    Raises
    ------
    LabelTaken
    """
    if find_subject(session, cohort, label) is not None:
        raise LabelTaken("subject", label)
    row = ensure_subject(session, cohort, label)
    row.date_of_birth = date_of_birth
    session.add(row)
    return row


def set_subject_ids(session: Session, subject_id: int, external_ids: Mapping[str, str]) -> None:
    """Lay external ids over those that a subject has."""
    for system, external_id in external_ids.items():
        row = session.exec(
            select(ExternalSubjectLinkRow).where(
                ExternalSubjectLinkRow.subject_id == subject_id, ExternalSubjectLinkRow.system_name == system
            )
        ).first() or ExternalSubjectLinkRow(subject_id=subject_id, system_name=system, external_id="")
        row.external_id = external_id
        session.add(row)
    session.flush()


def subject_ids(session: Session, subject_id: int) -> dict[str, str]:
    """Return what a subject is called in other systems."""
    rows = session.exec(select(ExternalSubjectLinkRow).where(ExternalSubjectLinkRow.subject_id == subject_id)).all()
    return {row.system_name: row.external_id for row in rows}


def external_systems(session: Session) -> dict[str, str]:
    """Return the other systems by name, with their addresses."""
    rows = session.exec(select(ExternalSystemRow).order_by(col(ExternalSystemRow.system_name))).all()
    return {row.system_name: row.url for row in rows}


def put_external_system(session: Session, name: str, url: str) -> None:
    """Name another system, or give it another address."""
    row = session.exec(select(ExternalSystemRow).where(ExternalSystemRow.system_name == name)).first()
    row = row or ExternalSystemRow(system_name=name, url=url)
    row.url = url
    session.add(row)
    session.flush()


def cohort_record(row: CohortRow, *, experiment_count: int | None = None) -> CohortRecord:
    """Return a cohort as programs see it."""
    assert row.id is not None
    return CohortRecord(
        id=row.id,
        label=row.label,
        uri=uri("cohorts", row.id),
        description=row.description,
        experiment_count=experiment_count,
    )


def subject_record(session: Session, row: SubjectRow, cohort: CohortRow) -> SubjectRecord:
    """Return a subject as programs see it."""
    assert row.id is not None
    return _subject_record(row, cohort, subject_ids(session, row.id))


def _subject_record(row: SubjectRow, cohort: CohortRow, external_ids: Mapping[str, str]) -> SubjectRecord:
    assert row.id is not None
    assert cohort.id is not None
    return SubjectRecord(
        id=row.id,
        label=row.label,
        uri=uri("subjects", row.id),
        cohort=Summary(id=cohort.id, label=cohort.label, uri=uri("cohorts", cohort.id)),
        date_of_birth=row.date_of_birth,
        external_ids=dict(external_ids),
    )


def subject_records(session: Session, found: Sequence[tuple[SubjectRow, CohortRow]]) -> list[SubjectRecord]:
    """Return subjects as programs see them, with two questions to the database however many they are."""
    ids = [row.id for row, _ in found]
    links = session.exec(select(ExternalSubjectLinkRow).where(col(ExternalSubjectLinkRow.subject_id).in_(ids))).all()
    named: dict[int, dict[str, str]] = {}
    for link in links:
        named.setdefault(link.subject_id, {})[link.system_name] = link.external_id
    return [_subject_record(row, cohort, named.get(row.id or 0, {})) for row, cohort in found]


def subjects(
    session: Session, *, reach: Reach, cohort: str | None = None, offset: int = 0, limit: int = 500
) -> tuple[list[SubjectRecord], int]:
    """Return some subjects in the order of their ids, and how many there are in all."""
    wanted = [reach.subjects(), *([col(CohortRow.label) == cohort] if cohort is not None else [])]
    join = select(SubjectRow, CohortRow).join(CohortRow, col(CohortRow.id) == SubjectRow.cohort_id).where(*wanted)
    found = session.exec(join.order_by(col(SubjectRow.id)).offset(offset).limit(limit)).all()
    count = session.exec(select(func.count()).select_from(join.subquery())).one()
    return subject_records(session, found), count


def seen_subject(
    session: Session, *, reach: Reach, subject_id: int | None = None, cohort: str | None = None, label: str = ""
) -> SubjectRecord | None:
    """Return a subject by id, or by cohort and label, if it is in reach."""
    query = select(SubjectRow, CohortRow).join(CohortRow, col(CohortRow.id) == SubjectRow.cohort_id)
    if subject_id is not None:
        query = query.where(SubjectRow.id == subject_id)
    else:
        query = query.where(CohortRow.label == cohort, SubjectRow.label == label)
    found = session.exec(query.where(reach.subjects())).first()
    return None if found is None else subject_records(session, [found])[0]


def count_states(session: Session, *, reach: Reach, cohort: str | None = None) -> list[StateCount]:
    """Return how many sessions are in each state, by cohort and workflow; states without sessions are left out."""
    attention = func.count(col(ExperimentRow.attention))
    query = (
        _select(CohortRow.label, WorkflowRow.label, StateRow.label, StateRow.kind, func.count(), attention)
        .select_from(ExperimentRow)
        .join(CohortRow, col(CohortRow.id) == ExperimentRow.cohort_id)
        .join(StateRow, col(StateRow.id) == ExperimentRow.state_id)
        .join(WorkflowRow, col(WorkflowRow.id) == StateRow.workflow_id)
        .where(reach.sessions())
        .group_by(CohortRow.label, WorkflowRow.id, WorkflowRow.label, StateRow.position, StateRow.label, StateRow.kind)
        .order_by(CohortRow.label, col(WorkflowRow.id), col(StateRow.position))
    )
    if cohort is not None:
        query = query.where(CohortRow.label == cohort)
    return [
        StateCount(cohort=study, workflow=flow, state=state, kind=kind, count=count, attention_count=looked)
        for study, flow, state, kind, count, looked in session.exec(query).all()
    ]
