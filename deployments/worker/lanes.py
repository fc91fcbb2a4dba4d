"""Threads that run flows: each with its own event loop and its own open connection to Prefect, kept for many runs.

A flow that blocks holds up its own lane only; polling, heart-beats and cancellation of others go on. Lanes are no main
thread, so Prefect's engine leaves SIGTERM alone. Imports Prefect.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from prefect.context import AsyncClientContext

logger = logging.getLogger(__name__)


@dataclass
class Job:
    """One coroutine to run in a lane, and the way to stop it."""

    make: Callable[[], Coroutine[Any, Any, None]]
    done: Future[None] = field(default_factory=Future)
    _lane: Lane | None = None
    _task: asyncio.Task[None] | None = None
    _cancelled: bool = False

    def cancel(self) -> None:
        """Raise ``CancelledError`` in the coroutine at its next await. Any thread; a job that has ended is left alone."""
        self._cancelled = True
        if self._lane is not None:
            self._lane.call(self._cancel_task)

    def _cancel_task(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()

    async def run(self, lane: Lane) -> None:
        """Run inside the lane's loop; never raises, the outcome is in `done`."""
        self._lane = lane
        self._task = asyncio.create_task(self.make())
        if self._cancelled:
            self._task.cancel()
        try:
            await self._task
        except asyncio.CancelledError:
            self.done.set_result(None)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for the job
            self.done.set_exception(error)
        else:
            self.done.set_result(None)
        finally:
            self._lane = None
            self._task = None


class Lane:
    """One thread with an event loop; it runs one job after the other."""

    def __init__(self, number: int) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: asyncio.Queue[Job | None] | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lane-{number}", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Hand over a job."""
        self._started.wait()
        assert self._jobs is not None
        self.call(self._jobs.put_nowait, job)

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the lane's loop, soon; nothing happens once the lane is closed."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def close(self) -> None:
        """End the lane after the job it is at. Does not wait."""
        self._started.wait()
        assert self._jobs is not None
        self.call(self._jobs.put_nowait, None)

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; say whether it came."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs = asyncio.Queue()
        async with AsyncClientContext.get_or_create():
            # Jobs are started from here so that they inherit the open connection through their context.
            self._started.set()
            while (job := await self._jobs.get()) is not None:
                await job.run(self)


class Lanes:
    """Lanes on demand, idle ones first. For one thread's use.

    Parameters
    ----------
    warm
        So many are made at once: making one costs 50 ms.
    """

    def __init__(self, *, warm: int = 1) -> None:
        self._all = [Lane(number) for number in range(warm)]
        self._idle = list(self._all)

    def __len__(self) -> int:
        return len(self._all)

    async def run(self, job: Job) -> None:
        """Run a job in an idle lane, in a new one when all are busy, and wait for its end.

        Cancelling the caller leaves the job running: use `Job.cancel`.
        """
        if not self._idle:
            self._all.append(Lane(len(self._all)))
            self._idle.append(self._all[-1])
        lane = self._idle.pop()
        job.done.add_done_callback(lambda _: None)
        lane.put(job)
        waiter = asyncio.wrap_future(job.done)
        waiter.add_done_callback(lambda _: self._idle.append(lane))
        await asyncio.shield(waiter)

    def close(self) -> None:
        """Tell every lane to end."""
        for lane in self._all:
            lane.close()

    def join(self, timeout_s: float) -> bool:
        """Wait for all; say whether all have ended."""
        deadline = time.monotonic() + timeout_s
        ended = [lane.join(max(deadline - time.monotonic(), 0.0)) for lane in self._all]
        return all(ended)
