"""Settings of the study governor, from the environment. May import pydantic-settings."""

from pathlib import Path

from pydantic import Field, SecretStr

from service_kit.settings import ServiceSettings


class StudyGovernorSettings(ServiceSettings):
    """Settings of the web application."""

    governor_database_url: str = Field(description="Database of the governor (SQLAlchemy URL).")
    governor_url: str | None = Field(
        default=None, description="Where programs reach the governor's REST interface; the site's address when unset."
    )
    gateway_url: str | None = Field(
        default=None, description="Where the gateway is; set, the dashboard shows what its quarantine holds."
    )
    releases_dir: Path | None = Field(
        default=None, description="Where releases are written; set, the pages offer their tables."
    )
    prefect_api_url: str = Field(description="REST address of the flow server, such as http://127.0.0.1:4200/api.")
    xnat_user: str | None = Field(default=None, description="Log-in of the pages in the archive, to show its files.")
    xnat_password: SecretStr | None = Field(default=None, description="Its password.")
    dicom_host: str = Field(default="127.0.0.1", description="Where the receiver listens, told on empty pages.")
    dicom_port: int = Field(default=11112, description="Port of the receiver, told likewise.")
    dicom_ae_title: str = Field(default="COHORTFLOW", description="AE title of the receiver, told likewise.")
    reconcile_every_s: float = Field(
        default=5.0, gt=0, description="Seconds between looks for flow runs that died without an answer."
    )
    timeouts_every_s: float = Field(
        default=20.0, gt=0, description="Seconds between looks for executions that run or wait too long."
    )
    queue_timeout_s: float = Field(
        default=86_400.0, ge=0, description="Seconds an execution may wait for a worker before it fails; 0 for ever."
    )
