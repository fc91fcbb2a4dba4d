"""Settings of the gateway's two processes, from the environment. May import pydantic-settings."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class GatewaySettings(BaseSettings):
    """Settings of the web application."""

    model_config = SettingsConfigDict(env_prefix="COHORTFLOW_", frozen=True, extra="ignore")

    gateway_database_url: SecretStr = Field(
        description="Database of the gateway: sqlite:////… or postgresql+psycopg://…"
    )
    accounts_database_url: SecretStr = Field(description="Database of users, roles and tokens, one for all services")
    gateway_spool_dir: Path = Field(description="Folder of received objects; the receiver writes it")
    site_url: str = Field(description="Address of the site as people see it, e.g. http://127.0.0.1:8080")
    xnat_url: str = Field(default="", description="Address of the archive, for the navigation; empty hides the link")
    prefect_api_url: str = Field(description="REST address of the flow server, e.g. http://127.0.0.1:4200/api")
    prefect_ui_url: str = Field(default="", description="Pages of the flow server, for links; empty shows none")
    dicom_host: str = Field(
        default="127.0.0.1", description="Where the receiver listens, shown to people who set up a sender"
    )
    dicom_port: int = Field(default=11112, description="Port of the receiver, shown likewise")
    dicom_ae_title: str = Field(default="COHORTFLOW", description="AE title of the receiver, shown likewise")
    quiet_period_s: float = Field(
        default=30.0, gt=0, description="An arrival is complete after so long without an object"
    )
    reconcile_every_s: float = Field(default=5.0, gt=0, description="How often orders whose worker died are looked for")
    run_background: bool = Field(
        default=True, description="Whether this process completes arrivals and dispatches orders"
    )


class ReceiverSettings(BaseSettings):
    """Settings of the DICOM receiver."""

    model_config = SettingsConfigDict(env_prefix="COHORTFLOW_", frozen=True, extra="ignore")

    gateway_database_url: SecretStr = Field(
        description="Database of the gateway: sqlite:////… or postgresql+psycopg://…"
    )
    gateway_spool_dir: Path = Field(description="Folder for received objects; nothing else may write it")
    dicom_host: str = Field(default="127.0.0.1", description="Address to listen on")
    dicom_port: int = Field(default=11112, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    dicom_ae_title: str = Field(
        default="COHORTFLOW", min_length=1, max_length=16, description="Own AE title; callers may use another"
    )
    dicom_max_pdu_bytes: int = Field(default=131072, ge=4096, description="Largest PDU that senders may use")
    dicom_idle_timeout_s: float = Field(
        default=120.0, gt=0, description="An association without traffic ends after so long"
    )
    dicom_max_associations: int = Field(
        default=50, ge=1, description="Associations at a time; further ones are refused for the moment"
    )
    spool_min_free_bytes: int = Field(
        default=1024**3, ge=0, description="Below that much free disk no association is accepted"
    )
