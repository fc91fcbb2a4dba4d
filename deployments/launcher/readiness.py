"""Whether each part answers: probes over the network, as a client would see it. Imports httpx and this package.

Ready means that work sent now is done: pages answer, images are taken, a flow ordered is picked up, Dask has a worker.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from deployments.errors import NotReadyInTime
from deployments.launcher.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from deployments.launcher.endpoints import Endpoints

WORK_POOL = "warm"
FLOWS = ("receive-session", "extract-biomarkers", "request-review", "release", "withdraw")


@dataclass(frozen=True)
class Probe:
    """A question whose answer yes means that one part is ready.

    Attributes
    ----------
    process
        Name of the process that it asks.
    """

    name: str
    process: str
    is_ready: Callable[[httpx.AsyncClient], Awaitable[bool]]


def probes_of(endpoints: Endpoints, *, since: dt.datetime | None = None) -> tuple[Probe, ...]:
    """List what must answer before Cohortflow is ready.

    Parameters
    ----------
    since
        A worker counts only when it was heard of after this; the server remembers one of an earlier start for a while.
    """
    prefect, dask = endpoints.prefect_api_url, endpoints.dask_dashboard_url.removesuffix("/status")
    return (
        Probe("dashboard", "web", _ok(f"{endpoints.site_url}/readyz")),
        Probe("review tasks", "web", _ok(f"{endpoints.supervisor_url}/readyz")),
        Probe("arrivals", "web", _ok(f"{endpoints.gateway_url}/readyz")),
        Probe("archive", "embedded-xnat", _ok(f"{endpoints.xnat_url}/readyz")),
        Probe("DICOM receiver", "dicom-receiver", _listens(endpoints.ports.dicom)),
        Probe("Prefect server", "prefect", _ok(f"{prefect}/health")),
        Probe("flow worker", "worker", _has_polling_worker(prefect, since)),
        Probe("Dask worker", "dask", _has_dask_worker(f"{dask}/json/counts.json")),
    )


async def wait_until_ready(
    probes: Sequence[Probe],
    *,
    timeout_s: float,
    logs: Path,
    on_ready: Callable[[str], None] = lambda _: None,
    poll_s: float = 0.15,
) -> None:
    """Ask every probe until each has said yes.

    Parameters
    ----------
    on_ready
        Called with the name of each part as it becomes ready.

    Raises
    ------
    NotReadyInTime
        If some part has not within ``timeout_s``.
    """
    deadline = time.monotonic() + timeout_s
    waiting = {probe.name for probe in probes}

    async def ask(client: httpx.AsyncClient, probe: Probe) -> None:
        while not await _answer(client, probe):
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(poll_s)
        waiting.discard(probe.name)
        on_ready(probe.name)

    async with _client() as client, asyncio.TaskGroup() as group:
        for probe in probes:
            group.create_task(ask(client, probe))
    if waiting:
        raise NotReadyInTime(sorted(waiting), timeout_s=timeout_s, logs=logs)


async def ask_once(probes: Sequence[Probe]) -> dict[str, bool]:
    """Ask every probe once: name of the part, and whether it is ready."""
    async with _client() as client:
        answers = await asyncio.gather(*(_answer(client, probe) for probe in probes))
    return {probe.name: answer for probe, answer in zip(probes, answers, strict=True)}


async def _answer(client: httpx.AsyncClient, probe: Probe) -> bool:
    with suppress(httpx.HTTPError, OSError, ValueError):
        return await probe.is_ready(client)
    return False


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=5.0, trust_env=False)


def _ok(url: str) -> Callable[[httpx.AsyncClient], Awaitable[bool]]:
    async def check(client: httpx.AsyncClient) -> bool:
        return (await client.get(url)).status_code == httpx.codes.OK

    return check


def _listens(port: int) -> Callable[[httpx.AsyncClient], Awaitable[bool]]:
    async def check(_: httpx.AsyncClient) -> bool:
        writer = (await asyncio.open_connection(LOOPBACK, port))[1]
        writer.close()
        await writer.wait_closed()
        return True

    return check


def _has_polling_worker(
    prefect_api_url: str, since: dt.datetime | None
) -> Callable[[httpx.AsyncClient], Awaitable[bool]]:
    async def check(client: httpx.AsyncClient) -> bool:
        workers = await client.post(f"{prefect_api_url}/work_pools/{WORK_POOL}/workers/filter", json={})
        if workers.status_code != httpx.codes.OK or not any(is_polling(worker, since) for worker in workers.json()):
            return False
        names = [f"{prefect_api_url}/deployments/name/{flow}/{WORK_POOL}" for flow in FLOWS]
        return all([(await client.get(name)).status_code == httpx.codes.OK for name in names])

    return check


def is_polling(worker: Mapping[str, Any], since: dt.datetime | None) -> bool:
    """Whether a worker, as the Prefect server describes it, is there and has been heard of ``since`` then."""
    if worker.get("status") != "ONLINE":
        return False
    heard = worker.get("last_heartbeat_time")
    return since is None or (heard is not None and dt.datetime.fromisoformat(heard) >= since)


def _has_dask_worker(url: str) -> Callable[[httpx.AsyncClient], Awaitable[bool]]:
    async def check(client: httpx.AsyncClient) -> bool:
        return int((await client.get(url)).json().get("workers", 0)) > 0

    return check
