"""Lists objects as tables: projects, subjects, experiments, scans, assessors, reconstructions. May import SQLAlchemy.

Rows are read column by column, without building objects, so that a long listing costs little more than its text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, literal_column, or_, select
from sqlmodel import Session, col

from embedded_xnat.db.repository import EXPERIMENTS, SUBJECTS
from embedded_xnat.db.tables import ExperimentRow, MembershipRow, ProjectRow, ScanRow, ShareRow, SubjectRow
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.items import sql_date
from embedded_xnat.domain.roles import Accessibility, Visitor
from embedded_xnat.domain.selectors import scan_order
from embedded_xnat.domain.tables import Row, column_key, column_value, keep_matching, requested_columns
from embedded_xnat.domain.values import as_text
from embedded_xnat.schema.registry import MODEL


@dataclass(frozen=True)
class Query:
    """What a request says about a listing: all its parameters, in order; those that name a column are filters."""

    parameters: Sequence[tuple[str, str]] = ()

    def get(self, name: str) -> str | None:
        """Return a parameter by its name in any case."""
        return next((value for key, value in self.parameters if key.lower() == name.lower()), None)

    def number(self, name: str) -> int | None:
        """Return a parameter that counts; None when it is not there or no number."""
        text = self.get(name)
        return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 12 else None


PROJECT_COLUMNS = ("ID", "secondary_ID", "name", "description", "pi_firstname", "pi_lastname", "URI")
SUBJECT_COLUMNS = ("ID", "project", "label", "insert_date", "insert_user", "URI")
EXPERIMENT_COLUMNS = (
    "ID",
    "project",
    "date",
    "xsiType",
    "label",
    "insert_date",
    "xnat:subjectassessordata/id",
    "subject_ID",
    "subject_label",
    "URI",
)
ASSESSOR_COLUMNS = (
    "ID",
    "project",
    "date",
    "xsiType",
    "label",
    "insert_date",
    "session_ID",
    "session_label",
    "URI",
)
SCAN_COLUMNS = ("xnat_imagescandata_id", "ID", "type", "quality", "xsiType", "note", "series_description", "URI")


def list_projects(session: Session, visitor: Visitor, query: Query) -> list[Row]:
    """Return the projects whose title a visitor may see, in order of creation."""
    project = ProjectRow
    statement = (
        select(
            col(project.id),
            col(project.xsi_type),
            col(project.data),
            col(project.inserted_at),
            col(project.inserted_by),
        )
        .where(col(project.is_deleted).is_(False))
        .order_by(col(project.number))
    )
    visible = _visible_projects(visitor, also=(Accessibility.PUBLIC, Accessibility.PROTECTED))
    if visible is not None:
        statement = statement.where(col(project.id).in_(visible))
    extra = requested_columns(query.get("columns"), PROJECT_COLUMNS)
    rows = []
    for project_id, xsi_type, data, inserted_at, inserted_by in session.connection().execute(_page(statement, query)):
        row = {
            "ID": project_id,
            "secondary_ID": as_text(data.get("secondary_ID")),
            "name": as_text(data.get("name") or project_id),
            "description": as_text(data.get("description")),
            "pi_firstname": as_text(data.get("PI/firstname")),
            "pi_lastname": as_text(data.get("PI/lastname")),
            "URI": f"/data/projects/{project_id}",
        }
        known = {"insert_date": sql_date(inserted_at), "insert_user": inserted_by}
        rows.append(_with_extra(row, extra, xsi_type, data, known=known))
    return keep_matching(rows, query.parameters)


def list_subjects(session: Session, visitor: Visitor, project_id: str | None, query: Query) -> list[Row]:
    """Return the subjects of a project, shared ones included; without a project all that may be read."""
    subject, share = SubjectRow, ShareRow
    statement = select(
        col(subject.id),
        col(subject.project_id),
        col(subject.label),
        col(subject.xsi_type),
        col(subject.data),
        col(subject.inserted_at),
        col(subject.inserted_by),
        col(share.label) if project_id is not None else literal_column("NULL"),
    ).order_by(col(subject.number))
    if project_id is not None:
        joined = _share_join(SUBJECTS, col(subject.id), project_id)
        statement = statement.outerjoin(share, joined)
        statement = statement.where(or_(col(subject.project_id) == project_id, col(share.number).is_not(None)))
    elif (visible := _visible_projects(visitor)) is not None:
        statement = statement.where(col(subject.project_id).in_(visible))
    extra = requested_columns(query.get("columns"), SUBJECT_COLUMNS)
    rows = []
    for id_, owner, label, xsi_type, data, inserted_at, inserted_by, shared in session.connection().execute(
        _page(_exactly(statement, query, {"label": col(subject.label)}), query)
    ):
        row = {
            "ID": id_,
            "project": owner,
            "label": shared or label,
            "insert_date": sql_date(inserted_at),
            "insert_user": inserted_by,
            "URI": f"/data/subjects/{id_}",
        }
        rows.append(_with_extra(row, extra, xsi_type, data))
    return keep_matching(rows, query.parameters)


def list_experiments(
    session: Session, visitor: Visitor, *, project_id: str | None, subject_id: str | None, query: Query
) -> list[Row]:
    """Return experiments (no assessors) of a subject or project, shared ones included, or all that may be read."""
    experiment, subject, share = ExperimentRow, SubjectRow, ShareRow
    statement = (
        select(
            col(experiment.id),
            col(experiment.project_id),
            col(experiment.label),
            col(experiment.xsi_type),
            col(experiment.data),
            col(experiment.inserted_at),
            col(experiment.inserted_by),
            col(experiment.subject_id),
            col(subject.label),
            col(subject.project_id),
            col(share.label) if project_id is not None else literal_column("NULL"),
        )
        .outerjoin(subject, col(subject.id) == col(experiment.subject_id))
        .where(col(experiment.session_id).is_(None))
        .order_by(col(experiment.number))
    )
    if subject_id is not None:
        statement = statement.where(col(experiment.subject_id) == subject_id)
    if project_id is not None:
        statement = statement.outerjoin(share, _share_join(EXPERIMENTS, col(experiment.id), project_id))
        statement = statement.where(or_(col(experiment.project_id) == project_id, col(share.number).is_not(None)))
    elif (visible := _visible_projects(visitor)) is not None:
        statement = statement.where(col(experiment.project_id).in_(visible))
    xsi_type = query.get("xsiType")
    if xsi_type:
        statement = statement.where(col(experiment.xsi_type).in_(_types_below(xsi_type)))
    exact = {"label": col(experiment.label), "project": col(experiment.project_id), "ID": col(experiment.id)}
    extra = requested_columns(query.get("columns"), EXPERIMENT_COLUMNS)
    rows = [
        _experiment_row(values, extra)
        for values in session.connection().execute(_page(_exactly(statement, query, exact), query))
    ]
    return keep_matching(rows, query.parameters)


def _experiment_row(values: Any, extra: Sequence[str]) -> Row:
    id_, owner, label, xsi_type, data, inserted_at, inserted_by, subject_id, subject_label, subject_project, shared = (
        values
    )
    row = {
        "ID": id_,
        "project": owner,
        "date": as_text(data.get("date")),
        "xsiType": xsi_type,
        "label": shared or label,
        "insert_date": sql_date(inserted_at),
        "xnat:subjectassessordata/id": id_,
        "subject_ID": as_text(subject_id),
        "subject_label": as_text(subject_label),
        "URI": f"/data/experiments/{id_}",
    }
    known = {"insert_user": inserted_by, "subject_project": as_text(subject_project)}
    related = {"id": subject_id, "label": subject_label, "project": subject_project}
    return _with_extra(row, extra, xsi_type, data, known=known, related=related)


def list_assessors(session: Session, experiment: ExperimentRow, query: Query) -> list[Row]:
    """Return the assessors of a session, in order of creation."""
    statement = (
        select(
            col(ExperimentRow.id),
            col(ExperimentRow.project_id),
            col(ExperimentRow.label),
            col(ExperimentRow.xsi_type),
            col(ExperimentRow.data),
            col(ExperimentRow.inserted_at),
        )
        .where(col(ExperimentRow.session_id) == experiment.id)
        .order_by(col(ExperimentRow.number))
    )
    extra = requested_columns(query.get("columns"), ASSESSOR_COLUMNS)
    rows = []
    for id_, project_id, label, xsi_type, data, inserted_at in session.connection().execute(statement):
        row = {
            "ID": id_,
            "project": project_id,
            "date": as_text(data.get("date")),
            "xsiType": xsi_type,
            "label": label,
            "insert_date": sql_date(inserted_at),
            "session_ID": experiment.id,
            "session_label": experiment.label,
            "URI": f"/data/experiments/{experiment.id}/assessors/{id_}",
        }
        rows.append(_with_extra(row, extra, xsi_type, data))
    return keep_matching(rows, query.parameters)


def list_scans(session: Session, experiment: ExperimentRow, kind: ObjectKind, query: Query) -> list[Row]:
    """Return the scans or reconstructions of a session, sorted by number."""
    statement = select(col(ScanRow.number), col(ScanRow.scan_id), col(ScanRow.xsi_type), col(ScanRow.data)).where(
        col(ScanRow.experiment_id) == experiment.id, col(ScanRow.kind) == kind.value
    )
    extra = requested_columns(query.get("columns"), SCAN_COLUMNS)
    found = sorted(session.connection().execute(statement), key=lambda values: scan_order(values[1]))
    rows = []
    for number, scan_id, xsi_type, data in found:
        row = {
            "xnat_imagescandata_id": str(number),
            "ID": scan_id,
            "type": as_text(data.get("type")),
            "quality": as_text(data.get("quality")),
            "xsiType": xsi_type,
            "note": as_text(data.get("note")),
            "series_description": as_text(data.get("series_description")),
            "URI": f"/data/experiments/{experiment.id}/{kind.value}/{scan_id}",
        }
        rows.append(_with_extra(row, extra, xsi_type, data))
    return keep_matching(rows, query.parameters)


def _with_extra(
    row: Row,
    extra: Sequence[str],
    xsi_type: str,
    data: Mapping[str, Any],
    *,
    known: Mapping[str, str] | None = None,
    related: Mapping[str, Any] | None = None,
) -> Row:
    """Add the columns that were asked for; ``related`` are values of the subject."""

    def of_subject(type_name: str, path: str) -> Any:
        return (related or {}).get(path.lower()) if type_name == "xnat:subjectData" else None

    for name in extra:
        if known is not None and name in known:
            row[name] = known[name]
        else:
            row[column_key(name)] = column_value(name, xsi_type, data, related=of_subject)
    return row


def _visible_projects(visitor: Visitor, also: tuple[Accessibility, ...] = (Accessibility.PUBLIC,)) -> Any:
    """Return a query for the ids of projects a visitor may see; None for all of them."""
    if visitor.everything:
        return None
    mine = select(col(MembershipRow.project_id)).where(col(MembershipRow.username) == visitor.username)
    opened = [each.value for each in also]
    return select(col(ProjectRow.id)).where(
        or_(col(ProjectRow.id).in_(mine), col(ProjectRow.accessibility).in_(opened)),
        col(ProjectRow.is_deleted).is_(False),
    )


def _share_join(kind: str, id_column: Any, project_id: str) -> ColumnElement[bool]:
    joined: ColumnElement[bool] = (
        (col(ShareRow.owner_kind) == kind)
        & (col(ShareRow.owner_id) == id_column)
        & (col(ShareRow.project_id) == project_id)
    )
    return joined


def _types_below(xsi_type: str) -> list[str]:
    """Return the names of a type and of all that extend it."""
    named = MODEL.find(xsi_type)
    return [] if named is None else [name for name in MODEL.types if MODEL.is_a(name, named.name)]


def _exactly(statement: Any, query: Query, columns: Mapping[str, Any]) -> Any:
    """Let the database apply filters without wildcards; shared labels are filtered again on the rows."""
    for name, column in columns.items():
        pattern = query.get(name)
        plain = pattern is not None and not any(mark in pattern for mark in "*?[,")
        if plain and name != "label":
            statement = statement.where(column == pattern)
    return statement


def _page(statement: Any, query: Query) -> Any:
    limit, offset = query.number("limit"), query.number("offset")
    if limit is not None:
        statement = statement.limit(limit)
    if offset is not None:
        statement = statement.offset(offset)
    return statement
