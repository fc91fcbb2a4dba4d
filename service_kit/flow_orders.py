"""How a service asks for a flow: by deployment name, through this port. Services never import Prefect.

`PrefectFlowOrders` speaks to the Prefect server's REST API; `MemoryFlowOrders` keeps the orders for tests and tools.
An order is idempotent on its key: the same key twice is one flow run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NewType, Protocol
from urllib.parse import quote

import httpx

from service_kit.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FlowRunId = NewType("FlowRunId", str)

#: State types after which Prefect does nothing more for a run.
TERMINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
_TIMEOUT = httpx.Timeout(10.0, connect=3.0)


class UnknownDeployment(Unavailable):
    """The flow server has no deployment of this name yet; a worker registers them when it starts."""

    def __init__(self, deployment: str) -> None:
        super().__init__(f"The flow server has no deployment {deployment!r}: start the worker, which registers it.")
        self.deployment = deployment


@dataclass(frozen=True)
class FlowRunState:
    """What the flow server says of a run."""

    type: str
    name: str
    message: str | None = None

    @property
    def terminal(self) -> bool:
        """Whether the run has ended, well or not."""
        return self.type in TERMINAL


class FlowOrders(Protocol):
    """Order flow runs and ask after them."""

    def order(
        self, deployment: str, *, parameters: Mapping[str, Any], idempotency_key: str, tags: Sequence[str] = ()
    ) -> FlowRunId:
        """Order one run of ``flow-name/deployment-name``; the same key gives the same run.

        Raises
        ------
        Unavailable
            If the flow server does not answer: try again.
        UnknownDeployment
            If it has no such deployment.
        """

    def state(self, flow_run_id: FlowRunId) -> FlowRunState | None:
        """Return the state of a run, None when the server does not know it.

        Raises
        ------
        Unavailable
            If the flow server does not answer.
        """


class PrefectFlowOrders:
    """Orders through the REST API of a Prefect 3 server.

    Parameters
    ----------
    api_url
        For example ``http://127.0.0.1:4200/api``.
    """

    def __init__(self, api_url: str, *, client: httpx.Client | None = None) -> None:
        self._client = client or httpx.Client(base_url=api_url.rstrip("/"), timeout=_TIMEOUT)
        self._deployment_ids: dict[str, str] = {}

    def order(
        self, deployment: str, *, parameters: Mapping[str, Any], idempotency_key: str, tags: Sequence[str] = ()
    ) -> FlowRunId:
        """See `FlowOrders.order`. One request when the deployment is known already."""
        body = {"parameters": dict(parameters), "idempotency_key": idempotency_key, "tags": list(tags)}
        known = deployment in self._deployment_ids
        response = self._send("POST", self._run_path(deployment), json=body)
        if response.status_code == 404 and known:
            del self._deployment_ids[deployment]
            response = self._send("POST", self._run_path(deployment), json=body)
        if response.status_code == 422:
            raise InvalidInput(f"The deployment {deployment!r} refuses these parameters: {response.text[:300]}")
        self._expect(response)
        return FlowRunId(response.json()["id"])

    def state(self, flow_run_id: FlowRunId) -> FlowRunState | None:
        """See `FlowOrders.state`."""
        response = self._send("GET", f"/flow_runs/{quote(flow_run_id, safe='')}")
        if response.status_code in {404, 422}:  # 422: no id of a run at all
            return None
        self._expect(response)
        state = response.json().get("state") or {"type": "SCHEDULED", "name": "Scheduled"}
        return FlowRunState(type=state["type"], name=state["name"], message=state.get("message"))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _run_path(self, deployment: str) -> str:
        return f"/deployments/{quote(self._deployment_id(deployment), safe='')}/create_flow_run"

    def _deployment_id(self, deployment: str) -> str:
        if deployment not in self._deployment_ids:
            parts = deployment.split("/", 1)
            response = self._send("GET", f"/deployments/name/{'/'.join(quote(part, safe='') for part in parts)}")
            if response.status_code == 404:
                raise UnknownDeployment(deployment)
            self._expect(response)
            self._deployment_ids[deployment] = response.json()["id"]
        return self._deployment_ids[deployment]

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **options)
        except httpx.TransportError as error:
            raise Unavailable("The flow server does not answer; the order will be sent again.") from error

    @staticmethod
    def _expect(response: httpx.Response) -> None:
        if response.is_error:
            raise Unavailable(f"The flow server answered {response.status_code}; the order will be sent again.")


@dataclass
class MemoryFlowOrders:
    """Keeps orders in memory; the port for tests and for tools without a flow server.

    Examples
    --------
    >>> orders = MemoryFlowOrders()
    >>> run = orders.order("release/warm", parameters={"execution_id": 1}, idempotency_key="execution-1-1")
    >>> run == orders.order("release/warm", parameters={"execution_id": 1}, idempotency_key="execution-1-1")
    True
    >>> len(orders.ordered)
    1
    """

    ordered: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    states: dict[str, FlowRunState] = field(default_factory=dict)
    available: bool = True

    def order(
        self,
        deployment: str,
        *,
        parameters: Mapping[str, Any],
        idempotency_key: str,
        tags: Sequence[str] = (),  # noqa: ARG002
    ) -> FlowRunId:
        """See `FlowOrders.order`."""
        if not self.available:
            raise Unavailable("The flow server does not answer; the order will be sent again.")
        self.ordered.setdefault(idempotency_key, (deployment, dict(parameters)))
        self.states.setdefault(f"run-{idempotency_key}", FlowRunState("SCHEDULED", "Scheduled"))
        return FlowRunId(f"run-{idempotency_key}")

    def state(self, flow_run_id: FlowRunId) -> FlowRunState | None:
        """See `FlowOrders.state`."""
        if not self.available:
            raise Unavailable("The flow server does not answer; the order will be sent again.")
        return self.states.get(flow_run_id)
