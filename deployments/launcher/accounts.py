"""Makes the accounts of a home: ``python -m deployments.launcher.accounts``, a step of every start.

It runs in a process of its own, so that the launcher stays small. What exists already is left as it is: a changed
password stays changed. Imports service_kit's accounts and this package.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deployments.launcher.child import LAUNCHER_PID, bind_to_launcher
from deployments.launcher.credentials import (
    FLOWS_USER,
    SENDER_USER,
    generate_credentials,
    load_credentials,
    save_credentials,
)
from deployments.launcher.home import Home
from service_kit.accounts import Role, Scope
from service_kit.accounts.errors import TokenRefused, UserUnknown
from service_kit.accounts.service import Accounts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from deployments.launcher.credentials import Credentials


def ensure_accounts(accounts: Accounts, credentials: Credentials) -> Credentials:
    """Make the users and tokens that are missing; give the credentials with tokens that open something."""
    for person in credentials.people:
        _ensure_user(
            accounts,
            person.username,
            password=person.password,
            display_name=person.display_name,
            roles=[Role(role) for role in person.roles],
        )
    _ensure_user(
        accounts,
        credentials.xnat_user,
        password=credentials.xnat_password,
        display_name="Archive account of the flows",
        roles=[Role.engineer],
    )
    _ensure_user(accounts, FLOWS_USER, password=None, display_name="Flows", roles=[Role.engineer])
    _ensure_user(accounts, SENDER_USER, password=None, display_name="Sending programs", roles=[Role.coordinator])
    return replace(
        credentials,
        api_token=_ensure_token(accounts, credentials.api_token, username=FLOWS_USER, scopes=list(Scope)),
        sender_token=_ensure_token(
            accounts, credentials.sender_token, username=SENDER_USER, scopes=[Scope.gateway_read, Scope.gateway_write]
        ),
    )


def _ensure_user(
    accounts: Accounts, username: str, *, password: str | None, display_name: str, roles: Iterable[Role]
) -> None:
    try:
        accounts.user(username)
    except UserUnknown:
        accounts.create_user(username, password, display_name=display_name)
    else:
        return
    for role in roles:
        accounts.grant(username, role)


def _ensure_token(accounts: Accounts, token: str, *, username: str, scopes: Collection[Scope]) -> str:
    if token:
        try:
            known = accounts.principal_of_token(token)
        except TokenRefused:
            pass
        else:
            if known.scopes is None or known.scopes.issuperset(scopes):
                return token
    return accounts.issue_token(username, "made at the start", scopes)


def main() -> None:
    """Bring the accounts of the home named by the environment up to date."""
    if launcher_pid := os.environ.get(LAUNCHER_PID):
        bind_to_launcher(int(launcher_pid))
    home = Home(Path(os.environ["COHORTFLOW_HOME"]))
    credentials = load_credentials(home) or generate_credentials()
    accounts = Accounts.open(os.environ["COHORTFLOW_ACCOUNTS_DATABASE_URL"])
    completed = ensure_accounts(accounts, credentials)
    if completed != credentials:
        save_credentials(home, completed)
    accounts.database.dispose()


if __name__ == "__main__":
    main()
