"""Sessions: upsert, reading, listing. Moves belong to the engine. May import `study_governor.db`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import or_
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from service_kit.paging import Page, clamp_limit, decode_id_cursor, encode_cursor
from study_governor.addresses import Addresses, uri
from study_governor.cohorts.service import (
    checked_label,
    ensure_subject,
    find_cohort,
    put_cohort,
    set_subject_ids,
)
from study_governor.contract.errors import LabelTaken, SiteDiffers, ThingUnknown
from study_governor.contract.schemas import (
    ActionRecord,
    ExperimentPost,
    ExperimentPut,
    ExperimentRecord,
    ExperimentSummary,
    Summary,
)
from study_governor.db.tables import (
    ActionRow,
    CohortRow,
    ExecutionRow,
    ExperimentRow,
    StateRow,
    SubjectRow,
)
from study_governor.experiments.attributes import experiment_ids, set_experiment_ids, variables_of
from study_governor.experiments.history import action_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlmodel import Session

    from service_kit.database import Database, UnitOfWork
    from study_governor.engine.service import Engine
    from study_governor.reach import Reach
    from study_governor.workflows.service import Workflows

T = TypeVar("T")


IMAGES_CHANGED = "More or other images of this session arrived after it began; what was found before is found anew."


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions a listing shows. What is None does not matter."""

    cohort: str | None = None
    state: str | None = None
    attention: str | None = None
    text: str | None = None
    subject: str | None = None
    subject_id: int | None = None


@dataclass(frozen=True, slots=True)
class SessionRows:
    """The rows that make one session."""

    experiment: ExperimentRow
    subject: SubjectRow
    cohort: CohortRow
    state: StateRow


