"""Settings that every service shares. May import pydantic-settings."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_PREFIX = "COHORTFLOW_"


class ServiceSettings(BaseSettings):
    """What every service with pages needs; each service derives its own frozen class.

    Every field is read from the environment variable ``COHORTFLOW_`` + its name in capitals.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    site_url: str = Field(
        default="http://127.0.0.1:8080", description="Where browsers reach the site, without a slash at the end."
    )
    accounts_database_url: str = Field(
        description="Database of users, roles, tokens and sessions, shared by all services (SQLAlchemy URL)."
    )
    xnat_url: str | None = Field(default=None, description="Where the archive is; also linked in the navigation.")
    prefect_ui_url: str | None = Field(default=None, description="Prefect's own pages, linked in the navigation.")

    @field_validator("site_url", "xnat_url", "prefect_ui_url")
    @classmethod
    def _is_http_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError("must be an address such as http://127.0.0.1:8080")
        return value.rstrip("/")

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies travel by HTTPS only."""
        return self.site_url.startswith("https://")
