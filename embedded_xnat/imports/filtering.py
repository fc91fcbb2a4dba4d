"""Leaves out the series that the site, or a project, does not take. May import SQLModel."""

from collections.abc import Sequence

from sqlmodel import Session

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.db.site_tables import SiteSettingRow
from embedded_xnat.dicom.elements import read_texts
from embedded_xnat.dicom.series_filters import SeriesFilter, make_filter, read_filter
from embedded_xnat.domain.patterns import MAX_STEPS_TOGETHER
from embedded_xnat.imports.records import Instance
from embedded_xnat.site import configurations
from embedded_xnat.site.config import FILTER_ENABLED, FILTER_LIST, FILTER_MODE, SETTINGS


def filters_for(session: Session, project_id: str | None) -> list[SeriesFilter]:
    """Return the filters in force: of the site, by its settings or its configuration, and of a project."""
    found: list[SeriesFilter] = []
    if _setting(session, FILTER_ENABLED):
        found.append(make_filter(_setting(session, FILTER_MODE), str(_setting(session, FILTER_LIST))))
    for scope in (configurations.SITE, *([project_id] if project_id else [])):
        text = configurations.text_in_force(session, configurations.SERIES_FILTER, configurations.CONFIG, scope)
        kept = read_filter(text) if text else None
        if kept is not None:
            found.append(kept)
    return [each for each in found if each.lines]


def _setting(session: Session, name: str) -> object:
    row = session.get(SiteSettingRow, name)
    return SETTINGS[name][0] if row is None else row.value


def taken(instances: Sequence[Instance], filters: Sequence[SeriesFilter]) -> list[Instance]:
    """Return the files of the series that all filters take; the first file of a series speaks for it.

    Raises
    ------
    BadRequest
        If to look at so many series could take long: whoever sends them may have written the filter, too.
    """
    if not filters:
        return list(instances)
    series = {instance.series.series_instance_uid for instance in instances}
    if len(series) * sum(each.steps for each in filters) > MAX_STEPS_TOGETHER:
        raise BadRequest(
            f"The series import filters are too costly for {len(series)} series; use fewer of * + {{ ? | in their lines, "
            "begin them with ^, or send fewer series at once."
        )
    tags = set().union(*(each.tags for each in filters))
    takes: dict[str, bool] = {}
    for instance in instances:
        uid = instance.series.series_instance_uid
        if uid not in takes:
            texts = read_texts(instance.stored.temporary, tags)
            takes[uid] = all(each.takes(texts.get) for each in filters)
    return [instance for instance in instances if takes[instance.series.series_instance_uid]]
