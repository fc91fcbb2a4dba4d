"""REST of workflows: import, listing, states. May import FastAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Response

from service_kit.row_ids import PathId
from study_governor.access import Parts, Reader, Writer, need_everywhere, parts_of
from study_governor.addresses import uri
from study_governor.contract.errors import StateUnknown, ThingUnknown
from study_governor.contract.schemas import (
    StateInWorkflow,
    Summary,
    WorkflowImport,
    WorkflowImported,
    WorkflowRecord,
)
from study_governor.db.tables import WorkflowRow
from study_governor.reach import WRITE

if TYPE_CHECKING:
    from study_governor.workflows.service import Workflows

router = APIRouter(prefix="/api/v2", tags=["workflows"])


class Needed(Parts, Protocol):
    """What these endpoints work with."""

    workflows: Workflows


Governor = Annotated[Needed, Depends(parts_of)]


@router.post("/service/config/import-workflow", status_code=201)
def import_workflow(
    said: WorkflowImport, governor: Governor, principal: Writer, response: Response
) -> WorkflowImported:
    """Import a workflow file: 201 new, 200 the same text was there, 400 with every mistake, 409 another text."""
    need_everywhere(principal, WRITE)
    done = governor.workflows.import_text(said.workflow_definition, file=said.file, actor=principal.username)
    response.status_code = 201 if done.is_new else 200
    return WorkflowImported(
        id=done.id, label=done.label, uri=uri("workflows", done.id), notices=list(done.notices), is_new=done.is_new
    )


@router.get("/workflows")
def list_workflows(governor: Governor, _principal: Reader) -> dict[str, list[Summary]]:
    """Return all workflows."""
    with governor.database.read() as uow:
        rows = reversed(governor.workflows.rows(uow.session))
        return {
            "workflows": [Summary(id=row.id, label=row.label, uri=uri("workflows", row.id)) for row in rows if row.id]
        }


@router.get("/workflows/by-label/{label}")
def get_workflow_by_label(label: str, governor: Governor, _principal: Reader) -> WorkflowRecord:
    """Return a workflow by label."""
    with governor.database.read() as uow:
        return _record(governor, uow.session, governor.workflows.by_label(uow.session, label).id)


@router.get("/workflows/{workflow_id:int}")
def get_workflow(workflow_id: PathId, governor: Governor, _principal: Reader) -> WorkflowRecord:
    """Return a workflow."""
    with governor.database.read() as uow:
        return _record(governor, uow.session, workflow_id)


@router.get("/workflows/{workflow_id:int}/definition")
def get_definition(workflow_id: PathId, governor: Governor, _principal: Reader) -> Response:
    """Return the file as it was imported."""
    with governor.database.read() as uow:
        row = uow.session.get(WorkflowRow, workflow_id)
        if row is None:
            raise ThingUnknown("workflow", workflow_id)
        return Response(row.definition, media_type="text/yaml; charset=utf-8")


@router.get("/workflows/{label}/states")
def list_states(label: str, governor: Governor, _principal: Reader) -> dict[str, list[StateInWorkflow]]:
    """Return the states of a workflow by its label."""
    with governor.database.read() as uow:
        stored = governor.workflows.by_label(uow.session, label)
        return {"states": _record(governor, uow.session, stored.id).states}


@router.get("/workflows/{label}/states/{state}")
def get_state(label: str, state: str, governor: Governor, _principal: Reader) -> StateInWorkflow:
    """Return one state of a workflow."""
    with governor.database.read() as uow:
        stored = governor.workflows.by_label(uow.session, label)
        for one in _record(governor, uow.session, stored.id).states:
            if one.label == state:
                return one
    raise StateUnknown(state=state, workflow=label)


def _record(governor: Governor, session: Any, workflow_id: int) -> WorkflowRecord:
    stored = governor.workflows.get(session, workflow_id)
    row = session.get(WorkflowRow, workflow_id)
    states = [
        StateInWorkflow(
            id=stored.state_ids[state.label],
            label=state.label,
            kind=stored.workflow.kind(state).value,
            freetext=state.freetext,
            callbacks=[callback.label for callback in state.callbacks],
            destinations=[transition.destination for transition in state.transitions],
        )
        for state in stored.workflow.states
    ]
    return WorkflowRecord(
        id=workflow_id,
        label=row.label,
        uri=uri("workflows", workflow_id),
        notices=row.notices,
        created_at=row.created_at,
        states=states,
    )
