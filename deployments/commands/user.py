"""``cohortflow user add|list|token``. Imports service_kit's accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from deployments.commands.surroundings import accounts_database_url
from deployments.launcher.credentials import new_password
from service_kit.accounts import Accounts, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from deployments.launcher.home import Home


def add(
    home: Home,
    username: str,
    *,
    roles: Sequence[str],
    study: str | None,
    site: str | None,
    display_name: str | None,
    console: Console,
) -> None:
    """Make a user with a generated password, shown once.

    Raises
    ------
    ServiceError
        If the name is taken or not possible.
    NotRunning
    """
    accounts = _open(home)
    password = new_password()
    accounts.create_user(username, password, display_name=display_name)
    for role in roles:
        accounts.grant(username, Role(role), study=study, site=site)
    console.print(f"User {username} made. Password, shown this once: {password}", highlight=False)


def show(home: Home, console: Console) -> None:
    """List the users.

    Raises
    ------
    NotRunning
    """
    table = Table(box=None)
    for column in ("user", "name", "roles", "active"):
        table.add_column(column)
    for user in _open(home).users():
        grants = sorted(
            grant.role + (f" in {grant.study}" if grant.study else "") + (f" at {grant.site}" if grant.site else "")
            for grant in user.grants
        )
        table.add_row(user.username, user.display_name, ", ".join(grants), "yes" if user.is_active else "no")
    console.print(table)


def token(home: Home, username: str, *, name: str, scopes: Sequence[str], days: float | None, console: Console) -> None:
    """Issue an API token, shown once.

    Raises
    ------
    ServiceError
        If there is no such user, or its roles do not allow the scopes.
    NotRunning
    """
    accounts = _open(home)
    wanted = list(scopes) or sorted(accounts.principal(username).allowed_scopes())
    issued = accounts.issue_token(username, name, wanted, expires_in_s=days * 86400 if days else None)
    console.print(issued, highlight=False, soft_wrap=True)


def _open(home: Home) -> Accounts:
    return Accounts.open(accounts_database_url(home))
