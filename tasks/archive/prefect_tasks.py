"""The archive as Prefect tasks: thin, named, run beside the event loop, repeated when the archive does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.archive.deposit import Deposit, content_digest, deposit_session, find_archived
from tasks.archive.derive import DerivedScan, FetchedScan, derive_scan, describe_session, fetch_scan
from tasks.archive.port import scan_stem
from tasks.archive.results import store_results
from tasks.retrying import RETRIES, RETRY_DELAYS_S, is_worth_a_retry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tasks.archive.port import Archive, SessionRef
    from tasks.intake.records import IntakeReport, Route

P = ParamSpec("P")
R = TypeVar("R")
Stage = Callable[P, Coroutine[Any, Any, R]]


def _task(name: str) -> Callable[[Stage[P, R]], Stage[P, R]]:
    """Make a stage a Prefect task; to the caller it stays the coroutine function that it is."""

    def decorate(stage: Stage[P, R]) -> Stage[P, R]:
        made = task(
            name=name,
            cache_policy=NO_CACHE,
            persist_result=False,
            retries=RETRIES,
            retry_delay_seconds=list(RETRY_DELAYS_S),
            retry_condition_fn=is_worth_a_retry,
        )(stage)
        return cast("Stage[P, R]", made)

    return decorate


@_task("find session")
async def find(archive: Archive, route: Route, *, study_title: str) -> SessionRef | None:
    """Return what the archive holds of an arrival's DICOM study, see `tasks.archive.deposit`."""
    return await asyncio.to_thread(find_archived, archive, route, study_title=study_title)


@_task("deposit session")
async def deposit(archive: Archive, report: IntakeReport, *, study_title: str) -> Deposit:
    """Put an arrival into the archive, see `tasks.archive.deposit`."""
    return await asyncio.to_thread(deposit_session, archive, report, study_title=study_title)


@_task("derive volumes and previews")
async def derive(archive: Archive, deposited: Deposit, work_dir: Path) -> tuple[DerivedScan, ...]:
    """Derive every scan of a deposit, one after the other, see `tasks.archive.derive`."""
    derived = [
        await asyncio.to_thread(derive_scan, archive, one.scan, work_dir / scan_stem(one.scan.id), local=one.series)
        for one in deposited.scans
    ]
    return tuple(derived)


@_task("digest session")
async def digest(archive: Archive, session_id: str) -> str:
    """Return one digest over the images of a session, see `tasks.archive.deposit`."""
    return await asyncio.to_thread(content_digest, archive, session_id)


@_task("describe session")
async def describe(archive: Archive, session_id: str, work_dir: Path) -> tuple[DerivedScan, ...]:
    """Return every scan of a session with its record, see `tasks.archive.derive`."""
    return await asyncio.to_thread(describe_session, archive, session_id, work_dir)


@_task("fetch scan")
async def fetch(archive: Archive, derived: DerivedScan, work_dir: Path) -> FetchedScan:
    """Bring the volume to measure to this machine, see `tasks.archive.derive`."""
    return await asyncio.to_thread(fetch_scan, archive, derived, work_dir)


@_task("store results")
async def store(archive: Archive, session_id: str, *, resource: str, files: Mapping[str, Path]) -> dict[str, str]:
    """Put result files into the session's resource, see `tasks.archive.results`."""
    return await asyncio.to_thread(store_results, archive, session_id, resource=resource, files=files)
