"""One execution of the governor, as a flow sees it: read it, say that it runs, answer it exactly once."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prefect.runtime import flow_run

from flows.outside import outside
from study_governor.client import GovernorClient, GovernorRejected
from study_governor.contract.schemas import ExecutionRecord
from tasks.errors import RejectedInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


logger = logging.getLogger(__name__)

CONFLICT = 409


@dataclass
class Execution:
    """An execution in work.

    Attributes
    ----------
    record
        What the governor says of it.
    is_open
        False when it was resolved before, or when its session has moved on: then there is nothing to do.
    """

    governor: GovernorClient
    record: ExecutionRecord
    is_open: bool
    log: list[str] = field(default_factory=list)

    async def say(self, line: str) -> None:
        """Add a line to the execution's log; the session's page shows it while the flow runs."""
        self.log.append(line)
        await self._put(status="running", run_log="\n".join(self.log))

    async def succeed(self, **result_values: Any) -> bool:
        """Answer: finished, success. Return whether the answer was in time."""
        await self._put(status="finished", result="success", result_values=result_values, run_log="\n".join(self.log))
        return self.is_open

    async def wait_for_a_person(self, **result_values: Any) -> bool:
        """Answer: waiting; somebody else will finish it. Return whether the answer was in time."""
        await self._put(status="waiting", result_values=result_values, run_log="\n".join(self.log))
        return self.is_open

    async def fail(self, reason: str) -> None:
        """Answer: finished, failed, with a sentence."""
        self.log.append(reason)
        values = {"reason": reason}
        await self._put(status="finished", result="failed", result_values=values, run_log="\n".join(self.log))

    async def _put(self, **report: Any) -> None:
        if not self.is_open:
            return
        try:
            attempt = self.record.attempt
            await outside(self.governor.answer, self.record.id, attempt=attempt, flow_run_id=flow_run.id, **report)
        except GovernorRejected as refused:
            if refused.status != CONFLICT:
                raise
            self.is_open = False  # another run of this flow, a time-out or a person was quicker
            logger.info("answer came late", extra={"execution": self.record.id})


@asynccontextmanager
async def execution_of(governor: GovernorClient, execution_id: int) -> AsyncIterator[Execution]:
    """Open an execution; input that is refused ends it as failed with the reason.

    Anything else that is raised ends the flow run; the governor's reconciler then orders it again.
    """
    record = await outside(governor.execution, execution_id)
    is_open = record.is_current and record.status not in {"finished", "skipped", "waiting"}
    execution = Execution(governor=governor, record=record, is_open=is_open)
    try:
        if is_open:
            await execution._put(status="running")  # noqa: SLF001 - the pair belongs together
        yield execution
    except RejectedInput as rejected:
        await execution.fail(rejected.reason)
