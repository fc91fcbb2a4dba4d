"""Runs searches: a document to one query, rows to a table. May import SQLAlchemy."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, literal, or_, select, true
from sqlmodel import Session, col

from embedded_xnat.contract.errors import BadField, BadRequest
from embedded_xnat.db.tables import ShareRow
from embedded_xnat.domain.bundles import Bundle, CriteriaSet, Criterion, SearchField
from embedded_xnat.domain.items import sql_date
from embedded_xnat.domain.roles import Accessibility, Visitor
from embedded_xnat.domain.tables import Row
from embedded_xnat.domain.values import as_text
from embedded_xnat.schema.registry import MODEL
from embedded_xnat.search.conditions import comparison
from embedded_xnat.search.display import ROOTS, Shown, defaults, find_field, show
from embedded_xnat.search.plans import OWNER_KINDS, Plan
from embedded_xnat.search.sources import EXPERIMENT, PROJECT, RECONSTRUCTION, SCAN
from embedded_xnat.search.visibility import visible_projects

STATUS = "quarantine_status"


@dataclass(frozen=True)
class Found:
    """The answer to a search."""

    root: str
    columns: Sequence[Shown]
    rows: Sequence[Row]


def run(session: Session, visitor: Visitor, bundle: Bundle) -> Found:
    """Return what a search finds among what a visitor may see, in order of creation unless it says otherwise.

    Raises
    ------
    BadRequest, BadField
        If a type or field is not known, or a comparison makes no sense.
    """
    named = MODEL.find(bundle.root)
    if named is None or not any(MODEL.is_a(named.name, root) for root in ROOTS):
        raise BadRequest("The search is for a type of object that this server does not know.")
    plan = Plan(named.name, visible=visible_projects(visitor))
    fields = bundle.fields or tuple(SearchField(named.name, name) for name in defaults(named.name))
    columns = {column.key: column for field in fields if (column := _column(plan, named.name, field))}
    status = plan.field(f"{named.name}/{STATUS}")
    conditions = [_criteria(plan, each, root=named.name) for each in bundle.where]
    conditions += [each for each in (plan.of_type(), *_readable(plan, visitor)) if each is not None]
    order = [_sort(plan, each) for each in bundle.sort_by]
    shown = [column.ref.shown.label(f"c{place}") for place, column in enumerate(columns.values())]
    shown.append((literal("active") if status is None else status.shown).label("status"))
    numbers = plan.order()
    statement = (
        plan.joined(select(*shown, *numbers).select_from(plan.row)).where(*conditions).order_by(*order, *numbers)
    )
    keys = [*(key for key in columns if key != STATUS), STATUS]
    places = {key: place for place, key in enumerate(columns)} | {STATUS: len(columns)}
    rows: dict[tuple[Any, ...], Row] = {}
    for values in session.connection().execute(statement):
        texts = [_text(values[places[key]]) for key in keys]
        rows.setdefault((values[len(shown)], *texts), dict(zip(keys, texts, strict=True)))
    return Found(named.name, [each for each in columns.values() if each.key != STATUS], list(rows.values()))


def _column(plan: Plan, root: str, field: SearchField) -> Shown:
    column = show(plan, root=root, element=field.element, field_id=field.field_id, header=field.header)
    if column is None:
        raise BadField(f"{field.element}/{field.field_id}"[:300], "is not known here")
    return column


def _sort(plan: Plan, field: SearchField) -> Any:
    ref = find_field(plan, field.element, field.field_id)
    if ref is None:
        raise BadField(f"{field.element}/{field.field_id}"[:300], "is not known here")
    return ref.shown


def _criteria(plan: Plan, criteria: CriteriaSet, *, root: str) -> Any:
    members = [
        _criteria(plan, each, root=root) if isinstance(each, CriteriaSet) else _criterion(plan, each, root=root)
        for each in criteria.members
    ]
    if not members:
        return true()
    return and_(*members) if criteria.method == "AND" else or_(*members)


def _criterion(plan: Plan, criterion: Criterion, *, root: str) -> Any:
    element, separator, field_id = criterion.field.partition("/")
    if not separator:  # the form that JSON answers give: xnat:mrSessionData.PROJECT
        element, _, field_id = criterion.field.partition(".")
    ref = find_field(plan, element or root, field_id)
    if ref is None:
        raise BadField(criterion.field[:300], "is not known here")
    return comparison(ref, criterion.operator, criterion.value, name=criterion.field[:300])


def _readable(plan: Plan, visitor: Visitor) -> list[Any]:
    """Return the conditions under which a visitor may see the rows of a plan."""
    row, base = plan.row, plan.root.base
    if base == PROJECT:
        titles = visible_projects(visitor, also=(Accessibility.PUBLIC, Accessibility.PROTECTED))
        return [col(row.is_deleted).is_(False), *([] if titles is None else [col(row.id).in_(titles)])]
    conditions: list[Any] = []
    if base == EXPERIMENT:
        conditions.append(col(row.session_id).is_(None))
    if base in {SCAN, RECONSTRUCTION}:
        conditions.append(col(row.kind) == ("scans" if base == SCAN else "reconstructions"))
    visible = visible_projects(visitor)
    if visible is None:
        return conditions
    of_part = base in {SCAN, RECONSTRUCTION}
    owner = plan.field("xnat:experimentData/project" if of_part else f"{plan.root_type}/project")
    key = plan.field("xnat:experimentData/ID") if of_part else plan.field(f"{plan.root_type}/ID")
    assert owner is not None
    assert key is not None
    shared = select(col(ShareRow.owner_id)).where(
        col(ShareRow.owner_kind) == OWNER_KINDS[EXPERIMENT if of_part else base],
        col(ShareRow.project_id).in_(visible),
    )
    return [*conditions, or_(owner.expression.in_(visible), key.expression.in_(shared))]


def _text(value: Any) -> str:
    return sql_date(value) if isinstance(value, datetime) else as_text(value)


def as_csv(found: Found) -> str:
    """Return an answer as CSV: a header line, then the rows, quoted where need be."""
    out = io.StringIO()
    names = [*(column.key for column in found.columns), STATUS]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found.rows)
    return out.getvalue()


def as_json(found: Found) -> str:
    """Return an answer as JSON, blank for blank as XNAT writes it."""
    columns: list[dict[str, str]] = [
        {
            "key": each.key,
            "type": each.type,
            "xPATH": f"{each.element}.{each.id}",
            "element_name": each.element,
            "header": each.header,
            "id": each.id,
        }
        for each in found.columns
    ]
    rows = [{STATUS: row[STATUS], **row} for row in found.rows]
    return (
        f'{{"ResultSet":{{"Columns":{_compact([*columns, {"key": STATUS}])},"Result":{_compact(rows)}, '
        f'"rootElementName": {_compact(found.root)},"totalRecords": "{len(rows)}"}}}}'
    )


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
