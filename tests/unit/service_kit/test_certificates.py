"""The trusted certificates are read once, however many clients there are."""

import httpx

from gateway.client import GatewayClient
from service_kit import certificates
from study_governor.client import GovernorClient
from task_supervisor.client import SupervisorClient


def test_clients_of_many_runs_read_them_once(monkeypatch):
    read = []
    own = httpx.create_ssl_context
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: read.append("certificates") or own())
    monkeypatch.setattr(httpx._transports.default, "create_ssl_context", lambda verify, **_: _asserted(verify))
    certificates.trusted.cache_clear()
    for make in (GatewayClient, GovernorClient, SupervisorClient):
        for _ in range(2):
            with make("https://site.example", "token"):
                pass
    assert read == ["certificates"]


def _asserted(verify):
    assert verify is certificates.trusted(), "the client reads certificates of its own"
    return verify
