"""``cohortflow demo``: everything, with real scans going through it. Imports the launcher; the rest when it is needed."""

from __future__ import annotations

import asyncio
import logging
import webbrowser
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deployments.commands.up import example_study, launcher_log
from deployments.demo.display import Display, biomarker_table
from deployments.demo.run import Demo, DemoOptions, write_table
from deployments.demo.stages import Stage, moved
from deployments.errors import DemoUnfinished, DeploymentError, Interrupted
from deployments.launcher.house import House
from deployments.launcher.plan import LaunchOptions
from deployments.launcher.welcome import welcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from deployments.demo.prepare import Prepared
    from deployments.demo.run import DemoResult
    from deployments.demo.stages import Progress
    from deployments.launcher.home import Home
    from deployments.launcher.ports import PortWishes

logger = logging.getLogger(__name__)

QUIET_PERIOD_S = 2.0


@dataclass(frozen=True)
class DemoWishes:
    """What was asked for on the command line.

    Attributes
    ----------
    exits
        Answer the reviews, print the biomarkers, stop everything and end; otherwise keep running for a person.
    """

    exits: bool = False
    json_file: Path | None = None
    own_scans: Path | None = None
    opens_browser: bool = False


def run(home: Home, *, ports: PortWishes, wishes: DemoWishes, console: Console) -> None:
    """Run the demonstration.

    Raises
    ------
    DeploymentError
    """
    asyncio.run(_run(home, ports=ports, wishes=wishes, console=console))


async def _run(home: Home, *, ports: PortWishes, wishes: DemoWishes, console: Console) -> None:
    display = Display(console)
    demo = Demo(home, DemoOptions(own_scans=wishes.own_scans, answers_reviews=wishes.exits), display)
    house = House(
        home,
        wishes=ports,
        options=LaunchOptions(quiet_period_s=QUIET_PERIOD_S),
        study=example_study(),
        on_progress=display.part_ready,
    )
    with house.prepared(), launcher_log(home):
        console.print(f"Starting Cohortflow on {home.path}", highlight=False)
        preparing = asyncio.create_task(_prepare(demo, house))
        try:
            async with AsyncExitStack() as stack:
                with display.shown():
                    await stack.enter_async_context(house.running())
                    result = await house.while_running(_carry_out(demo, house, preparing, display))
                _report(result, wishes, console)
                if not wishes.exits:
                    _invite(house, result, wishes=wishes, console=console)
                    watching = asyncio.create_task(_watch(demo, house, result, console))
                    stack.callback(watching.cancel)
                    stack.callback(demo.stop)
                    await house.wait()
        except Interrupted:
            if preparing.done() and not preparing.cancelled():
                preparing.result()  # its own error says more than that everything was stopped
            raise
        finally:
            demo.stop()
            preparing.cancel()
    if wishes.exits:
        _demand_release(result)


async def _prepare(demo: Demo, house: House) -> Prepared:
    """Fetch and de-identify while everything starts; a failure ends the start at once."""
    try:
        return await asyncio.to_thread(demo.prepare)
    except DeploymentError:
        house.ask_to_stop()
        raise


async def _carry_out(demo: Demo, house: House, preparing: asyncio.Task[Prepared], display: Display) -> DemoResult:
    if not preparing.done():
        display.headline("Everything is ready; preparing the scans")
    prepared = await preparing
    return await asyncio.to_thread(demo.carry_out, prepared, house.endpoints, house.credentials)


async def _watch(demo: Demo, house: House, result: DemoResult, console: Console) -> None:
    """Say what moves while a person answers the reviews, and when all is done."""
    if all(session.is_at_an_end for session in result.sessions):
        return

    def say(session: Progress) -> None:
        console.print(moved(session), highlight=False, soft_wrap=True)

    try:
        ended = await asyncio.to_thread(demo.watch, result.sessions, house.endpoints, house.credentials, on_change=say)
    except Interrupted:
        return
    except Exception:  # the pages go on without these lines
        logger.exception("the sessions are followed no more")
        return
    released = sum(session.stage is Stage.released for session in ended.sessions)
    for path in ended.files if released else ():
        console.print(f"Release: {path}", highlight=False, soft_wrap=True)
    console.print(
        f"Every session is at its end, {released} of {len(ended.sessions)} released. Ctrl-C ends everything.",
        highlight=False,
    )


def _report(result: DemoResult, wishes: DemoWishes, console: Console) -> None:
    for reason, count in result.left_out.items():
        console.print(f"Not sent: {count} {'file' if count == 1 else 'files'}, {reason}", highlight=False)
    if result.biomarkers:
        console.print(biomarker_table(result.biomarkers))
    for path in result.files:
        console.print(f"Release: {path}", highlight=False, soft_wrap=True)
    if wishes.json_file is not None:
        write_table(wishes.json_file, result.biomarkers)
        console.print(f"Table as JSON: {wishes.json_file}", highlight=False, soft_wrap=True)


def _invite(house: House, result: DemoResult, *, wishes: DemoWishes, console: Console) -> None:
    """Say where a person goes on."""
    note = "Log in as annotator to answer the reviews, as coordinator to watch the sessions move."
    note += f" While it runs, addresses and log-ins are in {house.home.endpoints}."
    console.print(welcome(house.endpoints, house.credentials, logins_note=note))
    house.note_logins_shown()
    for session in result.sessions:
        console.print(f"{session.label or session.subject}: {session.stage} {session.why}".rstrip(), highlight=False)
        if session.web_uri:
            console.print(f"  {session.web_uri}", style="cyan", highlight=False, soft_wrap=True)
    console.print(what_is_left(result.sessions, house.endpoints.supervisor_url), highlight=False)
    if wishes.opens_browser:
        webbrowser.open(f"{house.endpoints.supervisor_url}/")


def what_is_left(sessions: Sequence[Progress], reviews_url: str) -> str:
    """Say what a person can do now."""
    if all(session.stage is Stage.released for session in sessions):
        return "All of it was released before; another --home begins anew. Ctrl-C ends everything."
    return f"Open reviews: {reviews_url}/  Ctrl-C ends everything."


def _demand_release(result: DemoResult) -> None:
    unfinished = [
        f"{session.label or session.subject} ({session.why or session.stage})"
        for session in result.sessions
        if session.stage is not Stage.released
    ]
    if unfinished:
        raise DemoUnfinished(unfinished)
