"""The archives that the port's suite runs on: the one in memory, the embedded XNAT, and a real XNAT when its address is given."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from tasks.archive.memory import MemoryArchive
from tasks.archive.port import Archive
from tasks.archive.xnat import XnatArchive

USER, PASSWORD = "archivist", "a long enough password"


@pytest.fixture(scope="session")
def embedded_xnat_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an embedded XNAT of our own, served over real HTTP."""
    from embedded_xnat.app import create_app
    from embedded_xnat.settings import EmbeddedXnatSettings
    from service_kit.accounts import Role
    from service_kit.accounts.service import Accounts

    home = tmp_path_factory.mktemp("xnat")
    accounts_url = f"sqlite:///{home / 'accounts.sqlite'}"
    accounts = Accounts.open(accounts_url)
    accounts.create_user(USER, PASSWORD)
    accounts.grant(USER, Role.admin)
    accounts.database.dispose()
    settings = EmbeddedXnatSettings(
        data_dir=home / "data", database_url=f"sqlite:///{home / 'xnat.sqlite'}", accounts_database_url=accounts_url
    )
    server = uvicorn.Server(uvicorn.Config(create_app(settings), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the embedded XNAT does not start"
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=20)


REAL_XNAT_URL = os.environ.get("COHORTFLOW_TEST_XNAT_URL")


@pytest.fixture(params=["memory", "embedded", *(["real"] if REAL_XNAT_URL else [])])
def archive(request: pytest.FixtureRequest) -> Iterator[Archive]:
    """Each archive in turn."""
    if request.param == "memory":
        yield MemoryArchive()
    elif request.param == "embedded":
        url = request.getfixturevalue("embedded_xnat_url")
        with XnatArchive(url, user=USER, password=PASSWORD) as embedded:
            yield embedded
    else:
        user, password = os.environ["COHORTFLOW_TEST_XNAT_USER"], os.environ["COHORTFLOW_TEST_XNAT_PASSWORD"]
        with XnatArchive(str(REAL_XNAT_URL), user=user, password=password) as real:
            yield real


@pytest.fixture
def project(archive: Archive) -> str:
    """A project of this test's own."""
    name = f"P{uuid.uuid4().hex[:10]}"
    archive.ensure_project(name, title=f"Test {name}")
    return name


@pytest.fixture
def text_files(tmp_path: Path) -> dict[str, Path]:
    """Six small files, one of them empty."""
    files = {}
    for number in range(6):
        path = tmp_path / f"source_{number}"
        path.write_bytes(b"x" * number * 100)
        files[f"file_{number}.bin"] = path
    return files
