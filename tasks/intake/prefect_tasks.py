"""Intake as Prefect tasks: thin, named, run beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.intake.examine import examine
from tasks.intake.records import IntakeReport
from tasks.studies import Study


@task(name="examine arrival", cache_policy=NO_CACHE, persist_result=False)
async def examine_arrival(
    paths: Sequence[Path], studies: Sequence[Study], *, calling_ae: str = "", called_ae: str = ""
) -> IntakeReport:
    """Examine the files of an arrival, see `tasks.intake.examine`."""
    return await asyncio.to_thread(examine, paths, studies, calling_ae=calling_ae, called_ae=called_ae)
