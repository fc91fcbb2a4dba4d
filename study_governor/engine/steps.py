"""Writes a decision into the rows of a session, within the transaction of whoever decided.

Compare-and-set: the session's row is changed only at the version on which the decision was made.
May import `study_governor.db` and `study_governor.domain`.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, update
from sqlmodel import col, select

from service_kit.outbox import enqueue
from service_kit.tables import utc_now
from study_governor.contract.errors import MovedMeanwhile, ThingUnknown
from study_governor.contract.states import (
    ArtifactKind,
    Attention,
    ExecutionResult,
    ExecutionStatus,
    Trigger,
    VariableType,
)
from study_governor.db.tables import (
    ActionRow,
    ArtifactRow,
    ExecutionRow,
    ExperimentRow,
    MeasurementRow,
    Outbox,
    VariableRow,
)
from study_governor.domain.facts import ExecutionFacts, ExperimentFacts, Facts, naive_utc
from study_governor.domain.values import pack, unpack
from study_governor.domain.workflow import is_person, is_release
from study_governor.engine.records import ENGINE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlmodel import Session

    from service_kit.database import UnitOfWork
    from study_governor.db.workflow_rows import StoredWorkflow
    from study_governor.domain.engine import Decision, Step, Test

ORDER_KIND = "flow"
WITHDRAWAL_KIND = "withdrawal"
_CAUSE_LENGTH = 300


def lock_experiment(session: Session, experiment_id: int) -> ExperimentRow:
    """Read a session's row for a decision; on PostgreSQL it is locked until the end of the transaction.

    Raises
    ------
    ThingUnknown
    """
    query = select(ExperimentRow).where(ExperimentRow.id == experiment_id).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).first()
    if row is None:
        raise ThingUnknown("session", experiment_id)
    return row


def read_facts(session: Session, experiment: ExperimentRow, stored: StoredWorkflow, *, now: datetime) -> Facts:
    """Return all that conditions see of a session."""
    variables = session.exec(select(VariableRow).where(VariableRow.experiment_id == experiment.id)).all()
    executions: Mapping[str, ExecutionFacts] = {}
    if experiment.last_action_id is not None:
        executions = {
            stored.callback_of(row.callback_id)[1].label: ExecutionFacts(
                ExecutionStatus(row.status), ExecutionResult(row.result), row.result_values
            )
            for row in executions_of(session, experiment.last_action_id)
        }
    seen = ExperimentFacts(
        label=experiment.label,
        scandate=naive_utc(experiment.scandate),
        state=stored.label_of(experiment.state_id),
        variables={row.label: unpack(VariableType(row.type), row.value) for row in variables},
    )
    return Facts(seen, executions, naive_utc(now))


def executions_of(session: Session, action_id: int) -> Sequence[ExecutionRow]:
    """Return the executions of an action, in the order of their callbacks."""
    query = select(ExecutionRow).where(ExecutionRow.action_id == action_id).order_by(col(ExecutionRow.id))
    return session.exec(query).all()


def set_variables(session: Session, experiment_id: int, values: Mapping[str, Any]) -> None:
    """Store variables of a session; an earlier value of the same name is replaced."""
    for label, value in values.items():
        kind, text = pack(value)
        query = select(VariableRow).where(VariableRow.experiment_id == experiment_id, VariableRow.label == label)
        row = session.exec(query).first() or VariableRow(experiment_id=experiment_id, label=label, type="", value="")
        row.type, row.value = kind.value, text
        session.add(row)
    session.flush()


def apply_decision(
    uow: UnitOfWork,
    experiment: ExperimentRow,
    stored: StoredWorkflow,
    decision: Decision,
    *,
    actor: str,
    freetext: str | None = None,
) -> None:
    """Write the steps of a decision, order their work and move the session, all in this transaction.

    Raises
    ------
    MovedMeanwhile
        If the session's version is no longer the one that was read.
    """
    session = uow.session
    version, action_id = experiment.version, experiment.last_action_id
    state_id, entered_at = experiment.state_id, experiment.entered_at
    cause: str | None = None
    for number, step in enumerate(decision.steps):
        now = utc_now()
        if action_id is not None:
            tests = _written(step.tests, step.source, stored)
            cause = _close_action(uow, stored, action_id, tests=tests, now=now) or cause
        version += 1
        action = _insert_action(session, experiment, stored, step, sequence=version, now=now)
        action.actor = actor if number == 0 else ENGINE
        action.freetext = freetext if number == 0 else None
        session.add(action)
        session.flush()
        assert action.id is not None
        _insert_executions(uow, experiment, stored, step, action_id=action.id, now=now)
        action_id, state_id, entered_at = action.id, stored.state_ids[step.destination], now
    if not decision.steps and action_id is not None and decision.tests:
        _note_tests(session, action_id, _written(decision.tests, stored.label_of(state_id), stored))
    why = decision.why
    if why and cause and decision.attention is Attention.OPERATOR:
        why = f"{why}: {cause}"
    _compare_and_set(
        session,
        experiment,
        stored,
        {
            "version": max(version, experiment.version + 1),
            "state_id": state_id,
            "last_action_id": action_id,
            "entered_at": entered_at,
            "attention": decision.attention.value if decision.attention else None,
            "why": why,
        },
    )


def _compare_and_set(
    session: Session, experiment: ExperimentRow, stored: StoredWorkflow, values: dict[str, Any]
) -> None:
    changed = session.connection().execute(
        update(ExperimentRow)
        .where(col(ExperimentRow.id) == experiment.id, col(ExperimentRow.version) == experiment.version)
        .values(**values)
    )
    session.expire(experiment)
    if changed.rowcount != 1:
        assert experiment.id is not None
        raise MovedMeanwhile(experiment.id, state=stored.label_of(experiment.state_id))


def _close_action(
    uow: UnitOfWork, stored: StoredWorkflow, action_id: int, *, tests: list[dict[str, Any]], now: datetime
) -> str | None:
    """End the action that a step leaves; return why it failed, if it did. What still ran in it is given up."""
    session = uow.session
    action = session.get(ActionRow, action_id)
    assert action is not None
    causes: list[str] = []
    has_succeeded = True
    for execution in executions_of(session, action_id):
        if not ExecutionStatus(execution.status).is_resolved:
            execution.status, execution.finished = ExecutionStatus.FINISHED.value, now
            execution.result_log = "Given up: the session was moved on while this was under way."
            session.add(execution)
            withdraw_question(uow, stored, execution)
            has_succeeded = False
        elif execution.result in {ExecutionResult.FAILED, ExecutionResult.TIMEOUT}:
            has_succeeded = False
            causes.append(cause_of(execution))
    if action.end_time is None:
        action.success, action.end_time = has_succeeded, now
    action.return_value = tests
    session.add(action)
    return "; ".join(causes) or None


def _note_tests(session: Session, action_id: int, tests: list[dict[str, Any]]) -> None:
    action = session.get(ActionRow, action_id)
    assert action is not None
    action.return_value = tests
    session.add(action)


def cause_of(execution: ExecutionRow) -> str:
    """Return why an execution failed, in a few words that its worker reported."""
    values = execution.result_values
    for key in ("reason", "error", "__exception__"):
        if isinstance(values.get(key), str) and values[key].strip():
            return str(values[key]).strip()[:_CAUSE_LENGTH]
    for log in (execution.result_log, execution.run_log):
        if log and log.strip():
            return log.strip().splitlines()[-1][:_CAUSE_LENGTH]
    return "no reason was reported"


def _written(tests: tuple[Test, ...], source: str, stored: StoredWorkflow) -> list[dict[str, Any]]:
    positions = _positions(tests, source, stored)
    return [
        {
            "transition_id": stored.transition_ids[source, position],
            "destination": test.destination,
            "condition": test.condition,
            "test_result": test.held,
            "reason": test.reason,
        }
        for position, test in zip(positions, tests, strict=True)
    ]


def _positions(tests: tuple[Test, ...], source: str, stored: StoredWorkflow) -> list[int]:
    """Return which transitions the tests belong to: all in order, or those to one destination at a manual move."""
    ways = stored.workflow.state(source).transitions
    found: list[int] = []
    for test in tests:
        start = found[-1] + 1 if found else 0
        found.append(
            next(
                position
                for position in range(start, len(ways))
                if (ways[position].destination, ways[position].condition) == (test.destination, test.condition)
            )
        )
    return found


def _insert_action(
    session: Session, experiment: ExperimentRow, stored: StoredWorkflow, step: Step, *, sequence: int, now: datetime
) -> ActionRow:
    assert experiment.id is not None
    is_resting = not step.is_waiting_for_callbacks
    action = ActionRow(
        experiment_id=experiment.id,
        transition_id=stored.transition_ids[step.source, step.position],
        sequence=sequence,
        trigger=step.trigger.value,
        actor=ENGINE,
        success=is_resting,
        start_time=now,
        end_time=now if is_resting else None,
    )
    session.add(action)
    return action


def _insert_executions(
    uow: UnitOfWork, experiment: ExperimentRow, stored: StoredWorkflow, step: Step, *, action_id: int, now: datetime
) -> None:
    assert experiment.id is not None
    for start in step.starts:
        execution = ExecutionRow(
            callback_id=stored.callback_ids[step.destination, start.callback],
            action_id=action_id,
            experiment_id=experiment.id,
            status=(ExecutionStatus.SKIPPED if start.is_skipped else ExecutionStatus.CREATED).value,
            result=ExecutionResult.NONE.value,
            result_log=f"Skipped: {start.reason}." if start.is_skipped else None,
            secret_key=secrets.token_hex(128),
            created=now,
            finished=now if start.is_skipped else None,
        )
        uow.session.add(execution)
        uow.session.flush()
        if not start.is_skipped:
            callback = stored.workflow.state(step.destination).callback(start.callback)
            order_execution(uow, execution, delay_s=callback.initial_delay_s)


def order_execution(uow: UnitOfWork, execution: ExecutionRow, *, delay_s: float = 0.0) -> None:
    """Order an attempt of an execution in this transaction."""
    enqueue(
        uow,
        Outbox,
        kind=ORDER_KIND,
        key=f"execution-{execution.id}-{execution.attempt}",
        payload={"execution_id": execution.id, "attempt": execution.attempt},
        available_in_s=delay_s,
    )


def withdraw_question(uow: UnitOfWork, stored: StoredWorkflow, execution: ExecutionRow) -> None:
    """Order that a person is asked no more what an execution asked, which ended without the person's answer."""
    if is_person(stored.callback_of(execution.callback_id)[1]):
        order_withdrawal(uow, execution)


