"""Runs the heavy stages on Dask: one coarse task at a time, by paths and small records, never arrays.

The only module outside `deployments` that imports Dask.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from tasks.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

logger = logging.getLogger(__name__)

Request = TypeVar("Request")
Result = TypeVar("Result")

CONNECT_TIMEOUT_S = 20


class ClusterUnavailable(TransientError):
    """The Dask scheduler does not answer."""

    def __init__(self, address: str) -> None:
        super().__init__(f"The Dask scheduler at {address} does not answer. It will be tried again.")
        self.address = address


class WorkersLost(TransientError):
    """Every worker that took the task died, out of memory perhaps."""

    def __init__(self, task: str) -> None:
        super().__init__(
            f"The Dask workers that ran {task} died, each in turn. Look at their memory limit; it will be tried again."
        )
        self.task = task


async def run_on_dask(
    function: Callable[[Request], Result], request: Request, *, address: str, key: str, wants_gpu: bool = True
) -> Result:
    """Run ``function(request)`` in a Dask worker and wait for its result.

    A worker that declares the resource ``GPU`` is chosen where there is one; else any worker. A worker that dies is
    replaced and the task runs again, so the function must be idempotent. Cancelling the caller cancels the task.

    Parameters
    ----------
    key
        Name of the task in the Dask dashboard; the same key while it runs is the same task.

    Raises
    ------
    ClusterUnavailable, WorkersLost
        Both worth a retry. What the function raises comes through unchanged.
    """
    from distributed import Client
    from distributed.scheduler import KilledWorker

    try:
        client = await Client(  # type: ignore[no-untyped-call]
            address, asynchronous=True, timeout=CONNECT_TIMEOUT_S, set_as_default=False
        )
    except (OSError, TimeoutError) as error:
        raise ClusterUnavailable(address) from error
    future = None
    try:
        resources = {"GPU": 1} if wants_gpu and _has_gpu(client) else None
        future = client.submit(function, request, key=key, pure=False, resources=resources, retries=1)
        result: Result = await future
        return result
    except KilledWorker as error:
        raise WorkersLost(key) from error
    except asyncio.CancelledError:
        logger.info("task cancelled on the cluster", extra={"key": key})
        if future is not None:
            await future.cancel()
        raise
    finally:
        await client.close()


def _has_gpu(client: Client) -> bool:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any(worker.get("resources", {}).get("GPU") for worker in workers)
