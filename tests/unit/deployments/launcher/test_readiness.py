"""When a part counts as ready; asked over real connections."""

import asyncio
import datetime as dt
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from deployments.errors import NotReadyInTime
from deployments.launcher.endpoints import Endpoints
from deployments.launcher.ports import Ports, free_port
from deployments.launcher.readiness import ask_once, is_polling, probes_of, wait_until_ready

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def site():
    """Serve a site whose ``/readyz`` says 503 until its third request."""

    class Handler(BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self):
            Handler.asked += 1
            self.send_response(200 if self.path == "/readyz" and Handler.asked >= 3 else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def probe(name, **ports):
    unused = free_port()
    given = dict.fromkeys(("site", "dicom", "xnat", "prefect", "dask", "dask_dashboard"), unused) | ports
    return next(one for one in probes_of(Endpoints(Ports(**given))) if one.name == name)


def test_a_part_that_says_not_yet_is_asked_again(site):
    ready = []
    asyncio.run(
        wait_until_ready(
            [probe("dashboard", site=site)], timeout_s=10, logs=Path("logs"), on_ready=ready.append, poll_s=0.01
        )
    )
    assert ready == ["dashboard"]


def test_a_silent_part_is_named(site):
    probes = [probe("dashboard", site=site), probe("archive")]
    with pytest.raises(NotReadyInTime) as caught:
        asyncio.run(wait_until_ready(probes, timeout_s=0.5, logs=Path("logs"), poll_s=0.01))
    assert caught.value.waiting_for == ("archive",)


def test_a_receiver_is_ready_when_it_listens(site):
    probes = [probe("DICOM receiver", dicom=site), probe("archive")]
    assert asyncio.run(ask_once(probes)) == {"DICOM receiver": True, "archive": False}


@pytest.mark.parametrize(
    ("worker", "expected"),
    [
        ({"status": "ONLINE", "last_heartbeat_time": "2026-01-01T12:00:01Z"}, True),
        ({"status": "OFFLINE", "last_heartbeat_time": "2026-01-01T12:00:01Z"}, False),
        ({"status": "ONLINE", "last_heartbeat_time": "2026-01-01T11:59:59Z"}, False),
        ({"status": "ONLINE", "last_heartbeat_time": None}, False),
    ],
)
def test_a_worker_of_an_earlier_start_does_not_count(worker, expected):
    assert is_polling(worker, NOW) is expected
