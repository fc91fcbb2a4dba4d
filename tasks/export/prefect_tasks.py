"""Export as Prefect tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.export.release import Release, ReleaseRow, write_release


@task(name="write release", cache_policy=NO_CACHE, persist_result=False)
async def write(
    folder: Path, session: str, rows: Sequence[ReleaseRow], *, stem: str, subject: str | None = None
) -> Release:
    """Release the rows of a session, or take it out, see `tasks.export.release`."""
    return await asyncio.to_thread(write_release, folder, session, rows, stem=stem, subject=subject)