class Experiments:
    """All sessions."""

    def __init__(self, database: Database, workflows: Workflows, *, engine: Engine, addresses: Addresses) -> None:
        self._database = database
        self._workflows = workflows
        self._engine = engine
        self.addresses = addresses

    def put(
        self, cohort: str, subject: str, label: str, *, said: ExperimentPut, actor: str, reach: Reach | None = None
    ) -> tuple[int, bool]:
        """Create a session, which then takes its first step, or add to what is known of it; return whether it is new.

        A known session stays in its workflow, and in its state unless its images changed: then it begins again.

        Raises
        ------
        ThingUnknown
            If there is no such workflow.
        SiteDiffers
            If a known session belongs to another site.
        """

        def put(uow: UnitOfWork) -> tuple[int, bool]:
            session = uow.session
            cohort_row, _ = put_cohort(session, cohort, description=None)
            subject_row = ensure_subject(session, cohort_row, subject)
            query = select(ExperimentRow).where(
                ExperimentRow.subject_id == subject_row.id, ExperimentRow.label == label
            )
            row = session.exec(query).first()
            is_new = row is None
            if row is None:
                row = self._insert(
                    uow,
                    cohort_row,
                    subject_row,
                    label=label,
                    scandate=said.scandate,
                    workflow_label=said.workflow_label,
                )
                row.scandate_is_arrival = said.scandate_is_arrival
            elif reach is not None and not reach.covers(cohort, row.site):
                raise ThingUnknown("session", label)
            elif row.site is not None and said.site not in {None, row.site}:
                raise SiteDiffers(label, site=row.site)
            elif row.scandate_is_arrival and not said.scandate_is_arrival:  # images that came later carry a date
                row.scandate, row.scandate_offset_min = _with_offset(said.scandate)
                row.scandate_is_arrival = False
            row.site = row.site or said.site
            row.freetext = said.freetext or row.freetext
            is_changed = (
                None not in {row.content_sha256, said.content_sha256} and row.content_sha256 != said.content_sha256
            )
            row.content_sha256 = said.content_sha256 or row.content_sha256
            session.add(row)
            session.flush()
            assert row.id is not None
            assert subject_row.id is not None
            set_subject_ids(session, subject_row.id, said.subject_external_ids)
            set_experiment_ids(session, row.id, said.external_ids)
            experiment_id = row.id
            if is_new:
                self._engine.enter(uow, row, actor=actor)
            elif is_changed:
                self._engine.restart(uow, row, actor=actor, freetext=IMAGES_CHANGED)
            return experiment_id, is_new

        return self._twice(put)

    def create(self, said: ExperimentPost, *, actor: str) -> int:
        """Create a session of a known subject.

        Raises
        ------
        ThingUnknown, LabelTaken
        """
        with self._database.write() as uow:
            subject = uow.session.get(SubjectRow, said.subject_id)
            if subject is None:
                raise ThingUnknown("subject", said.subject_id)
            query = select(ExperimentRow.id).where(
                ExperimentRow.subject_id == said.subject_id, ExperimentRow.label == said.label
            )
            if uow.session.exec(query).first() is not None:
                raise LabelTaken("session", said.label)
            cohort = uow.session.get(CohortRow, subject.cohort_id)
            assert cohort is not None
            row = self._insert(
                uow, cohort, subject, label=said.label, scandate=said.scandate, workflow_label=said.workflow_label
            )
            row.site = said.site
            assert row.id is not None
            experiment_id = row.id
            self._engine.enter(uow, row, actor=actor)
            return experiment_id

    def _insert(
        self,
        uow: UnitOfWork,
        cohort: CohortRow,
        subject: SubjectRow,
        *,
        label: str,
        scandate: datetime,
        workflow_label: str | None,
    ) -> ExperimentRow:
        stored = self._workflows.by_label(uow.session, workflow_label)
        moment, offset_min = _with_offset(scandate)
        assert subject.id is not None
        assert cohort.id is not None
        row = ExperimentRow(
            subject_id=subject.id,
            cohort_id=cohort.id,
            label=checked_label(label, what="session"),
            scandate=moment,
            scandate_offset_min=offset_min,
            workflow_id=stored.id,
            state_id=stored.state_ids[stored.workflow.root.label],
        )
        uow.session.add(row)
        uow.session.flush()
        return row

    def _twice(self, change: Callable[[UnitOfWork], T]) -> T:
        """Run a change; once more when another process inserted the same row at the same moment."""
        try:
            with self._database.write() as uow:
                return change(uow)
        except IntegrityError:
            with self._database.write() as uow:
                return change(uow)

    def rows(self, session: Session, experiment_id: int, *, reach: Reach) -> SessionRows:
        """Return the rows of a session.

        Raises
        ------
        ThingUnknown
            Also when it is out of reach.
        """
        found = session.exec(
            select(ExperimentRow, SubjectRow, CohortRow, StateRow)
            .join(SubjectRow, col(SubjectRow.id) == ExperimentRow.subject_id)
            .join(CohortRow, col(CohortRow.id) == ExperimentRow.cohort_id)
            .join(StateRow, col(StateRow.id) == ExperimentRow.state_id)
            .where(ExperimentRow.id == experiment_id)
        ).first()
        if found is None or not reach.covers(found[2].label, found[0].site):
            raise ThingUnknown("session", experiment_id)
        return SessionRows(*found)

    def find(self, session: Session, cohort: str, subject: str, label: str) -> int:
        """Return the id of a session by its labels.

        Raises
        ------
        ThingUnknown
        """
        found = session.exec(
            select(ExperimentRow.id)
            .join(SubjectRow, col(SubjectRow.id) == ExperimentRow.subject_id)
            .where(
                SubjectRow.cohort_id == find_cohort(session, cohort).id,
                SubjectRow.label == subject,
                ExperimentRow.label == label,
            )
        ).first()
        if found is None:
            raise ThingUnknown("session", label)
        return found

    def record(self, session: Session, experiment_id: int, *, reach: Reach) -> ExperimentRecord:
        """Return a session as programs see it.

        Raises
        ------
        ThingUnknown
        """
        rows = self.rows(session, experiment_id, reach=reach)
        row = rows.experiment
        stored = self._workflows.get(session, row.workflow_id)
        return ExperimentRecord(
            id=experiment_id,
            label=row.label,
            uri=uri("experiments", experiment_id),
            api_uri=self.addresses.api("experiments", experiment_id),
            web_uri=self.addresses.session_page(experiment_id),
            cohort=_summary("cohorts", rows.cohort.id, rows.cohort.label),
            subject=_summary("subjects", rows.subject.id, rows.subject.label),
            workflow=_summary("workflows", stored.id, stored.workflow.label),
            scandate=row.scandate,
            scandate_is_arrival=row.scandate_is_arrival,
            site=row.site,
            state=rows.state.label,
            version=row.version,
            entered_at=row.entered_at,
            attention=row.attention,
            why=row.why,
            external_ids=experiment_ids(session, experiment_id),
            variable_map=variables_of(session, experiment_id),
        )

    def page(
        self, session: Session, wanted: SessionFilter, *, reach: Reach, limit: int | None, cursor: str | None
    ) -> Page[ExperimentSummary]:
        """Return sessions, the newest first."""
        count = clamp_limit(limit)
        query = (
            select(ExperimentRow, SubjectRow.label, CohortRow.label, StateRow.label)
            .join(SubjectRow, col(SubjectRow.id) == ExperimentRow.subject_id)
            .join(CohortRow, col(CohortRow.id) == ExperimentRow.cohort_id)
            .join(StateRow, col(StateRow.id) == ExperimentRow.state_id)
            .where(reach.sessions(), *_conditions(wanted))
            .order_by(col(ExperimentRow.id).desc())
            .limit(count + 1)
        )
        after = decode_id_cursor(cursor)
        if after is not None:
            query = query.where(col(ExperimentRow.id) < after)
        found = session.exec(query).all()
        items = [self._row_summary(row, subject, cohort, state) for row, subject, cohort, state in found[:count]]
        return Page(items=items, next_cursor=encode_cursor(items[-1].id) if len(found) > count else None)

    def _row_summary(self, row: ExperimentRow, subject: str, cohort: str, state: str) -> ExperimentSummary:
        assert row.id is not None
        return ExperimentSummary(
            id=row.id,
            label=row.label,
            uri=uri("experiments", row.id),
            web_uri=self.addresses.session_page(row.id),
            cohort=cohort,
            subject=subject,
            site=row.site,
            state=state,
            entered_at=row.entered_at,
            attention=row.attention,
            why=row.why,
            scandate=row.scandate,
            scandate_is_arrival=row.scandate_is_arrival,
        )

    def actions(self, session: Session, experiment_id: int) -> list[ActionRecord]:
        """Return the steps of a session, the first one first."""
        experiment = session.get(ExperimentRow, experiment_id)
        if experiment is None:
            raise ThingUnknown("session", experiment_id)
        stored = self._workflows.get(session, experiment.workflow_id)
        query = select(ActionRow).where(ActionRow.experiment_id == experiment_id).order_by(col(ActionRow.sequence))
        actions = session.exec(query).all()
        executions = session.exec(
            select(ExecutionRow).where(ExecutionRow.experiment_id == experiment_id).order_by(col(ExecutionRow.id))
        ).all()
        return [
            action_of(action, stored, [execution for execution in executions if execution.action_id == action.id])
            for action in actions
        ]


