"""What can go wrong around the flow worker. Imports this package's errors only.

::

    DeploymentError
    ├── PrefectServerSilent       the server does not answer
    ├── WorkerNameTaken           another worker of this name runs on this home
    ├── FlowsFileInvalid          prefect.yaml says something that cannot be
    ├── FlowNotUsable             an entrypoint leads to no async flow
    └── RegistrationRefused       the server does not take a work pool or a deployment

Inside a run only:

::

    LookupError
    └── UnknownEntrypoint         a run of a flow that this worker does not have
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.errors import DeploymentError

if TYPE_CHECKING:
    from pathlib import Path


class PrefectServerSilent(DeploymentError):
    """The Prefect server does not answer."""

    exit_code = 11

    def __init__(self, api_url: str, *, timeout_s: float) -> None:
        self.api_url, self.timeout_s = api_url, timeout_s
        super().__init__(f"The Prefect server at {api_url} has not answered within {timeout_s:.0f} s. Is it started?")


class WorkerNameTaken(DeploymentError):
    """Two workers of one name would take each other for dead."""

    exit_code = 12

    def __init__(self, name: str, home: Path) -> None:
        self.name, self.home = name, home
        super().__init__(
            f"A flow worker named {name!r} already runs on the home {home}. "
            "End it, or give this one another name with COHORTFLOW_WORKER_NAME."
        )


class FlowsFileInvalid(DeploymentError):
    """The file of deployments cannot be read as such."""

    exit_code = 13

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"The deployments in {path} cannot be read: {reason}")


class FlowNotUsable(DeploymentError):
    """An entrypoint leads to nothing that the worker can run."""

    exit_code = 14

    def __init__(self, entrypoint: str, reason: str) -> None:
        self.entrypoint, self.reason = entrypoint, reason
        super().__init__(f"The entrypoint {entrypoint!r} cannot be run: {reason}.")


class RegistrationRefused(DeploymentError):
    """The Prefect server does not take what we register."""

    exit_code = 15

    def __init__(self, what: str, *, status: int, answer: str) -> None:
        self.what, self.status = what, status
        super().__init__(f"The Prefect server refused {what} with status {status}: {answer[:300]}")


class UnknownEntrypoint(LookupError):
    """A deployment of the pool names a flow that this worker was not started with."""

    def __init__(self, entrypoint: str | None) -> None:
        self.entrypoint = entrypoint
        super().__init__(
            f"This worker has no flow {entrypoint!r}. It runs the entrypoints of its prefect.yaml and imports no others."
        )
