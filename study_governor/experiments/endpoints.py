"""REST of sessions ("experiments"): upsert, listing, moves, steps, external ids. May import FastAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import APIRouter, Body, Depends, Path, Query, Response

from service_kit.problems import problem, status_of
from service_kit.row_ids import LARGEST_ID, PathId
from study_governor.access import Parts, Within, Writer, need_naming, need_reach, need_scope, parts_of
from study_governor.addresses import uri
from study_governor.contract.errors import (
    ConditionNotMet,
    MovedMeanwhile,
    NoTransition,
    StateUnknown,
    ThingUnknown,
)
from study_governor.contract.schemas import (
    LABEL,
    ActionRecord,
    ExperimentPost,
    ExperimentPut,
    ExperimentRecord,
    StatePut,
    StateRecord,
)
from study_governor.db.tables import ActionRow, CohortRow, SubjectRow
from study_governor.experiments.attributes import experiment_ids, set_experiment_ids
from study_governor.experiments.service import Experiments, SessionFilter
from study_governor.reach import WRITE, reach_of

if TYPE_CHECKING:
    from study_governor.engine.service import Engine

router = APIRouter(prefix="/api/v2", tags=["experiments"])
_Label = Annotated[str, Path(pattern=LABEL)]
Limit = Annotated[int, Query(ge=1, le=500)]


class Needed(Parts, Protocol):
    """What these endpoints work with."""

    experiments: Experiments
    engine: Engine


Governor = Annotated[Needed, Depends(parts_of)]


@router.put("/cohorts/{cohort}/subjects/{subject}/experiments/{label}")
def put_experiment(
    cohort: _Label,
    subject: _Label,
    label: _Label,
    said: ExperimentPut,
    *,
    governor: Governor,
    principal: Writer,
    response: Response,
) -> ExperimentRecord:
    """Create a session, which then takes its first step, or add to what is known of it. Twice is once."""
    within = need_reach(principal, study=cohort, site=said.site)
    need_naming(principal, {*said.external_ids, *said.subject_external_ids}, study=cohort, site=said.site)
    experiment_id, is_new = governor.experiments.put(
        cohort, subject, label, said=said, actor=principal.username, reach=within
    )
    if not is_new:
        governor.changed(experiment_id)
    response.status_code = 201 if is_new else 200
    with governor.database.read() as uow:
        return governor.experiments.record(uow.session, experiment_id, reach=reach_of(principal))


@router.get("/cohorts/{cohort}/subjects/{subject}/experiments")
def list_subject_experiments(
    cohort: str, subject: str, *, governor: Governor, within: Within, limit: Limit = 500, cursor: str | None = None
) -> dict[str, Any]:
    """Return the sessions of a subject, the newest first."""
    with governor.database.read() as uow:
        wanted = SessionFilter(cohort=cohort, subject=subject)
        page = governor.experiments.page(uow.session, wanted, reach=within, limit=limit, cursor=cursor)
        return {"experiments": page.items, "limit": limit, "next_cursor": page.next_cursor}


@router.get("/cohorts/{cohort}/subjects/{subject}/experiments/{label}")
def get_experiment_by_labels(
    cohort: str, subject: str, label: str, *, governor: Governor, within: Within
) -> ExperimentRecord:
    """Return a session by its labels."""
    with governor.database.read() as uow:
        found = governor.experiments.find(uow.session, cohort, subject, label)
        return governor.experiments.record(uow.session, found, reach=within)


@router.get("/experiments")
def list_experiments(
    governor: Governor,
    within: Within,
    *,
    cohort: str | None = None,
    state: str | None = None,
    attention: str | None = None,
    text: str | None = None,
    subject_id: Annotated[int | None, Query(ge=0, le=LARGEST_ID)] = None,
    limit: Limit = 500,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Return sessions, the newest first; ``attention=any`` for those that somebody should look at."""
    wanted = SessionFilter(cohort=cohort, state=state, attention=attention, text=text, subject_id=subject_id)
    with governor.database.read() as uow:
        page = governor.experiments.page(uow.session, wanted, reach=within, limit=limit, cursor=cursor)
        return {"experiments": page.items, "limit": limit, "next_cursor": page.next_cursor}


@router.post("/experiments", status_code=201)
def create_experiment(said: ExperimentPost, governor: Governor, principal: Writer) -> ExperimentRecord:
    """Create a session of a subject that is there; whoever has rights for one site names it."""
    with governor.database.read() as uow:
        subject = uow.session.get(SubjectRow, said.subject_id)
        cohort = uow.session.get(CohortRow, subject.cohort_id) if subject is not None else None
        if cohort is None:
            raise ThingUnknown("subject", said.subject_id)
        need_reach(principal, study=cohort.label, site=said.site)
    experiment_id = governor.experiments.create(said, actor=principal.username)
    with governor.database.read() as uow:
        return governor.experiments.record(uow.session, experiment_id, reach=reach_of(principal))


