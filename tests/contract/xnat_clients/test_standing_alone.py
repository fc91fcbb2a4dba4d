"""An archive with nothing else set: one command, one folder; and the pytest fixture that other projects use."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx
import pytest

from embedded_xnat.pytest_plugin import ArchiveDidNotStart, running
from tests.forked import cohortflow

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).resolve().parents[3]
TEST_OF_SOMEBODY = """
import xnat

def test_a_subject_is_found_again(embedded_xnat):
    with xnat.connect(embedded_xnat.url, user=embedded_xnat.user, password=embedded_xnat.password) as connection:
        connection.put("/data/projects/DEMO")
        connection.clearcache()
        project = connection.projects["DEMO"]
        connection.classes.SubjectData(parent=project, label="P01")
        connection.clearcache()
        assert list(connection.projects["DEMO"].subjects.values())[0].label == "P01"
"""


def environment(**more: str) -> dict[str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COHORTFLOW_")}
    return {**bare, "PYTHONPATH": str(REPOSITORY), **more}


def serve(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command where it must end by itself."""
    return cohortflow("serve", "embedded-xnat", *arguments, timeout_s=60, **more)


class Alone:
    """The command on a folder, until told to end."""

    def __init__(self, data: Path, *arguments: str, **more: str) -> None:
        self.data = data
        command = [
            sys.executable,
            "-m",
            "deployments.cli",
            "serve",
            "embedded-xnat",
            "--data",
            str(data),
            "--port",
            "0",
        ]
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(**more)
        )

    def __enter__(self) -> Self:
        self.said = ""
        assert self.process.stdout is not None
        while "is ready at" not in self.said:
            line = self.process.stdout.readline()
            assert line, f"it ended: {self.said}"
            self.said += line
        self.url = re.search(r"http://\S+?(?=,)", self.said)[0]
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.said += self.process.communicate(timeout=20)[0]

    def opens(self, password: str) -> bool:
        form = {"username": "admin", "password": password}
        return httpx.put(f"{self.url}/data/services/auth", data=form).status_code == 200


def test_one_command_makes_everything_and_shows_the_password_once(tmp_path: Path) -> None:
    data = tmp_path / "new" / "folder"
    with Alone(data) as first:
        password = re.search(r"password (\S+)", first.said)[1]
        assert first.opens(password)
        assert not first.opens("wrong password")
        assert (data / "archive").is_dir()
        assert data.stat().st_mode & 0o077 == 0
    assert first.process.returncode == 0
    assert not (data / "endpoint.json").exists()
    with Alone(data) as second:
        assert "User admin" not in second.said
        assert second.opens(password)
    assert "Traceback" not in first.said + second.said


def test_a_password_that_is_given_holds_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from a file, long enough\n")
    with Alone(tmp_path / "data", COHORTFLOW_XNAT_ADMIN_PASSWORD="from the environment") as first:
        assert "User admin" not in first.said
        assert first.opens("from the environment")
    with Alone(tmp_path / "data", "--password-file", str(file)) as second:
        assert second.opens("from a file, long enough")
        assert not second.opens("from the environment")


def test_what_keeps_it_from_starting_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = serve("--data", str(tmp_path / "a"), "--port", str(port))
    assert (done.returncode, f"Port {port} " in done.stderr, "--port" in done.stderr) == (4, True, True)
    assert "password" not in done.stdout, "of an archive that does not run"
    (tmp_path / "file").write_text("")
    done = serve("--data", str(tmp_path / "file" / "below"), "--port", "0")
    assert (done.returncode, "cannot be written" in done.stderr) == (3, True)
    done = serve("--data", str(tmp_path / "b"), "--port", "0", COHORTFLOW_XNAT_ADMIN_PASSWORD="short")
    assert (done.returncode, "10" in done.stderr) == (9, True)
    done = serve("--data", str(tmp_path / "c"), "--port", "0", "--password-file", str(tmp_path / "nothing"))
    assert (done.returncode, "cannot be read" in done.stderr) == (9, True)
    assert not (tmp_path / "c").exists(), "made for a password that is not there"
    done = serve("--data", str(tmp_path / "d"), "--host", "203.0.113.1", "--port", "0")
    assert (done.returncode, "Cannot listen" in done.stderr) == (4, True)
    done = serve()
    assert (done.returncode, "--data DIR" in done.stderr) == (7, True)
    done = cohortflow("serve", "gateway", "--data", str(tmp_path / "e"))
    assert done.returncode == 2


def test_two_archives_do_not_share_a_folder(tmp_path: Path) -> None:
    with Alone(tmp_path / "data"):
        done = serve("--data", str(tmp_path / "data"), "--port", "0")
    assert (done.returncode, "already runs" in done.stderr) == (3, True)


def test_small_answers_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with Alone(tmp_path / "data", COHORTFLOW_XNAT_ADMIN_PASSWORD="a long password") as alone, httpx.Client() as client:
        client.put(f"{alone.url}/data/services/auth", data={"username": "admin", "password": "a long password"})
        taken = []
        for _ in range(30):
            began = time.perf_counter()
            client.get(f"{alone.url}/data/auth").raise_for_status()
            taken.append(time.perf_counter() - began)
    assert min(taken) < 0.03  # with Nagle's delay every one takes 40 ms


def test_the_fixtures_archive_ends_with_its_context(tmp_path: Path) -> None:
    with running(tmp_path / "data") as archive:
        assert httpx.get(f"{archive.url}/data/projects", auth=(archive.user, archive.password)).status_code == 200
        assert archive.password not in repr(archive)
    with pytest.raises(httpx.TransportError):
        httpx.get(archive.url)


def test_an_archive_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "archive").write_text("a file where a folder must be")
    with pytest.raises(ArchiveDidNotStart), running(tmp_path / "data"):
        pass


def test_somebody_elses_test_uses_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_of_somebody.py").write_text(TEST_OF_SOMEBODY)
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "embedded_xnat.pytest_plugin"]
    command += ["-p", "no:cacheprovider", str(tmp_path)]
    alone = environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")  # installed, pytest finds it by itself
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=alone, cwd=tmp_path)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout


def test_the_plug_in_costs_other_projects_nothing() -> None:
    code = (
        "import sys; import pytest; before = set(sys.modules); import embedded_xnat.pytest_plugin;"
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    heavy = {"fastapi", "sqlmodel", "sqlalchemy", "httpx", "pydicom", "xnat", "uvicorn", "pydantic"}
    assert heavy.isdisjoint(re.findall(r"'([^']+)'", done.stdout))
