"""Flow `request-review`: ask a person, through the task supervisor, and leave the execution waiting for the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from prefect import flow

from flows.executions import Execution, execution_of
from flows.outside import outside
from flows.wiring import wired
from flows.withdraw import task_key, withdraw_task
from task_supervisor.contract.schemas import TaskIn
from tasks.errors import RejectedInput
from tasks.review.content import ReviewedSession, ShownMeasurement
from tasks.review.prefect_tasks import fill_task

if TYPE_CHECKING:
    from flows.wiring import Wiring
    from study_governor.client import GovernorClient
    from tasks.studies import Study


@flow(name="request-review", flow_run_name="execution-{execution_id}", persist_result=False)
async def request_review(execution_id: int) -> str:
    """Make the review task of an execution.

    Inputs: the session's artifacts and measurements, from the governor; the study's task base. Outputs: ``waiting``,
    ``failed``, or ``closed`` when the execution was resolved or asked for before. Side effects: one task at the
    supervisor, by the key of the execution; the execution waits for its answer.
    """
    state = "failed"
    with wired() as wiring:
        async with execution_of(wiring.governor(), execution_id) as execution:
            if not execution.is_open:
                return "closed"
            task = await _task(wiring, execution)
            made = await outside(wiring.supervisor().create_task, task, idempotency_key=task_key(execution_id))
            await execution.say(f"Task {made.id} waits for a reader.")
            if await execution.wait_for_a_person(task_uri=made.uri, task_url=made.web_uri):
                return "waiting"
            record = await outside(wiring.governor().execution, execution_id)
            if record.status.is_resolved or not record.is_current:  # else a later attempt waits for the same task
                await withdraw_task(wiring, execution_id)
            state = "closed"
    return state


async def _task(wiring: Wiring, execution: Execution) -> TaskIn:
    """Fill the task base for this session."""
    record = execution.record
    study = wiring.study(record.cohort.label)
    arguments = record.callback.callback_arguments
    info: dict[str, Any] = dict(arguments.get("task_info") or {})
    base = _base(study, str(arguments.get("task_base", "")))
    governor = wiring.governor()
    session = await _session(governor, execution, archive_url=wiring.settings.xnat_url)
    content = await fill_task(base, session, measurements=await _shown(governor, execution))
    return TaskIn(
        project=info.get("project") or study.name,
        template=info.get("template") or content.get("template") or "",
        content=content,
        callback_url=record.api_uri,
        callback_content=json.dumps({"status": "finished", "result": "success", "secret_key": record.secret_key}),
        generator_url=record.web_uri,
        tracking_id=record.experiment.label,
        site=record.experiment.site,
        tags=[str(tag) for tag in info.get("tags") or ()],
        application_name=info.get("application_name"),
        application_version=str(info["application_version"]) if info.get("application_version") else None,
    )


def _base(study: Study, name: str) -> str:
    for path in study.task_base_paths:
        if path.name == name:
            return path.read_text(encoding="utf-8")
    known = ", ".join(path.name for path in study.task_base_paths) or "none"
    raise RejectedInput(f"Study {study.name} has no task base {name!r}; known are: {known}.")


async def _session(governor: GovernorClient, execution: Execution, *, archive_url: str) -> ReviewedSession:
    experiment = execution.record.experiment
    artifacts = await outside(governor.artifacts, experiment.id)
    return ReviewedSession(
        label=experiment.label,
        url=experiment.web_uri,
        experiment_id=experiment.external_ids.get("XNAT", ""),
        subject_id=execution.record.subject.external_ids.get("XNAT", ""),
        archive_url=archive_url,
        artifacts={str(one.kind): one.uri for one in artifacts},
    )


async def _shown(governor: GovernorClient, execution: Execution) -> list[ShownMeasurement]:
    measured = await outside(lambda: list(governor.measurements(experiment_id=execution.record.experiment.id)))
    return [ShownMeasurement(name=one.name, value=one.value, unit=one.unit) for one in measured]
