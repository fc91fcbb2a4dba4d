"""The steps of a session as programs see them. May import `study_governor.db`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from study_governor.addresses import uri
from study_governor.contract.schemas import ActionRecord, ExecutionBrief
from study_governor.contract.states import ExecutionResult, ExecutionStatus

if TYPE_CHECKING:
    from study_governor.db.tables import ActionRow, ExecutionRow
    from study_governor.db.workflow_rows import StoredWorkflow


def action_of(row: ActionRow, stored: StoredWorkflow, executions: list[ExecutionRow]) -> ActionRecord:
    """Return a step of a session, with its executions, as programs see it."""
    source, position = next(key for key, known in stored.transition_ids.items() if known == row.transition_id)
    assert row.id is not None
    return ActionRecord(
        id=row.id,
        uri=uri("actions", row.id),
        experiment=row.experiment_id,
        source_state=source,
        state=stored.workflow.state(source).transitions[position].destination,
        trigger=row.trigger,
        actor=row.actor,
        success=row.success,
        return_value=json.dumps(row.return_value) if row.return_value is not None else None,
        freetext=row.freetext,
        start_time=row.start_time,
        end_time=row.end_time,
        executions=[brief_of(execution, stored) for execution in executions],
    )


def brief_of(row: ExecutionRow, stored: StoredWorkflow) -> ExecutionBrief:
    """Return an execution as programs see it within an action."""
    callback = stored.callback_of(row.callback_id)[1]
    assert row.id is not None
    return ExecutionBrief(
        id=row.id,
        uri=uri("callback_executions", row.id),
        callback=callback.label,
        function=callback.function,
        status=ExecutionStatus(row.status),
        result=ExecutionResult(row.result),
        attempt=row.attempt,
        flow_run_id=row.flow_run_id,
        created=row.created,
        run_start=row.run_start,
        wait_start=row.wait_start,
        finished=row.finished,
    )
