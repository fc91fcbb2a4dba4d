"""One flow run, inside this process, by Prefect's own engine. Imports Prefect.

The engine calls every cancelled coroutine a crash. Here the worker knows better: a run that a person cancelled becomes
``Cancelled``, a run that a leaving worker hands back becomes ``AwaitingRetry``, without a terminal state in between that a
reconciler might see and order the run anew.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import threading
from enum import StrEnum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from anyio import CancelScope
from prefect.client import orchestration
from prefect.exceptions import Abort, Pause
from prefect.flow_engine import AsyncFlowRunEngine
from prefect.states import AwaitingRetry
from prefect.utilities.callables import get_call_parameters

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from deployments.worker.catalog import AnyFlow


class StopReason(StrEnum):
    """Why a run is stopped from outside."""

    CANCELLED = "cancelled"
    HANDED_BACK = "handed back"


HANDED_BACK_MESSAGE = "The worker is being stopped; the run waits for the next one."


class WarmFlowRunEngine(AsyncFlowRunEngine[Any, Any]):
    """Prefect's engine for async flows, told why it is interrupted."""

    stop_reason: StopReason | None = None

    async def handle_crash(self, exc: BaseException) -> None:
        """Report an interrupted run by its reason."""
        if isinstance(exc, asyncio.CancelledError) and self.stop_reason is StopReason.CANCELLED:
            await self.handle_cancellation(exc)
        elif isinstance(exc, asyncio.CancelledError) and self.stop_reason is StopReason.HANDED_BACK:
            with CancelScope(shield=True):
                await self.set_state(AwaitingRetry(message=HANDED_BACK_MESSAGE), force=True)
        else:
            await super().handle_crash(exc)


def read_certificates_once() -> None:
    """Let Prefect's clients share what they trust.

    Each run makes three clients, and each would read all certificates for 40 ms: more than all else that a short run
    costs this process. A context that Prefect changes, for a server whose certificate is not looked at, stays its own;
    each thread has one, for a connection that begins writes to it.
    """

    @functools.cache
    def of_thread(_thread: int, cafile: str) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=cafile)

    def create_default_context(*, cafile: str | None = None) -> ssl.SSLContext:
        return ssl.create_default_context() if cafile is None else of_thread(threading.get_ident(), cafile)

    orchestration.ssl = SimpleNamespace(**vars(ssl) | {"create_default_context": create_default_context})  # type: ignore[attr-defined, assignment]


def make_engine(flow: AnyFlow, flow_run: FlowRun) -> WarmFlowRunEngine:
    """Build the engine of one run, its parameters completed by the flow's defaults."""
    parameters = get_call_parameters(flow.fn, (), flow_run.parameters)
    return WarmFlowRunEngine(flow=flow, flow_run=flow_run, parameters=parameters)


async def run_engine(engine: WarmFlowRunEngine) -> None:
    """Run to the end. A flow that fails has said so to the server; only what kept it from saying so is raised."""
    try:
        async with engine.start():
            while engine.is_running():
                async with engine.run_context():
                    _ = await engine.call_flow_fn()
    except (Abort, Pause):
        # The server said no, or the flow asked to wait: either stands in its state already.
        return
