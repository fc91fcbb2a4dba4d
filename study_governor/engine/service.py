"""The engine: creates sessions in their workflow, moves them, takes answers, ends what takes too long.

Each method is one transaction: the decision, its audit and the work it orders commit together; then the dispatcher and
the open pages are told. May import `study_governor.db` and `study_governor.domain`.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import col, select

from service_kit.tables import utc_now
from study_governor.contract.errors import AnswerRefused, AnswerTooLate, MovedMeanwhile, ThingUnknown
from study_governor.contract.states import ExecutionResult, ExecutionStatus, Trigger
from study_governor.db.tables import ExecutionRow, ExperimentRow, LateAnswerRow
from study_governor.domain.engine import decide_advance, decide_creation, decide_move, decide_restart
from study_governor.domain.facts import ExperimentFacts, Facts, naive_utc
from study_governor.domain.values import map_variables, with_texts, without_unstorable
from study_governor.engine.records import ENGINE, Answer, Moved
from study_governor.engine.steps import (
    apply_decision,
    lock_experiment,
    read_facts,
    set_variables,
    withdraw_findings,
    withdraw_question,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlmodel import Session

    from service_kit.database import Database, UnitOfWork
    from study_governor.db.workflow_rows import StoredWorkflow
    from study_governor.workflows.service import Workflows

logger = logging.getLogger(__name__)

MAX_LOG = 200_000
MAX_VALUES = 1_000_000
_UNBEGUN = (ExecutionStatus.CREATED.value, ExecutionStatus.QUEUED.value)


class Engine:
    """Carries out decisions on sessions.

    Parameters
    ----------
    wake
        Called after a commit that ordered work; the dispatcher then looks at once.
    changed
        Called with the session's id after a commit that changed it.
    queue_timeout_s
        How long an execution may wait to begin before it counts as timed out; 0 for ever.
    """

    def __init__(
        self,
        database: Database,
        workflows: Workflows,
        *,
        wake: Callable[[], None],
        changed: Callable[[int], None],
        queue_timeout_s: float = 86_400.0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._workflows = workflows
        self._wake = wake
        self._changed = changed
        self._queue_timeout_s = queue_timeout_s
        self._clock = clock

    def enter(self, uow: UnitOfWork, experiment: ExperimentRow, *, actor: str) -> None:
        """Let a new session leave the root of its workflow, in the transaction that inserts its row.

        The row needs a flushed id; its state is the root's.
        """
        stored = self._workflows.get(uow.session, experiment.workflow_id)
        root = stored.workflow.root.label
        seen = ExperimentFacts(experiment.label, naive_utc(experiment.scandate), root, {})
        decision = decide_creation(stored.workflow, Facts(seen, {}, naive_utc(self._clock())))
        apply_decision(uow, experiment, stored, decision, actor=actor)
        self._announce(uow, experiment)

    def restart(self, uow: UnitOfWork, experiment: ExperimentRow, *, actor: str, freetext: str) -> None:
        """Let a session begin again, in the transaction that notes why.

        What still runs for it is given up, what was found in it before is forgotten, and it leaves the release.
        """
        assert experiment.id is not None
        experiment = lock_experiment(uow.session, experiment.id)
        stored = self._workflows.get(uow.session, experiment.workflow_id)
        assert experiment.id is not None
        withdraw_findings(uow, stored, experiment.id)
        decision = decide_restart(stored.workflow, read_facts(uow.session, experiment, stored, now=self._clock()))
        apply_decision(uow, experiment, stored, decision, actor=actor, freetext=freetext)
        self._announce(uow, experiment)

    def move(
        self,
        experiment_id: int,
        *,
        destination: str,
        actor: str,
        freetext: str | None = None,
        expected_version: int | None = None,
    ) -> Moved:
        """Move a session by hand along a drawn transition.

        The move is decided on what the caller saw: on ``expected_version`` if given, else on what is stored when the
        request begins. Of several at once exactly one happens.

        Raises
        ------
        ThingUnknown, StateUnknown, NoTransition, ConditionNotMet, MovedMeanwhile
        """
        if expected_version is None:
            with self._database.read() as uow:
                expected_version = uow.session.exec(
                    select(ExperimentRow.version).where(ExperimentRow.id == experiment_id)
                ).first()
        with self._database.write() as uow:
            experiment = lock_experiment(uow.session, experiment_id)
            stored = self._workflows.get(uow.session, experiment.workflow_id)
            if experiment.version != expected_version:
                raise MovedMeanwhile(experiment_id, state=stored.label_of(experiment.state_id))
            facts = read_facts(uow.session, experiment, stored, now=self._clock())
            decision = decide_move(stored.workflow, facts, destination=destination)
            text = freetext or f"Moved to {destination!r} by hand (state {stored.state_ids[destination]})."
            apply_decision(uow, experiment, stored, decision, actor=actor, freetext=without_unstorable(text))
            self._announce(uow, experiment)
            moved = uow.session.get(ExperimentRow, experiment_id)
            assert moved is not None
            return Moved(experiment_id, stored.label_of(moved.state_id), moved.version)

    def answer(self, execution_id: int, answer: Answer, *, actor: str) -> None:
        """Take what is reported of an execution, and let the session go on when it was the last one.

        Raises
        ------
        ThingUnknown, AnswerRefused
        AnswerTooLate
            If the execution is resolved or ordered anew, or its session has gone on; the answer is recorded.
        """
        _check_answer(execution_id, answer)
        with self._database.write() as uow:
            execution, experiment = self._lock(uow.session, execution_id)
            reason = _why_too_late(execution, experiment, attempt=answer.attempt)
            if reason is not None:
                _record_late(uow.session, execution, answer, actor=actor, reason=reason)
            else:
                self._take(uow, execution, experiment, answer, actor=actor)
            self._announce(uow, experiment)
            status = execution.status
        if reason is not None:
            raise AnswerTooLate(execution_id, status=status, reason=reason)

    def give_up(self, execution_id: int, *, reason: str, attempt: int | None = None) -> None:
        """End an execution as failed for a reason of ours, unless it was resolved or ordered anew meanwhile."""
        answer = Answer(ExecutionStatus.FINISHED, ExecutionResult.FAILED, {"reason": reason}, result_log=reason)
        with self._database.write() as uow:
            execution, experiment = self._lock(uow.session, execution_id)
            if _why_too_late(execution, experiment, attempt=attempt):
                return
            logger.warning("execution given up", extra={"execution": execution_id, "experiment": experiment.id})
            self._take(uow, execution, experiment, answer, actor=ENGINE)
            self._announce(uow, experiment)

    def check_timeouts(self) -> tuple[int, int]:
        """End executions that run or wait too long; return how many of each."""
        now = self._clock()
        with self._database.read() as uow:
            open_status = (*_UNBEGUN, ExecutionStatus.RUNNING.value, ExecutionStatus.WAITING.value)
            rows = uow.session.exec(
                select(ExecutionRow, ExperimentRow.workflow_id)
                .join(ExperimentRow, col(ExperimentRow.last_action_id) == ExecutionRow.action_id)
                .where(col(ExecutionRow.status).in_(open_status))
            ).all()
            overdue = [
                (row.id, row.status)
                for row, workflow_id in rows
                if self._overdue(row, self._workflows.get(uow.session, workflow_id), now) is not None
            ]
        waits = sum(self._time_out(execution_id) for execution_id, _ in overdue if execution_id is not None)
        return len(overdue) - waits, waits

    def _time_out(self, execution_id: int) -> bool:
        """Time one execution out if it still is overdue; return whether it was waiting."""
        with self._database.write() as uow:
            execution, experiment = self._lock(uow.session, execution_id)
            stored = self._workflows.get(uow.session, experiment.workflow_id)
            said = self._overdue(execution, stored, self._clock())
            if said is None or _why_too_late(execution, experiment):
                return False
            was_waiting = execution.status == ExecutionStatus.WAITING
            logger.info("execution timed out", extra={"execution": execution_id, "status": execution.status})
            answer = Answer(ExecutionStatus.FINISHED, ExecutionResult.TIMEOUT, result_log=said)
            self._take(uow, execution, experiment, answer, actor=ENGINE)
            self._announce(uow, experiment)
            return was_waiting

    def _overdue(self, execution: ExecutionRow, stored: StoredWorkflow, now: datetime) -> str | None:
        """Return the sentence for the log when an execution takes longer than it may."""
        callback = stored.callback_of(execution.callback_id)[1]
        if execution.status == ExecutionStatus.WAITING:
            limit_s, since = callback.wait_timeout_min * 60.0, execution.wait_start
            text = f"No answer came within {callback.wait_timeout_min} minutes."
        elif execution.status == ExecutionStatus.RUNNING:
            limit_s, since = callback.run_timeout_min * 60.0, execution.run_start
            text = f"It ran longer than {callback.run_timeout_min} minutes."
        elif execution.status in _UNBEGUN:
            limit_s, since = self._queue_timeout_s, execution.created + timedelta(seconds=callback.initial_delay_s)
            text = f"It did not begin within {self._queue_timeout_s / 3600:.3g} hours."
        else:
            return None
        is_over = limit_s > 0 and since is not None and now - since > timedelta(seconds=limit_s)
        return text if is_over else None

    def _lock(self, session: Session, execution_id: int) -> tuple[ExecutionRow, ExperimentRow]:
        experiment_id = session.exec(select(ExecutionRow.experiment_id).where(ExecutionRow.id == execution_id)).first()
        if experiment_id is None:
            raise ThingUnknown("callback execution", execution_id)
        experiment = lock_experiment(session, experiment_id)
        execution = session.get(ExecutionRow, execution_id, populate_existing=True)
        assert execution is not None
        return execution, experiment

    def _take(
        self, uow: UnitOfWork, execution: ExecutionRow, experiment: ExperimentRow, answer: Answer, *, actor: str
    ) -> None:
        """Store an answer that is in time; when it resolves the execution, decide what follows."""
        now = self._clock()
        stored = self._workflows.get(uow.session, experiment.workflow_id)
        callback = stored.callback_of(execution.callback_id)[1]
        answer = _cleaned(answer, execution.secret_key)
        _store(execution, answer, now=now)
        uow.session.add(execution)
        uow.session.flush()
        if execution.status != ExecutionStatus.FINISHED:
            return
        if actor == ENGINE:
            withdraw_question(uow, stored, execution)
        assert experiment.id is not None
        if execution.result == ExecutionResult.SUCCESS:
            set_variables(uow.session, experiment.id, map_variables(callback.variable_map, execution.result_values))
        facts = read_facts(uow.session, experiment, stored, now=now)
        is_timeout = execution.result == ExecutionResult.TIMEOUT
        decision = decide_advance(stored.workflow, facts, trigger=Trigger.TIMEOUT if is_timeout else Trigger.ANSWER)
        if decision.steps or decision.tests or decision.attention:
            apply_decision(uow, experiment, stored, decision, actor=actor)

    def _announce(self, uow: UnitOfWork, experiment: ExperimentRow) -> None:
        experiment_id = experiment.id
        assert experiment_id is not None
        uow.after_commit(self._wake)
        uow.after_commit(lambda: self._changed(experiment_id))


def _check_answer(execution_id: int, answer: Answer) -> None:
    if answer.status in {ExecutionStatus.CREATED, ExecutionStatus.SKIPPED}:
        raise AnswerRefused(execution_id, reason=f"the status {answer.status.value!r} is set by the governor only")
    reported = {ExecutionResult.SUCCESS, ExecutionResult.FAILED}
    if answer.status is ExecutionStatus.FINISHED and answer.result not in reported:
        raise AnswerRefused(execution_id, reason="with the status 'finished' the result is 'success' or 'failed'")
    if answer.result_values is not None:
        try:
            text = json.dumps(dict(answer.result_values), allow_nan=False)
        except ValueError as error:
            raise AnswerRefused(execution_id, reason="the result_values hold a number that is not finite") from error
        if len(text) > MAX_VALUES:
            raise AnswerRefused(execution_id, reason=f"the result_values are longer than {MAX_VALUES} characters")


def _why_too_late(execution: ExecutionRow, experiment: ExperimentRow, *, attempt: int | None = None) -> str | None:
    if ExecutionStatus(execution.status).is_resolved:
        return f"it is {execution.status} with the result {execution.result!r}"
    if experiment.last_action_id != execution.action_id:
        return "its session has gone on since"
    if attempt is not None and attempt != execution.attempt:
        return f"it was ordered anew, as attempt {execution.attempt}"
    return None


def _record_late(session: Session, execution: ExecutionRow, answer: Answer, *, actor: str, reason: str) -> None:
    answer = _cleaned(answer, execution.secret_key)
    assert execution.id is not None
    logger.info("late answer recorded", extra={"execution": execution.id, "actor": actor})
    session.add(
        LateAnswerRow(
            execution_id=execution.id,
            experiment_id=execution.experiment_id,
            actor=actor,
            reason=reason,
            status=(answer.status or ExecutionStatus.RUNNING).value,
            result=answer.result.value if answer.result else None,
            result_values=dict(answer.result_values) if answer.result_values is not None else None,
        )
    )


_ORDER = (
    ExecutionStatus.CREATED,
    ExecutionStatus.QUEUED,
    ExecutionStatus.RUNNING,
    ExecutionStatus.WAITING,
    ExecutionStatus.FINISHED,
)


def _store(execution: ExecutionRow, answer: Answer, *, now: datetime) -> None:
    """Write an answer into the row. A status never goes back; new result values are laid over earlier ones."""
    if answer.result_values is not None:
        execution.result_values = {**execution.result_values, **answer.result_values}
    for name in ("run_log", "result_log", "flow_run_id"):
        value = getattr(answer, name)
        if value is not None:
            setattr(execution, name, value)
    if answer.status is None or _ORDER.index(answer.status) < _ORDER.index(ExecutionStatus(execution.status)):
        return
    if answer.status is ExecutionStatus.RUNNING:
        execution.run_start = execution.run_start or now
    elif answer.status is ExecutionStatus.WAITING:
        execution.wait_start = execution.wait_start or now
    elif answer.status is ExecutionStatus.FINISHED:
        assert answer.result is not None
        execution.result, execution.finished = answer.result.value, now
    execution.status = answer.status.value


def _cleaned(answer: Answer, secret: str) -> Answer:
    """Return an answer as it may be stored: without the secret, without NUL, logs cut to their end."""

    def clean(text: str) -> str:
        return without_unstorable(text).replace(secret, "***")

    return replace(
        answer,
        result_values=None if answer.result_values is None else with_texts(dict(answer.result_values), clean),
        run_log=None if answer.run_log is None else clean(answer.run_log)[-MAX_LOG:],
        result_log=None if answer.result_log is None else clean(answer.result_log)[-MAX_LOG:],
    )
