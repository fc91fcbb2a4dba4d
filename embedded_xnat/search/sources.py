"""The tables of the archive as sources of fields: which paths are columns of their own. May import SQLAlchemy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, func, literal, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from embedded_xnat.db.repository import EXPERIMENTS, SUBJECTS
from embedded_xnat.db.tables import (
    ExperimentRow,
    MembershipRow,
    ProjectAliasRow,
    ProjectRow,
    ResourceRow,
    ScanRow,
    SubjectRow,
)
from embedded_xnat.domain.roles import ProjectRole

#: A column, or what is computed from some.
Expression = Any

ASSESSOR, SESSION, SCAN = "xnat:derivedData", "xnat:imageSessionData", "xnat:imageScanData"
EXPERIMENT, SUBJECT, PROJECT = "xnat:experimentData", "xnat:subjectData", "xnat:projectData"
RECONSTRUCTION = "xnat:reconstructedImageData"


_ROLE_COLUMNS = {
    ProjectRole.OWNER: "project_owners",
    ProjectRole.MEMBER: "project_members",
    ProjectRole.COLLABORATOR: "project_collabs",
}
_COUNTED = {
    "mr": "xnat:mrSessionData",
    "ct": "xnat:ctSessionData",
    "pet": "xnat:petSessionData",
    "ut": "xnat:usSessionData",
}


@dataclass(frozen=True)
class Source:
    """A table of the query: the type its rows have, and which paths are columns of their own."""

    base: str
    row: Any
    columns: Mapping[str, Expression]
    share_kind: str | None = None


def _common(row: Any) -> dict[str, Expression]:
    return {
        "xsitype": col(row.xsi_type),
        "element_name": col(row.xsi_type),
        "insert_date": col(row.inserted_at),
        "insert_user": col(row.inserted_by),
        "last_modified": col(row.modified_at),
        "meta/last_modified": col(row.modified_at),
        "meta/insert_date": col(row.inserted_at),
        "quarantine_status": literal("active"),
    }


def project_source() -> Source:
    """Return the projects."""
    row = aliased(ProjectRow)
    name = func.coalesce(row.data["name"].as_string(), row.id, type_=String)
    columns = {**_common(row), "id": col(row.id), "project": col(row.id), "name": name}
    columns["project_access"] = col(row.accessibility)
    for role in ProjectRole:
        people = select(func.aggregate_strings(col(MembershipRow.username), " <br/> "))
        mine = people.where(col(MembershipRow.project_id) == row.id, col(MembershipRow.role) == role.value)
        columns[_ROLE_COLUMNS[role]] = mine.correlate(row).scalar_subquery()
    for code, xsi_type in _COUNTED.items():
        counted = select(func.count()).select_from(ExperimentRow)
        some = counted.where(col(ExperimentRow.project_id) == row.id, col(ExperimentRow.xsi_type) == xsi_type)
        columns[f"proj_{code}_count"] = some.correlate(row).scalar_subquery()
    return Source(PROJECT, row, columns)


def subject_source() -> Source:
    """Return the subjects."""
    row = aliased(SubjectRow)
    columns = {**_common(row), "id": col(row.id), "project": col(row.project_id), "label": col(row.label)}
    return Source(SUBJECT, row, columns, SUBJECTS)


def experiment_source(base: str = EXPERIMENT) -> Source:
    """Return the experiments."""
    row = aliased(ExperimentRow)
    columns = {
        **_common(row),
        "id": col(row.id),
        "project": col(row.project_id),
        "label": col(row.label),
        "subject_id": col(row.subject_id),
        "quarantine_status": col(row.status),
        "meta/status": col(row.status),
    }
    if base == ASSESSOR:
        columns["imagesession_id"] = col(row.session_id)
    return Source(base, row, columns, EXPERIMENTS)


def scan_source(base: str = SCAN) -> Source:
    """Return the scans."""
    row = aliased(ScanRow)
    columns = {
        **_common(row),
        "id": col(row.scan_id),
        "image_session_id": col(row.experiment_id),
        "xnat_imagescandata_id": col(row.number),
    }
    return Source(base, row, columns)


def resource_source() -> Source:
    """Return the resources."""
    row = aliased(ResourceRow)
    columns = {
        "label": col(row.label),
        "format": col(row.format),
        "content": col(row.content),
        "description": col(row.description),
        "tags/tag": col(row.tags),
        "xnat_abstractresource_id": col(row.number),
    }
    return Source("xnat:resourceCatalog", row, columns)


def alias_source() -> Source:
    """Return the aliases of projects."""
    row = aliased(ProjectAliasRow)
    return Source(PROJECT, row, {"alias": col(row.alias)})
