"""One child process kept running: own process group, log file, pid file, restarts. Imports this package only."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from deployments.errors import MissingSettings, ProcessGaveUp, SettingsRefused
from deployments.launcher.restarts import RestartPolicy

if TYPE_CHECKING:
    from pathlib import Path

    from deployments.launcher.home import Home
    from deployments.launcher.plan import ProcessSpec

logger = logging.getLogger(__name__)

LONGEST_LOG_BYTES = 20_000_000


class KeptProcess:
    """A process that is started again whenever it dies.

    Parameters
    ----------
    spec, home
        What is started, and where its log and its pid file lie.
    policy
        When to start it again.
    """

    def __init__(self, spec: ProcessSpec, home: Home, *, policy: RestartPolicy | None = None) -> None:
        self.spec = spec
        self._home = home
        self._policy = policy or RestartPolicy()
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Id of the running process; None while there is none."""
        return self._process.pid if self._process is not None else None

    async def keep_running(self) -> None:
        """Start it, and again whenever it dies, until `stop`.

        Raises
        ------
        SettingsRefused
            If it said that its settings are wrong.
        ProcessGaveUp
            If it died again and again right after its start.
        """
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._run_once()
            if self._stopping.is_set():
                return
            lived_s = time.monotonic() - began
            log = self._home.log(self.spec.name)
            if code == MissingSettings.exit_code:
                raise SettingsRefused(last_line_of(log), log=log)
            # a process that was killed had no last words: the line before is of another matter
            last_words = last_line_of(log) if code > 0 else ""
            delay_s = self._policy.delay_after(lived_s=lived_s, last_words=last_words)
            logger.warning(
                "process ended by itself",
                extra={"child": self.spec.name, "code": code, "lived_s": round(lived_s, 1), "restart_in_s": delay_s},
            )
            if delay_s is None:
                raise ProcessGaveUp(
                    self.spec.title, deaths=self._policy.fast_deaths, log=log, last_line=last_line_of(log)
                )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)

    async def stop(self, *, grace_s: float) -> None:
        """End it: SIGTERM, and SIGKILL to its whole group when it takes longer than ``grace_s``."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), grace_s)
        except TimeoutError:
            logger.warning("process had to be killed", extra={"child": self.spec.name})
            kill_group(process.pid)
            await process.wait()

    async def _run_once(self) -> int:
        log = self._home.log(self.spec.name)
        shorten_log(log)
        pid_file = self._home.pid_file(self.spec.name)
        with log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                env={**os.environ, **self.spec.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        self.starts += 1
        pid_file.write_text(f"{self._process.pid}\n")
        logger.info("process started", extra={"child": self.spec.name, "pid": self._process.pid})
        if self._stopping.is_set():  # told to stop while it was being started
            self._process.terminate()
        code = await self._process.wait()
        kill_group(self._process.pid)  # what it left behind, so that the next one finds its ports free
        self._process = None
        pid_file.unlink(missing_ok=True)
        return code


def kill_group(pid: int) -> None:
    """Kill whatever is left of the process group that ``pid`` leads or led."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def last_line_of(log: Path) -> str:
    """Give the last line that a process wrote; empty when it wrote none."""
    try:
        with log.open("rb") as handle:
            handle.seek(max(0, log.stat().st_size - 4096))
            lines = handle.read().decode(errors="replace").strip().splitlines()
    except FileNotFoundError:
        return ""
    return lines[-1].strip()[:300] if lines else ""


def shorten_log(log: Path) -> None:
    """Set a long log aside as ``<name>.log.1`` before the next start."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > LONGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
