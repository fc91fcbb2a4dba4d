"""Settings of the embedded XNAT. May import pydantic-settings."""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from embedded_xnat.domain.networks import read_networks
from service_kit.settings import ENV_PREFIX


class EmbeddedXnatSettings(BaseSettings):
    """Where the archive keeps its things, and how it names them.

    Every field is read from the environment variable given; there is no default for a place.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, populate_by_name=True
    )

    data_dir: Path = Field(
        validation_alias="COHORTFLOW_XNAT_DATA_DIR",
        description="Folder of the files, in XNAT's own layout: a client may take it as XNAT_DATA.",
    )
    database_url: str = Field(
        validation_alias="COHORTFLOW_XNAT_DATABASE_URL", description="Database of the archive (SQLAlchemy URL)."
    )
    accounts_database_url: str = Field(
        validation_alias="COHORTFLOW_ACCOUNTS_DATABASE_URL",
        description="Database of users and roles, shared by all services (SQLAlchemy URL).",
    )
    id_prefix: str = Field(
        default="CF",
        validation_alias="COHORTFLOW_XNAT_ID_PREFIX",
        pattern=r"^[A-Za-z0-9_]{1,32}$",
        description="What accession ids begin with: CF_S00001.",
    )
    login_idle_s: int = Field(
        default=900,
        ge=30,
        le=7 * 86_400,
        validation_alias="COHORTFLOW_XNAT_LOGIN_IDLE_S",
        description="After how many idle seconds a login ends.",
    )
    require_login: bool = Field(
        default=True,
        validation_alias="COHORTFLOW_XNAT_REQUIRE_LOGIN",
        description="Whether everybody has to log in; else guests read public projects. A site setting changes it, too.",
    )
    webhook_networks: str = Field(
        default="",
        validation_alias="COHORTFLOW_XNAT_WEBHOOK_NETWORKS",
        description=(
            "Networks that are not public and that webhooks may call all the same, such as `10.1.0.0/16, 127.0.0.1/32`."
        ),
    )
    site_url: str | None = Field(
        default=None,
        description="Where the pages of the other services are; linked in the navigation of the archive's.",
    )
    session_idle_s: float = Field(
        default=300,
        ge=0.1,
        le=7 * 86_400,
        validation_alias="COHORTFLOW_XNAT_SESSION_IDLE_S",
        description="After how many seconds without a new file a session that comes in counts as complete.",
    )
    session_check_s: float = Field(
        default=10,
        ge=0.05,
        le=3600,
        validation_alias="COHORTFLOW_XNAT_SESSION_CHECK_S",
        description="Seconds between two looks at the sessions that come in.",
    )
    inbox_dir: Path | None = Field(
        default=None,
        validation_alias="COHORTFLOW_XNAT_INBOX_DIR",
        description="Folder from which sessions can be imported (handler inbox); without it there is no inbox.",
    )

    max_upload_bytes: int = Field(
        default=8 * 1024**3,
        ge=1024,
        validation_alias="COHORTFLOW_XNAT_MAX_UPLOAD_BYTES",
        description="Largest body that is accepted; a longer one is refused by what it declares, before it is read.",
    )

    @field_validator("webhook_networks")
    @classmethod
    def _networks(cls, value: str) -> str:
        read_networks(value)
        return value

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies travel by HTTPS only."""
        return (self.site_url or "").startswith("https://")

    @field_validator("data_dir", "inbox_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value is not None else None
