"""``cohortflow user add|list|password|token``. Imports service_kit's accounts."""

from __future__ import annotations

import getpass
import sys
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from sqlalchemy import make_url

from deployments.commands.surroundings import accounts_database_url
from deployments.errors import HomeInUse, HomeNotWritable, Refused
from deployments.launcher.credentials import (
    FLOWS_USER,
    SENDER_USER,
    load_credentials,
    new_password,
    save_credentials,
)
from service_kit.accounts import Role
from service_kit.accounts.credentials import digest_of
from service_kit.accounts.db import repository
from service_kit.accounts.service import Accounts
from service_kit.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console
    from sqlalchemy import URL

    from deployments.launcher.credentials import Credentials
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


def password(home: Home, username: str, *, from_stdin: bool, revoke_tokens: bool, console: Console) -> None:
    """Set a user's password anew, read from standard input or generated and shown once; every browser is signed out.

    A generated one replaces what the home noted of its own log-ins at the first start. That of the flows at the archive
    is set only while they stand still, for they would go on with the old one. Accounts of programs have none.
    Where the environment names accounts that are not the home's, its users are like any other and nothing is noted.

    Raises
    ------
    Refused
        If there is no such user, or the password is too short or no text; also if it was set but could not be noted.
    HomeNotWritable
    NotRunning
    """
    username = username.lower()
    with _accounts(home) as accounts:
        credentials = load_credentials(home)
        is_of_the_home = _are_of_the_home(accounts, home, credentials)
        if is_of_the_home and username in {FLOWS_USER, SENDER_USER}:
            raise Refused(
                f"{username} is an account of Cohortflow's own programs: it opens with a token that the home keeps, "
                "and has no password. For a program of yours make an account with 'cohortflow user add'."
            )
        is_of_the_flows = is_of_the_home and credentials is not None and username == credentials.xnat_user
        with _standing_still(home, username) if is_of_the_flows else nullcontext():
            new = _typed_password() if from_stdin else new_password()
            accounts.set_password(username, new, revoke_tokens=revoke_tokens)
            shown = "." if from_stdin else f". Password, shown this once: {new}"
            tokens = ", its API tokens are revoked" if revoke_tokens else ""
            console.print(f"User {username} is signed out everywhere{tokens}{shown}", highlight=False, markup=False)
            if is_of_the_flows or (is_of_the_home and not from_stdin):
                _note(home, username, new)


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


def _are_of_the_home(accounts: Accounts, home: Home, credentials: Credentials | None) -> bool:
    """Whether the home starts with these accounts: its own file by any name, or a database that knows its tokens.

    Nothing in the home says which PostgreSQL it was started with; that its tokens were issued there does, even once
    they are revoked.
    """
    database = accounts.database
    if database.is_sqlite and _is_same_file(database.engine.url.database, make_url(home.database_url("accounts"))):
        return True
    tokens = (credentials.api_token, credentials.sender_token) if credentials is not None else ()
    with database.read() as uow:
        return any(repository.token_by_digest(uow.session, digest_of(token)) for token in tokens if token)


def _is_same_file(opened: str | None, url: URL) -> bool:
    """Whether a URL of SQLite means the file that is opened; what is opened in memory is none."""
    if not opened or not url.database:
        return False
    try:
        return Path(opened).samefile(url.database)
    except OSError:  # the home has no such file: it was never started, or has its accounts elsewhere
        return False


@contextmanager
def _standing_still(home: Home, username: str) -> Iterator[None]:
    """Hold the home, so that nothing starts with the log-in of the flows while it changes."""
    with ExitStack() as held:
        try:
            held.enter_context(home.locked())
        except HomeInUse as error:
            raise Refused(
                f"The flows log in to the archive as {username}. Stop Cohortflow, set the password, start it again."
            ) from error
        except OSError as error:
            raise HomeNotWritable(home.path, error.strerror or type(error).__name__) from error
        yield


def _note(home: Home, username: str, password: str) -> None:
    """Replace the password of one of the home's own log-ins where the home keeps them."""
    credentials = load_credentials(home)
    if credentials is None or (noted := credentials.with_password(username, password)) == credentials:
        return
    try:
        save_credentials(home, noted)
    except OSError as error:
        raise Refused(
            f"The password of {username} is set, but {home.secrets} still holds the one before: it cannot be written "
            f"({error.strerror}). Mend that and set the password once more."
        ) from error


def _typed_password() -> str:
    """Read a password, unseen from a terminal, else the first line of standard input."""
    if sys.stdin.isatty():
        return getpass.getpass("New password: ")
    try:
        return sys.stdin.buffer.readline().decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise Refused("The password on standard input is not text in UTF-8. Send one line of it.") from error


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
