"""The flows a worker can run: imported once, found by entrypoint. Imports Prefect.

Nothing is imported by a name found in the server's database: an entrypoint that is not in the file is refused.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect.flows import Flow

from deployments.worker.errors import FlowNotUsable, UnknownEntrypoint
from deployments.worker.flows_file import FlowsFile, read_flows_file

if TYPE_CHECKING:
    from pathlib import Path

    from deployments.worker.flows_file import DeploymentEntry

AnyFlow = Flow[..., Any]


@dataclass(frozen=True)
class FlowCatalog:
    """The flows of one file, by entrypoint."""

    file: FlowsFile
    flows: Mapping[str, AnyFlow]

    @classmethod
    def load(cls, path: Path) -> FlowCatalog:
        """Read the file and import its flows.

        Raises
        ------
        FlowsFileInvalid, FlowNotUsable
            If the file or one of its entrypoints is wrong.
        """
        file = read_flows_file(path)
        return cls(file, {entry.entrypoint: _import_flow(entry) for entry in file.deployments})

    def flow(self, entrypoint: str | None) -> AnyFlow:
        """Find a flow.

        Raises
        ------
        UnknownEntrypoint
            If the file does not name it.
        """
        found = self.flows.get(entrypoint or "")
        if found is None:
            raise UnknownEntrypoint(entrypoint)
        return found


def _import_flow(entry: DeploymentEntry) -> AnyFlow:
    try:
        module = importlib.import_module(entry.module)
    except ModuleNotFoundError as error:
        raise FlowNotUsable(entry.entrypoint, f"there is no module {error.name}") from error
    flow = getattr(module, entry.function, None)
    if not isinstance(flow, Flow):
        raise FlowNotUsable(entry.entrypoint, f"{entry.function} is not a Prefect flow")
    if not flow.isasync or flow.isgenerator:
        raise FlowNotUsable(entry.entrypoint, "it must be an 'async def' flow, so that it can be cancelled")
    return flow
