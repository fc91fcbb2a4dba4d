"""``cohortflow up``: start everything on this machine and keep it running until told to end. Imports the launcher."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deployments.launcher.house import House
from deployments.logs import LineFormatter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from deployments.launcher.home import Home
    from deployments.launcher.plan import LaunchOptions
    from deployments.launcher.ports import PortWishes

EXAMPLE_STUDY = "brain-volumetry"


def run(
    home: Home,
    *,
    wishes: PortWishes,
    options: LaunchOptions,
    with_example: bool,
    console: Console,
) -> None:
    """Run everything until SIGTERM or SIGINT.

    Raises
    ------
    DeploymentError
    """
    asyncio.run(_run(home, wishes=wishes, options=options, with_example=with_example, console=console))


async def _run(home: Home, *, wishes: PortWishes, options: LaunchOptions, with_example: bool, console: Console) -> None:
    house = House(
        home,
        wishes=wishes,
        options=options,
        study=example_study() if with_example else None,
        on_progress=lambda name: console.print(f"ready: {name}", style="dim", highlight=False),
    )
    with house.prepared(), launcher_log(home):
        console.print(f"Starting Cohortflow on {home.path}", highlight=False)
        async with house.running() as endpoints:
            from deployments.launcher.welcome import generated_now, welcome

            note = None if house.were_logins_shown else generated_now(home.endpoints)
            console.print(welcome(endpoints, house.credentials, logins_note=note))
            if house.were_logins_shown:
                console.print(f"The log-ins, while it runs: {home.endpoints}", highlight=False)
            house.note_logins_shown()
            console.print(
                f"Ready after {house.ready_after_s:.1f} s. Log files: {home.logs}. Ctrl-C or SIGTERM ends it.",
                highlight=False,
            )
            await house.wait()
            console.print("Ending …")


def example_study() -> Path:
    """Give the folder of the study that ships with Cohortflow."""
    package = Path(__file__).parents[1]
    folders = (package.parent / "studies", package / "example_studies")
    return next(folder / EXAMPLE_STUDY for folder in folders if (folder / EXAMPLE_STUDY).is_dir())


@contextmanager
def launcher_log(home: Home) -> Iterator[None]:
    """Write the launcher's own log to its file; the terminal is for people."""
    handler = logging.FileHandler(home.log("launcher"))
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    ours = logging.getLogger("deployments")
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    ours.propagate = False
    try:
        yield
    finally:
        ours.removeHandler(handler)
        handler.close()
