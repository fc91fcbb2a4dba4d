"""Download of the released tables. May import FastAPI."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from study_governor.access import Governor, Within
from study_governor.cohorts.service import seen_cohort
from study_governor.releases.service import TableFormat, released_table

router = APIRouter(prefix="/api/v2", tags=["releases"])


@router.get("/cohorts/{cohort}/release.{form}", response_class=Response)
def download_release(
    request: Request, cohort: str, form: TableFormat, *, governor: Governor, within: Within
) -> Response:
    """Return the table that the study released, of the sites that the caller may see."""
    folder = request.app.state.settings.releases_dir
    with governor.database.read() as uow:
        study = seen_cohort(uow.session, cohort, reach=within).label
        table = released_table(uow.session, folder, study, form=form, reach=within)
    headers = {
        "Content-Disposition": f'attachment; filename="{study}.{form.value}"',
        "Cache-Control": "no-store",
    }
    return Response(table, media_type=form.media_type, headers=headers)
