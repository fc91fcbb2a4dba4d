"""Health, readiness and metrics, by HTTP."""

import logging

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service_kit import health
from service_kit.errors import Unavailable


def build(**checks):
    app = FastAPI()
    app.state.service = "gateway"
    health.install(app, checks)

    @app.get("/things/{label}")
    def thing(label: str) -> str:
        return label

    return app


@pytest.fixture
def client():
    with TestClient(build(database=lambda: None)) as client:
        yield client


def test_a_living_process_says_so(client):
    assert client.get("/healthz").text == "ok"


def test_ready_when_every_check_passes(client):
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready", "checks": {"database": True}})


def test_not_ready_names_the_check_that_fails_and_not_why():
    def broken():
        raise Unavailable("password authentication failed for user postgres")

    with TestClient(build(database=lambda: None, archive=broken, spool=lambda: False)) as client:
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": True, "archive": False, "spool": False}
    assert "postgres" not in response.text


def test_metrics_count_by_route_and_never_by_what_stands_in_the_path(client):
    client.get("/things/sub-004")
    client.get("/nowhere/sub-005")
    text = client.get("/metrics").text
    assert 'http_requests_total{method="GET",route="/things/{label}",service="gateway",status="200"} 1.0' in text
    assert "process_cpu_seconds_total" in text
    assert "sub-004" not in text
    assert "sub-005" not in text


def test_the_log_has_one_line_a_request_without_path_or_query(client, caplog):
    caplog.set_level(logging.INFO, logger="service_kit.health")
    client.get("/things/sub-004?name=secret")
    [record] = [record for record in caplog.records if record.name == "service_kit.health"]
    assert (record.message, record.route, record.status) == ("request answered", "/things/{label}", 200)
    assert "secret" not in str(record.__dict__)
    assert "sub-004" not in str(record.__dict__)


def test_two_apps_in_one_process_count_for_themselves():
    outer, inner = build(), build()
    outer.mount("/inner", inner)
    with TestClient(outer) as client:
        client.get("/inner/things/1")
        assert 'route="/things/{label}"' in client.get("/inner/metrics").text
        assert 'route="/things/{label}"' not in client.get("/metrics").text
