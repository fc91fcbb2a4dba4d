"""What is started, with which environment: pure functions over the home, the endpoints and the credentials.

Imports this package only. The names of the environment variables are those of the services' settings.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deployments.launcher.child import LAUNCHER_PID
from deployments.launcher.endpoints import AE_TITLE
from deployments.launcher.ports import LOOPBACK
from deployments.processes import PROCESSES

if TYPE_CHECKING:
    from deployments.launcher.credentials import Credentials
    from deployments.launcher.endpoints import Endpoints
    from deployments.launcher.home import Home


@dataclass(frozen=True)
class ProcessSpec:
    """One process that the launcher keeps running.

    Attributes
    ----------
    stop_wave
        Processes of wave 0 are told to end first: those that take work in, while what they need still answers.
    """

    name: str
    title: str
    command: tuple[str, ...]
    stop_wave: int = 0
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class LaunchOptions:
    """How the services shall behave.

    Attributes
    ----------
    quiet_period_s
        So long after its last instance an arrival is complete.
    log_level
        Level of every process's log.
    """

    quiet_period_s: float = 30.0
    log_level: str = "INFO"


@dataclass(frozen=True)
class _Row:
    name: str
    port: str | None = None
    nice: int = 0
    stop_wave: int = 0


_ROWS = (
    _Row("prefect", stop_wave=1),
    _Row("worker"),
    _Row("web", port="site", stop_wave=1),
    _Row("embedded-xnat", port="xnat", stop_wave=1),
    _Row("dask", nice=5),
    _Row("dicom-receiver"),
)
"""In the order of starting: what takes longest first. Computing yields to pages and to receiving."""


def processes_of(endpoints: Endpoints, environment: Mapping[str, str]) -> tuple[ProcessSpec, ...]:
    """List the processes of ``cohortflow up``."""
    specs = []
    for row in _ROWS:
        command = [sys.executable, "-m", "deployments.launcher.child", row.name]
        command += ["--port", str(getattr(endpoints.ports, row.port))] if row.port else []
        command += ["--nice", str(row.nice)] if row.nice else []
        specs.append(
            ProcessSpec(
                name=row.name,
                title=PROCESSES[row.name].title,
                command=tuple(command),
                stop_wave=row.stop_wave,
                environment=environment,
            )
        )
    return tuple(specs)


def environment_of(
    home: Home,
    endpoints: Endpoints,
    credentials: Credentials,
    *,
    options: LaunchOptions,
    launcher_pid: int | None = None,
    inherited: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Give the environment every process of this home gets, beside the inherited one.

    The address of a database that stands in ``inherited`` already is kept: that is how PostgreSQL is chosen.
    """
    environment = {
        "COHORTFLOW_HOME": str(home.path),
        "COHORTFLOW_SITE_URL": endpoints.site_url,
        "COHORTFLOW_GOVERNOR_URL": endpoints.site_url,
        "COHORTFLOW_SUPERVISOR_URL": endpoints.supervisor_url,
        "COHORTFLOW_GATEWAY_URL": endpoints.gateway_url,
        "COHORTFLOW_API_TOKEN": credentials.api_token,
        "COHORTFLOW_XNAT_URL": endpoints.xnat_url,
        "COHORTFLOW_XNAT_USER": credentials.xnat_user,
        "COHORTFLOW_XNAT_PASSWORD": credentials.xnat_password,
        "COHORTFLOW_XNAT_DATA_DIR": str(home.xnat_data),
        "COHORTFLOW_PREFECT_API_URL": endpoints.prefect_api_url,
        "COHORTFLOW_PREFECT_UI_URL": endpoints.prefect_ui_url,
        "COHORTFLOW_DASK_ADDRESS": endpoints.dask_address,
        "COHORTFLOW_DASK_DASHBOARD_PORT": str(endpoints.ports.dask_dashboard),
        "COHORTFLOW_STUDIES_DIR": str(home.studies),
        "COHORTFLOW_WORK_DIR": str(home.work),
        "COHORTFLOW_RELEASES_DIR": str(home.releases),
        "COHORTFLOW_GATEWAY_SPOOL_DIR": str(home.spool),
        "COHORTFLOW_DICOM_HOST": LOOPBACK,
        "COHORTFLOW_DICOM_PORT": str(endpoints.ports.dicom),
        "COHORTFLOW_DICOM_AE_TITLE": AE_TITLE,
        "COHORTFLOW_QUIET_PERIOD_S": f"{options.quiet_period_s:g}",
        "COHORTFLOW_LOG_LEVEL": options.log_level,
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(home.prefect),
        "PREFECT_API_URL": endpoints.prefect_api_url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "",  # without bytecode each start would compile every module anew
    }
    for service in ("accounts", "governor", "supervisor", "gateway", "xnat"):
        variable = f"COHORTFLOW_{service.upper()}_DATABASE_URL"
        environment[variable] = (inherited or {}).get(variable) or home.database_url(service)
    if launcher_pid is not None:
        environment[LAUNCHER_PID] = str(launcher_pid)
    return environment
