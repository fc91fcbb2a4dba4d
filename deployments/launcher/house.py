"""Everything that runs on one home, from its first start to its end. Imports this package only.

::

    house = House(home, wishes=…, options=…)
    with house.prepared():            # lock, ports, credentials: nothing runs yet, everything that can be wrong is said
        async with house.running():   # processes up, accounts made, study applied, endpoints.json written
            await house.wait()        # until told to end, or a process could not be kept up
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
import signal
import sys
import time
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from deployments.errors import DeploymentError, Interrupted, StepFailed
from deployments.launcher.credentials import generate_credentials, load_credentials, save_credentials
from deployments.launcher.endpoints import Endpoints
from deployments.launcher.home import fingerprint_of, program_version, read_json, write_json
from deployments.launcher.leftovers import end_leftovers
from deployments.launcher.plan import LaunchOptions, environment_of, processes_of
from deployments.launcher.ports import PortClaims, PortWishes, choose_ports
from deployments.launcher.process import KeptProcess, kill_group, last_line_of
from deployments.launcher.readiness import probes_of, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence

    from deployments.launcher.credentials import Credentials
    from deployments.launcher.home import Home
    from deployments.launcher.plan import ProcessSpec
    from deployments.launcher.readiness import Probe

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

READY_TIMEOUT_S = 300.0
TOKEN_HOLDER = "worker"  # noqa: S105 - a process name
"""The process that gets the flows' token."""
STUDY_NEEDS = frozenset({"web", "embedded-xnat"})
"""Processes that must answer before a study can be applied."""
WAVE_GRACE_S = (5.5, 3.0)
"""How long the processes of each stop wave get; together well below the ten seconds in which all must have ended."""


