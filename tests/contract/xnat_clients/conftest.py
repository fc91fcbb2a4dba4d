"""A real server in a process of its own, and a real client."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import httpx
import pytest

from service_kit.accounts import Role
from service_kit.accounts.service import Accounts
from tests.contract.xnat_clients.serve import serve
from tests.forked import FORKS, preload

preload("tests.contract.xnat_clients.serve")

USER, PASSWORD = "admin", "correct horse battery"


@dataclass
class Server:
    """An embedded XNAT that can be killed and started again on the same home."""

    home: Path
    port: int
    prefix: str = "CF"
    idle_s: float = 300
    process: ForkServerProcess | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it is ready."""
        began = time.monotonic()
        self.process = FORKS.Process(target=serve, args=(self.home, self.port, self.prefix, self.idle_s), daemon=True)
        self.process.start()
        while True:
            assert self.process.is_alive(), "the server ended by itself"
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() - began < 60, "the server does not become ready"
            time.sleep(0.05)

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process is not None and self.process.is_alive():
            os.kill(self.process.pid, how)
            self.process.join(20)
            assert not self.process.is_alive(), "the server does not end"

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """Open a client that is logged in."""
        with httpx.Client(base_url=self.url, timeout=60) as client:
            client.put("/data/services/auth", data={"username": USER, "password": PASSWORD}).raise_for_status()
            yield client


def new_server(home: Path, prefix: str = "CF") -> Server:
    accounts = Accounts.open(f"sqlite:///{home}/accounts.db")
    accounts.create_user(USER, PASSWORD)
    accounts.grant(USER, Role.admin)
    accounts.database.dispose()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Server(home, port, prefix)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory):
    """A server for tests that each work in a project of their own."""
    server = new_server(tmp_path_factory.mktemp("xnat"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_server(tmp_path: Path):
    """A server of one test, not started yet."""
    server = new_server(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def connection(server: Server):
    """A connection of an unmodified xnatpy."""
    xnat = pytest.importorskip("xnat")
    with xnat.connect(server.url, user=USER, password=PASSWORD, loglevel="WARNING") as connection:
        yield connection
