"""Settings of the task supervisor's process. May import pydantic-settings."""

from pydantic import Field, SecretStr

from service_kit.settings import ServiceSettings


class TaskSupervisorSettings(ServiceSettings):
    """Where the supervisor's data lies, and to whom it may talk."""

    supervisor_database_url: str = Field(description="Database of tasks and answers (SQLAlchemy URL).")
    supervisor_url: str = Field(
        default="http://127.0.0.1:8080/tasks", description="Where browsers reach the supervisor's pages."
    )
    governor_url: str = Field(description="The study governor; callbacks may go below this address.")
    callback_allow: tuple[str, ...] = Field(
        default=(), description="Further addresses below which callbacks may go, as a JSON list."
    )
    xnat_user: str | None = Field(default=None, description="The supervisor's own account in the archive.")
    xnat_password: SecretStr | None = Field(default=None, description="The password of that account.")
    lease_s: float = Field(default=900.0, gt=0, description="How long a claim lasts unless the page renews it.")

    @property
    def allowed_callbacks(self) -> tuple[str, ...]:
        """Every address below which callbacks may go."""
        return (self.governor_url.rstrip("/"), *self.callback_allow)
