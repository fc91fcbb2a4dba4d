"""Programs in processes of their own, forked from one that has imported them: what an import takes is not tested there."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
COMMANDS = ["cli", "commands.status", "commands.study", "commands.user", "commands.xnat"]


def preload(*modules: str) -> None:
    """Let the process that others are forked from import these too; to be said before the first is."""
    FORKS.set_forkserver_preload([*(f"deployments.{name}" for name in COMMANDS), *modules])


preload()


def cohortflow(*arguments: object, timeout_s: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own; return how it ended and what it said."""
    words = ["cohortflow", *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = FORKS.Process(target=_main, args=(words, {**os.environ, **environment}, out, err))
        process.start()
        process.join(timeout_s)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired(words, timeout_s, out.read_text(), err.read_text())
        code, said, complained = process.exitcode, out.read_text(), err.read_text()
        process.close()
    assert code is not None
    return subprocess.CompletedProcess(words, code, said, complained)


def _main(words: list[str], environment: dict[str, str], out: Path, err: Path) -> None:
    from deployments.cli import main

    os.environ.clear()
    os.environ.update(environment)
    for descriptor, path in ((1, out), (2, err)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), descriptor)
    sys.argv = words
    main()
