"""A pytest plug-in: the fixture `embedded_xnat` is an empty XNAT in a process of its own, for the tests of other projects.

Imports pytest and the standard library only, since pytest loads it in every project where Cohortflow is installed.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

START_S = 60.0
STOP_S = 20.0


@dataclass(frozen=True)
class EmbeddedXnat:
    """A running archive.

    Attributes
    ----------
    url, user, password
        Where it is, and its administrator.
    data
        Its folder; the files lie below ``archive``, in XNAT's own layout.
    """

    url: str
    user: str
    password: str = field(repr=False)
    data: Path

    def connect(self, **options: Any) -> Any:
        """Return a connection of xnatpy (``xnat.connect``), which must be installed."""
        import xnat  # noqa: PLC0415 - only who calls this needs it

        return xnat.connect(self.url, user=self.user, password=self.password, **options)


class ArchiveDidNotStart(Exception):
    """The archive ended by itself, or was not ready in time."""

    def __init__(self, said: str) -> None:
        super().__init__(f"The embedded XNAT did not become ready. It last said: {said[-2000:] or 'nothing'}")


@contextmanager
def running(data: Path) -> Iterator[EmbeddedXnat]:
    """Run an archive on a free port of this machine, with its data in a folder, for as long as the context lasts.

    It ends with this process too, however that ends (Linux).

    Raises
    ------
    ArchiveDidNotStart
    """
    password = secrets.token_urlsafe(18)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COHORTFLOW_")}
    environment |= {"COHORTFLOW_XNAT_ADMIN_PASSWORD": password, "COHORTFLOW_LAUNCHER_PID": str(os.getpid())}
    command = [sys.executable, "-m", "deployments.cli", "serve", "embedded-xnat", "--data", str(data), "--port", "0"]
    data.mkdir(parents=True, exist_ok=True)
    log = data / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)  # noqa: S603
    try:
        yield EmbeddedXnat(url=_url(process, data), user="admin", password=password, data=data)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _url(process: "subprocess.Popen[bytes]", data: Path) -> str:
    """Wait until the archive says where it is."""
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        endpoint = data / "endpoint.json"
        if endpoint.is_file():
            found = json.loads(endpoint.read_text(encoding="utf-8"))
            if found["pid"] == process.pid:
                return str(found["url"])
        time.sleep(0.02)
    raise ArchiveDidNotStart((data / "server.log").read_text(encoding="utf-8", errors="replace"))


@pytest.fixture(scope="session")
def embedded_xnat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedXnat]:
    """Give an empty XNAT that lasts for the test session; each test should work in a project of its own."""
    with running(tmp_path_factory.mktemp("embedded-xnat")) as archive:
        yield archive
