"""Orders over the flow server's REST API: ids are quoted, and a run it cannot know is unknown."""

from __future__ import annotations

import httpx
import pytest

from service_kit.errors import Unavailable
from service_kit.flow_orders import FlowRunId, PrefectFlowOrders


def answering(status: int, asked: list[str]) -> PrefectFlowOrders:
    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(status, json={"id": "a/b?c"})

    return PrefectFlowOrders(
        "http://flows.test/api",
        client=httpx.Client(base_url="http://flows.test/api", transport=httpx.MockTransport(answer)),
    )


@pytest.mark.parametrize("status", [404, 422])
def test_a_run_that_the_server_cannot_know_is_unknown(status: int) -> None:
    asked: list[str] = []
    assert answering(status, asked).state(FlowRunId("../x?y")) is None
    assert asked == ["/api/flow_runs/..%2Fx%3Fy"]


def test_a_sick_server_tells_nothing_of_a_run() -> None:
    with pytest.raises(Unavailable):
        answering(500, []).state(FlowRunId("1"))


def test_names_and_ids_stay_what_they_are_in_a_path() -> None:
    asked: list[str] = []
    answering(200, asked).order("release/warm #1?", parameters={}, idempotency_key="k")
    assert asked == ["/api/deployments/name/release/warm%20%231%3F", "/api/deployments/a%2Fb%3Fc/create_flow_run"]
