"""What SQLite and PostgreSQL say differently: rows of a JSON list and their members, a shell pattern. May import SQLAlchemy."""

import re
from typing import Any

from sqlalchemy import Boolean, ColumnElement, String, cast, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from embedded_xnat.contract.errors import BadRequest

#: More of them in one pattern could keep the engine busy for long.
MAX_WILDCARDS = 4

#: A set of characters, or one character.
_PART = re.compile(r"\[.[^\]]*\]|.", re.DOTALL)


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


class ListRows(FunctionElement[Any]):
    """The rows of a list, to be selected from; each is its `value`.

    Parameters
    ----------
    lists, path
        The column of lists, and the path of the list.
    """

    name = "list_rows"
    inherit_cache = True

    def __init__(self, lists: Any, path: str) -> None:
        super().__init__(lists, literal(path, String()))


@compiles(ListRows, "sqlite")
def _rows_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    lists, path = (compiler.process(each, **options) for each in element.clauses)
    return f"json_each({lists}, '$.\"' || {path} || '\"')"


@compiles(ListRows, "postgresql")
def _rows_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    lists, path = (compiler.process(each, **options) for each in element.clauses)
    return f"jsonb_array_elements({lists} -> {path})"


class MemberOf(FunctionElement[str]):
    """A member of one of the `ListRows`."""

    name = "member_of"
    type = String()
    inherit_cache = True

    def __init__(self, value: Any, member: str) -> None:
        super().__init__(value, literal(member, String()))


@compiles(MemberOf, "sqlite")
def _member_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    value, member = (compiler.process(each, **options) for each in element.clauses)
    return f"json_extract({value}, '$.' || {member})"


@compiles(MemberOf, "postgresql")
def _member_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    value, member = (compiler.process(each, **options) for each in element.clauses)
    return f"({value} ->> {member})"


class MatchesShell(FunctionElement[bool]):
    """Whether a text matches a shell pattern, by the database's own means.

    SQLite's REGEXP is Python's `re`: one pattern of three stars on a long text keeps all threads of the process waiting.
    """

    name = "matches_shell"
    type = Boolean()
    inherit_cache = True

    def __init__(self, text: ColumnElement[Any], pattern: str) -> None:
        super().__init__(cast(text, String), literal(shell_glob(pattern)), literal(shell_regex(pattern)))


@compiles(MatchesShell, "sqlite")
def _glob_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    text, glob, _regex = element.clauses
    return f"({compiler.process(text, **options)} GLOB {compiler.process(glob, **options)})"


@compiles(MatchesShell, "postgresql")
def _regex_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    text, _glob, regex = element.clauses
    return f"({compiler.process(text, **options)} ~ {compiler.process(regex, **options)})"


def is_pattern(text: str) -> bool:
    """Tell whether a filter has wildcards."""
    return any(mark in text for mark in "*?[")


def like_shell(expression: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Return the condition that a text matches a shell pattern: ``*``, ``?``, ``[abc]``, ``[!a-c]``, case counts.

    Raises
    ------
    BadRequest
    """
    pattern = re.sub(r"\*+", "*", pattern)
    if sum(part == "*" for part in _PART.findall(pattern)) > MAX_WILDCARDS:
        raise BadRequest(f"A filter has at most {MAX_WILDCARDS} stars.")
    return MatchesShell(expression, pattern)


def shell_glob(pattern: str) -> str:
    """Return a shell pattern as SQLite's GLOB writes it.

    Examples
    --------
    >>> shell_glob("P0[!12]_*["), shell_glob("[^a]")
    ('P0[^12]_*[[]', '[a^a]')
    """
    return "".join(map(_glob_part, _PART.findall(pattern)))


def _glob_part(part: str) -> str:
    if len(part) == 1:
        return "[[]" if part == "[" else part
    inner = part[1:-1]
    if inner.startswith("!"):
        return f"[^{inner[1:]}]"
    if inner == "^":
        return inner
    # an accent in front would mean all others
    return f"[{inner[-1]}{inner}]" if inner.startswith("^") else part


def shell_regex(pattern: str) -> str:
    """Return the regular expression of a shell pattern, as PostgreSQL writes it.

    Raises
    ------
    BadRequest
        If a set of characters is empty, or a range in it runs backwards.

    Examples
    --------
    >>> shell_regex("P0[!1-2]_*")
    '^P0[^1-2]_.*$'
    """
    return f"^{''.join(map(_regex_part, _PART.findall(pattern)))}$"


def _regex_part(part: str) -> str:
    if len(part) == 1:
        return {"*": ".*", "?": "."}.get(part) or re.escape(part)
    inner = part[1:-1]
    ranges = re.findall(r"(.)(?:-(.))?", inner.removeprefix("!"), re.DOTALL)
    if not ranges or any(high and low > high for low, high in ranges):
        raise BadRequest("The brackets of this filter make no sense.")
    members = "".join(f"{re.escape(low)}-{re.escape(high)}" if high else re.escape(low) for low, high in ranges)
    return f"[^{members}]" if inner.startswith("!") else f"[{members}]"
