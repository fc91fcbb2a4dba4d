"""What the dashboard shows, as frozen records: one look at the database for each part. May import `study_governor.db`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func
from sqlmodel import col, select

from study_governor.contract.states import ExecutionStatus, StateKind
from study_governor.db.tables import (
    ActionRow,
    CohortRow,
    ExecutionRow,
    ExperimentRow,
    StateRow,
    SubjectRow,
    TransitionRow,
)
from study_governor.domain.path import main_path
from study_governor.web.words import state_tone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session

    from study_governor.db.workflow_rows import StoredWorkflow
    from study_governor.reach import Reach
    from study_governor.workflows.service import Workflows

_select: Any = select  # its types know four columns at most

ATTENTION_SHOWN = 12
ENDED_SHOWN = 7
EVENTS_SHOWN = 8
DAYS = 14


@dataclass(frozen=True, slots=True)
class StateShown:
    """A state in the picture of a workflow.

    Parameters
    ----------
    oldest
        Since when the session that waits longest is here.
    """

    label: str
    freetext: str | None
    kind: StateKind
    tone: str
    count: int = 0
    attention_count: int = 0
    oldest: datetime | None = None
    is_here: bool = False
    is_passed: bool = False


@dataclass(frozen=True, slots=True)
class StopShown:
    """A stop of the main way with what branches off below it."""

    state: StateShown
    branches: tuple[StateShown, ...]


@dataclass(frozen=True, slots=True)
class StudyShown:
    """One study: its workflow as a picture with counts. Without sessions `stops` is empty."""

    label: str
    description: str | None
    workflow_id: int | None
    workflow: str | None
    total: int
    attention_count: int
    stops: tuple[StopShown, ...]


@dataclass(frozen=True, slots=True)
class SessionShown:
    """A session in a list."""

    id: int
    label: str
    subject: str
    study: str
    state: str
    tone: str
    since: datetime


@dataclass(frozen=True, slots=True)
class AttentionShown:
    """Sessions of one study that wait in one state for one reason.

    Parameters
    ----------
    first_id, first_label
        The one that has waited longest.
    """

    study: str
    state: str
    attention: str
    why: str | None
    count: int
    since: datetime
    first_id: int
    first_label: str


@dataclass(frozen=True, slots=True)
class EventShown:
    """A step that a session took."""

    action_id: int
    experiment_id: int
    label: str
    study: str
    state: str
    tone: str
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DayShown:
    """How many sessions came in and how many came to an end on a day (UTC)."""

    day: date
    registered: int
    ended: int


@dataclass(frozen=True, slots=True)
class Counted:
    """How many sessions of a study are in a state."""

    count: int
    attention_count: int
    oldest: datetime


def studies_shown(session: Session, workflows: Workflows, *, reach: Reach) -> tuple[StudyShown, ...]:
    """Return every study within reach; a study whose sessions are in several workflows once for each, newest first."""
    counted: dict[tuple[str, int], dict[int, Counted]] = {}
    for cohort, workflow_id, state_id, count, attention, oldest in session.exec(
        _select(
            CohortRow.label,
            ExperimentRow.workflow_id,
            ExperimentRow.state_id,
            func.count(),
            func.count(col(ExperimentRow.attention)),
            func.min(ExperimentRow.entered_at),
        )
        .join(CohortRow, col(CohortRow.id) == ExperimentRow.cohort_id)
        .where(reach.sessions())
        .group_by(CohortRow.label, ExperimentRow.workflow_id, ExperimentRow.state_id)
    ).all():
        counted.setdefault((cohort, workflow_id), {})[state_id] = Counted(count, attention, _aware(oldest))
    shown: list[StudyShown] = []
    for cohort in session.exec(select(CohortRow).order_by(col(CohortRow.label))).all():
        if not reach.covers_study(cohort.label):
            continue
        own = sorted((key[1] for key in counted if key[0] == cohort.label), reverse=True)
        for workflow_id in own:
            stored = workflows.get(session, workflow_id)
            shown.append(_study(cohort, stored, counted[cohort.label, workflow_id]))
        if not own:
            shown.append(StudyShown(cohort.label, cohort.description, None, None, 0, 0, ()))
    return tuple(shown)


def _study(cohort: CohortRow, stored: StoredWorkflow, counts: dict[int, Counted]) -> StudyShown:
    return StudyShown(
        label=cohort.label,
        description=cohort.description,
        workflow_id=stored.id,
        workflow=stored.workflow.label,
        total=sum(one.count for one in counts.values()),
        attention_count=sum(one.attention_count for one in counts.values()),
        stops=stops_shown(stored, counts),
    )


def stops_shown(
    stored: StoredWorkflow, counts: dict[int, Counted], *, here: str | None = None, passed: Sequence[str] = ()
) -> tuple[StopShown, ...]:
    """Return the picture of a workflow: with counts, or with the place of one session."""

    def shown(label: str) -> StateShown:
        state = stored.workflow.state(label)
        kind = stored.workflow.kind(state)
        found = counts.get(stored.state_ids[label])
        return StateShown(
            label=label,
            freetext=state.freetext,
            kind=kind,
            tone=state_tone(label, kind),
            count=found.count if found else 0,
            attention_count=found.attention_count if found else 0,
            oldest=found.oldest if found else None,
            is_here=label == here,
            is_passed=label in passed,
        )

    return tuple(
        StopShown(shown(stop.label), tuple(shown(label) for label in stop.branches))
        for stop in main_path(stored.workflow)
    )


def needs_attention(session: Session, *, reach: Reach) -> tuple[AttentionShown, ...]:
    """Return what somebody should look at, the longest waiting first; the same trouble of many sessions is one entry."""
    groups = session.exec(
        _select(
            ExperimentRow.cohort_id,
            CohortRow.label,
            ExperimentRow.state_id,
            StateRow.label,
            ExperimentRow.attention,
            ExperimentRow.why,
            func.count(),
            func.min(ExperimentRow.entered_at),
        )
        .join(CohortRow, col(CohortRow.id) == ExperimentRow.cohort_id)
        .join(StateRow, col(StateRow.id) == ExperimentRow.state_id)
        .where(reach.sessions(), col(ExperimentRow.attention).is_not(None))
        .group_by(
            ExperimentRow.cohort_id,
            CohortRow.label,
            ExperimentRow.state_id,
            StateRow.label,
            ExperimentRow.attention,
            ExperimentRow.why,
        )
        .order_by(func.min(ExperimentRow.entered_at))
        .limit(ATTENTION_SHOWN)
    ).all()
    shown: list[AttentionShown] = []
    for cohort_id, study, state_id, state, attention, why, count, since in groups:
        first_id, label = session.exec(
            select(ExperimentRow.id, ExperimentRow.label)
            .join(CohortRow, col(CohortRow.id) == ExperimentRow.cohort_id)
            .where(
                reach.sessions(),
                ExperimentRow.cohort_id == cohort_id,
                ExperimentRow.state_id == state_id,
                ExperimentRow.attention == attention,
                col(ExperimentRow.why).is_not_distinct_from(why),
            )
            .order_by(col(ExperimentRow.entered_at), col(ExperimentRow.id))
            .limit(1)
        ).one()
        shown.append(AttentionShown(study, state, attention, why, count, _aware(since), first_id or 0, label))
    return tuple(shown)


def count_with_a_reader(session: Session, *, reach: Reach) -> int:
    """Return how many sessions wait for a person's answer."""
    query = (
        select(func.count(func.distinct(ExperimentRow.id)))
        .select_from(ExperimentRow)
        .join(CohortRow, col(CohortRow.id) == ExperimentRow.cohort_id)
        .join(ExecutionRow, col(ExecutionRow.action_id) == ExperimentRow.last_action_id)
        .where(reach.sessions(), ExecutionRow.status == ExecutionStatus.WAITING.value)
    )
    return session.exec(query).one()


