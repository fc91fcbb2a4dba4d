"""What ``prefect.yaml`` says, as frozen values. Imports pydantic and PyYAML, no Prefect.

The file stays valid for ``prefect deploy``. What Prefect's own command understands beyond the fields here (schedules,
triggers, build steps) is left to that command: registering neither sets nor removes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from deployments.worker.errors import FlowsFileInvalid

DEFAULT_FLOWS_FILE = Path(__file__).resolve().parent.parent / "prefect.yaml"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class WorkPoolRef(_Frozen):
    """Where the runs of a deployment wait."""

    name: str
    work_queue_name: str | None = None
    job_variables: dict[str, Any] = {}


class ConcurrencyLimit(_Frozen):
    """How many runs of a deployment may be under way, and what becomes of one too many."""

    limit: int = Field(gt=0)
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"] = "ENQUEUE"
    grace_period_seconds: int | None = None


def _limit(value: Any) -> Any:
    return {"limit": value} if isinstance(value, int) else value


class DeploymentEntry(_Frozen):
    """One deployment of the file."""

    name: str
    entrypoint: str = Field(pattern=r"^[\w./-]+\.py:\w+$")
    work_pool: WorkPoolRef
    version: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    parameters: dict[str, Any] = {}
    enforce_parameter_schema: bool = True
    concurrency_limit: Annotated[ConcurrencyLimit | None, BeforeValidator(_limit)] = None

    @property
    def module(self) -> str:
        """Dotted name of the flow's module.

        Examples
        --------
        >>> DeploymentEntry(name="warm", entrypoint="flows/release.py:release", work_pool={"name": "warm"}).module
        'flows.release'
        """
        return ".".join(Path(self.entrypoint.partition(":")[0]).with_suffix("").parts)

    @property
    def function(self) -> str:
        """Name of the flow's function."""
        return self.entrypoint.partition(":")[2]


class FlowsFile(_Frozen):
    """The whole file."""

    path: Path
    deployments: tuple[DeploymentEntry, ...] = Field(min_length=1)
    pull: list[dict[str, Any]] | None = None

    @property
    def root(self) -> Path:
        """Folder that entrypoints are relative to: the one above the file's."""
        return self.path.parent.parent

    @property
    def work_pools(self) -> tuple[str, ...]:
        """Names of the pools in use, in the order of the file."""
        return tuple(dict.fromkeys(entry.work_pool.name for entry in self.deployments))


def read_flows_file(path: Path) -> FlowsFile:
    """Read the file.

    Raises
    ------
    FlowsFileInvalid
        With the place and the reason.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FlowsFileInvalid(path, error.strerror or "it cannot be opened") from error
    except yaml.YAMLError as error:
        raise FlowsFileInvalid(path, f"not YAML: {error}") from error
    if not isinstance(content, dict):
        raise FlowsFileInvalid(path, "it holds no mapping with the key 'deployments'")
    try:
        return FlowsFile.model_validate({**content, "path": path.resolve()})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise FlowsFileInvalid(path, f"{place}: {first['msg']}") from error
