"""REST of cohorts, subjects, counts and external systems. May import FastAPI."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlmodel import col, select

from service_kit.accounts.errors import ScopeMissing
from service_kit.row_ids import LARGEST_ID, PathId
from study_governor.access import Governor, Reader, Within, Writer, need_everywhere, need_scope
from study_governor.cohorts import service
from study_governor.contract.errors import LabelTaken, ThingUnknown
from study_governor.contract.schemas import (
    CohortPost,
    CohortPut,
    CohortRecord,
    ExternalSystem,
    StateCount,
    SubjectPost,
    SubjectRecord,
)
from study_governor.db.tables import CohortRow
from study_governor.reach import WRITE

router = APIRouter(prefix="/api/v2", tags=["cohorts"])

Skipped = Annotated[int, Query(ge=0, le=LARGEST_ID)]
Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("/cohorts")
def list_cohorts(governor: Governor, within: Within) -> dict[str, list[CohortRecord]]:
    """Return the cohorts that the caller may see."""
    with governor.database.read() as uow:
        rows = uow.session.exec(select(CohortRow).order_by(col(CohortRow.id))).all()
        return {"cohorts": [service.cohort_record(row) for row in rows if within.covers_study(row.label)]}


@router.post("/cohorts", status_code=201)
def create_cohort(said: CohortPost, governor: Governor, principal: Writer) -> CohortRecord:
    """Create a cohort."""
    need_scope(principal, WRITE, study=said.label, site=None)
    with governor.database.write() as uow:
        row, is_new = service.put_cohort(uow.session, said.label, description=said.description)
        if not is_new:
            raise LabelTaken("cohort", said.label)
        return service.cohort_record(row)


@router.put("/cohorts/{cohort}")
def put_cohort(
    cohort: str, said: CohortPut, *, governor: Governor, principal: Writer, response: Response
) -> CohortRecord:
    """Create a cohort by label, or change what is said of it; an id works for one that is there."""
    with governor.database.write() as uow:
        label = cohort
        if cohort.isdigit():
            label = service.get_cohort(uow.session, cohort).label
        need_scope(principal, WRITE, study=label, site=None)
        row, is_new = service.put_cohort(uow.session, label, description=said.description)
        response.status_code = 201 if is_new else 200
        return service.cohort_record(row)


@router.get("/cohorts/by-label/{cohort}")
@router.get("/cohorts/{cohort}")
def get_cohort(cohort: str, governor: Governor, within: Within) -> CohortRecord:
    """Return a cohort by id or label."""
    with governor.database.read() as uow:
        return service.cohort_record(service.seen_cohort(uow.session, cohort, reach=within))


@router.get("/cohorts/{cohort}/subjects")
def list_cohort_subjects(
    cohort: str, governor: Governor, within: Within, *, offset: Skipped = 0, limit: Limit = 500
) -> dict[str, Any]:
    """Return subjects of a cohort in the order of their ids."""
    with governor.database.read() as uow:
        row = service.seen_cohort(uow.session, cohort, reach=within)
        subjects, count = service.subjects(uow.session, reach=within, cohort=row.label, offset=offset, limit=limit)
        return {"subjects": subjects, "count": count, "offset": offset, "limit": limit}


@router.get("/cohorts/{cohort}/subjects/{subject}")
def get_cohort_subject(cohort: str, subject: str, governor: Governor, within: Within) -> SubjectRecord:
    """Return a subject of a cohort by label."""
    with governor.database.read() as uow:
        row = service.seen_cohort(uow.session, cohort, reach=within)
        found = service.seen_subject(uow.session, reach=within, cohort=row.label, label=subject)
        if found is None:
            raise ThingUnknown("subject", subject)
        return found


@router.get("/subjects")
def list_subjects(
    governor: Governor,
    within: Within,
    *,
    cohort_label: str | None = None,
    offset: Skipped = 0,
    limit: Limit = 500,
) -> dict[str, Any]:
    """Return subjects in the order of their ids."""
    with governor.database.read() as uow:
        subjects, count = service.subjects(
            uow.session, reach=within, cohort=cohort_label or None, offset=offset, limit=limit
        )
        return {"subjects": subjects, "count": count, "offset": offset, "limit": limit}


@router.post("/subjects", status_code=201)
def create_subject(said: SubjectPost, governor: Governor, principal: Writer) -> SubjectRecord:
    """Create a subject of a cohort that is there."""
    if not principal.has_scope(WRITE, study=said.cohort_label):  # at any site: a subject is of none before its sessions
        raise ScopeMissing(scope=WRITE, study=said.cohort_label)
    with governor.database.write() as uow:
        cohort = service.find_cohort(uow.session, said.cohort_label)
        row = service.create_subject(uow.session, cohort, said.label, date_of_birth=said.date_of_birth)
        return service.subject_record(uow.session, row, cohort)


@router.get("/subjects/{subject_id}")
def get_subject(subject_id: PathId, governor: Governor, within: Within) -> SubjectRecord:
    """Return a subject by id."""
    with governor.database.read() as uow:
        found = service.seen_subject(uow.session, reach=within, subject_id=subject_id)
        if found is None:
            raise ThingUnknown("subject", subject_id)
        return found


@router.get("/counts")
def count_states(governor: Governor, within: Within, cohort: str | None = None) -> dict[str, list[StateCount]]:
    """Return how many sessions are in each state."""
    with governor.database.read() as uow:
        return {"counts": service.count_states(uow.session, reach=within, cohort=cohort)}


@router.get("/external_systems")
def list_external_systems(governor: Governor, _principal: Reader) -> dict[str, list[dict[str, str]]]:
    """Return the other systems by name."""
    with governor.database.read() as uow:
        systems = service.external_systems(uow.session)
        return {"external_systems": [{"system_name": name, "url": url} for name, url in systems.items()]}


@router.put("/external_systems/by-name/{name}")
def put_external_system(name: str, said: ExternalSystem, governor: Governor, principal: Writer) -> dict[str, str]:
    """Name another system, or give it another address."""
    need_everywhere(principal, WRITE)
    with governor.database.write() as uow:
        service.put_external_system(uow.session, service.checked_label(name, what="external system"), said.url)
        return {"system_name": name, "url": said.url}
