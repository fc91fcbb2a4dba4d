"""Clients of XNAT as PyPI has them, each in a virtual environment of its own, driven by scripts against a test server.

A test file asks for one by name::

    from tests.contract.xnat_clients.clients import client_environment

    pyxnat = client_environment("pyxnat", "1.6.4")          # a fixture of the session


    def test_it(pyxnat, server):
        pyxnat.run("import sys; print(sys.argv[1])", server.url)

The environments stay in ``~/.cache/cohortflow/clients`` (or `COHORTFLOW_TEST_CLIENTS`), so that only the first run
needs the network.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import missing

#: Runs in a client's interpreter: imports the program once, then forks for every order that it reads.
FORKING = """
import importlib.metadata, json, os, sys
(entry,) = importlib.metadata.entry_points(group="console_scripts", name=sys.argv[1])
program = entry.load()
for line in sys.stdin:
    order = json.loads(line)
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    for descriptor, path in ((1, order["out"]), (2, order["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    sys.argv = order["words"]
    sys.exit(program())
"""

INSTALL_TIMEOUT_S = 600
RUN_TIMEOUT_S = 240


@dataclass(frozen=True)
class ClientEnvironment:
    """A virtual environment with one client in it."""

    folder: Path

    @property
    def bin(self) -> Path:
        """Folder of its commands."""
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.bin / "python"

    def run(self, script: str, *arguments: str, timeout_s: float = RUN_TIMEOUT_S, **environment: str) -> str:
        """Run a script with the client's interpreter; return what it wrote. A failure fails the test with its output."""
        return self.command([str(self.python), "-c", script, *arguments], timeout_s=timeout_s, **environment)

    def command(self, command: Sequence[str], *, timeout_s: float = RUN_TIMEOUT_S, **environment: str) -> str:
        """Run a command, one of `bin` by its bare name; return what it wrote. A failure fails the test."""
        program = str(self.bin / command[0]) if (self.bin / command[0]).exists() else command[0]
        done = subprocess.run(
            [program, *command[1:]],
            env={**_apart(), **environment},
            cwd=environment.get("HOME"),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    @contextmanager
    def console(self, name: str) -> Iterator[Console]:
        """Import a command once; each call of what this gives is a process of its own, forked from there."""
        with tempfile.TemporaryDirectory() as folder, self._start(FORKING, name) as process:
            yield Console(process, Path(folder))
            assert process.stdin is not None
            process.stdin.close()

    def _start(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.python), "-c", script, *arguments],
            env=_apart(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip


@dataclass(frozen=True)
class Console:
    """A command of a client, imported already."""

    process: subprocess.Popen[str]
    folder: Path

    def __call__(self, *words: str, folder: Path, **environment: str) -> str:
        """Run the command in a folder; return what it wrote. A failure fails the test with its output."""
        out, err = self.folder / "out", self.folder / "err"
        out.write_text("")
        err.write_text("")
        order = {"words": words, "environment": environment, "folder": str(folder), "out": str(out), "err": str(err)}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        ended = self.process.stdout.readline().strip()
        assert ended == "0", f"{ended}\n{out.read_text()[-4000:]}\n{err.read_text()[-6000:]}"
        return out.read_text()


def _apart() -> dict[str, str]:
    """Return the environment without what belongs to our own interpreter."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    return {**kept, "NO_PROXY": "127.0.0.1,localhost"}


def client_environment(
    name: str, version: str, *more: str, python: str | None = None
) -> Callable[[], ClientEnvironment]:
    """Return a session fixture: the environment of a client, made when it is not there yet.

    Parameters
    ----------
    more
        Further requirements, for clients that name too few or too loose ones.
    python
        Version of the interpreter; that of the tests when not given.
    """

    @pytest.fixture(scope="session", name=name.replace("-", "_"))
    def environment() -> ClientEnvironment:
        folder = _cache_folder() / f"{name}-{version}"
        with _one_at_a_time(folder):
            complete, wanted = folder / ".complete", "\n".join([f"{name}=={version}", *more])
            if not complete.is_file() or complete.read_text() != wanted:
                _install(
                    folder, [f"{name}=={version}", *more], python or f"{sys.version_info[0]}.{sys.version_info[1]}"
                )
        return ClientEnvironment(folder)

    return environment


def _cache_folder() -> Path:
    given = os.environ.get("COHORTFLOW_TEST_CLIENTS")
    return Path(given) if given else Path.home() / ".cache" / "cohortflow" / "clients"


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one of several test processes install, and the others wait."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(folder.suffix + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(folder: Path, requirements: Sequence[str], python: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    uv = _uv()
    for command in (
        [uv, "venv", "--quiet", "--python", python, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *requirements],
    ):
        done = subprocess.run(
            command, env=_index(), capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            missing(requirements[0], f"{' '.join(command[:3])} failed: {done.stderr.strip()[-500:]}")
    (folder / ".complete").write_text("\n".join(requirements))


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        missing("uv", "pip install uv")
    assert found is not None
    return found


def _index() -> dict[str, str]:
    """Return the environment in which uv looks where pip is told to look."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    settings = {"find-links": "UV_FIND_LINKS", "index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX"}
    for key, variable in settings.items():
        if variable in environment:
            continue
        asked = subprocess.run(
            [sys.executable, "-m", "pip", "config", "get", f"global.{key}"], capture_output=True, text=True, check=False
        )
        if asked.returncode == 0 and asked.stdout.strip():
            environment[variable] = asked.stdout.strip()
    return environment
