"""What SQLite and PostgreSQL say differently: a member of a row in a JSON list, a shell pattern. May import SQLAlchemy."""

import re
from typing import Any

from sqlalchemy import ColumnElement, String, cast, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from embedded_xnat.contract.errors import BadRequest

#: More of them in one pattern could keep the engine busy for long.
MAX_WILDCARDS = 4


class RowMember(FunctionElement[str]):
    """A member of the first row of a list whose key has a value; with an empty key, of the first row.

    Parameters
    ----------
    lists
        The column of lists.
    path, key, name, member
        Path of the list, the member that names its rows, the name looked for, and the member that is wanted.
    """

    name = "row_member"
    type = String()
    inherit_cache = True

    def __init__(self, lists: Any, path: str, *, key: str, name: str, member: str) -> None:
        texts = [literal(text, String()) for text in (path, key, name.lower(), member)]
        super().__init__(lists, *texts)


@compiles(RowMember, "sqlite")
def _on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    lists, path, key, name, member = (compiler.process(each, **options) for each in element.clauses)
    return (  # nothing of a request is in it: all texts are bound parameters
        f"(SELECT json_extract(one.value, '$.' || {member}) FROM json_each({lists}, '$.\"' || {path} || '\"') AS one "  # noqa: S608
        f"WHERE {key} = '' OR lower(json_extract(one.value, '$.' || {key})) = {name} LIMIT 1)"
    )


@compiles(RowMember, "postgresql")
def _on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    lists, path, key, name, member = (compiler.process(each, **options) for each in element.clauses)
    return (
        f"(SELECT one.value ->> {member} FROM jsonb_array_elements({lists} -> {path}) AS one(value) "  # noqa: S608
        f"WHERE {key} = '' OR lower(one.value ->> {key}) = {name} LIMIT 1)"
    )


def is_pattern(text: str) -> bool:
    """Tell whether a filter has wildcards."""
    return any(mark in text for mark in "*?[")


def like_shell(expression: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Return the condition that a text matches a shell pattern: ``*``, ``?``, ``[abc]``, case counts.

    Examples
    --------
    >>> shell_regex("P0[12]_*")
    '^P0[12]_.*$'
    """
    return cast(expression, String).regexp_match(shell_regex(pattern))


def shell_regex(pattern: str) -> str:
    """Return the regular expression of a shell pattern, in what SQLite's and PostgreSQL's engines share.

    Raises
    ------
    BadRequest
    """
    pattern = re.sub(r"\*+", "*", pattern)
    out, wildcards = "", 0
    position = 0
    while position < len(pattern):
        mark = pattern[position]
        position += 1
        if mark == "*":
            out, wildcards = out + ".*", wildcards + 1
        elif mark == "?":
            out += "."
        elif mark == "[" and (end := pattern.find("]", position + 1)) > 0:
            members = pattern[position:end]
            negated = "^" if members.startswith("!") else ""
            inner = "".join(
                each if each.isalnum() or each == "-" else f"\\{each}" for each in members.removeprefix("!")
            )
            out, position = f"{out}[{negated}{inner}]", end + 1
        else:
            out += re.escape(mark)
    if wildcards > MAX_WILDCARDS:
        raise BadRequest(f"A filter has at most {MAX_WILDCARDS} stars.")
    try:
        re.compile(out)
    except re.error as error:
        raise BadRequest("The brackets of this filter make no sense.") from error
    return f"^{out}$"
