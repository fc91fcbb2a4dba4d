"""Flows that do next to nothing, each leaving a line in a file that a test reads."""

import asyncio
import os
import time
from pathlib import Path

from prefect import flow, task


def _say(diary: str, word: str) -> None:
    with Path(diary).open("a") as file:
        file.write(f"{word} {time.time():.4f} {os.getpid()}\n")


@flow(name="stamp")
async def stamp(diary: str, word: str = "begin") -> None:
    _say(diary, word)


@task
def shout(word: str) -> str:
    return word.upper()


@flow(name="with-task", log_prints=True)
async def with_task(diary: str) -> str:
    print("working")
    word = shout("done")
    _say(diary, word)
    return word


@flow(name="wait")
async def wait(diary: str, seconds: float) -> None:
    _say(diary, "begin")
    try:
        await asyncio.sleep(seconds)
        _say(diary, "end")
    except asyncio.CancelledError:
        _say(diary, "interrupted")
        raise
    finally:
        _say(diary, "tidied")


@flow(name="until-told")
async def until_told(diary: str) -> None:
    """End when somebody wrote "go" into the diary."""
    _say(diary, "begin")
    while "go" not in Path(diary).read_text():
        await asyncio.sleep(0.1)
    _say(diary, "end")


@flow(name="block")
async def block(diary: str, seconds: float) -> None:
    _say(diary, "begin")
    time.sleep(seconds)  # a flow that blocks is what the test is about
    await asyncio.sleep(0)
    _say(diary, "end")


@flow(name="fail")
async def fail(diary: str) -> None:
    _say(diary, "begin")
    raise ValueError("a bug")


def compute(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


@flow(name="on-dask")
async def on_dask(diary: str, address: str, seconds: float) -> None:
    from flows.runners import run_on_dask

    _say(diary, "begin")
    pid = await run_on_dask(compute, seconds, address=address, key=f"compute-{diary}", wants_gpu=False)
    _say(diary, f"end-{pid}")
