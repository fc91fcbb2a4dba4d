"""The warm worker: Prefect's own worker, which runs flows inside its process instead of starting one for each.

Polling, work queues, schedules, concurrency limits, cancellation and the UI stay Prefect's. Imports Prefect.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType, WorkerStatus
from prefect.context import AsyncClientContext
from prefect.exceptions import Abort, ObjectNotFound
from prefect.states import AwaitingRetry, Cancelled, Crashed, Failed, Pending
from prefect.types._datetime import now
from prefect.utilities.engine import propose_state
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from deployments.order_news import SLOT_WAIT_S
from deployments.worker.engine import HANDED_BACK_MESSAGE, StopReason, WarmFlowRunEngine, make_engine, run_engine
from deployments.worker.errors import UnknownEntrypoint
from deployments.worker.lanes import Job, LaneNotOpen, Lanes
from deployments.worker.recovery import Identity, Remedy, Situation, abandoned
from deployments.worker.registration import BASE_JOB_TEMPLATE, WORKER_TYPE
from service_kit.errors import without_paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    import anyio.abc
    from prefect.client.schemas.responses import WorkerFlowRunResponse

    from deployments.order_news import OrderNews
    from deployments.worker.catalog import AnyFlow, FlowCatalog

logger = logging.getLogger(__name__)

UNDER_WAY = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
_PAGE = 200


async def _nothing() -> None:
    return


class WarmWorkerResult(BaseWorkerResult):
    """A run has ended in this process; how, stands in its state."""


@dataclass
class ActiveRun:
    """A run this worker has taken."""

    flow_run: FlowRun
    engine: WarmFlowRunEngine | None = None
    job: Job | None = None
    stop_reason: StopReason | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self, reason: StopReason) -> None:
        """Interrupt it; the first reason counts."""
        if self.stop_reason is None:
            self.stop_reason = reason
        if self.engine is not None:
            self.engine.stop_reason = self.stop_reason
        if self.job is not None:
            self.job.cancel()


class WarmWorker(BaseWorker[BaseJobConfiguration, BaseVariables, WarmWorkerResult]):
    """Runs the flows of a catalog in lanes of its own process.

    Parameters
    ----------
    identity
        Name and instance; the instance tells a restarted worker from the one that died.
    limit
        So many runs at once.
    news
        Says when to ask for runs.
    """

    type = WORKER_TYPE
    _description = "Runs Cohortflow's flows, imported once, inside a warm process."

    def __init__(
        self, catalog: FlowCatalog, *, work_pool_name: str, identity: Identity, limit: int, news: OrderNews
    ) -> None:
        super().__init__(
            work_pool_name=work_pool_name, name=identity.name, limit=limit, base_job_template=BASE_JOB_TEMPLATE
        )
        self.identity = identity
        self.active: dict[UUID, ActiveRun] = {}
        self._catalog = catalog
        self._entrypoints: dict[UUID, str | None] = {}
        self._lanes = Lanes(AsyncClientContext.get_or_create)
        self._news = news
        self._more_is_due = False
        self._is_leaving = False

    @classmethod
    def get_default_base_job_template(cls) -> dict[str, Any]:
        """Return the template of the pools this worker serves."""
        return BASE_JOB_TEMPLATE

    async def setup(self) -> None:
        """Connect, and open the first lane, so that the first run need not wait for it."""
        await super().setup()
        with suppress(LaneNotOpen):
            await self._lanes.run(Job(_nothing))

    async def teardown(self, *exc_info: Any) -> None:
        """Disconnect."""
        await self._news.aclose()
        await super().teardown(*exc_info)

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Wait for orders and take what is due, unless this worker is about to leave."""
        if not self._more_is_due and not self._is_leaving:
            await self._news.wait()
        return [] if self._is_leaving else await super().get_and_submit_flow_runs()

    async def run(
        self,
        flow_run: FlowRun,
        configuration: BaseJobConfiguration,  # noqa: ARG002 - there is no infrastructure to configure
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> WarmWorkerResult:
        """Run one flow run that was taken (`Pending`) to its end."""
        active = self.active.setdefault(flow_run.id, ActiveRun(flow_run))
        flow = await self._flow_of(flow_run)
        await self.client.update_flow_run(flow_run.id, infrastructure_pid=str(self.identity))
        if task_status is not None:
            task_status.started(str(self.identity))
        active.engine = make_engine(flow, flow_run)
        active.engine.stop_reason = active.stop_reason
        engine = active.engine
        active.job = Job(lambda: run_engine(engine))
        if active.stop_reason is not None:
            active.job.cancel()
        await self._lanes.run(active.job)
        return WarmWorkerResult(identifier=str(self.identity), status_code=0)

    async def _submit_run(self, flow_run: FlowRun) -> None:
        """Take a run and run it: Prefect's own way less the five requests that prepare another process."""
        active = self.active[flow_run.id] = ActiveRun(flow_run)
        try:
            if await self._take(flow_run):
                await self.run(flow_run, BaseJobConfiguration())
        except UnknownEntrypoint as error:
            await self._settle(flow_run, Failed(message=str(error)))
        except (httpx.HTTPError, LaneNotOpen, ObjectNotFound) as error:
            # The server went away under the run. What it did is idempotent: it runs again when the server is back.
            logger.warning("run lost its server", extra={"flow_run": str(flow_run.id), "error": type(error).__name__})
        except Exception as error:  # the boundary to flow code: one run's bug must not end the worker
            without_paths(error)
            logger.exception("run could not be carried through", extra={"flow_run": str(flow_run.id)})
            said = f"The worker could not carry the run ({type(error).__name__}): see its log."
            await self._settle(flow_run, Crashed(message=said))
        finally:
            if active.stop_reason is StopReason.CANCELLED:
                await self._settle(flow_run, Cancelled(message="Cancelled before it began."))
            self._release_limit_slot(flow_run.id)
            self._submitting_flow_run_ids.discard(flow_run.id)
            if self._cancelling_observer is not None:
                self._cancelling_observer.remove_in_flight_flow_run_id(flow_run.id)
            del self.active[flow_run.id]
            active.ended.set()

    async def _take(self, flow_run: FlowRun) -> bool:
        """Make the run ours in one request; False when another was faster or a limit is reached."""
        try:
            state = await propose_state(self.client, Pending(message=self.identity.claim), flow_run_id=flow_run.id)
        except Abort:
            return False
        if state.is_pending():
            flow_run.state = state
        else:  # a limit is reached
            self._news.do_not_wait(for_s=SLOT_WAIT_S + 1.0)
        return state.is_pending()

    async def _flow_of(self, flow_run: FlowRun) -> AnyFlow:
        deployment_id = flow_run.deployment_id
        if deployment_id is None:
            raise UnknownEntrypoint(None)
        entrypoint = self._entrypoints.get(deployment_id)
        if entrypoint is None:
            entrypoint = (await self.client.read_deployment(deployment_id)).entrypoint
            self._entrypoints[deployment_id] = entrypoint
        return self._catalog.flow(entrypoint)

    async def _settle(self, flow_run: FlowRun, state: Any) -> None:
        """Set the last state of a run that has none yet; silent when the server is away, the sweep repeats it."""
        try:
            current = (await self.client.read_flow_run(flow_run.id)).state
            if current is None or not (current.is_final() or current.is_scheduled()):
                await self.client.set_flow_run_state(flow_run.id, state, force=True)
        except (httpx.HTTPError, ObjectNotFound) as error:
            logger.warning("state not set", extra={"flow_run": str(flow_run.id), "error": type(error).__name__})

    async def _cancel_run(self, flow_run_id: UUID) -> None:
        """Stop a run that a person cancels; Prefect's observer calls this within a second."""
        if active := self.active.get(flow_run_id):
            logger.info("run cancelled", extra={"flow_run": str(flow_run_id)})
            active.stop(StopReason.CANCELLED)

    async def recover(self) -> int:
        """Put back the runs whose worker died. Returns how many there were."""
        mine = set(self.active)
        runs = await self._runs_under_way()
        workers = await self.client.read_workers_for_work_pool(self._work_pool_name)
        online = {worker.name for worker in workers if worker.status is WorkerStatus.ONLINE}
        situation = Situation(self.identity, mine | set(self.active), online, now("UTC"))
        for run in runs:
            if run.state is not None and run.state.is_cancelling() and run.id in self.active:
                await self._cancel_run(run.id)
        found = abandoned(runs, situation)
        for run, remedy in found:
            await self._put_back(run, remedy)
        return len(found)

    async def _runs_under_way(self) -> list[FlowRun]:
        runs: list[FlowRun] = []
        while True:
            page = await self.client.read_flow_runs(
                work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[self._work_pool_name])),
                flow_run_filter=FlowRunFilter(
                    state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(UNDER_WAY)))
                ),
                limit=_PAGE,
                offset=len(runs),
            )
            runs += page
            if len(page) < _PAGE:
                return runs

    async def _put_back(self, run: FlowRun, remedy: Remedy) -> None:
        """Apply the remedy, if the run still is what it was when we looked."""
        try:
            current = await self.client.read_flow_run(run.id)
        except ObjectNotFound:
            return
        if run.state is None or current.state is None or current.state.id != run.state.id:
            return
        states: Mapping[Remedy, Any] = {
            Remedy.RUN_AGAIN: AwaitingRetry(message="The worker that had it died; it runs again."),
            Remedy.CANCEL: Cancelled(message="Cancelled; its worker had died before."),
            Remedy.GIVE_UP: Crashed(message=f"Begun {run.run_count} times, and each time its worker died."),
        }
        await self.client.set_flow_run_state(run.id, states[remedy], force=True)
        logger.warning("abandoned run found", extra={"flow_run": str(run.id), "remedy": remedy.value})

    async def leave(self, *, patience_s: float, deadline_s: float) -> int:
        """Take no more runs; let those under way finish for a while, then hand them back.

        Parameters
        ----------
        patience_s
            So long they may finish by themselves.
        deadline_s
            By then, counted from now, the rest is put back, even a run that blocks its lane.

        Returns
        -------
        int
            How many runs were handed back.
        """
        self._is_leaving = True
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await self._wait_for_runs(patience_s)
        rest = list(self.active.values())
        for active in rest:
            active.stop(StopReason.HANDED_BACK)
        await self._wait_for_runs(deadline_s - (loop.time() - begin))
        for active in list(self.active.values()):
            await self._settle(active.flow_run, AwaitingRetry(message=HANDED_BACK_MESSAGE))
        self._lanes.close()
        if rest:
            logger.info("runs handed back", extra={"runs": len(rest)})
        return len(rest)

    async def _wait_for_runs(self, timeout_s: float) -> None:
        if waits := [asyncio.ensure_future(active.ended.wait()) for active in self.active.values()]:
            _, pending = await asyncio.wait(waits, timeout=max(timeout_s, 0.0))
            for wait in pending:
                wait.cancel()

    async def _submit_scheduled_flow_runs(self, flow_run_response: list[WorkerFlowRunResponse]) -> list[FlowRun]:
        """Submit, less the two log records per run that Prefect would send to its server before it begins."""
        taken: list[FlowRun] = []
        self._more_is_due = False
        for entry in flow_run_response:
            flow_run = entry.flow_run
            if flow_run.id in self._submitting_flow_run_ids:
                continue
            if self.limiter.available_tokens < 1 or self._is_leaving:
                self._more_is_due = True
                break
            self.limiter.acquire_on_behalf_of_nowait(flow_run.id)
            self._submitting_flow_run_ids.add(flow_run.id)
            if self._cancelling_observer is not None:
                self._cancelling_observer.add_in_flight_flow_run_id(flow_run.id)
            assert self._runs_task_group is not None
            self._runs_task_group.start_soon(self._submit_run, flow_run)
            taken.append(flow_run)
        return taken
