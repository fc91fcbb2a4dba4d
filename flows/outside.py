"""Calls to the services from a flow: in a thread, repeated while a service does not answer, refused in our own words."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from gateway.client import GatewayRejected, GatewayUnavailable
from study_governor.client import GovernorRejected, GovernorUnavailable
from task_supervisor.client import SupervisorRejected, SupervisorUnavailable
from tasks.errors import RejectedInput, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

UNAVAILABLE = (GatewayUnavailable, GovernorUnavailable, SupervisorUnavailable)
REFUSED = (GatewayRejected, GovernorRejected, SupervisorRejected)
#: Late answers are the caller's to judge; a lost token or right is no fault of the input.
ANSWERED_BY_CALLER = frozenset({401, 403, 409})
PATIENCE_S = 120.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0


class ServiceSilent(TransientError):
    """A service did not answer for as long as a flow waits; the run fails and is ordered again."""

    def __init__(self, what: str) -> None:
        super().__init__(f"No answer to {what} for {PATIENCE_S:.0f} s.")
        self.what = what


class ServiceRefused(RejectedInput):
    """A service says no and will say no again; its own sentence says why."""

    def __init__(self, what: str, refused: Exception) -> None:
        super().__init__(str(refused))
        self.what = what


async def outside(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a service's client in a thread; while the service is away, wait and call again.

    The clients' calls are idempotent, so that repeating one is safe.

    Raises
    ------
    ServiceSilent
        After `PATIENCE_S`.
    """
    pause_s, waited_s = FIRST_PAUSE_S, 0.0
    while True:
        try:
            return await asyncio.to_thread(call, *args, **kwargs)
        except REFUSED as refused:
            if refused.status in ANSWERED_BY_CALLER:
                raise
            raise ServiceRefused(call.__name__, refused) from refused
        except UNAVAILABLE as error:
            if waited_s >= PATIENCE_S:
                raise ServiceSilent(call.__name__) from error
            logger.info("service silent, asking again", extra={"call": call.__name__, "waited_s": waited_s})
        await asyncio.sleep(pause_s)
        waited_s += pause_s
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