def _with_offset(moment: datetime) -> tuple[datetime, int]:
    """Return a moment, in UTC where it names no zone, and its offset from UTC in minutes."""
    offset = moment.utcoffset()
    if offset is None:
        return moment.replace(tzinfo=UTC), 0
    return moment, int(offset.total_seconds() // 60)


def _conditions(wanted: SessionFilter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.cohort:
        conditions.append(CohortRow.label == wanted.cohort)
    if wanted.state:
        conditions.append(StateRow.label == wanted.state)
    if wanted.attention == "any":
        conditions.append(col(ExperimentRow.attention).is_not(None))
    elif wanted.attention:
        conditions.append(ExperimentRow.attention == wanted.attention)
    if wanted.subject is not None:
        conditions.append(SubjectRow.label == wanted.subject)
    if wanted.subject_id is not None:
        conditions.append(ExperimentRow.subject_id == wanted.subject_id)
    if wanted.text:
        text = wanted.text.strip()
        conditions.append(
            or_(
                col(ExperimentRow.label).icontains(text, autoescape=True),
                col(SubjectRow.label).icontains(text, autoescape=True),
            )
        )
    return conditions


def _summary(kind: str, row_id: int | None, label: str) -> Summary:
    assert row_id is not None
    return Summary(id=row_id, label=label, uri=uri(kind, row_id))
