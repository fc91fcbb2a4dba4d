"""Lists objects as tables: projects, subjects, experiments, scans, assessors, reconstructions. May import SQLAlchemy.

A listing is one query over the fields that its columns and filters name; the database filters, sorts and cuts out the
page, so that fifty rows of twenty thousand cost what fifty rows cost.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_, select, union_all
from sqlmodel import Session, col

from embedded_xnat.contract.errors import BadField, BadRequest
from embedded_xnat.db.repository import EXPERIMENTS, SUBJECTS
from embedded_xnat.db.tables import ExperimentRow, MembershipRow, ShareRow
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.roles import Accessibility, ProjectRole, Visitor
from embedded_xnat.domain.selectors import scan_order
from embedded_xnat.domain.tables import CONTROLS, Query, Row, column_key, requested_columns
from embedded_xnat.domain.values import truth
from embedded_xnat.objects.columns import Column, rows_of, standard_columns
from embedded_xnat.search.conditions import comparison, filtered
from embedded_xnat.search.plans import Plan, types_below
from embedded_xnat.search.sources import ASSESSOR, EXPERIMENT, PROJECT, RECONSTRUCTION, SCAN, SUBJECT
from embedded_xnat.search.visibility import visible_projects

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


#: More columns or filters than any use has.
MAX_COLUMNS = 200


def list_projects(session: Session, visitor: Visitor, query: Query) -> list[Row]:
    """Return the projects whose title a visitor may see, in order of creation."""
    plan = Plan(PROJECT, visible=visible_projects(visitor))
    listing = _Listing(plan, query, PROJECT_COLUMNS)
    conditions: list[Any] = [col(plan.row.is_deleted).is_(False), *_of_the_visitor(plan, visitor, query)]
    visible = visible_projects(visitor, also=(Accessibility.PUBLIC, Accessibility.PROTECTED))
    if visible is not None:
        conditions.append(col(plan.row.id).in_(visible))
    return listing.run(session, [listing.statement(conditions)])


def _of_the_visitor(plan: Plan, visitor: Visitor, query: Query) -> list[Any]:
    """Return the conditions of a listing of projects that asks for those of the visitor: by role, or by any."""

    def asked(name: str) -> bool:
        return truth(query.get(name), name=name)

    conditions: list[Any] = []
    mine = select(col(MembershipRow.project_id)).where(col(MembershipRow.username) == visitor.username)
    roles = [role.value for role in ProjectRole if asked(role.name.lower())]
    if roles:
        conditions.append(col(plan.row.id).in_(mine.where(col(MembershipRow.role).in_(roles))))
    if asked("accessible") and not (visitor.everything or visitor.reads_everything):
        conditions.append(or_(col(plan.row.id).in_(mine), col(plan.row.id).in_(visitor.collaborates)))
    if since := query.get("activeSince"):
        changed = plan.field("last_modified")
        assert changed is not None
        conditions.append(comparison(changed, ">=", since, name="activeSince"))
    return conditions


def list_subjects(session: Session, visitor: Visitor, project_id: str | None, query: Query) -> list[Row]:
    """Return the subjects of a project, shared ones included; without a project all that may be read."""
    plan = Plan(SUBJECT, visible=visible_projects(visitor))
    listing = _Listing(plan, query, SUBJECT_COLUMNS)
    return listing.run(session, _of_project(session, visitor, listing, project_id=project_id, kind=SUBJECTS))


def list_experiments(
    session: Session, visitor: Visitor, *, project_id: str | None, subject_id: str | None, query: Query
) -> list[Row]:
    """Return experiments of a subject or project, shared ones included, or all that may be read.

    Assessors are among them only when ``xsiType`` asks for a type of assessors.
    """
    root, types = _wanted_types(query.get("xsiType"))
    plan = Plan(root, visible=visible_projects(visitor))
    of_assessors = plan.root.base == ASSESSOR
    listing = _Listing(plan, query, (*EXPERIMENT_COLUMNS, *ASSESSOR_COLUMNS) if of_assessors else EXPERIMENT_COLUMNS)
    own = col(plan.row.session_id)
    conditions: list[Any] = [own.is_not(None) if of_assessors else own.is_(None)]
    if subject_id is not None:
        conditions.append(col(plan.row.subject_id) == subject_id)
    if types is not None:
        conditions.append(col(plan.row.xsi_type).in_(types))
    kept = _of_project(session, visitor, listing, project_id=project_id, kind=EXPERIMENTS, conditions=conditions)
    return listing.run(session, kept)


def _wanted_types(given: str | None) -> tuple[str, list[str] | None]:
    """Return the root of a listing of experiments, and the types it is narrowed to."""
    if not given:
        return EXPERIMENT, None
    names = [each.strip() for each in given.split(",") if each.strip()]
    types = list(dict.fromkeys(name for each in names for name in types_below(each)))
    found = next((name for each in names for name in types_below(each)[:1]), EXPERIMENT)
    root = (
        found if len(names) == 1 and any(found in types_below(base) for base in (EXPERIMENT, ASSESSOR)) else EXPERIMENT
    )
    return (ASSESSOR if root == EXPERIMENT and found in types_below(ASSESSOR) else root), types


def list_assessors(session: Session, visitor: Visitor, experiment: ExperimentRow, query: Query) -> list[Row]:
    """Return the assessors of a session, in order of creation."""
    root, types = _wanted_types(query.get("xsiType") or ASSESSOR)
    plan = Plan(root if root in types_below(ASSESSOR) else ASSESSOR, visible=visible_projects(visitor))
    listing = _Listing(plan, query, ASSESSOR_COLUMNS)
    conditions: list[Any] = [col(plan.row.session_id) == experiment.id, col(plan.row.xsi_type).in_(types or [])]
    return listing.run(session, [listing.statement(conditions)])


def list_scans(
    session: Session, visitor: Visitor, experiment: ExperimentRow, *, kind: ObjectKind, query: Query
) -> list[Row]:
    """Return the scans or reconstructions of a session, sorted by number."""
    plan = Plan(SCAN if kind is ObjectKind.SCAN else RECONSTRUCTION, visible=visible_projects(visitor))
    listing = _Listing(plan, query, SCAN_COLUMNS)
    conditions: list[Any] = [col(plan.row.experiment_id) == experiment.id, col(plan.row.kind) == kind.value]
    if xsi_type := query.get("xsiType"):
        conditions.append(col(plan.row.xsi_type).in_(_wanted_types(xsi_type)[1] or []))
    rows = listing.run(session, [listing.statement(conditions)], paged=False)
    if query.get("sortBy") is None:
        rows.sort(key=lambda row: scan_order(row["ID"]))
    start = query.number("offset") or 0
    limit = query.number("limit")
    return rows[start:] if limit is None else rows[start : start + limit]


class _Listing:
    """One listing: its columns, filters, order and page."""

    def __init__(self, plan: Plan, query: Query, standard: Sequence[str]) -> None:
        self.plan, self.query = plan, query
        self.columns = standard_columns(plan, dict.fromkeys(standard))
        asked = requested_columns(query.get("columns"), standard)
        if max(len(asked), len(query.parameters)) > MAX_COLUMNS:
            raise BadRequest(f"A listing has at most {MAX_COLUMNS} columns and filters.")
        for name in asked:
            ref = plan.field(name)
            self.columns.append(Column.of(column_key(name), ref))
        self._filters = [
            filtered(ref, pattern, name=name)
            for name, pattern in query.parameters
            if name.lower() not in CONTROLS and (ref := self._filter_field(name)) is not None
        ]
        self._order = self._sort_fields()

    def _filter_field(self, name: str) -> Any:
        ref = self.plan.field(name)
        if ref is None and "/" in name and ":" in name:
            raise BadField(name, "is not known here")
        return ref

    def _sort_fields(self) -> list[tuple[Any, bool]]:
        directions = (self.query.get("sortOrder") or "").lower().split(",")
        found = []
        for place, name in enumerate((self.query.get("sortBy") or "").split(",")):
            if not name.strip():
                continue
            ref = self.plan.field(name.strip())
            if ref is None:
                raise BadField(name, "is not known here")
            direction = directions[place] if place < len(directions) else directions[-1]
            found.append((ref.shown, direction == "desc"))
        return found

    def statement(self, conditions: Sequence[Any], *, share: Any = None) -> Any:
        """Return the query for the rows that meet the conditions; ``share`` is how they show in another project."""
        expressions = [
            (share.label if share is not None and column.is_label else column.expression).label(f"c{place}")
            for place, column in enumerate(self.columns)
        ]
        expressions += [expression.label(f"s{place}") for place, (expression, _) in enumerate(self._order)]
        expressions += [number.label(f"n{place}") for place, number in enumerate(self.plan.order())]
        statement = select(*expressions).select_from(self.plan.row)
        if share is not None:
            statement = statement.join(share, col(share.owner_id) == col(self.plan.row.id))
        return self.plan.joined(statement).where(*conditions, *self._filters)

    def run(self, session: Session, statements: Sequence[Any], *, paged: bool = True) -> list[Row]:
        """Return the rows of the page."""
        limit, offset = self.query.number("limit"), self.query.number("offset")
        if paged and len(statements) == 1 and not self.plan.multiplies:
            statements = [self._paged(statements[0], limit=limit, offset=offset)]
            paged = False
        one: Any = statements[0] if len(statements) == 1 else select(union_all(*statements).subquery())
        names: Any = one.selected_columns
        order = [
            names[f"s{place}"].desc() if falls else names[f"s{place}"].asc()
            for place, (_, falls) in enumerate(self._order)
        ]
        order += [names[f"n{place}"] for place in range(len(self.plan.order()))]
        one = one.order_by(*order)
        if paged:
            one = one.limit(limit).offset(offset)
        return rows_of(self.columns, session.connection().execute(one))

    def _paged(self, statement: Any, *, limit: int | None, offset: int | None) -> Any:
        """Cut out the page by numbers alone, so that no more is read of the rows before it."""
        if limit is None and offset is None:
            return statement
        number = self.plan.row.number
        order = [expression.desc() if falls else expression.asc() for expression, falls in self._order]
        page = statement.with_only_columns(number).order_by(*order, number).limit(limit).offset(offset)
        return statement.where(number.in_(page.correlate(None)))


def _of_project(
    session: Session,
    visitor: Visitor,
    listing: _Listing,
    *,
    project_id: str | None,
    kind: str,
    conditions: Sequence[Any] = (),
) -> list[Any]:
    """Return the queries for what belongs to a project, and for what is shared into it if there is any."""
    owner = col(listing.plan.row.project_id)
    if project_id is None:
        visible = visible_projects(visitor)
        if visible is None:
            return [listing.statement(conditions)]
        shared_ids = select(col(ShareRow.owner_id)).where(
            col(ShareRow.owner_kind) == kind, col(ShareRow.project_id).in_(visible)
        )
        return [listing.statement([*conditions, or_(owner.in_(visible), col(listing.plan.row.id).in_(shared_ids))])]
    statements = [listing.statement([*conditions, owner == project_id])]
    into = [col(ShareRow.owner_kind) == kind, col(ShareRow.project_id) == project_id]
    if session.connection().execute(select(col(ShareRow.number)).where(*into).limit(1)).first() is not None:
        statements.append(listing.statement([*conditions, *into], share=ShareRow))
    return statements
