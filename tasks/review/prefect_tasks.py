"""Review as Prefect tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.review.content import ReviewedSession, ShownMeasurement, task_content


@task(name="fill task base", cache_policy=NO_CACHE, persist_result=False)
async def fill_task(
    base: str, session: ReviewedSession, *, measurements: Sequence[ShownMeasurement] = ()
) -> dict[str, Any]:
    """Return the content of a review task, see `tasks.review.content`."""
    return task_content(base, session, measurements=measurements)