def ended_lately(session: Session, *, reach: Reach, limit: int = ENDED_SHOWN) -> tuple[SessionShown, ...]:
    """Return the sessions that came to an end last: releases, rejections and the like."""
    rows = session.exec(
        _sessions()
        .where(reach.sessions(), StateRow.kind == StateKind.END.value)
        .order_by(col(ExperimentRow.entered_at).desc(), col(ExperimentRow.id).desc())
        .limit(limit)
    ).all()
    return tuple(_session(*row) for row in rows)


def _sessions() -> Any:
    return (
        select(ExperimentRow, SubjectRow.label, CohortRow.label, StateRow)
        .join(SubjectRow, col(SubjectRow.id) == ExperimentRow.subject_id)
        .join(CohortRow, col(CohortRow.id) == ExperimentRow.cohort_id)
        .join(StateRow, col(StateRow.id) == ExperimentRow.state_id)
    )


def _session(row: ExperimentRow, subject: str, cohort: str, state: StateRow) -> SessionShown:
    assert row.id is not None
    return SessionShown(
        id=row.id,
        label=row.label,
        subject=subject,
        study=cohort,
        state=state.label,
        tone=state_tone(state.label, StateKind(state.kind)),
        since=row.entered_at,
    )


def latest_events(session: Session, *, reach: Reach, limit: int = EVENTS_SHOWN) -> tuple[EventShown, ...]:
    """Return the steps taken last, of all sessions within reach."""
    rows = session.exec(
        select(ActionRow, ExperimentRow.label, CohortRow.label, StateRow)
        .join(ExperimentRow, col(ExperimentRow.id) == ActionRow.experiment_id)
        .join(CohortRow, col(CohortRow.id) == ExperimentRow.cohort_id)
        .join(TransitionRow, col(TransitionRow.id) == ActionRow.transition_id)
        .join(StateRow, col(StateRow.id) == TransitionRow.destination_state_id)
        .where(reach.sessions())
        .order_by(col(ActionRow.id).desc())
        .limit(limit)
    ).all()
    return tuple(
        EventShown(
            action_id=action.id or 0,
            experiment_id=action.experiment_id,
            label=label,
            study=cohort,
            state=state.label,
            tone=state_tone(state.label, StateKind(state.kind)),
            actor=action.actor,
            at=action.start_time,
        )
        for action, label, cohort, state in rows
    )


