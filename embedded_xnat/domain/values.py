"""Converts the text of a request to the value of a field, and back to the text of a table. Pure."""

import math
import re
from datetime import date, datetime, time

from embedded_xnat.contract.errors import BadField
from embedded_xnat.schema.model import Field, Kind

Value = str | int | float

_DURATION = re.compile(r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})


def convert(field: Field, text: str) -> Value:
    """Return the value that a text stands for.

    Raises
    ------
    BadField
        If the text is no value of the field's kind. The text itself is not repeated: it may name a person.

    Examples
    --------
    >>> convert(Field("parameters/tr", Kind.FLOAT), "2.3")
    2.3
    """
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadField(field.path, "cannot hold this character")
    if field.kind in {Kind.INTEGER, Kind.LONG}:
        return _integer(field, text)
    if field.kind in {Kind.FLOAT, Kind.DOUBLE}:
        return _number(field, text)
    if field.kind is Kind.BOOLEAN:
        return "true" if truth(text, name=field.path) else "false"
    if field.kind in {Kind.DATE, Kind.TIME, Kind.DATETIME, Kind.DURATION}:
        return _moment(field, text)
    if field.max_length is not None and len(text) > field.max_length:
        raise BadField(field.path, f"holds at most {field.max_length} characters")
    if field.values and text not in field.values:
        raise BadField(field.path, f"must be one of {', '.join(field.values)}")
    return text


def truth(text: str | None, *, name: str, default: bool = False) -> bool:
    """Read a flag of a query: ``true``, ``True``, ``1``.

    Raises
    ------
    BadField
        If it is neither true nor false.
    """
    if text is None:
        return default
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise BadField(name, "must be true or false")


def as_text(value: object) -> str:
    """Return a value as tables show it: always a text, empty for nothing.

    Examples
    --------
    >>> as_text(None), as_text(2.0), as_text("a")
    ('', '2.0', 'a')
    """
    return "" if value is None else str(value)


def _integer(field: Field, text: str) -> int:
    try:
        number = int(text.strip())
    except ValueError as error:
        raise BadField(field.path, "must be a whole number") from error
    if abs(number) >= 2**63:
        raise BadField(field.path, "is too large")
    return number


def _number(field: Field, text: str) -> float:
    try:
        number = float(text.strip())
    except ValueError as error:
        raise BadField(field.path, "must be a number") from error
    if not math.isfinite(number):
        raise BadField(field.path, "must be a finite number")
    return number


def _moment(field: Field, text: str) -> str:
    text = text.strip()
    try:
        if field.kind is Kind.DATE:
            if american := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text):
                month, day, year = (int(part) for part in american.groups())
                return date(year, month, day).isoformat()
            return date.fromisoformat(text[:10] if "T" in text else text).isoformat()
        if field.kind is Kind.TIME:
            return time.fromisoformat(text).isoformat()
        if field.kind is Kind.DATETIME:
            return datetime.fromisoformat(text).isoformat()
    except ValueError as error:
        raise BadField(field.path, f"must be a {field.kind.name.lower()} such as ISO 8601 writes it") from error
    if not _DURATION.fullmatch(text):
        raise BadField(field.path, "must be a duration such as ISO 8601 writes it")
    return text
