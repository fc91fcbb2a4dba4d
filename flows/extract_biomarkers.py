"""Flow `extract-biomarkers`: choose the scan, measure it on Dask, store the results, answer the governor."""

from __future__ import annotations

import asyncio
import shutil
from functools import partial
from typing import TYPE_CHECKING

from prefect import flow

from flows.executions import Execution, execution_of
from flows.outside import outside
from flows.runners import run_on_dask
from flows.wiring import wired
from tasks.archive.prefect_tasks import describe, fetch, store
from tasks.errors import RejectedInput
from tasks.extraction.artifacts import artifacts_of
from tasks.extraction.extract import extract
from tasks.extraction.prefect_tasks import choose
from tasks.extraction.records import ExtractionResult, Outcome
from tasks.extraction.request import extraction_request, missing_scan_types

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from flows.wiring import Wiring
    from tasks.archive.derive import DerivedScan, FetchedScan
    from tasks.studies import ModelUse, Study


@flow(name="extract-biomarkers", flow_run_name="execution-{execution_id}", persist_result=False)
async def extract_biomarkers(execution_id: int) -> str:
    """Measure a session with every model of its study.

    Inputs: the session's scans, from the archive. Outputs: ``measured``, ``not_relevant``, ``failed``, or ``closed`` when
    the execution was resolved before. Side effects: results in the archive; measurements and artifacts at the governor;
    the execution answered. Running it again writes the same.
    """
    outcome = "failed"
    with wired() as wiring:
        async with execution_of(wiring.governor(), execution_id) as execution:
            if not execution.is_open:
                return "closed"
            folder = wiring.work_folder(f"execution-{execution_id}-{execution.record.attempt}")
            try:
                outcome = await _measure_session(wiring, execution, folder)
            finally:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return outcome


async def _measure_session(wiring: Wiring, execution: Execution, folder: Path) -> str:
    record = execution.record
    study = wiring.study(record.cohort.label)
    session_id = record.experiment.external_ids.get("XNAT")
    if session_id is None:
        raise RejectedInput("The session has no XNAT id; the archive does not know it.")
    if not study.models:
        raise RejectedInput(f"Study {study.name} names no model in study.yaml.")
    await execution.say(f"Reading the scans of session {record.experiment.label}.")
    scans = await describe(wiring.archive(), session_id, folder / "scans")
    missing = missing_scan_types(scans, study)
    if missing:
        await execution.say(f"Of the study's protocol the session lacks: {', '.join(missing)}.")
    reasons, measured = [], False
    for use in study.models:
        result = await _measure(wiring, execution, study, use=use, scans=scans, folder=folder / use.name)
        measured = measured or result.outcome is Outcome.MEASURED
        reasons.append(result.reason)
    outcome = Outcome.MEASURED if measured else Outcome.NOT_RELEVANT
    await execution.succeed(outcome=outcome.value, reason=" ".join(reasons), missing_scan_types=list(missing))
    return outcome.value


async def _measure(
    wiring: Wiring, execution: Execution, study: Study, *, use: ModelUse, scans: tuple[DerivedScan, ...], folder: Path
) -> ExtractionResult:
    """Run one model: choose its scan, fetch it, measure it on Dask, store what came out."""
    chosen = await choose(scans, study, use)
    await execution.say(chosen.reason)
    if chosen.scan_id is None:
        return ExtractionResult(outcome=Outcome.NOT_RELEVANT, reason=chosen.reason)
    archive = wiring.archive()
    scan = next(one for one in scans if one.scan.id == chosen.scan_id)
    fetched = await fetch(archive, scan, folder / "volume")
    session = await asyncio.to_thread(archive.session, scan.scan.session_id)
    request = extraction_request(study, use, session=session, fetched=fetched, reason=chosen.reason)
    await execution.say(f"Measuring scan {chosen.scan_id} with {use.name} on the cluster.")
    result = await run_on_dask(
        partial(extract, folder / "results"),
        request,
        address=wiring.settings.dask_address,
        key=f"{use.name}-execution-{execution.record.id}",
    )
    await execution.say(f"Storing {len(result.measurements)} measurement(s) of {use.name}.")
    if result.files and execution.is_open:  # else the session has moved on, and a newer run writes its own
        uris = await store(archive, scan.scan.session_id, resource=result.resource, files=result.files)
        await _register(wiring, execution, result, uris=uris, fetched=fetched)
    return result


async def _register(
    wiring: Wiring, execution: Execution, result: ExtractionResult, *, uris: Mapping[str, str], fetched: FetchedScan
) -> None:
    """Tell the governor of the measurements and of the files its pages show."""
    governor, session = wiring.governor(), execution.record.experiment.id
    for measured in result.measurements:
        await outside(
            governor.put_measurement,
            session,
            measured.key,
            name=measured.name,
            value=measured.value,
            unit=measured.unit,
            model=measured.pedigree.model,
            version=measured.pedigree.model_version,
            pedigree=measured.pedigree.summary()
            | {"remarks": [remark.model_dump(mode="json") for remark in measured.remarks]},
        )
    volume_uri = f"{fetched.scan.uri}/resources/NIFTI/files/{fetched.record.best}"
    for one in artifacts_of(uris, resource=result.resource, volume_uri=volume_uri):
        await outside(
            governor.put_artifact,
            session,
            one.name,
            kind=one.kind,
            title=one.title,
            uri=one.uri,
            media_type=one.media_type,
        )
