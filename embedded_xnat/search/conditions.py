"""Conditions on fields as SQL: the comparisons of a search, and the filters of a listing. May import SQLAlchemy."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, exists, func, or_, true

from embedded_xnat.contract.errors import BadField
from embedded_xnat.schema.model import Kind
from embedded_xnat.search.plans import FieldRef
from embedded_xnat.search.sql import is_pattern, like_shell

#: What may stand behind `where`.
Condition = Any

NUMBERS = frozenset({Kind.INTEGER, Kind.LONG, Kind.FLOAT, Kind.DOUBLE})
OPERATORS = ("=", "!=", "<>", ">=", "<=", ">", "<", "LIKE", "NOT LIKE", "IN", "NOT IN", "IS", "IS NOT", "BETWEEN")
MAX_VALUES = 500
MAX_CHARS = 4000

_EVERYTHING = true()
_PREFIX = re.compile(r"(>=|<=|!=|>|<|=)(.+)")
_RANGE = re.compile(r"(\d{1,2}/\d{1,2}/\d{4})-(\d{1,2}/\d{1,2}/\d{4})")


def comparison(ref: FieldRef, operator: str, value: str, *, name: str) -> Condition:
    """Return a comparison of a search.

    Parameters
    ----------
    operator
        One of `OPERATORS`, in any case.
    name
        What the request calls the field, for error messages.

    Raises
    ------
    BadField
        If there is no such operator, or the value does not fit the field.
    """
    _check_text(value, name=name)
    operator = " ".join(operator.upper().split())
    if operator not in OPERATORS:
        raise BadField(name, f"can be compared by {', '.join(OPERATORS)} only")
    condition = _comparison(ref, operator, value, name=name)
    if ref.rows is None or condition is _EVERYTHING:
        return condition
    if operator == "IS":  # none of the rows has a value
        return ~exists(ref.rows.where(~condition))
    return exists(ref.rows.where(condition))


def _comparison(ref: FieldRef, operator: str, value: str, *, name: str) -> Condition:
    expression = ref.expression
    if operator in {"IS", "IS NOT"}:
        if value.strip().upper() != "NULL":
            raise BadField(name, f"can be compared by {operator} with NULL only")
        return expression.is_(None) if operator == "IS" else expression.is_not(None)
    if operator in {"LIKE", "NOT LIKE"}:
        if value.strip("%") == "" and value and operator == "LIKE":
            return _EVERYTHING  # what has no value too, as clients of XNAT expect
        found = func.lower(_text(expression)).like(value.lower())
        return found if operator == "LIKE" else or_(~found, expression.is_(None))
    if operator in {"IN", "NOT IN"}:
        values = [part.strip().strip("'\"") for part in value.strip().strip("()").split(",")]
        if len(values) > MAX_VALUES:
            raise BadField(name, f"can be compared with {MAX_VALUES} values at most")
        within = expression.in_([_value(ref, part, name=name) for part in values])
        return within if operator == "IN" else ~within
    if operator == "BETWEEN":
        low, separator, high = value.upper().partition(" AND ")
        if not separator:
            raise BadField(name, "lies BETWEEN two values with AND in the middle")
        return expression.between(_value(ref, low, name=name), _value(ref, high, name=name))
    return _ordered(ref, operator, value, name=name)


def _ordered(ref: FieldRef, operator: str, value: str, *, name: str) -> Condition:
    expression: Any = ref.expression
    wanted = _value(ref, value, name=name)
    if ref.kind is Kind.DATETIME and operator in {"=", "!=", "<>"} and len(value.strip()) <= len("2026-02-03"):
        try:
            following = wanted + timedelta(days=1)
        except OverflowError as error:
            raise BadField(name, "must be compared with a date before 9999-12-31") from error
        same_day = and_(expression >= wanted, expression < following)
        return same_day if operator == "=" else ~same_day
    match operator:
        case "=":
            return expression == wanted
        case "!=" | "<>":
            return or_(expression != wanted, expression.is_(None))
        case ">":
            return expression > wanted
        case ">=":
            return expression >= wanted
        case "<":
            return expression < wanted
        case _:
            return expression <= wanted


def filtered(ref: FieldRef, pattern: str, *, name: str) -> Condition:
    """Return the filter of a listing: values or shell patterns with commas between, comparisons, ranges of dates.

    Raises
    ------
    BadField
        If a value does not fit the field.
    """
    _check_text(pattern, name=name)
    parts = pattern.split(",")
    if len(parts) > MAX_VALUES:
        raise BadField(name, f"can be compared with {MAX_VALUES} values at most")
    return or_(*(_over_rows(ref, part, _filter_part(ref, part, name=name)) for part in parts))


def _over_rows(ref: FieldRef, part: str, condition: Condition) -> Condition:
    """Return a condition on a field with several values: it holds for one of them, or (for no value) for all."""
    if ref.rows is None:
        return condition
    return ~exists(ref.rows.where(~condition)) if part == "" else exists(ref.rows.where(condition))


def _filter_part(ref: FieldRef, part: str, *, name: str) -> Condition:
    if is_pattern(part) or "%" in part:
        return like_shell(ref.expression, part.replace("%", "*"))
    if ref.kind in {Kind.DATE, Kind.DATETIME} and (found := _RANGE.fullmatch(part)) is not None:
        low, high = (_value(ref, each, name=name) for each in found.groups())
        return ref.expression.between(low, high)
    if ref.kind is not Kind.TEXT and (compared := _PREFIX.fullmatch(part)) is not None:
        return _ordered(ref, compared[1], compared[2], name=name)
    if part == "":
        return or_(ref.expression.is_(None), _text(ref.expression) == "")
    return _ordered(ref, "=", part, name=name)


def _text(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(expression, String)


def _check_text(text: str, *, name: str) -> None:
    if len(text) > MAX_CHARS:
        raise BadField(name, f"is compared with at most {MAX_CHARS} characters")
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadField(name, "cannot hold this character")


def _value(ref: FieldRef, text: str, *, name: str) -> Any:
    text = text.strip()
    if ref.kind in NUMBERS:
        try:
            return float(text)
        except ValueError as error:
            raise BadField(name, "must be compared with a number") from error
    if ref.kind in {Kind.DATE, Kind.DATETIME}:
        moment = _moment(text, name=name)
        return moment if ref.kind is Kind.DATETIME else moment.date().isoformat()
    return text


def _moment(text: str, *, name: str) -> datetime:
    try:
        if american := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text):
            month, day, year = (int(part) for part in american.groups())
            return datetime(year, month, day, tzinfo=UTC)
        if len(text) == len("2026-02-03"):
            day_only = date.fromisoformat(text)
            return datetime(day_only.year, day_only.month, day_only.day, tzinfo=UTC)
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise BadField(name, "must be compared with a date: mm/dd/yyyy or yyyy-mm-dd") from error
