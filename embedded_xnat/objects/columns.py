"""The columns of a listing: where a value comes from, and how a table writes it. May import SQLAlchemy."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import literal
from sqlmodel import col

from embedded_xnat.domain.items import sql_date
from embedded_xnat.domain.tables import Row
from embedded_xnat.domain.values import as_text
from embedded_xnat.search.plans import FieldRef, Plan
from embedded_xnat.search.sources import ASSESSOR, EXPERIMENT, PROJECT, RECONSTRUCTION, SCAN, SUBJECT


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    is_label
        Whether it shows the label, which is another one where an object is shared.
    member
        What it shows of each row of a list; the table has a row for each of these.
    """

    key: str
    expression: Any
    text: Callable[[Any], str] = as_text
    is_label: bool = False
    member: str | None = None

    @classmethod
    def of(cls, key: str, ref: FieldRef | None) -> "Column":
        """Return the column of a field; of one that is not known, an empty one."""
        if ref is not None and ref.listed is not None:
            return cls(key, ref.listed, _text, member=ref.member)
        return cls(key, literal("") if ref is None else ref.shown, _text)


def _text(value: Any) -> str:
    return sql_date(value) if isinstance(value, datetime) else as_text(value)


def standard_columns(plan: Plan, names: Iterable[str]) -> list[Column]:
    """Return the columns that every listing of a kind has."""
    own = {"URI": _uri(plan), "label": Column("label", getattr(plan.row, "label", None), is_label=True)}
    if plan.root.base in {EXPERIMENT, ASSESSOR}:
        own["xnat:subjectassessordata/id"] = Column("xnat:subjectassessordata/id", col(plan.row.id))
    return [own[name] if name in own else Column.of(name, plan.field(name)) for name in names]


def _uri(plan: Plan) -> Column:
    base, row = plan.root.base, plan.row
    if base in {SCAN, RECONSTRUCTION}:
        kind = "scans" if base == SCAN else "reconstructions"
        path = col(row.experiment_id).concat(f"/{kind}/").concat(row.scan_id)
        return Column("URI", path, lambda value: f"/data/experiments/{value}")
    if base == ASSESSOR:
        path = col(row.session_id).concat("/assessors/").concat(row.id)
        return Column("URI", path, lambda value: f"/data/experiments/{value}")
    collection = {PROJECT: "projects", SUBJECT: "subjects", EXPERIMENT: "experiments"}[base]
    return Column("URI", col(row.id), lambda value: f"/data/{collection}/{value}")


def rows_of(columns: Sequence[Column], found: Iterable[Any]) -> list[Row]:
    """Return the rows of a table as texts; an object whose steps are asked for has a row for each of them."""
    writers = [(place, column.key, column.text) for place, column in enumerate(columns)]
    members = [(place, column.member) for place, column in enumerate(columns) if column.member is not None]
    if not members:
        return [{key: text(values[place]) for place, key, text in writers} for values in found]
    rows = []
    for values in found:
        lists = [(place, member, values[place] or ()) for place, member in members]
        for step in range(max(1, *(len(each) for _, _, each in lists))):
            cells = list(values)
            for place, member, each in lists:
                cells[place] = each[step].get(member) if step < len(each) else None
            rows.append({key: text(cells[place]) for place, key, text in writers})
    return rows
