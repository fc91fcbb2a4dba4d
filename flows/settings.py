"""Settings of the flows, read once in the worker's process. May import pydantic-settings."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class FlowSettings(BaseSettings):
    """Where the services are, and the folders the flows work in.

    Every value comes from an environment variable ``COHORTFLOW_<NAME>``.
    """

    model_config = SettingsConfigDict(env_prefix="COHORTFLOW_", frozen=True, extra="ignore")

    gateway_url: str
    """Base address of the gateway, for example ``http://127.0.0.1:8080/gateway``."""
    governor_url: str
    """Base address of the study governor, for example ``http://127.0.0.1:8080``."""
    supervisor_url: str
    """Base address of the task supervisor, for example ``http://127.0.0.1:8080/tasks``."""
    api_token: SecretStr
    """Token of the flows, with the scopes gateway:*, governor:* and supervisor:*."""
    xnat_url: str
    """Address of the archive: an embedded one or a real XNAT."""
    xnat_user: str
    """Account of the flows in the archive."""
    xnat_password: SecretStr
    """Its password."""
    dask_address: str
    """Scheduler of the Dask cluster, for example ``tcp://127.0.0.1:8786``."""
    studies_dir: Path
    """Folder of study folders."""
    work_dir: Path
    """Scratch folder that the flows and the Dask workers share."""
    releases_dir: Path
    """Where releases are written."""
