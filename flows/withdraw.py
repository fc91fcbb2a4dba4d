"""Flow `withdraw`: take back what an execution brought out of the house, once it counts no more."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from prefect import flow

from flows.executions import CONFLICT
from flows.outside import outside
from flows.wiring import wired
from study_governor.contract.states import ExecutionResult
from task_supervisor.client import SupervisorRejected
from task_supervisor.contract.states import TaskStatus
from tasks.export.prefect_tasks import write

if TYPE_CHECKING:
    from flows.wiring import Wiring
    from study_governor.contract.schemas import ExecutionRecord

logger = logging.getLogger(__name__)

ASKS_A_PERSON = "create_task"
REASON = "The session has gone on; the answer is needed no more."


@flow(name="withdraw", flow_run_name="execution-{execution_id}", persist_result=False)
async def withdraw(execution_id: int) -> str:
    """Take back an execution's review task, or its rows in the release.

    Inputs: the execution, from the governor. Outputs: ``withdrawn``, or ``nothing`` when nothing was left to take back.
    Side effects: the open task aborted, or the session out of the study's table. Running it again changes nothing.
    """
    with wired() as wiring:
        record = await outside(wiring.governor().execution, execution_id)
        if record.callback.function == ASKS_A_PERSON:
            is_withdrawn = await withdraw_task(wiring, execution_id)
        else:
            is_withdrawn = await leave_release(wiring, record)
    return "withdrawn" if is_withdrawn else "nothing"


def task_key(execution_id: int) -> str:
    """Return the key under which an execution's task is made, and found again."""
    return f"execution-{execution_id}"


async def withdraw_task(wiring: Wiring, execution_id: int) -> bool:
    """Abort the task of an execution unless it is answered or aborted; return whether one was."""
    supervisor = wiring.supervisor()
    for task in await outside(lambda: list(supervisor.tasks(idempotency_key=task_key(execution_id)))):
        if task.status not in {TaskStatus.QUEUED, TaskStatus.CLAIMED}:
            continue
        try:
            await outside(supervisor.abort, task.id, reason=REASON)
        except SupervisorRejected as refused:
            if refused.status != CONFLICT:
                raise
            logger.info("task settled meanwhile", extra={"task": task.id})
        else:
            return True
    return False


async def leave_release(wiring: Wiring, record: ExecutionRecord) -> bool:
    """Take a session out of its study's table, unless it was released anew since."""
    actions = await outside(wiring.governor().actions, record.experiment.id)
    later = (
        one
        for action in actions
        for one in action.executions
        if one.id > record.id and one.callback == record.callback.label
    )
    if any(one.result == ExecutionResult.SUCCESS or not one.status.is_resolved for one in later):
        return False
    study = record.cohort.label
    folder = wiring.settings.releases_dir / study
    if not folder.is_dir():
        return False
    await write(folder, record.experiment.label, (), stem=study, subject=record.subject.label)
    return True
