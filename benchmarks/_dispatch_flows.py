"""The flow whose first line is timed."""

import time
from pathlib import Path

from prefect import flow


@flow(name="first-line")
async def first_line(stamp: str) -> None:
    """Note the time, before anything else."""
    _note(Path(stamp), time.time())


def _note(stamp: Path, now: float) -> None:
    partial = stamp.with_suffix(".partial")
    partial.write_text(repr(now))
    partial.replace(stamp)
