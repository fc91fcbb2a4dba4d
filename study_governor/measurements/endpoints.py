"""REST of measurements and artifacts. May import FastAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Path, Query, Response

from service_kit.row_ids import PathId
from study_governor.access import Parts, Within, Writer, need_scope, parts_of
from study_governor.contract.schemas import ArtifactPut, ArtifactRecord, MeasurementPut, MeasurementRecord
from study_governor.measurements import service
from study_governor.reach import WRITE, reach_of

if TYPE_CHECKING:
    from study_governor.experiments.service import Experiments

router = APIRouter(prefix="/api/v2", tags=["measurements"])
_Key = Annotated[str, Path(pattern=r"^[\w.\-:+]{1,200}$")]


class Needed(Parts, Protocol):
    """What these endpoints work with."""

    experiments: Experiments


Governor = Annotated[Needed, Depends(parts_of)]


@router.put("/experiments/{experiment_id}/measurements/{key}")
def put_measurement(
    experiment_id: PathId, key: _Key, said: MeasurementPut, *, governor: Governor, principal: Writer, response: Response
) -> MeasurementRecord:
    """Store a measurement under its key. The same again changes nothing."""
    with governor.database.write() as uow:
        rows = governor.experiments.rows(uow.session, experiment_id, reach=reach_of(principal))
        need_scope(principal, WRITE, study=rows.cohort.label, site=rows.experiment.site)
        is_new = service.put_measurement(uow.session, experiment_id, key, said)
        uow.after_commit(lambda: governor.changed(experiment_id))
        page = service.page_measurements(uow.session, reach=reach_of(principal), experiment_id=experiment_id, limit=500)
        response.status_code = 201 if is_new else 200
        return next(item for item in page.items if item.key == key)


@router.get("/experiments/{experiment_id}/measurements")
def list_experiment_measurements(experiment_id: PathId, governor: Governor, within: Within) -> dict[str, Any]:
    """Return the measurements of a session."""
    with governor.database.read() as uow:
        governor.experiments.rows(uow.session, experiment_id, reach=within)
        page = service.page_measurements(uow.session, reach=within, experiment_id=experiment_id, limit=500)
        return {"measurements": page.items, "next_cursor": page.next_cursor}


@router.get("/measurements")
def list_measurements(
    governor: Governor,
    within: Within,
    *,
    cohort: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 500,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Return measurements, oldest first."""
    with governor.database.read() as uow:
        page = service.page_measurements(uow.session, reach=within, cohort=cohort, limit=limit, cursor=cursor)
        return {"measurements": page.items, "next_cursor": page.next_cursor}


@router.put("/experiments/{experiment_id}/artifacts/{name}")
def put_artifact(
    experiment_id: PathId, name: _Key, said: ArtifactPut, *, governor: Governor, principal: Writer, response: Response
) -> ArtifactRecord:
    """Note a file of the archive that the session's page shall show."""
    with governor.database.write() as uow:
        rows = governor.experiments.rows(uow.session, experiment_id, reach=reach_of(principal))
        need_scope(principal, WRITE, study=rows.cohort.label, site=rows.experiment.site)
        is_new = service.put_artifact(uow.session, experiment_id, name, said)
        uow.after_commit(lambda: governor.changed(experiment_id))
        response.status_code = 201 if is_new else 200
        return service.find_artifact(uow.session, experiment_id, name)


@router.get("/experiments/{experiment_id}/artifacts")
def list_artifacts(experiment_id: PathId, governor: Governor, within: Within) -> dict[str, list[ArtifactRecord]]:
    """Return the files that a session's page shows."""
    with governor.database.read() as uow:
        governor.experiments.rows(uow.session, experiment_id, reach=within)
        return {"artifacts": service.artifacts_of(uow.session, experiment_id)}
