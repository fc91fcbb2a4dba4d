"""``cohortflow user add|list|token``. Imports service_kit's accounts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.table import Table

from deployments.commands.surroundings import accounts_database_url
from deployments.errors import Refused
from deployments.launcher.credentials import new_password
from service_kit.accounts import Role
from service_kit.accounts.service import Accounts
from service_kit.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    Refused
        If the name is taken or not possible.
    NotRunning
    """
    password = new_password()
    with _accounts(home) as accounts:
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
    with _accounts(home) as accounts:
        users = accounts.users()
    for user in users:
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
    Refused
        If there is no such user, or its roles do not allow the scopes.
    NotRunning
    """
    with _accounts(home) as accounts:
        wanted = list(scopes) or sorted(accounts.principal(username).allowed_scopes())
        issued = accounts.issue_token(username, name, wanted, expires_in_s=days * 86400 if days else None)
    console.print(issued, highlight=False, soft_wrap=True)


@contextmanager
def _accounts(home: Home) -> Iterator[Accounts]:
    """Open the accounts; what they refuse becomes the command's own sentence."""
    accounts = Accounts.open(accounts_database_url(home))
    try:
        yield accounts
    except ServiceError as error:
        raise Refused(error.detail) from error
    finally:
        accounts.database.dispose()