class House:
    """All processes of one home.

    Parameters
    ----------
    study
        Study definition that is applied at the start; None for none.
    on_progress
        Called with the name of each part as it becomes ready.
    """

    def __init__(
        self,
        home: Home,
        *,
        wishes: PortWishes | None = None,
        options: LaunchOptions | None = None,
        study: Path | None = None,
        on_progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.home = home
        self._wishes = wishes or PortWishes()
        self._options = options or LaunchOptions()
        self._study = study
        self._on_progress = on_progress
        self._stop_asked = asyncio.Event()
        self._kept: list[KeptProcess] = []
        self._keeping: list[asyncio.Task[None]] = []
        self._failed: asyncio.Future[None]
        self.were_logins_shown = False
        self.ready_after_s = 0.0
        self.endpoints: Endpoints
        self.credentials: Credentials

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Take the home and decide on ports and credentials; start nothing.

        Raises
        ------
        HomeError, PortInUse
        """
        self.home.make()
        with self.home.locked(), closing(PortClaims()) as claims:
            end_leftovers(self.home)
            self.home.clear_work()
            self.home.endpoints.unlink(missing_ok=True)
            stamp = read_json(self.home.stamp) or {}
            ports = choose_ports(self._wishes, remembered=stamp.get("ports", {}), free=claims.claim)
            write_json(self.home.stamp, {**stamp, "ports": vars(ports)})
            self.endpoints = Endpoints(ports)
            found = load_credentials(self.home)
            self.were_logins_shown = bool(stamp.get("logins_shown"))
            self.credentials = found or generate_credentials()
            if found is None:
                save_credentials(self.home, self.credentials)
            yield

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Endpoints]:
        """Start everything, give the endpoints when all of it is ready, end everything afterwards.

        Raises
        ------
        StartError
            If it did not come up, or SIGTERM or SIGINT came first.
        """
        began = time.monotonic()
        self._failed = asyncio.get_running_loop().create_future()
        with self._signals():
            try:
                await self._unless_stopped(self._start())
                self.ready_after_s = time.monotonic() - began
                logger.info("ready", extra={"after_s": round(self.ready_after_s, 1)})
                yield self.endpoints
            finally:
                await self._end()

    async def wait(self) -> None:
        """Wait until SIGTERM, SIGINT or `ask_to_stop`.

        Raises
        ------
        ProcessGaveUp
            If a process could not be kept up.
        """
        with suppress(Interrupted):
            await self._unless_stopped(_for_ever())

    async def while_running(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do ``work`` beside the running processes; give its result.

        Raises
        ------
        Interrupted
            If somebody asked to stop before it was done; it is cancelled then.
        ProcessGaveUp
            If a process could not be kept up.
        """
        return await self._unless_stopped(work)

    def note_logins_shown(self) -> None:
        """Remember that a person saw the generated log-ins."""
        write_json(self.home.stamp, {**(read_json(self.home.stamp) or {}), "logins_shown": True})

    def ask_to_stop(self) -> None:
        """End everything soon; what SIGTERM and SIGINT call."""
        self._stop_asked.set()

    async def _start(self) -> None:
        began = dt.datetime.now(dt.UTC)
        specs = self._specs()
        for spec in specs:
            if self.credentials.api_token or spec.name != TOKEN_HOLDER:
                self._keep(spec)
        await self._make_accounts()
        probes = probes_of(self.endpoints, since=began)
        for_study = [probe for probe in probes if probe.process in STUDY_NEEDS]
        others = [probe for probe in probes if probe.process not in STUDY_NEEDS]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._wait_ready(others))
            group.create_task(self._apply_study_after(for_study))
        write_json(self.home.endpoints, self.endpoints.document(self.credentials))

    async def _make_accounts(self) -> None:
        """Make or complete the accounts; the worker starts, or starts again, with the token made there."""
        before = self.credentials.api_token
        if self.credentials.is_complete and self._own_file_of("accounts").is_file():
            return
        await self._run_once("accounts", "deployments.launcher.accounts")
        self.credentials = load_credentials(self.home) or self.credentials
        self._on_progress("accounts")
        if self.credentials.api_token == before:
            return
        for kept in [kept for kept in self._kept if kept.spec.name == TOKEN_HOLDER]:
            await kept.stop(grace_s=WAVE_GRACE_S[0])
            self._kept.remove(kept)
        self._keep(next(spec for spec in self._specs() if spec.name == TOKEN_HOLDER))

    async def _apply_study_after(self, probes: Sequence[Probe]) -> None:
        await self._wait_ready(probes)
        if self._study is None:
            return
        stamp = self.home.run / "study.json"
        now = {"applied": self._study_fingerprint(self._study)}
        if read_json(stamp) != now:
            await self._run_once("study", "deployments.study_apply", str(self._study))
            write_json(stamp, now)
        self._on_progress("study")

    def _study_fingerprint(self, study: Path) -> str:
        """Say what was applied to what: the study's files, the services' addresses, the databases behind them."""
        environment = self._environment()
        names = sorted(name for name in environment if name.endswith("_URL"))
        files = [self._own_file_of(service) for service in ("governor", "supervisor", "xnat")]
        parts = [program_version(), *(f"{name}={environment[name]}" for name in names)]
        parts += [str(path.stat().st_ino if path.is_file() else 0) for path in files]
        return fingerprint_of(study, salt="\n".join(parts))

    def _own_file_of(self, service: str) -> Path:
        """Give the database file of a service; one that is not there where the database is elsewhere."""
        return Path(self._environment()[f"COHORTFLOW_{service.upper()}_DATABASE_URL"].removeprefix("sqlite:///"))

    async def _wait_ready(self, probes: Sequence[Probe]) -> None:
        await wait_until_ready(probes, timeout_s=READY_TIMEOUT_S, logs=self.home.logs, on_ready=self._on_progress)

    async def _run_once(self, name: str, module: str, *arguments: str) -> None:
        """Run a short program of ours to its end, in a process of its own: the launcher stays small."""
        log = self.home.log(name)
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *arguments),
                env={**os.environ, **self._environment()},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            kill_group(process.pid)
            await process.wait()
            raise
        if code != 0:
            raise StepFailed(name, log=log, last_line=last_line_of(log))

    def _environment(self) -> dict[str, str]:
        return environment_of(
            self.home,
            self.endpoints,
            self.credentials,
            options=self._options,
            launcher_pid=os.getpid(),
            inherited=os.environ,
        )

    def _specs(self) -> tuple[ProcessSpec, ...]:
        return processes_of(self.endpoints, self._environment())

    def _keep(self, spec: ProcessSpec) -> None:
        kept = KeptProcess(spec, self.home)
        task = asyncio.create_task(kept.keep_running(), name=f"keep-{spec.name}")
        task.add_done_callback(self._note_failure)
        self._kept.append(kept)
        self._keeping.append(task)

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self._failed.done():
            self._failed.set_exception(error)

    async def _unless_stopped(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Await ``work``; a request to stop or a process that gave up comes first."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stop_asked.wait())
        try:
            await asyncio.wait({task, stop, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
            if not task.done():
                raise Interrupted
            return task.result()
        except ExceptionGroup as errors:
            if (known := errors.subgroup(DeploymentError)) is None:
                raise
            raise _first(known) from None
        finally:
            for pending in (task, stop):
                pending.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)

    async def _end(self) -> None:
        self.home.endpoints.unlink(missing_ok=True)
        for wave, grace_s in enumerate(WAVE_GRACE_S):
            members = [kept for kept in self._kept if kept.spec.stop_wave == wave]
            await asyncio.gather(*(kept.stop(grace_s=grace_s) for kept in members))
        await asyncio.wait([*self._keeping, asyncio.ensure_future(asyncio.sleep(0))], timeout=1.0)
        if self._failed.done() and not self._failed.cancelled():
            self._failed.exception()  # seen: it was raised where somebody waited
        logger.info("everything ended")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        caught = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        for number in caught:
            loop.add_signal_handler(number, self.ask_to_stop)
        try:
            yield
        finally:
            for number in caught:
                loop.remove_signal_handler(number)


async def _for_ever() -> None:
    await asyncio.Event().wait()


def _first(errors: ExceptionGroup[DeploymentError]) -> DeploymentError:
    """Give one error of a group: the first says enough to act on."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
