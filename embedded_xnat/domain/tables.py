"""Builds tables: the requested columns, and the envelope as JSON, CSV or XML. Pure.

Standard columns are always there, since clients rely on some of them whatever they asked for; ``columns=`` adds to
them short names and xsi paths (the answer's key is then the lower-cased path).
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

Row = dict[str, str]

#: Parameters of a listing that are no filters.
CONTROLS = frozenset({"columns", "format", "xsitype", "limit", "offset", "sortby", "sortorder", "xnat_csrf", "query"})

_FORBIDDEN_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


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


def requested_columns(columns: str | None, standard: Sequence[str]) -> list[str]:
    """Return the columns beyond the standard ones that a request asks for, in its order."""
    if not columns:
        return []
    known = {name.lower() for name in standard} | {"default"}
    wanted = [name.strip() for name in columns.split(",")]
    return [name for name in dict.fromkeys(wanted) if name and name.lower() not in known]


def column_key(name: str) -> str:
    """Return the key under which a column appears: xsi paths are lower-cased.

    Examples
    --------
    >>> column_key("xnat:mrSessionData/age"), column_key("label")
    ('xnat:mrsessiondata/age', 'label')
    """
    return name.lower() if "/" in name else name


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


def table_xml(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return a table as XNAT's XML: the names of the columns, then the cells row by row.

    Examples
    --------
    >>> table_xml([{"ID": "P"}], ["ID"]).partition("<results>")[2]
    '<columns><column>ID</column></columns><rows><row><cell>P</cell></row></rows></results></ResultSet>'
    """
    names = list(rows[0]) if rows else list(columns)
    head = "".join(f"<column>{_in_xml(name)}</column>" for name in names)
    body = "".join(f"<row>{''.join(f'<cell>{_in_xml(row[name])}</cell>' for name in names)}</row>" for row in rows)
    total = quoteattr(str(len(rows)))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ResultSet totalRecords={total}><results>'
        f"<columns>{head}</columns><rows>{body}</rows></results></ResultSet>"
    )


def _in_xml(text: str) -> str:
    return escape(_FORBIDDEN_IN_XML.sub("\ufffd", text))
