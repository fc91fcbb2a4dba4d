"""Entry of the flow worker: waits for the server, registers the deployments, runs flows until SIGTERM.

Prefect is imported after its settings stand in the environment, and with it the flows: once, before the first run.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deployments.loading import loading
from deployments.order_news import OrderNews
from deployments.prefect_server import wait_until_answering
from deployments.worker.errors import WorkerNameTaken
from deployments.worker.flows_file import DEFAULT_FLOWS_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deployments.worker.worker import WarmWorker

logger = logging.getLogger(__name__)

POLL_S = 0.5
HEARTBEAT_S = 5
SWEEP_S = 5.0
PATIENCE_S = 2.0
HAND_BACK_S = 5.0
EXIT_S = 7.5
"""From SIGTERM: runs may finish by themselves, are handed back, and the process is gone."""


def _default_name() -> str:
    return f"warm-{socket.gethostname()}"


class WarmWorkerSettings(BaseSettings):
    """Settings of the worker. Each value comes from ``COHORTFLOW_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="COHORTFLOW_", frozen=True, extra="ignore")

    home: Path
    """The home folder; Prefect's own files lie in ``prefect`` below it."""
    prefect_api_url: str
    """Address of the Prefect server's API, for example ``http://127.0.0.1:4200/api``."""
    worker_name: str = Field(default_factory=_default_name, pattern=r"^[^/%:]+$")
    """Name of the worker; one home runs one worker of a name at a time."""
    worker_limit: int = Field(default=8, gt=0)
    """So many runs at once. They wait for Dask most of the time."""
    flows_file: Path = DEFAULT_FLOWS_FILE
    """The deployments this worker registers and runs."""


def worker_environment(settings: WarmWorkerSettings) -> dict[str, str]:
    """Give Prefect's own settings as environment variables."""
    return {
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": settings.prefect_api_url,
        "PREFECT_HOME": str(settings.home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": str(POLL_S),
        "PREFECT_WORKER_PREFETCH_SECONDS": "0",
        "PREFECT_WORKER_HEARTBEAT_SECONDS": str(HEARTBEAT_S),
        "PREFECT_WORKER_ENABLE_CANCELLATION": "true",
        "PREFECT_WORKER_CANCELLATION_POLL_SECONDS": "2",
        "PREFECT_LOGGING_COLORS": "false",
    }


@contextmanager
def only_one(name: str, home: Path) -> Iterator[None]:
    """Hold a lock while a worker of this name runs; the kernel frees it when the process dies.

    Raises
    ------
    WorkerNameTaken
        If another process holds it.
    """
    folder = home / "prefect"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"worker-{name}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkerNameTaken(name, home) from error
        yield


def main() -> None:
    """Run the worker until SIGTERM or SIGINT; what it had under way is finished or handed back within 8 s."""
    settings = WarmWorkerSettings()
    os.environ.update(worker_environment(settings))
    os.environ.pop("PREFECT_PROFILE", None)
    with only_one(settings.worker_name, settings.home):
        with loading():
            from deployments.worker.catalog import FlowCatalog
            from deployments.worker.engine import read_certificates_once
            from deployments.worker.recovery import Identity
            from deployments.worker.registration import register_deployments
            from deployments.worker.worker import WarmWorker

            catalog = FlowCatalog.load(settings.flows_file)
        read_certificates_once()
        wait_until_answering(settings.prefect_api_url)
        register_deployments(settings.prefect_api_url, settings.flows_file, catalog=catalog)
        worker = WarmWorker(
            catalog,
            work_pool_name=catalog.file.work_pools[0],
            identity=Identity.new(settings.worker_name),
            limit=settings.worker_limit,
            news=OrderNews(settings.prefect_api_url),
        )
        asyncio.run(_serve(worker, settings.prefect_api_url))


async def _serve(worker: WarmWorker, api_url: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    polling = asyncio.create_task(worker.start(printer=logger.info))
    sweeping = asyncio.create_task(_sweep(worker))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((polling, sweeping, stopping), return_when=asyncio.FIRST_COMPLETED)
    guard = threading.Timer(EXIT_S, os._exit, args=(0 if stop.is_set() else 1,))
    guard.daemon = True
    guard.start()
    if stop.is_set():
        await worker.leave(patience_s=PATIENCE_S, deadline_s=HAND_BACK_S)
        await _sign_off(worker, api_url)
    for task in (sweeping, stopping, polling):
        task.cancel()
    results = await asyncio.gather(sweeping, polling, return_exceptions=True)
    failures = [error for error in results if isinstance(error, Exception)]
    if failures and not stop.is_set():
        raise failures[0]


async def _sweep(worker: WarmWorker) -> None:
    """Look for abandoned runs, at once and then every few seconds."""
    while True:
        if worker.is_setup:
            try:
                await worker.recover()
            except httpx.HTTPError as error:
                logger.warning("no look for abandoned runs", extra={"error": type(error).__name__})
        await asyncio.sleep(SWEEP_S if worker.is_setup else POLL_S)


async def _sign_off(worker: WarmWorker, api_url: str) -> None:
    """Take this worker off the server's list, so that nobody counts on it until its heart-beat is overdue."""
    with suppress(httpx.HTTPError):
        async with httpx.AsyncClient(timeout=1.0, trust_env=False) as client:
            pool = worker.work_pool.name
            await client.delete(f"{api_url.rstrip('/')}/work_pools/{pool}/workers/{worker.name}")
