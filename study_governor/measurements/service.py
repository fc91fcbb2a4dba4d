"""Measurements with their pedigree, and the archived files a session's page shows. May import `study_governor.db`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from service_kit.paging import Page, clamp_limit, decode_id_cursor, encode_cursor
from service_kit.tables import utc_now
from study_governor.contract.errors import ForeignArtifact, NotArchived, ThingUnknown
from study_governor.contract.schemas import ARCHIVE, ArtifactPut, ArtifactRecord, MeasurementPut, MeasurementRecord
from study_governor.contract.states import ArtifactKind
from study_governor.db.tables import ArtifactRow, CohortRow, ExperimentRow, MeasurementRow, StateRow, SubjectRow
from study_governor.experiments.attributes import experiment_ids

if TYPE_CHECKING:
    from sqlmodel import Session

    from study_governor.reach import Reach


_select: Any = select  # its types know four columns at most


def put_measurement(session: Session, experiment_id: int, key: str, said: MeasurementPut) -> bool:
    """Store a measurement under its key; return whether it is new. The same again changes nothing."""
    query = select(MeasurementRow).where(MeasurementRow.experiment_id == experiment_id, MeasurementRow.key == key)
    row = session.exec(query).first()
    is_new = row is None
    if row is None:
        row = MeasurementRow(
            experiment_id=experiment_id, key=key, name="", value=0.0, unit="", model="", model_version=""
        )
    is_same = not is_new and (
        (row.name, row.value, row.unit, row.model, row.model_version, row.pedigree)
        == (said.name, said.value, said.unit, said.model, said.version, said.pedigree)
    )
    if is_same:
        return False
    row.name, row.value, row.unit = said.name, said.value, said.unit
    row.model, row.model_version, row.pedigree = said.model, said.version, said.pedigree
    row.updated_at = utc_now()
    session.add(row)
    session.flush()
    return is_new


def page_measurements(
    session: Session,
    *,
    reach: Reach,
    experiment_id: int | None = None,
    cohort: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[MeasurementRecord]:
    """Return measurements of one session or one cohort, oldest first."""
    count = clamp_limit(limit)
    query = (
        _select(MeasurementRow, ExperimentRow, SubjectRow.label, CohortRow.label, StateRow.label)
        .join(ExperimentRow, col(ExperimentRow.id) == MeasurementRow.experiment_id)
        .join(SubjectRow, col(SubjectRow.id) == ExperimentRow.subject_id)
        .join(CohortRow, col(CohortRow.id) == ExperimentRow.cohort_id)
        .join(StateRow, col(StateRow.id) == ExperimentRow.state_id)
    )
    query = query.where(reach.sessions()).order_by(col(MeasurementRow.id)).limit(count + 1)
    if experiment_id is not None:
        query = query.where(MeasurementRow.experiment_id == experiment_id)
    if cohort is not None:
        query = query.where(CohortRow.label == cohort)
    after = decode_id_cursor(cursor)
    if after is not None:
        query = query.where(col(MeasurementRow.id) > after)
    found = session.exec(query).all()
    items = [
        MeasurementRecord(
            key=row.key,
            name=row.name,
            value=row.value,
            unit=row.unit,
            model=row.model,
            version=row.model_version,
            pedigree=row.pedigree,
            cohort=study,
            subject=subject,
            experiment_id=row.experiment_id,
            session=experiment.label,
            state=state,
            updated_at=row.updated_at,
        )
        for row, experiment, subject, study, state in found[:count]
    ]
    return Page(items=items, next_cursor=encode_cursor(found[count - 1][0].id) if len(found) > count else None)


def put_artifact(session: Session, experiment_id: int, name: str, said: ArtifactPut) -> bool:
    """Note a file of the session in the archive under its name; return whether it is new.

    Raises
    ------
    NotArchived
        If it is not known which session of the archive this is.
    ForeignArtifact
        If the file is not below the session's own address in the archive.
    """
    own = experiment_ids(session, experiment_id).get(ARCHIVE)
    if own is None:
        raise NotArchived(str(experiment_id))
    if not said.uri.startswith(f"/data/experiments/{own}/"):
        raise ForeignArtifact(str(experiment_id), uri=said.uri)
    row = session.exec(
        select(ArtifactRow).where(ArtifactRow.experiment_id == experiment_id, ArtifactRow.name == name)
    ).first()
    is_new = row is None
    if row is None:
        row = ArtifactRow(experiment_id=experiment_id, name=name, kind="", title="", uri="", media_type="")
    row.kind, row.title, row.uri, row.media_type = said.kind.value, said.title, said.uri, said.media_type
    session.add(row)
    session.flush()
    return is_new


def artifacts_of(session: Session, experiment_id: int) -> list[ArtifactRecord]:
    """Return the files that a session's page shows."""
    query = select(ArtifactRow).where(ArtifactRow.experiment_id == experiment_id).order_by(col(ArtifactRow.id))
    return [_artifact(row) for row in session.exec(query).all()]


def find_artifact(session: Session, experiment_id: int, name: str) -> ArtifactRecord:
    """Return one file of a session.

    Raises
    ------
    ThingUnknown
    """
    row = session.exec(
        select(ArtifactRow).where(ArtifactRow.experiment_id == experiment_id, ArtifactRow.name == name)
    ).first()
    if row is None:
        raise ThingUnknown("artifact", name)
    return _artifact(row)


def _artifact(row: ArtifactRow) -> ArtifactRecord:
    return ArtifactRecord(
        name=row.name,
        experiment_id=row.experiment_id,
        kind=ArtifactKind(row.kind),
        title=row.title,
        uri=row.uri,
        media_type=row.media_type,
    )