def withdraw_findings(uow: UnitOfWork, stored: StoredWorkflow, experiment_id: int) -> None:
    """Forget what was found in a session's images, and order that it leaves the release if it is there.

    Pictures of the images themselves stay; what the archive keeps of the findings stays there.
    """
    session = uow.session
    for table in (MeasurementRow, VariableRow):
        session.connection().execute(delete(table).where(col(table.experiment_id) == experiment_id))
    session.connection().execute(
        delete(ArtifactRow).where(
            col(ArtifactRow.experiment_id) == experiment_id, col(ArtifactRow.kind) != ArtifactKind.PREVIEW.value
        )
    )
    newest_first = select(ExecutionRow).where(ExecutionRow.experiment_id == experiment_id)
    executions = session.exec(newest_first.order_by(col(ExecutionRow.id).desc())).all()
    release = next((one for one in executions if is_release(stored.callback_of(one.callback_id)[1])), None)
    if release is not None:  # however it ended: its flow may have written before it could answer
        order_withdrawal(uow, release)


def order_withdrawal(uow: UnitOfWork, execution: ExecutionRow) -> None:
    """Order in this transaction that what an execution brought out is taken back."""
    key = f"withdrawal-{execution.id}"
    enqueue(uow, Outbox, kind=WITHDRAWAL_KIND, key=key, payload={"execution_id": execution.id})


__all__ = [
    "ORDER_KIND",
    "WITHDRAWAL_KIND",
    "Trigger",
    "apply_decision",
    "cause_of",
    "executions_of",
    "lock_experiment",
    "order_execution",
    "order_withdrawal",
    "read_facts",
    "set_variables",
    "withdraw_findings",
    "withdraw_question",
]
