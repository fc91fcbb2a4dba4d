"""Turns names of fields into SQL: one plan a query, which joins the tables that its fields need. May import SQLAlchemy.

A plan stands on the objects of one type (its root). ``label``, ``xnat:mrSessionData/scanner/model`` and
``xnat:imageScanData/type`` are then found on the root itself or on what belongs to it: its project, subject or session
(one row each), or its scans, assessors or experiments (a row for each of them).
"""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Integer, Select, and_, case, cast, literal, null, or_, select, true
from sqlalchemy.orm import aliased
from sqlmodel import col

from embedded_xnat.db.repository import EXPERIMENTS, PROJECTS, SCANS, SUBJECTS
from embedded_xnat.db.tables import ShareRow
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.roles import TITLE_FIELDS
from embedded_xnat.schema.model import Kind
from embedded_xnat.schema.registry import MODEL
from embedded_xnat.schema.shortcuts import short_names
from embedded_xnat.search.sources import (
    ASSESSOR,
    EXPERIMENT,
    PROJECT,
    RECONSTRUCTION,
    SCAN,
    SUBJECT,
    Expression,
    Source,
    alias_source,
    experiment_source,
    project_source,
    resource_source,
    scan_source,
    subject_source,
)
from embedded_xnat.search.sql import ListRows, MemberOf, RowMember
from service_kit.tables import UtcDateTime

#: Kinds under which resources of objects of a type are kept.
OWNER_KINDS = {
    PROJECT: PROJECTS,
    SUBJECT: SUBJECTS,
    EXPERIMENT: EXPERIMENTS,
    ASSESSOR: EXPERIMENTS,
    SCAN: SCANS,
    RECONSTRUCTION: SCANS,
}

MAX_NAME = 1000

#: What names an object, and what everybody sees of a project that is listed.
_NAMES = frozenset({"id", "label", "project"})
_TITLES = _NAMES | TITLE_FIELDS | {"project_access", "xsitype", "element_name", "quarantine_status"}
_RESOURCES = ("resources/resource/", "out/file/", "in/file/", "file/")
_PREDICATE = re.compile(r"\[@xsi:type=[^\]]*\]")
_ROW = re.compile(r"(?P<list>[^\[\]]+)\[(?:@|)(?P<key>\w+)=(?P<name>[^\[\]]*)\]/(?P<member>\w+)")


@dataclass(frozen=True)
class FieldRef:
    """A field as SQL.

    Parameters
    ----------
    kind
        What its values are: numbers, dates (as ISO text), moments or texts.
    rows
        For fields with several values: the query over them; a condition holds when it holds for one of them.
    listed, member
        For a member of the rows of a list without keys: the list, of which a listing shows a row each.
    """

    expression: Expression
    kind: Kind = Kind.TEXT
    rows: Select[Any] | None = None
    listed: Expression = None
    member: str = ""

    @property
    def shown(self) -> Expression:
        """What a table shows: the value, or the first of several."""
        if self.rows is None:
            return self.expression
        return self.rows.with_only_columns(self.expression).limit(1).scalar_subquery()


