"""Which running Cohortflow a command talks to: the home's, or the one that the environment names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from deployments.errors import NotRunning
from deployments.launcher.credentials import load_credentials
from deployments.launcher.endpoints import Endpoints
from deployments.launcher.home import read_json
from deployments.launcher.plan import LaunchOptions, environment_of
from deployments.launcher.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deployments.launcher.home import Home

_OF_A_SERVICE = "COHORTFLOW_GOVERNOR_URL"


def endpoints_of(home: Home) -> Endpoints:
    """Give where a home's Cohortflow is, or was last, served.

    Raises
    ------
    NotRunning
        If it was never started.
    """
    ports = (read_json(home.stamp) or {}).get("ports")
    if ports is None:
        raise NotRunning(home.path)
    return Endpoints(Ports(**ports))


def running_environment(home: Home) -> Mapping[str, str]:
    """Give the environment of the processes: the caller's own where it has one, else that of the running home.

    Raises
    ------
    NotRunning
    """
    if _OF_A_SERVICE in os.environ:
        return os.environ
    credentials = load_credentials(home)
    if credentials is None or not home.is_running():
        raise NotRunning(home.path)
    return environment_of(home, endpoints_of(home), credentials, options=LaunchOptions(), inherited=os.environ)


def accounts_database_url(home: Home) -> str:
    """Give the address of the accounts database; it need not be running.

    Raises
    ------
    NotRunning
        If there is no such database yet.
    """
    if url := os.environ.get("COHORTFLOW_ACCOUNTS_DATABASE_URL"):
        return url
    url = home.database_url("accounts")
    if load_credentials(home) is None:
        raise NotRunning(home.path)
    return url
