"""Builds tables: rows with the requested columns, filters, and the envelope. Pure.

Standard columns are always there, since clients rely on some of them whatever they asked for; ``columns=`` adds to
them short names and xsi paths (the answer's key is then the lower-cased path).
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from embedded_xnat.domain.values import as_text
from embedded_xnat.schema.registry import MODEL
from embedded_xnat.schema.shortcuts import short_names

Row = dict[str, str]

#: Parameters of a listing that are no filters.
CONTROLS = frozenset({"columns", "format", "xsitype", "limit", "offset", "sortby", "sortorder", "xnat_csrf", "query"})


def requested_columns(columns: str | None, standard: Sequence[str]) -> list[str]:
    """Return the columns beyond the standard ones that a request asks for, in its order."""
    if not columns:
        return []
    known = {name.lower() for name in standard} | {"default"}
    wanted = [name.strip() for name in columns.split(",")]
    return [name for name in dict.fromkeys(wanted) if name and name.lower() not in known]


def column_value(
    name: str, xsi_type: str, data: Mapping[str, Any], *, related: Callable[[str, str], Any] | None = None
) -> str:
    """Return the value of a column that is no standard one; empty where the object has none.

    Parameters
    ----------
    related
        ``related(type, path)`` answers for columns of other objects, such as the subject of an experiment.
    """
    short = short_names(xsi_type).get(name)
    if short is not None:
        return as_text(data.get(short))
    head, separator, path = name.partition("/")
    named = MODEL.find(head) if separator else None
    if named is None:
        return ""
    if not MODEL.is_a(xsi_type, named.name):
        return as_text(related(named.name, path)) if related is not None else ""
    field = MODEL.fields(named.name).get(path.lower())
    return as_text(data.get(field.path)) if field is not None else ""


def column_key(name: str) -> str:
    """Return the key under which a column appears: xsi paths are lower-cased.

    Examples
    --------
    >>> column_key("xnat:mrSessionData/age"), column_key("label")
    ('xnat:mrsessiondata/age', 'label')
    """
    return name.lower() if "/" in name else name


def keep_matching(rows: Iterable[Row], parameters: Iterable[tuple[str, str]]) -> list[Row]:
    """Keep the rows that match the filters of a query, with ``*`` as a wildcard.

    Examples
    --------
    >>> keep_matching([{"label": "P01_MR1"}, {"label": "P02_MR1"}], [("label", "P01*"), ("format", "json")])
    [{'label': 'P01_MR1'}]
    """
    rows = list(rows)
    filters = [(name, pattern) for name, pattern in parameters if name.lower() not in CONTROLS]
    if not filters or not rows:
        return rows
    keys = {key.lower(): key for key in rows[0]}
    active = [(keys[name.lower()], pattern) for name, pattern in filters if name.lower() in keys]
    return [row for row in rows if all(_matches(row[key], pattern) for key, pattern in active)]


def _matches(value: str, pattern: str) -> bool:
    if "," in pattern:
        return any(_matches(value, part) for part in pattern.split(","))
    return fnmatchcase(value, pattern) if any(mark in pattern for mark in "*?[") else value == pattern


def table_document(rows: Sequence[Row], **members: Any) -> dict[str, Any]:
    """Return the envelope of a table; every value in it is a text."""
    return {"ResultSet": {"Result": list(rows), "totalRecords": str(len(rows)), **members}}


def table_csv(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return a table as CSV with a header line, quoted as XNAT does."""
    out = io.StringIO()
    names = list(rows[0]) if rows else list(columns)
    writer = csv.DictWriter(out, names, quoting=csv.QUOTE_ALL, lineterminator="\n", extrasaction="ignore")
    csv.writer(out, lineterminator="\n").writerow(names)
    writer.writerows(rows)
    return out.getvalue()