class Plan:
    """The tables of one query around a root.

    Parameters
    ----------
    root
        Type of the objects that are looked for; abstract ones stand for all below them.
    visible
        Query for the ids of projects whose data may be shown; None for all of them. What is seen through a share
        does not open the subject and project it belongs to.

    Examples
    --------
    >>> plan = Plan("xnat:mrSessionData")
    >>> plan.field("xnat:mrSessionData/scanner/model").kind.value, plan.field("xnat:mrSessionData/nonsense")
    ('xs:string', None)
    """

    def __init__(self, root: str, *, visible: Any = None) -> None:
        self.root_type, self._visible = root, visible
        self.row: Any
        self._joins: dict[str, tuple[Source, Any, Expression]] = {}
        self._below: dict[str, set[str]] = {}
        if MODEL.is_a(root, PROJECT):
            table = project_source()
        elif MODEL.is_a(root, SUBJECT):
            table = subject_source()
        elif MODEL.is_a(root, SCAN) or MODEL.is_a(root, RECONSTRUCTION):
            table = scan_source(SCAN if MODEL.is_a(root, SCAN) else RECONSTRUCTION)
        else:
            table = experiment_source(ASSESSOR if MODEL.is_a(root, ASSESSOR) else EXPERIMENT)
        self.root, self.row = table, table.row

    # ------------------------------------------------------------------ fields

    def field(self, name: str) -> FieldRef | None:
        """Return a field by its short name or xsi path in any case; None when there is none of that name here."""
        head, separator, path = name.partition("/")
        if "\x00" in name or len(name) > MAX_NAME:
            return None
        named = MODEL.find(head) if separator and ":" in head else None
        if named is None:
            return None if separator and ":" in head else self._short(name)
        table = self._table_of(named.name)
        return None if table is None else self._path(table, named.name, _PREDICATE.sub("", path))

    def aliases(self) -> FieldRef:
        """Return the aliases of projects: a row for each."""
        if "aliases" not in self._joins:
            table = alias_source()
            is_seen = true() if self._is_open(self.root) else self.row.id.in_(self._visible)
            self._joins["aliases"] = (table, table.row, and_(col(table.row.project_id) == self.row.id, is_seen))
        return FieldRef(self._joins["aliases"][0].columns["alias"])

    def custom_field(self, xsi_type: str, name: str) -> FieldRef | None:
        """Return a custom field by its name."""
        return self.field(f"{xsi_type}/fields/field[name={name}]/field")

    def _short(self, name: str) -> FieldRef | None:
        lower = name.lower()
        if lower in self.root.columns:
            return self._path(self.root, self.root_type, lower)
        path = {short.lower(): path for short, path in short_names(self.root_type).items()}.get(lower)
        if path is None:  # a type below the root may know it: `coil` of MR sessions
            path = next(
                (p for t in types_below(self.root_type) for s, p in short_names(t).items() if s.lower() == lower), None
            )
        if path is not None:
            return self._path(self.root, self.root_type, path)
        if lower in {"subject_label", "subject_project"}:
            return self.field(f"xnat:subjectData/{lower.removeprefix('subject_')}")
        if lower in {"session_id", "session_label"}:
            own = "xnat:imageSessionData" if self.root.base == ASSESSOR else self.root_type
            return self.field(f"{own}/{lower.removeprefix('session_')}")
        if lower == "alias" and self.root.base == PROJECT:
            return self.aliases()
        return self._path(self.root, self.root_type, name) if lower in MODEL.fields(self.root_type) else None

    def _path(self, table: Source, type_name: str, path: str) -> FieldRef | None:
        """Return a field of a source; of an object whose project may not be seen only what names it."""
        ref = self._unguarded(table, type_name, path)
        open_paths = _TITLES if table is self.root else _NAMES
        if ref is None or self._is_open(table) or path.lower() in open_paths:
            return ref
        guarded = case((table.columns["project"].in_(self._visible), ref.expression), else_=null())
        return FieldRef(guarded, ref.kind, ref.rows)

    def _is_open(self, table: Source) -> bool:
        """Tell whether all is seen of whatever a source holds.

        A project is listed for its title, too, and what was found may belong to a subject and project that are closed.
        """
        is_own_subject = table is self.root and table.base == SUBJECT
        return self._visible is None or table.base not in {PROJECT, SUBJECT} or is_own_subject

    def _unguarded(self, table: Source, type_name: str, path: str) -> FieldRef | None:
        lower = path.lower()
        if lower in table.columns:
            return _column_ref(table.columns[lower])
        for prefix, inner in (("scans/scan/", SCAN), ("assessors/assessor/", ASSESSOR)):
            if lower.startswith(prefix):
                return self.field(f"{inner}/{path[len(prefix) :]}")
        for prefix in _RESOURCES:
            if lower.startswith(prefix):
                column = self._resources(table).columns.get(lower.removeprefix(prefix))
                return None if column is None else _column_ref(column)
        if (match := _ROW.fullmatch(path)) is not None:
            return _row_field(table, match["list"], key=match["key"], name=match["name"], member=match["member"])
        if lower in {"sharing/share/project", "sharing/share/label"} and table.share_kind is not None:
            return _share_field(table, lower.rpartition("/")[2], self._visible)
        return _nested_field(table, type_name, lower) or self._value(table, type_name, lower)

    def _value(self, table: Source, type_name: str, lower: str) -> FieldRef | None:
        """Return a field that lies among the data of an object."""
        field = MODEL.fields(type_name).get(lower)
        below = types_below(type_name)
        if field is None:
            field = next((MODEL.fields(each)[lower] for each in below if lower in MODEL.fields(each)), None)
        if field is None:
            return None
        value = table.row.data[field.path]
        if field.kind in {Kind.INTEGER, Kind.LONG}:
            return FieldRef(cast(value.as_string(), BigInteger), field.kind)
        is_number = field.kind in {Kind.FLOAT, Kind.DOUBLE}
        return FieldRef(value.as_float() if is_number else value.as_string(), field.kind)

    def _seen(self, table: Source) -> Expression:
        """Return the condition that experiments of a subject may be seen."""
        if self._visible is None:
            return true()
        shared = select(col(ShareRow.owner_id)).where(
            col(ShareRow.owner_kind) == EXPERIMENTS, col(ShareRow.project_id).in_(self._visible)
        )
        return or_(table.row.project_id.in_(self._visible), table.row.id.in_(shared))

    # ------------------------------------------------------------------ tables

    def _table_of(self, type_name: str) -> Source | None:
        """Return the table in which a type is found from the root, joined if need be."""
        if MODEL.is_a(type_name, self.root_type) or MODEL.is_a(self.root_type, type_name):
            return self.root
        if MODEL.is_a(self.root.base, EXPERIMENT) and not MODEL.is_a(type_name, ASSESSOR) and type_name in _OWN_TYPES:
            return self.root
        if MODEL.is_a(type_name, PROJECT):
            return self._join("project", project_source, lambda table: table.row.id == self._link("project"))
        if MODEL.is_a(type_name, SUBJECT):
            link = self._link("subject_id")
            return None if link is None else self._join("subject", subject_source, lambda table: table.row.id == link)
        if MODEL.is_a(type_name, SCAN):
            return self._scans(type_name)
        if MODEL.is_a(type_name, ASSESSOR):
            return self._assessors(type_name)
        if MODEL.is_a(type_name, EXPERIMENT):
            return self._experiments(type_name)
        return None

    def _experiments(self, type_name: str) -> Source | None:
        if self.root.base == ASSESSOR:
            return self._join("session", experiment_source, lambda table: table.row.id == self.row.session_id)
        if self.root.base in {SCAN, RECONSTRUCTION}:
            return self._join("session", experiment_source, lambda table: table.row.id == self.row.experiment_id)
        if self.root.base == SUBJECT:
            return self._join(
                "experiments",
                experiment_source,
                lambda table: and_(
                    table.row.subject_id == self.row.id, table.row.session_id.is_(None), self._seen(table)
                ),
                below=type_name,
            )
        return None

    def _scans(self, type_name: str) -> Source | None:
        owner = self._session_id()
        if owner is None:
            return None
        return self._join(
            "scans",
            scan_source,
            lambda table: and_(table.row.experiment_id == owner, table.row.kind == ObjectKind.SCAN.value),
            below=type_name,
        )

    def _assessors(self, type_name: str) -> Source | None:
        if self.root.base != EXPERIMENT:
            return None
        return self._join(
            "assessors",
            lambda: experiment_source(ASSESSOR),
            lambda table: table.row.session_id == self.row.id,
            below=type_name,
        )

    def _resources(self, owner: Source) -> Source:
        return self._join(
            f"resources of {owner.base}",
            resource_source,
            lambda table: and_(
                table.row.owner_kind == OWNER_KINDS[owner.base],
                table.row.owner_number == owner.row.number,
                true() if self._is_open(owner) else owner.columns["project"].in_(self._visible),
            ),
        )

    def _session_id(self) -> Expression | None:
        if self.root.base == EXPERIMENT:
            return col(self.row.id)
        return col(self.row.session_id) if self.root.base == ASSESSOR else None

    def _link(self, path: str) -> Any:
        """Return the column of the root, or of its session, that names its project or subject."""
        if self.root.base in {SCAN, RECONSTRUCTION}:
            session = self._experiments(EXPERIMENT)
            assert session is not None
            return session.columns[path]
        return self.root.columns.get(path)

    def _join(self, name: str, make: Any, condition: Any, *, below: str | None = None) -> Source:
        if name not in self._joins:
            table = make()
            self._joins[name] = (table, table.row, condition(table))
        if below is not None:
            self._below.setdefault(name, set()).add(below)
        return self._joins[name][0]

    def joined(self, statement: Any) -> Any:
        """Add the joins that the fields asked for so far need."""
        for name, (table, row, condition) in self._joins.items():
            types = {each for base in self._below.get(name, ()) for each in types_below(base)}
            narrowed = bool(types) and types < set(types_below(table.base))
            on = and_(condition, row.xsi_type.in_(sorted(types))) if narrowed else condition
            statement = statement.outerjoin(row, on)
        return statement

    @property
    def multiplies(self) -> bool:
        """Whether there may be several rows for one object of the root."""
        return any(name not in {"project", "subject", "session"} for name in self._joins)

    def order(self) -> list[Expression]:
        """Return what puts rows in a stable order: that of creation, and the same for what is joined."""
        return [self.row.number, *(row.number for _, row, _ in self._joins.values() if hasattr(row, "number"))]

    def of_type(self) -> Expression | None:
        """Return the condition that rows are of the root's type; None when the table has no others."""
        if self.root_type == self.root.base:
            return None
        return col(self.row.xsi_type).in_(types_below(self.root_type))


