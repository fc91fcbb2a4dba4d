"""Builds the item form of an object from its values and the data model. Pure.

Single nested fields stay flat (``scanner/model``), objects of a named type become children of their own
(``demographics``), lists become children with one item a row, as XNAT's JSON has them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from embedded_xnat.schema.registry import MODEL

Item = dict[str, Any]


@dataclass(frozen=True)
class ItemSource:
    """What an item is built from.

    Parameters
    ----------
    identity
        Fields that follow from the object's place: ID, label, project.
    children
        Further children by field name, already in item form.
    """

    xsi_type: str
    identity: Mapping[str, Any]
    data: Mapping[str, Any]
    lists: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    start: datetime | None = None
    children: Mapping[str, Sequence[Item]] = field(default_factory=dict)


def build_item(source: ItemSource) -> Item:
    """Return the item of an object.

    Examples
    --------
    >>> item = build_item(ItemSource("xnat:subjectData", {"ID": "S1"}, {"demographics/age": 40, "group": "a"}))
    >>> item["data_fields"], item["children"][0]["items"][0]["data_fields"]
    ({'ID': 'S1', 'group': 'a'}, {'age': 40})
    """
    sub_objects = MODEL.sub_objects(source.xsi_type) if source.xsi_type in MODEL.types else ()
    flat = dict(source.data)
    children: list[dict[str, Any]] = []
    for sub_object in sub_objects:
        prefix = f"{sub_object.path}/"
        inner = {path.removeprefix(prefix): flat.pop(path) for path in list(flat) if path.startswith(prefix)}
        if inner:
            children.append({"field": sub_object.path, "items": [_bare_item(sub_object.concrete, inner)]})
    known = MODEL.rows(source.xsi_type) if source.xsi_type in MODEL.types else {}
    row_types = {rows.path: rows.row_type for rows in known.values()}
    for path, rows in source.lists.items():
        row_type = row_types.get(path) or f"{source.xsi_type}_{path.rpartition('/')[2]}"
        children.append({"field": path, "items": [_bare_item(row_type, dict(row)) for row in rows]})
    children.extend({"field": path, "items": list(items)} for path, items in source.children.items() if items)
    item = _bare_item(source.xsi_type, {**source.identity, **flat})
    if source.start is not None:
        item["meta"]["start_date"] = java_date(source.start)
    item["children"] = children
    return item


def _bare_item(xsi_type: str, data_fields: Mapping[str, Any]) -> Item:
    return {"meta": {"xsi:type": xsi_type, "isHistory": False}, "data_fields": dict(data_fields), "children": []}


def items_document(item: Item) -> dict[str, Any]:
    """Return the envelope of one item."""
    return {"items": [item]}


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def java_date(moment: datetime) -> str:
    """Write a moment as Java does, in English whatever the locale.

    Examples
    --------
    >>> from datetime import UTC
    >>> java_date(datetime(2026, 2, 3, 9, 15, tzinfo=UTC))
    'Tue Feb 03 09:15:00 UTC 2026'
    """
    return f"{_DAYS[moment.weekday()]} {_MONTHS[moment.month - 1]} {moment:%d %H:%M:%S} UTC {moment.year}"


def sql_date(moment: datetime) -> str:
    """Write a moment as XNAT's tables do: to a tenth of a second, without a zone.

    Examples
    --------
    >>> sql_date(datetime(2026, 2, 3, 9, 15))
    '2026-02-03 09:15:00.0'
    """
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 100_000}"
