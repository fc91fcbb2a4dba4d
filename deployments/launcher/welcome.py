"""What is shown when everything is ready: addresses, and at the first start the log-ins. Imports rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deployments.launcher.endpoints import AE_TITLE
from deployments.launcher.ports import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path

    from deployments.launcher.credentials import Credentials
    from deployments.launcher.endpoints import Endpoints


def generated_now(endpoints_file: Path) -> str:
    """Say of log-ins that nobody saw before that they are not shown again, and where they stay meanwhile."""
    return f"Generated now and shown this once; while it runs they are in {endpoints_file}. Change them on the account page."


def welcome(endpoints: Endpoints, credentials: Credentials, *, logins_note: str | None) -> Panel:
    """Show where everything is.

    Parameters
    ----------
    logins_note
        Show the log-ins too, with this line below them; None leaves them out.
    """
    grid = Table.grid(padding=(0, 2))
    for name, url in (
        ("Dashboard", f"{endpoints.site_url}/"),
        ("Review tasks", f"{endpoints.supervisor_url}/"),
        ("Arrivals", f"{endpoints.gateway_url}/"),
        ("Archive (XNAT)", endpoints.xnat_url),
        ("Flows (Prefect)", endpoints.prefect_ui_url),
        ("Dask", endpoints.dask_dashboard_url),
    ):
        grid.add_row(name, Text(url, style="cyan"))
    grid.add_row("DICOM", f"{AE_TITLE} at {LOOPBACK}:{endpoints.ports.dicom}")
    if logins_note is None:
        return Panel(grid, title="Cohortflow is ready", expand=False)
    logins = Table.grid(padding=(0, 2))
    for person in credentials.people:
        logins.add_row(Text(person.username, style="bold"), person.password, Text(", ".join(person.roles), style="dim"))
    return Panel(Group(grid, Text(), logins, Text(logins_note, style="dim")), title="Cohortflow is ready", expand=False)
