"""Where adapters meet the flows: builds clients and the archive from the settings, for the length of one flow run."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flows.settings import FlowSettings
from tasks.errors import RejectedInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.client import GatewayClient
    from study_governor.client import GovernorClient
    from task_supervisor.client import SupervisorClient
    from tasks.archive.port import Archive
    from tasks.studies import Study


class StudyUnknown(RejectedInput):
    """A session belongs to a cohort for which there is no study folder."""

    def __init__(self, name: str, *, known: tuple[str, ...]) -> None:
        super().__init__(f"There is no study folder for {name!r}; known are: {', '.join(known) or 'none'}.")
        self.name = name
        self.known = known


@dataclass(frozen=True)
class Wiring:
    """What a flow run works with. Connections are opened on first use and closed at its end."""

    settings: FlowSettings
    stack: ExitStack

    def gateway(self) -> GatewayClient:
        """Return a client of the gateway."""
        from gateway.client import GatewayClient

        settings = self.settings
        return self.stack.enter_context(GatewayClient(settings.gateway_url, settings.api_token.get_secret_value()))

    def governor(self) -> GovernorClient:
        """Return a client of the study governor."""
        from study_governor.client import GovernorClient

        settings = self.settings
        return self.stack.enter_context(GovernorClient(settings.governor_url, settings.api_token.get_secret_value()))

    def supervisor(self) -> SupervisorClient:
        """Return a client of the task supervisor."""
        from task_supervisor.client import SupervisorClient

        settings = self.settings
        return self.stack.enter_context(
            SupervisorClient(settings.supervisor_url, settings.api_token.get_secret_value())
        )

    def archive(self) -> Archive:
        """Return the archive, an embedded or a real XNAT."""
        from tasks.archive.xnat import XnatArchive

        settings = self.settings
        archive = XnatArchive(
            settings.xnat_url, user=settings.xnat_user, password=settings.xnat_password.get_secret_value()
        )
        return cast("Archive", self.stack.enter_context(archive))

    def studies(self) -> tuple[Study, ...]:
        """Read every study folder; a run sees the files as they are now."""
        from tasks.studies import load_studies

        return load_studies(self.settings.studies_dir)

    def study(self, name: str) -> Study:
        """Return one study.

        Raises
        ------
        StudyUnknown
        """
        studies = self.studies()
        for study in studies:
            if study.name == name:
                return study
        raise StudyUnknown(name, known=tuple(study.name for study in studies))

    def work_folder(self, name: str) -> Path:
        """Return a scratch folder of this name, shared with the Dask workers."""
        folder = self.settings.work_dir / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


@contextmanager
def wired() -> Iterator[Wiring]:
    """Open the wiring of one flow run."""
    with ExitStack() as stack:
        yield Wiring(settings=FlowSettings(), stack=stack)
