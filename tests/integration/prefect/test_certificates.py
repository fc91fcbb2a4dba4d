"""What Prefect's clients in the worker trust: read once a thread, and never altered for others."""

import ssl
import threading

import pytest
from prefect.client import orchestration

from deployments.worker.engine import read_certificates_once

pytestmark = pytest.mark.integration


@pytest.fixture
def read(monkeypatch):
    """Each reading of the certificates, by its arguments."""
    readings, make = [], ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda **what: readings.append(what) or make(**what))
    monkeypatch.setattr(orchestration, "ssl", orchestration.ssl)
    read_certificates_once()
    return readings


def make_client():
    orchestration.SyncPrefectClient("https://flows.example/api")._client.close()


def test_the_clients_of_a_thread_share_what_they_trust(read):
    make_client()
    before = len(read)
    assert before > 0
    for _ in range(3):
        make_client()
    assert len(read) == before
    thread = threading.Thread(target=make_client)
    thread.start()
    thread.join()
    assert len(read) > before


def test_a_context_that_prefect_alters_is_made_anew(read):
    for _ in range(2):
        orchestration.ssl.create_default_context()
    assert read == [{}, {}]
