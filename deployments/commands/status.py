"""``cohortflow status``: which processes run and which parts answer. Imports the launcher's probes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.table import Table

from deployments.commands.surroundings import endpoints_of
from deployments.errors import NotRunning
from deployments.launcher.home import read_pid
from deployments.launcher.readiness import ask_once, probes_of

if TYPE_CHECKING:
    from rich.console import Console

    from deployments.launcher.home import Home


def show(home: Home, console: Console) -> bool:
    """Show what runs on a home; give whether all of it is ready.

    Raises
    ------
    NotRunning
    """
    if not home.is_running():
        raise NotRunning(home.path)
    endpoints = endpoints_of(home)
    probes = probes_of(endpoints)
    answers = asyncio.run(ask_once(probes))
    table = Table(box=None)
    for column in ("part", "process", "pid", "ready"):
        table.add_column(column)
    for probe in probes:
        pid = read_pid(home.pid_file(probe.process))
        ready = "[green]yes[/green]" if answers[probe.name] else "[red]no[/red]"
        table.add_row(probe.name, probe.process, str(pid or "-"), ready)
    console.print(table)
    console.print(f"Dashboard: {endpoints.site_url}/", highlight=False)
    return all(answers.values())
