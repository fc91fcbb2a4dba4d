"""The record of an execution, and its secret. Answers belong to the engine. May import `study_governor.db`."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from study_governor.addresses import Addresses, uri
from study_governor.cohorts.service import external_systems, subject_ids
from study_governor.contract.errors import ThingUnknown
from study_governor.contract.schemas import (
    ActionInExecution,
    CallbackRecord,
    ExecutionRecord,
    ExperimentInExecution,
    LabelledWithIds,
)
from study_governor.contract.states import ExecutionResult, ExecutionStatus
from study_governor.db.tables import ActionRow, CohortRow, ExecutionRow, ExperimentRow, SubjectRow
from study_governor.experiments.attributes import experiment_ids, variables_of

if TYPE_CHECKING:
    from sqlmodel import Session

    from study_governor.workflows.service import Workflows


class Executions:
    """All executions."""

    def __init__(self, workflows: Workflows, *, addresses: Addresses) -> None:
        self._workflows = workflows
        self._addresses = addresses

    def place(self, session: Session, execution_id: int) -> tuple[ExecutionRow, str, str | None]:
        """Return an execution with the study and site of its session, for the check of rights.

        Raises
        ------
        ThingUnknown
        """
        row = session.get(ExecutionRow, execution_id)
        if row is None:
            raise ThingUnknown("callback execution", execution_id)
        experiment = session.get(ExperimentRow, row.experiment_id)
        assert experiment is not None
        cohort = session.get(CohortRow, experiment.cohort_id)
        assert cohort is not None
        return row, cohort.label, experiment.site

    def record(self, session: Session, row: ExecutionRow, *, with_secret: bool) -> ExecutionRecord:
        """Return all that a worker needs to know."""
        experiment = session.get(ExperimentRow, row.experiment_id)
        action = session.get(ActionRow, row.action_id)
        assert experiment is not None
        assert action is not None
        subject = session.get(SubjectRow, experiment.subject_id)
        cohort = session.get(CohortRow, experiment.cohort_id)
        assert subject is not None
        assert cohort is not None
        experiment_id, execution_id, action_id = _id(experiment.id), _id(row.id), _id(action.id)
        subject_id = _id(subject.id)
        stored = self._workflows.get(session, experiment.workflow_id)
        return ExecutionRecord(
            id=execution_id,
            uri=uri("callback_executions", execution_id),
            api_uri=self._addresses.api("callback_executions", execution_id),
            web_uri=self._addresses.action_page(experiment_id, action_id),
            callback=self._callback(session, experiment.workflow_id, row.callback_id),
            cohort=LabelledWithIds(id=_id(cohort.id), label=cohort.label),
            subject=LabelledWithIds(id=subject_id, label=subject.label, external_ids=subject_ids(session, subject_id)),
            experiment=ExperimentInExecution(
                id=experiment_id,
                label=experiment.label,
                external_ids=experiment_ids(session, experiment_id),
                uri=uri("experiments", experiment_id),
                web_uri=self._addresses.session_page(experiment_id),
                scandate=experiment.scandate,
                state=stored.label_of(experiment.state_id),
                site=experiment.site,
                variable_map=variables_of(session, experiment_id),
            ),
            action=ActionInExecution(
                id=action_id, start_time=action.start_time, actor=action.actor, freetext=action.freetext
            ),
            external_systems=external_systems(session),
            status=ExecutionStatus(row.status),
            result=ExecutionResult(row.result),
            result_values=row.result_values,
            run_log=row.run_log,
            result_log=row.result_log,
            created=row.created,
            run_start=row.run_start,
            wait_start=row.wait_start,
            finished=row.finished,
            attempt=row.attempt,
            flow_run_id=row.flow_run_id,
            is_current=experiment.last_action_id == row.action_id,
            secret_key=row.secret_key if with_secret else None,
        )

    def _callback(self, session: Session, workflow_id: int, callback_id: int) -> CallbackRecord:
        state, callback = self._workflows.get(session, workflow_id).callback_of(callback_id)
        return CallbackRecord(
            id=callback_id,
            label=callback.label,
            state=state.label,
            function=callback.function,
            callback_arguments=dict(callback.arguments),
            variable_map=dict(callback.variable_map),
            run_timeout=callback.run_timeout_min,
            wait_timeout=callback.wait_timeout_min,
            initial_delay=callback.initial_delay_s,
            description=callback.description,
            condition=callback.condition,
        )


def knows_secret(row: ExecutionRow, given: str | None) -> bool:
    """Tell whether somebody gave the execution's own secret; takes the same time for every wrong one."""
    return given is not None and hmac.compare_digest(given.encode(), row.secret_key.encode())


def _id(row_id: int | None) -> int:
    assert row_id is not None
    return row_id
