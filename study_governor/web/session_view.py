"""What the page of a session shows: where it is, why, what happens next, and all that happened. Frozen records.

May import `study_governor.db` and the services.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from service_kit.tables import utc_now
from study_governor.contract.schemas import ArtifactRecord, ExperimentRecord
from study_governor.contract.states import ArtifactKind, ExecutionStatus, StateKind, Trigger
from study_governor.db.tables import ActionRow, ExecutionRow, ExperimentRow, LateAnswerRow, Outbox
from study_governor.domain.engine import Test, manual_moves
from study_governor.engine.records import ENGINE
from study_governor.engine.steps import cause_of, read_facts
from study_governor.experiments.history import brief_of
from study_governor.measurements.service import artifacts_of, page_measurements
from study_governor.web.dashboard import StopShown, stops_shown
from study_governor.web.words import TRIGGER_WORDS, cause, execution_tone, execution_words, leaves, number, state_tone

if TYPE_CHECKING:
    from sqlmodel import Session

    from study_governor.contract.schemas import ActionRecord
    from study_governor.db.workflow_rows import StoredWorkflow
    from study_governor.domain.workflow import Callback
    from study_governor.reach import Reach
    from study_governor.services import Services

_TASK = re.compile(r"/tasks/(?:api/v1/tasks/)?(\d+)/?$|/api/v1/tasks/(\d+)/?$")
_PICTURES = (ArtifactKind.OVERLAY, ArtifactKind.PREVIEW)  # what was measured first
_REPORTS = (ArtifactKind.REPORT_HTML, ArtifactKind.REPORT_PDF)


@dataclass(frozen=True, slots=True)
class ExecutionShown:
    """An execution within a step.

    Parameters
    ----------
    trouble
        Why it is not under way yet, failed, or had to be ordered again.
    answer
        What a reader decided, and the comment.
    """

    id: int
    callback: str
    function: str
    description: str | None
    words: str
    tone: str
    attempt: int
    flow_run_id: str | None
    task_id: int | None
    trouble: str | None
    run_log: str | None
    is_open: bool
    answer: str | None = None
    until: datetime | None = None

    @property
    def last_line(self) -> str | None:
        """What the worker said last."""
        return self.run_log.strip().splitlines()[-1] if self.run_log and self.run_log.strip() else None


@dataclass(frozen=True, slots=True)
class EventShown:
    """One entry of the timeline: a step, or an answer that came too late."""

    id: int
    at: datetime
    state: str | None
    source: str | None
    tone: str
    actor: str
    did: str
    freetext: str | None
    executions: tuple[ExecutionShown, ...] = ()
    tests: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class MeasurementShown:
    """A measured number with its pedigree in words."""

    key: str
    name: str
    value: str
    unit: str
    model: str
    version: str
    pedigree: tuple[tuple[str, str], ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionView:
    """Everything on the page."""

    record: ExperimentRecord
    kind: StateKind
    tone: str
    freetext: str | None
    stops: tuple[StopShown, ...]
    working: tuple[ExecutionShown, ...]
    ways: tuple[tuple[str, str | None], ...]
    moves: tuple[Test, ...]
    pictures: tuple[ArtifactRecord, ...]
    reports: tuple[ArtifactRecord, ...]
    files: tuple[ArtifactRecord, ...]
    measurements: tuple[MeasurementShown, ...]
    timeline: tuple[EventShown, ...]
    why: str | None
    note: str | None

    @property
    def task_id(self) -> int | None:
        """The review task asked for last, if any."""
        found = [one.task_id for event in self.timeline for one in event.executions if one.task_id is not None]
        return found[0] if found else None

    @property
    def flow_run_id(self) -> str | None:
        """The flow run ordered last, if any."""
        found = [one.flow_run_id for event in self.timeline for one in event.executions if one.flow_run_id]
        return found[0] if found else None


def view_session(governor: Services, session: Session, experiment_id: int, *, reach: Reach) -> SessionView:
    """Read everything that the page of a session shows.

    Raises
    ------
    ThingUnknown
        Also when it is out of reach.
    """
    record = governor.experiments.record(session, experiment_id, reach=reach)
    row = session.get(ExperimentRow, experiment_id)
    assert row is not None
    stored = governor.workflows.get(session, row.workflow_id)
    state = stored.workflow.state(record.state)
    kind = stored.workflow.kind(state)
    actions = governor.experiments.actions(session, experiment_id)
    timeline = _timeline(session, experiment_id, actions, stored)
    steps = [event for event in timeline if event.state is not None]
    artifacts = artifacts_of(session, experiment_id)
    facts = read_facts(session, row, stored, now=utc_now())
    return SessionView(
        record=record,
        kind=kind,
        tone=state_tone(record.state, kind),
        freetext=state.freetext,
        stops=stops_shown(stored, {}, here=record.state, passed=way_to_here([action.state for action in actions])),
        working=steps[0].executions if steps else (),
        ways=tuple((way.destination, way.condition) for way in state.transitions),
        moves=manual_moves(stored.workflow, facts),
        pictures=tuple(one for kind in _PICTURES for one in artifacts if one.kind is kind),
        reports=tuple(one for one in artifacts if one.kind in _REPORTS),
        files=tuple(one for one in artifacts if one.kind not in (*_PICTURES, *_REPORTS)),
        measurements=_measurements(session, experiment_id, reach=reach),
        timeline=timeline,
        why=cause(record.why, state.freetext)
        or (_reason_reported(session, actions) if kind is StateKind.END else None),
        note=row.freetext,
    )


def way_to_here(states: list[str]) -> list[str]:
    """Return the states that led to the last of them, without the rounds that began again.

    Examples
    --------
    >>> way_to_here(["arrived", "measuring", "review", "released", "measuring", "review"])
    ['arrived', 'measuring', 'review']
    """
    way: list[str] = []
    for state in states:
        if state in way:
            del way[way.index(state) :]
        way.append(state)
    return way


def _reason_reported(session: Session, actions: list[ActionRecord]) -> str | None:
    """Return the reason that the work before the present state gave for leading here."""
    for brief in actions[-2].executions if len(actions) > 1 else ():
        execution = session.get(ExecutionRow, brief.id)
        reason = execution.result_values.get("reason") if execution is not None else None
        if isinstance(reason, str) and reason.strip():
            return reason.strip()
    return None


def _measurements(session: Session, experiment_id: int, *, reach: Reach) -> tuple[MeasurementShown, ...]:
    page = page_measurements(session, reach=reach, experiment_id=experiment_id, limit=500)
    return tuple(
        MeasurementShown(
            key=one.key,
            name=one.name,
            value=number(one.value),
            unit=one.unit,
            model=one.model,
            version=one.version,
            pedigree=tuple(leaves(one.pedigree)),
            at=one.updated_at,
        )
        for one in page.items
    )


def _timeline(
    session: Session, experiment_id: int, actions: list[ActionRecord], stored: StoredWorkflow
) -> tuple[EventShown, ...]:
    """Return what happened, the newest first."""
    executions = _executions(session, experiment_id, stored)
    rows = session.exec(select(ActionRow).where(ActionRow.experiment_id == experiment_id)).all()
    tests = {row.id: tuple(row.return_value or ()) for row in rows}
    events = [
        EventShown(
            id=action.id,
            at=action.start_time,
            state=action.state,
            source=action.source_state,
            tone=state_tone(action.state, stored.workflow.kind(stored.workflow.state(action.state))),
            actor="Cohortflow" if action.actor == ENGINE else action.actor,
            did=TRIGGER_WORDS[Trigger(action.trigger)],
            freetext=action.freetext,
            executions=tuple(executions[brief.id] for brief in action.executions),
            tests=tests[action.id],
        )
        for action in actions
    ]
    query = select(LateAnswerRow).where(LateAnswerRow.experiment_id == experiment_id).order_by(col(LateAnswerRow.id))
    events += [
        EventShown(
            id=row.id or 0,
            at=row.received_at,
            state=None,
            source=None,
            tone="secondary",
            actor=row.actor,
            did=f"answered too late ({row.result or row.status}); nothing moved",
            freetext=row.reason,
        )
        for row in session.exec(query).all()
    ]
    return tuple(sorted(events, key=lambda event: event.at, reverse=True))


def _executions(session: Session, experiment_id: int, stored: StoredWorkflow) -> dict[int, ExecutionShown]:
    now = utc_now()
    query = select(ExecutionRow).where(ExecutionRow.experiment_id == experiment_id).order_by(col(ExecutionRow.id))
    rows = session.exec(query).all()
    keys = {f"execution-{row.id}-{row.attempt}": row.id for row in rows if row.status == ExecutionStatus.CREATED}
    late = session.exec(select(Outbox).where(col(Outbox.key).in_(keys), col(Outbox.last_error).is_not(None))).all()
    errors = {keys[order.key]: order.last_error for order in late}
    shown: dict[int, ExecutionShown] = {}
    for row in rows:
        assert row.id is not None
        callback = stored.callback_of(row.callback_id)[1]
        brief = brief_of(row, stored)
        trouble = errors.get(row.id)
        if row.result in {"failed", "timeout"}:
            trouble = cause_of(row)
        elif row.result_log and row.status != ExecutionStatus.FINISHED:
            trouble = trouble or row.result_log
        elif row.result_log and row.result == "none":
            trouble = row.result_log
        shown[row.id] = ExecutionShown(
            id=row.id,
            callback=callback.label,
            function=callback.function,
            description=callback.description,
            words=execution_words(brief, now),
            tone=execution_tone(brief),
            attempt=row.attempt,
            flow_run_id=row.flow_run_id,
            task_id=_task_id(row.result_values),
            trouble=trouble,
            run_log=row.run_log,
            is_open=not ExecutionStatus(row.status).is_resolved,
            answer=_answer(row.result_values),
            until=_until(row, callback),
        )
    return shown


def _until(row: ExecutionRow, callback: Callback) -> datetime | None:
    """Return when an execution that waits for a person is given up; None when it never is."""
    if row.status != ExecutionStatus.WAITING or row.wait_start is None or callback.wait_timeout_min == 0:
        return None
    return row.wait_start + timedelta(minutes=callback.wait_timeout_min)


def _answer(values: dict[str, Any]) -> str | None:
    """Return what a reader answered; the task has it in full.

    Examples
    --------
    >>> _answer({"answered_by": "ada", "decision": "reject", "comment": "The eyes are inside."}), _answer({"outcome": 1})
    ('reject: The eyes are inside.', None)
    """
    if not values.get("answered_by"):
        return None
    said = [str(values[name]).strip() for name in ("decision", "comment") if values.get(name)]
    return ": ".join(filter(None, said)) or None


def _task_id(values: dict[str, Any]) -> int | None:
    """Return the number of the review task that a worker reported.

    Examples
    --------
    >>> _task_id({"task_uri": "http://127.0.0.1:8080/tasks/api/v1/tasks/12"}), _task_id({})
    (12, None)
    """
    for key in ("task_web_uri", "task_url", "task_uri"):
        found = _TASK.search(str(values.get(key) or ""))
        if found is not None:
            return int(found.group(1) or found.group(2))
    return None
