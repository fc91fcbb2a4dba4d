import asyncio
import threading
import time
from contextlib import asynccontextmanager
from contextvars import ContextVar

import pytest

from deployments.worker.lanes import Job, LaneNotOpen, Lanes


@pytest.fixture
def lanes():
    lanes = Lanes()
    yield lanes
    lanes.close()
    assert lanes.join(5)


def test_jobs_run_outside_the_callers_thread_and_reuse_an_idle_lane(lanes):
    threads = []

    async def note():
        threads.append(threading.current_thread())

    async def three_in_turn():
        for _ in range(3):
            await lanes.run(Job(note))

    asyncio.run(three_in_turn())
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()
    assert len(lanes) == 1


def test_a_job_that_blocks_delays_no_other(lanes):
    async def block():
        time.sleep(0.5)

    async def quick():
        return None

    async def both():
        blocking = asyncio.create_task(lanes.run(Job(block)))
        await asyncio.sleep(0.05)
        begin = time.monotonic()
        await lanes.run(Job(quick))
        took = time.monotonic() - begin
        await blocking
        return took

    assert asyncio.run(both()) < 0.4
    assert len(lanes) == 2


@pytest.mark.parametrize("before_it_began", [True, False])
def test_cancelling_interrupts_a_job_and_lets_it_tidy_up(lanes, before_it_began):
    seen = []

    async def long():
        seen.append("begin")
        try:
            await asyncio.sleep(30)
        finally:
            seen.append("tidied")

    async def cancel():
        job = Job(long)
        if before_it_began:
            job.cancel()
        running = asyncio.create_task(lanes.run(job))
        await asyncio.sleep(0.1)
        job.cancel()
        await asyncio.wait_for(running, 5)

    asyncio.run(cancel())
    assert seen == ([] if before_it_began else ["begin", "tidied"])


def test_the_error_of_a_job_reaches_whoever_waits_and_the_lane_goes_on(lanes):
    async def wrong():
        raise ValueError("a bug")

    async def right():
        return None

    async def both():
        with pytest.raises(ValueError, match="a bug"):
            await lanes.run(Job(wrong))
        await lanes.run(Job(right))

    asyncio.run(both())
    assert len(lanes) == 1


def test_surroundings_are_opened_once_a_lane_and_seen_by_its_jobs():
    inherited: ContextVar[int] = ContextVar("inherited")
    opened, seen = [], []

    @asynccontextmanager
    async def surroundings():
        opened.append(threading.get_ident())
        inherited.set(len(opened))
        yield

    async def look():
        seen.append(inherited.get())

    async def twice():
        for _ in range(2):
            await lanes.run(Job(look))

    lanes = Lanes(surroundings)
    asyncio.run(twice())
    lanes.close()
    assert lanes.join(5)
    assert (len(opened), seen) == (1, [1, 1])


def test_a_lane_that_cannot_open_says_so_and_is_tried_again():
    attempts = []

    @asynccontextmanager
    async def surroundings():
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("server away")
        yield

    async def nothing():
        return

    async def twice():
        with pytest.raises(LaneNotOpen):
            await lanes.run(Job(nothing))
        await lanes.run(Job(nothing))

    lanes = Lanes(surroundings)
    asyncio.run(twice())
    lanes.close()
    assert lanes.join(5)