def throughput(session: Session, *, reach: Reach, now: datetime, days: int = DAYS) -> tuple[DayShown, ...]:
    """Return how many sessions came in and ended on each of the last days, today last."""
    first = (now - timedelta(days=days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    registered = _by_day(session, ExperimentRow.created_at, first, reach, is_end=False)
    ended = _by_day(session, ExperimentRow.entered_at, first, reach, is_end=True)
    dates = [(first + timedelta(days=number)).date() for number in range(days)]
    return tuple(DayShown(day, registered.get(day, 0), ended.get(day, 0)) for day in dates)


def _by_day(session: Session, column: Any, first: datetime, reach: Reach, *, is_end: bool) -> dict[date, int]:
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    day = func.date(column) if is_sqlite else func.date(func.timezone("UTC", column))
    query = (
        select(day, func.count())
        .select_from(ExperimentRow)
        .join(CohortRow, col(CohortRow.id) == ExperimentRow.cohort_id)
        .join(StateRow, col(StateRow.id) == ExperimentRow.state_id)
        .where(reach.sessions(), column >= first)
        .group_by(day)
    )
    if is_end:
        query = query.where(StateRow.kind == StateKind.END.value)
    rows = session.exec(query).all()
    return {date.fromisoformat(found) if isinstance(found, str) else found: count for found, count in rows}


def _aware(moment: datetime | str) -> datetime:
    """Return what an aggregate gave back, with its zone; SQLite gives text."""
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
