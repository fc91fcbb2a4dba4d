"""REST of callback executions: what a worker reads and answers. May import FastAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Protocol

from fastapi import APIRouter, Depends, Query

from service_kit.accounts.errors import NotSignedIn
from service_kit.row_ids import PathId
from study_governor.access import Anybody, Parts, Writer, may_execute, need_everywhere, need_scope, parts_of
from study_governor.contract.errors import SecretRefused, ThingUnknown
from study_governor.contract.schemas import ExecutionPut, ExecutionRecord, Timeouts
from study_governor.engine.records import Answer
from study_governor.executions.service import Executions, knows_secret
from study_governor.reach import READ, WRITE, reach_of

if TYPE_CHECKING:
    from study_governor.engine.service import Engine

router = APIRouter(prefix="/api/v2", tags=["executions"])


class Needed(Parts, Protocol):
    """What these endpoints work with."""

    executions: Executions
    engine: Engine


Governor = Annotated[Needed, Depends(parts_of)]


@router.get("/callback_executions/{execution_id}")
def get_execution(
    execution_id: PathId, governor: Governor, principal: Anybody, secret_key: Annotated[str | None, Query()] = None
) -> ExecutionRecord:
    """Return all that a worker needs to know, by the scope ``governor:read`` or the execution's own secret.

    The secret itself only for the scope ``governor:execute``.
    """
    with governor.database.read() as uow:
        if principal is None and secret_key is None:
            raise NotSignedIn
        row, study, site = governor.executions.place(uow.session, execution_id)
        is_worker = may_execute(principal, study=study, site=site)
        if principal is not None:
            if not reach_of(principal).covers(study, site):
                raise ThingUnknown("callback execution", execution_id)
            need_scope(principal, READ, study=study, site=site)
        if principal is None and not knows_secret(row, secret_key):
            raise SecretRefused(execution_id)
        return governor.executions.record(uow.session, row, with_secret=is_worker)


@router.put("/callback_executions/{execution_id}")
def put_execution(execution_id: PathId, said: ExecutionPut, governor: Governor, principal: Anybody) -> ExecutionRecord:
    """Take an answer: by the scope ``governor:execute``, or by the execution's own ``secret_key`` in the body.

    409 when the execution is resolved or ordered anew, or its session has gone on; the answer is recorded all the same.
    """
    with governor.database.read() as uow:
        row, study, site = governor.executions.place(uow.session, execution_id)
        is_worker = may_execute(principal, study=study, site=site)
        if not is_worker and not knows_secret(row, said.secret_key):
            raise SecretRefused(execution_id)
    actor = principal.username if principal is not None and is_worker else _reader(said)
    answer = Answer(
        status=said.status,
        result=said.result,
        result_values=said.result_values,
        run_log=said.run_log,
        result_log=said.result_log,
        attempt=said.attempt,
        flow_run_id=said.flow_run_id,
    )
    governor.engine.answer(execution_id, answer, actor=actor)
    with governor.database.read() as uow:
        row, _, _ = governor.executions.place(uow.session, execution_id)
        return governor.executions.record(uow.session, row, with_secret=False)


def _reader(said: ExecutionPut) -> str:
    """Return who answered, as the holder of the secret says; a task's callback names its reader."""
    named = (said.result_values or {}).get("answered_by")
    return named[:64] if isinstance(named, str) and named.isprintable() and named.strip() else "by secret"


@router.post("/service/check_timeouts")
def check_timeouts(governor: Governor, principal: Writer) -> Timeouts:
    """Look for executions that run or wait too long, now."""
    need_everywhere(principal, WRITE)
    run, wait = governor.engine.check_timeouts()
    return Timeouts(run_timeouts=run, wait_timeouts=wait)
