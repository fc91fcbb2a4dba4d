"""Settings of the gateway's two processes, from the environment. May import pydantic-settings."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from service_kit.settings import ENV_PREFIX, ServiceSettings


class GatewaySettings(ServiceSettings):
    """Settings of the web application."""

    gateway_database_url: str = Field(description="Database of the gateway (SQLAlchemy URL).")
    gateway_spool_dir: Path = Field(description="Folder of received objects; the receiver writes it, this app reads.")
    prefect_api_url: str = Field(description="REST address of the flow server, such as http://127.0.0.1:4200/api.")
    dicom_host: str = Field(
        default="127.0.0.1", description="Where the receiver listens, told to whoever sets up a sender."
    )
    dicom_port: int = Field(default=11112, description="Port of the receiver, told likewise.")
    dicom_ae_title: str = Field(default="COHORTFLOW", description="AE title of the receiver, told likewise.")
    quiet_period_s: float = Field(
        default=30.0, gt=0, description="Seconds without an object until an arrival is complete."
    )
    reconcile_every_s: float = Field(
        default=5.0, gt=0, description="Seconds between looks for orders whose worker died."
    )


class ReceiverSettings(BaseSettings):
    """Settings of the DICOM receiver."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    gateway_database_url: str = Field(description="Database of the gateway (SQLAlchemy URL).")
    gateway_spool_dir: Path = Field(description="Folder for received objects; nothing else may write it.")
    dicom_host: str = Field(default="127.0.0.1", description="Address to listen on.")
    dicom_port: int = Field(default=11112, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    dicom_ae_title: str = Field(
        default="COHORTFLOW", min_length=1, max_length=16, description="Own AE title; senders may call another."
    )
    dicom_max_pdu_bytes: int = Field(default=131072, ge=4096, description="Largest PDU that senders may use.")
    dicom_idle_timeout_s: float = Field(default=120.0, gt=0, description="Seconds until a silent association is ended.")
    dicom_max_associations: int = Field(
        default=50, ge=1, description="Associations at a time; more are refused for now."
    )
    spool_min_free_bytes: int = Field(
        default=1024**3, ge=0, description="Below that much free disk no association is accepted."
    )