#: Types of which every experiment is one.
_OWN_TYPES = frozenset({EXPERIMENT, "xnat:subjectAssessorData"})


def types_below(xsi_type: str) -> list[str]:
    """Return the names of a type and of all that extend it."""
    named = MODEL.find(xsi_type)
    return [] if named is None else [name for name in MODEL.types if MODEL.is_a(name, named.name)]


def _column_ref(expression: Expression) -> FieldRef:
    if isinstance(expression.type, UtcDateTime):
        return FieldRef(expression, Kind.DATETIME)
    return FieldRef(expression, Kind.INTEGER if isinstance(expression.type, Integer) else Kind.TEXT)


def _row_field(table: Source, path: str, *, key: str, name: str, member: str) -> FieldRef | None:
    rows = MODEL.rows(table.base).get(path.lower())
    rows = rows or next(
        (MODEL.rows(t)[path.lower()] for t in types_below(table.base) if path.lower() in MODEL.rows(t)), None
    )
    if rows is None or rows.key is None or rows.key.lower() != key.lower():
        return None
    known = next((each for each in rows.names if each.lower() == member.lower()), None)
    if known is None:
        return None
    return FieldRef(RowMember(table.row.lists, rows.path, key=rows.key, name=name.strip("'\""), member=known))


def _nested_field(source: Source, type_name: str, path: str) -> FieldRef | None:
    """Return a member of the rows of a list without keys (provenance), or their value."""
    outer, _, last = path.rpartition("/")
    whole = MODEL.rows(type_name).get(path)
    if whole is not None and whole.value is not None:
        return FieldRef(*_of_rows(source, whole.path, whole.value))
    rows = MODEL.rows(type_name).get(outer)
    if rows is None or not rows.nested:
        return None
    member = next((name for name in rows.names if name.lower() == last), None)
    if member is None:
        return None
    return FieldRef(*_of_rows(source, rows.path, member), listed=source.row.lists[rows.path], member=member)


def _of_rows(source: Source, path: str, member: str) -> tuple[Expression, Kind, Select[Any]]:
    """Return a member of each row of a list, its kind, and the query over the rows."""
    rows = ListRows(source.row.lists, path).table_valued("value")
    return MemberOf(rows.c.value, member), Kind.TEXT, select(literal(1)).select_from(rows)


def _share_field(table: Source, member: str, visible: Any) -> FieldRef:
    """Return the projects, or the labels there, of shares into projects that may be seen."""
    share = aliased(ShareRow)
    rows = select(literal(1)).where(col(share.owner_kind) == table.share_kind, col(share.owner_id) == table.row.id)
    if visible is not None:
        rows = rows.where(col(share.project_id).in_(visible))
    expression = col(share.project_id) if member == "project" else col(share.label)
    return FieldRef(expression, rows=rows.correlate(table.row))
