"""Threads that run coroutines: each with its own event loop and its own open surroundings, kept for many jobs.

A flow that blocks holds up its own lane only; polling, heart-beats and cancellation of others go on. Lanes are no main
thread, so Prefect's engine leaves SIGTERM alone. The surroundings are an open client of Prefect's server, which costs
50 ms to make. Imports the standard library only.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any

Surroundings = Callable[[], AbstractAsyncContextManager[object]]


class LaneNotOpen(Exception):
    """The surroundings of a lane could not be opened; the cause is chained. Worth another try."""

    def __init__(self) -> None:
        super().__init__("A lane could not open its connection to the Prefect server.")


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

    def fail(self, error: Exception, *, cause: Exception) -> None:
        """End without having begun."""
        error.__cause__ = cause
        self.done.set_exception(error)

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

    def __init__(self, number: int, *, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
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
        self._started.set()
        is_open = False
        async with AsyncExitStack() as stack:
            while (job := await self._jobs.get()) is not None:
                if not is_open:
                    try:
                        await stack.enter_async_context(self._surroundings())
                    except Exception as error:  # noqa: BLE001 - handed to whoever waits for the job
                        job.fail(LaneNotOpen(), cause=error)
                        continue
                    is_open = True
                # Started from this task, so that the job inherits the surroundings through its context.
                await job.run(self)


class Lanes:
    """Lanes on demand, idle ones first. For one thread's use.

    Parameters
    ----------
    surroundings
        Opened once in each lane, before its first job.
    """

    def __init__(self, surroundings: Surroundings = nullcontext) -> None:
        self._surroundings = surroundings
        self._all: list[Lane] = []
        self._idle: list[Lane] = []

    def __len__(self) -> int:
        return len(self._all)

    async def run(self, job: Job) -> None:
        """Run a job in an idle lane, in a new one when all are busy, and wait for its end.

        Cancelling the caller leaves the job running: use `Job.cancel`.
        """
        if not self._idle:
            self._all.append(Lane(len(self._all), surroundings=self._surroundings))
            self._idle.append(self._all[-1])
        lane = self._idle.pop()
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