@router.get("/experiments/{experiment_id}")
def get_experiment(experiment_id: PathId, governor: Governor, within: Within) -> ExperimentRecord:
    """Return a session."""
    with governor.database.read() as uow:
        return governor.experiments.record(uow.session, experiment_id, reach=within)


@router.get("/experiments/{experiment_id}/state")
def get_state(experiment_id: PathId, governor: Governor, within: Within) -> StateRecord:
    """Return where a session is."""
    with governor.database.read() as uow:
        rows = governor.experiments.rows(uow.session, experiment_id, reach=within)
        return StateRecord(state=rows.state.label, version=rows.experiment.version)


@router.put("/experiments/{experiment_id}/state", response_model=StateRecord)
def put_state(experiment_id: PathId, said: StatePut, governor: Governor, principal: Writer) -> Any:
    """Move a session by hand along a drawn transition; with ``version`` only if it is still at that version."""
    with governor.database.read() as uow:
        rows = governor.experiments.rows(uow.session, experiment_id, reach=reach_of(principal))
        need_scope(principal, WRITE, study=rows.cohort.label, site=rows.experiment.site)
        state = rows.state.label
    try:
        moved = governor.engine.move(
            experiment_id,
            destination=said.state_label,
            actor=principal.username,
            freetext=said.freetext,
            expected_version=said.version,
        )
    except (StateUnknown, NoTransition, ConditionNotMet, MovedMeanwhile) as error:
        return problem(
            status_of(error),
            error.title,
            error.detail,
            instance=f"{uri('experiments', experiment_id)}/state",
            state=error.state if isinstance(error, MovedMeanwhile) else state,
            success=False,
            error={"errorclass": _ERROR_CLASSES[type(error)], "message": error.detail},
        )
    return StateRecord(state=moved.state, version=moved.version)


#: The names under which clients of version 8 know the errors of a move.
_ERROR_CLASSES = {
    StateUnknown: "StateNotFoundError",
    NoTransition: "NoValidTransitionError",
    ConditionNotMet: "ConditionNotMetError",
    MovedMeanwhile: "MovedMeanwhileError",
}


@router.get("/experiments/{experiment_id}/actions")
def list_actions(experiment_id: PathId, governor: Governor, within: Within) -> dict[str, list[ActionRecord]]:
    """Return the steps of a session, the first one first."""
    with governor.database.read() as uow:
        governor.experiments.rows(uow.session, experiment_id, reach=within)
        return {"actions": governor.experiments.actions(uow.session, experiment_id)}


@router.get("/actions/{action_id}")
def get_action(action_id: PathId, governor: Governor, within: Within) -> ActionRecord:
    """Return one step."""
    with governor.database.read() as uow:
        row = uow.session.get(ActionRow, action_id)
        if row is None:
            raise ThingUnknown("action", action_id)
        governor.experiments.rows(uow.session, row.experiment_id, reach=within)
        return next(one for one in governor.experiments.actions(uow.session, row.experiment_id) if one.id == action_id)


@router.get("/experiments/{experiment_id}/external_ids")
def list_external_ids(experiment_id: PathId, governor: Governor, within: Within) -> dict[str, Any]:
    """Return what a session is called in other systems."""
    with governor.database.read() as uow:
        rows = governor.experiments.rows(uow.session, experiment_id, reach=within)
        ids = experiment_ids(uow.session, experiment_id)
        return {"experiment_id": experiment_id, "experiment_label": rows.experiment.label, "external_ids": ids}


@router.put("/experiments/{experiment_id}/external_ids/{system}", status_code=201)
def put_external_id(
    experiment_id: PathId,
    system: _Label,
    external_id: Annotated[str, Body(embed=True, max_length=1024)],
    *,
    governor: Governor,
    principal: Writer,
) -> dict[str, Any]:
    """Say what a session is called in another system."""
    with governor.database.write() as uow:
        rows = governor.experiments.rows(uow.session, experiment_id, reach=reach_of(principal))
        need_naming(principal, [system], study=rows.cohort.label, site=rows.experiment.site)
        set_experiment_ids(uow.session, experiment_id, {system: external_id})
        ids = experiment_ids(uow.session, experiment_id)
        return {"experiment_id": experiment_id, "experiment_label": rows.experiment.label, "external_ids": ids}
