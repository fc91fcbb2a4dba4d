"""Reads the fields that a PUT sets, and applies them to an object's values. Pure.

Paths are XNAT's XML paths: ``T/parameters/tr``, ``T/demographics[@xsi:type=…]/age``,
``T/fields/field[name=x]/field``, ``T/list[3]/x``; ``NULL`` deletes.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from embedded_xnat.contract.errors import BadField
from embedded_xnat.domain.values import Value, convert
from embedded_xnat.schema.model import Field, Rows
from embedded_xnat.schema.registry import MODEL
from embedded_xnat.schema.shortcuts import short_names

Data = dict[str, Any]
Lists = dict[str, list[dict[str, Any]]]

#: Fields that are columns of their own or follow from the object's place; a PUT does not store them as fields.
IDENTITY = frozenset({"id", "project", "subject_id", "imagesession_id", "image_session_id", "label"})
DELETE = "NULL"
MAX_ROWS = 10_000

_TYPE_PREDICATE = re.compile(r"\[@xsi:type=[^\]]*\]")
_ROW = re.compile(r"(?P<list>[^\[\]]+)\[(?P<selector>[^\]]*)\](?:/(?P<member>.+))?")


@dataclass(frozen=True)
class SetField:
    """Set a field; ``value`` None deletes it."""

    path: str
    value: Value | None


@dataclass(frozen=True)
class SetRow:
    """Set a member of a row; ``member`` or ``value`` None deletes the row.

    Parameters
    ----------
    key, index
        The row by the value of its key, or by its place counted from 1.
    """

    rows: Rows
    key: str | None
    index: int | None
    member: str | None
    value: str | None


Change = SetField | SetRow


@dataclass(frozen=True)
class Changes:
    """What a request wants: fields to set, and the identity it names on the way.

    Parameters
    ----------
    identity
        Lower-cased names such as ``label`` with the value given in the field form.
    """

    changes: tuple[Change, ...]
    identity: Mapping[str, str]


def read_changes(parameters: Iterable[tuple[str, str]], xsi_type: str) -> Changes:
    """Read the parameters of a PUT for an object of a type.

    Raises
    ------
    BadField
        If a path names no field of the type, or a value does not fit.

    Examples
    --------
    >>> changes = read_changes([("xnat:mrScanData/parameters/tr", "2.3"), ("format", "json")], "xnat:mrScanData")
    >>> changes.changes
    (SetField(path='parameters/tr', value=2.3),)
    """
    found: list[Change] = []
    identity: dict[str, str] = {}
    short = {name.lower(): path for name, path in short_names(xsi_type).items()}
    for name, text in parameters:
        path = _path_below_type(name, xsi_type)
        if path is None:
            path = short.get(name.lower())
        if path is None:
            continue
        if path.lower() in IDENTITY:
            identity[path.lower()] = text
            continue
        change = _read_change(_TYPE_PREDICATE.sub("", path), text, xsi_type)
        if change is not None:
            found.append(change)
    return Changes(tuple(found), identity)


def _path_below_type(name: str, xsi_type: str) -> str | None:
    """Return the path without its leading type; None when the name is no path at all."""
    head, separator, rest = name.partition("/")
    if not separator or ":" not in head:
        return None
    named = MODEL.find(head)
    if named is None or not (MODEL.is_a(xsi_type, named.name) or MODEL.is_a(named.name, xsi_type)):
        raise BadField(name, f"does not belong to {xsi_type}")
    return rest


def _read_change(path: str, text: str, xsi_type: str) -> Change | None:
    if "[" in path:
        return _read_row(path, text, xsi_type)
    field = MODEL.fields(xsi_type).get(path.lower())
    if field is None:
        raise BadField(path, f"is not known in {xsi_type}")
    return SetField(field.path, None if text == DELETE else convert(field, text))


def _read_row(path: str, text: str, xsi_type: str) -> Change | None:
    match = _ROW.fullmatch(path)
    rows = MODEL.rows(xsi_type).get(match["list"].lower()) if match else None
    if match is None or rows is None:
        raise BadField(path, f"is not known in {xsi_type}")
    key, index = _read_selector(match["selector"], rows, path)
    member = match["member"]
    if member is None:
        if text != DELETE:
            raise BadField(path, "names a whole row, which can only be deleted")
        return SetRow(rows, key, index, None, None)
    known = next((name for name in rows.names if name.lower() == member.lower()), None)
    if known is None:
        if text == DELETE:  # xnatpy deletes a custom field x with a second path …/x=NULL
            return None
        raise BadField(path, f"is not known in {xsi_type}")
    return SetRow(rows, key, index, known, None if text == DELETE else _text(known, text))


def _text(member: str, text: str) -> str:
    return str(convert(Field(member), text))


def _read_selector(selector: str, rows: Rows, path: str) -> tuple[str | None, int | None]:
    name, separator, value = selector.partition("=")
    if not separator:
        if not (name.isascii() and name.isdigit() and len(name) < 10) or not 1 <= int(name) <= MAX_ROWS:
            raise BadField(path, "counts rows from 1")
        return None, int(name)
    if rows.key is None or name.strip().lstrip("@").lower() != rows.key.lower() or not value:
        raise BadField(path, f"selects rows by {rows.key or 'their number'}")
    value = _text(rows.key, value.strip("'\""))
    return (value.lower() if rows.path == "fields/field" else value), None


def apply_changes(changes: Iterable[Change], data: Data, lists: Lists) -> tuple[Data, Lists]:
    """Return the values of an object after the changes; the ones given stay as they are.

    Examples
    --------
    >>> apply_changes([SetField("note", "seen"), SetField("date", None)], {"date": "2026-02-03"}, {})
    ({'note': 'seen'}, {})
    """
    data = dict(data)
    lists = {path: [dict(row) for row in rows] for path, rows in lists.items()}
    places = _Places(lists)
    for change in changes:
        if isinstance(change, SetField):
            if change.value is None:
                data.pop(change.path, None)
            else:
                data[change.path] = change.value
        else:
            _apply_row(change, lists, places)
    return data, {path: rows for path, rows in lists.items() if rows}


class _Places:
    """Where in its list the row with a key is, found without looking through the list for each."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._known: dict[str, dict[Any, int]] = {}

    def of(self, change: SetRow) -> int | None:
        """Return the place of the row that is meant; None when it is not there yet."""
        path, key = change.rows.path, change.rows.key or ""
        if change.index is not None:
            return change.index - 1 if change.index <= len(self._lists[path]) else None
        if path not in self._known:
            rows = reversed(list(enumerate(self._lists[path])))
            self._known[path] = {row.get(key): place for place, row in rows}  # of two with one key the first
        return self._known[path].get(change.key)

    def note(self, change: SetRow, place: int) -> None:
        """Say that the row that was not there is now."""
        self._known.get(change.rows.path, {})[change.key] = place

    def forget(self, path: str) -> None:
        """Say that rows of a list have other places, or keys."""
        self._known.pop(path, None)


def _apply_row(change: SetRow, lists: Lists, places: _Places) -> None:
    path = change.rows.path
    rows = lists.setdefault(path, [])
    place = places.of(change)
    if change.member is None or (change.value is None and change.member == change.rows.value):
        if place is not None:
            del rows[place]
            places.forget(path)
        return
    if place is None:
        if change.value is None:
            return
        if change.index is not None and change.index != len(rows) + 1:
            raise BadField(path, f"has {len(rows)} rows")
        if len(rows) >= MAX_ROWS:
            raise BadField(path, f"has {MAX_ROWS:,} rows at most")
        rows.append({change.rows.key: change.key} if change.rows.key and change.key is not None else {})
        place = len(rows) - 1
        places.note(change, place)
    if change.member == change.rows.key and change.value != change.key:
        places.forget(path)
    if change.value is None:
        rows[place].pop(change.member, None)
    else:
        rows[place][change.member] = change.value
