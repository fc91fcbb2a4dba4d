"""Flow `release`: write a session's accepted measurements into the study's release table."""

from __future__ import annotations

from prefect import flow

from flows.executions import execution_of
from flows.outside import outside
from flows.wiring import wired
from flows.withdraw import leave_release
from study_governor.contract.states import ExecutionResult
from tasks.errors import RejectedInput
from tasks.export.prefect_tasks import write
from tasks.export.release import release_table


@flow(name="release", flow_run_name="execution-{execution_id}", persist_result=False)
async def release(execution_id: int) -> str:
    """Release a session.

    Inputs: the session's measurements, from the governor. Outputs: ``released``, ``failed``, or ``closed`` when the
    execution was resolved before, or the session went on meanwhile. Side effects: the study's table (CSV and JSON) in the release folder; the execution
    answered. Running it again writes the same table.
    """
    outcome = "failed"
    with wired() as wiring:
        governor = wiring.governor()
        async with execution_of(governor, execution_id) as execution:
            if not execution.is_open:
                return "closed"
            record = execution.record
            study = wiring.study(record.cohort.label)
            measured = await outside(lambda: list(governor.measurements(experiment_id=record.experiment.id)))
            rows = release_table(measured, wanted=study.release.measurements)
            if not rows:
                wanted = ", ".join(study.release.measurements) or "any"
                raise RejectedInput(f"The session has no measurement to release; the study releases: {wanted}.")
            folder = wiring.settings.releases_dir / study.name
            written = await write(folder, record.experiment.label, rows, stem=study.name)
            await execution.say(f"Released {len(rows)} measurement(s); the table has {written.row_count} rows.")
            if await execution.succeed(release=str(written.csv), rows=len(rows)):
                return "released"
            outcome = "closed"
            record = await outside(governor.execution, execution_id)
            if not record.is_current and record.result != ExecutionResult.SUCCESS:
                await leave_release(wiring, record)
    return outcome
