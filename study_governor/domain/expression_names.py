"""The functions, methods and attributes that conditions know; whatever is not here does not exist for them.

Each method is a function of our own over the owner's type, so that none can make a value of unbounded size.
May import `study_governor.domain` and the contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from study_governor.contract.states import ExecutionResult, ExecutionStatus
from study_governor.domain.expression_limits import BudgetSpent
from study_governor.domain.facts import ExecutionFacts, ExperimentFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_TEXT = 20_000
MAX_RANGE = 5_000
_MAX_DIGITS = 300
_MAX_ROUND = 20


@dataclass(frozen=True, slots=True)
class DatetimeClass:
    """``datetime.datetime`` without a call: it has ``now()``, ``utcnow()``, ``today()`` and ``fromisoformat()``."""

    this_moment: datetime

    def at(self, tz: timezone | None = None) -> datetime:
        """Return this moment; naive in UTC without a zone."""
        return self.this_moment if tz is None else self.this_moment.replace(tzinfo=UTC).astimezone(tz)


@dataclass(frozen=True, slots=True)
class DateClass:
    """``datetime.date`` without a call: it has ``today()`` and ``fromisoformat()``."""

    this_moment: datetime


@dataclass(frozen=True, slots=True)
class TimezoneClass:
    """``datetime.timezone``: it has ``utc``."""

    utc: timezone = UTC


class Datetime:
    """What conditions see as the module ``datetime``.

    Parameters
    ----------
    now
        This moment, naive, in UTC.
    """

    def __init__(self, now: datetime) -> None:
        self.datetime = DatetimeClass(now)
        self.date = DateClass(now)
        self.timezone = TimezoneClass()
        self.UTC = UTC


def _text(value: Any = "") -> str:
    if isinstance(value, (str, bool, int, float, datetime, date, time, timedelta)) or value is None:
        return str(value)
    raise TypeError("str() takes text, a number or a date")


def _int(value: Any = 0) -> int:
    if isinstance(value, str) and len(value) > _MAX_DIGITS:
        raise BudgetSpent
    return int(value)


def _float(value: Any = 0.0) -> float:
    if isinstance(value, str) and len(value) > _MAX_DIGITS:
        raise BudgetSpent
    return float(value)


def _bool(value: Any = False) -> bool:
    return bool(value)


def _elements(values: Any) -> Any:
    if isinstance(values, str) and len(values) > MAX_TEXT:
        raise BudgetSpent
    if not isinstance(values, (str, dict, list, tuple, set, frozenset)):
        raise TypeError("a list, tuple, set, dict or text is needed")
    return values


def _list(values: Any = ()) -> list[Any]:
    return list(_elements(values))


def _tuple(values: Any = ()) -> tuple[Any, ...]:
    return tuple(_elements(values))


def _set(values: Any = ()) -> set[Any]:
    return set(_elements(values))


def _dict(values: Any = ()) -> dict[Any, Any]:
    return dict(_elements(values))


def _sorted(values: Any, reverse: Any = False) -> list[Any]:
    return sorted(_elements(values), reverse=bool(reverse))


def _reversed(values: Any) -> list[Any]:
    return list(_elements(values))[::-1]


def _range(*bounds: int) -> list[int]:
    made = range(*bounds)
    if not -MAX_RANGE <= made.start <= MAX_RANGE * MAX_RANGE or made[: MAX_RANGE + 1][-1:] != made[-1:]:
        raise BudgetSpent
    return list(made)


def _sum(values: Any, start: Any = 0) -> Any:
    if not all(isinstance(value, (int, float, timedelta)) for value in [*_elements(values), start]):
        raise TypeError("sum() adds numbers")
    return sum(values, start)


def _round(value: Any, digits: Any = None) -> Any:
    if digits is not None and (not isinstance(digits, int) or abs(digits) > _MAX_ROUND):
        raise BudgetSpent
    return round(value, digits)


def _enumerate(values: Any, start: Any = 0) -> list[Any]:
    return list(enumerate(_elements(values), start))


def _zip(*values: Any) -> list[Any]:
    return list(zip(*(_elements(value) for value in values), strict=False))


def _isinstance(value: Any, kinds: Any) -> bool:
    wanted = kinds if isinstance(kinds, tuple) else (kinds,)
    try:
        return isinstance(value, tuple(_TYPES[kind] for kind in wanted))
    except (KeyError, TypeError):
        raise TypeError("isinstance() takes bool, int, float, str, list, dict, tuple or set") from None


FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "abs": abs,
        "all": lambda values: all(_elements(values)),
        "any": lambda values: any(_elements(values)),
        "bool": _bool,
        "dict": _dict,
        "enumerate": _enumerate,
        "float": _float,
        "int": _int,
        "isinstance": _isinstance,
        "len": len,
        "list": _list,
        "max": lambda *values: max(_elements(values[0]) if len(values) == 1 else values),
        "min": lambda *values: min(_elements(values[0]) if len(values) == 1 else values),
        "range": _range,
        "reversed": _reversed,
        "round": _round,
        "set": _set,
        "sorted": _sorted,
        "str": _text,
        "sum": _sum,
        "tuple": _tuple,
        "zip": _zip,
    }
)

_TYPES: Mapping[Any, type] = {
    _bool: bool,
    _int: int,
    _float: float,
    _text: str,
    _list: list,
    _dict: dict,
    _tuple: tuple,
    _set: set,
}


def _replace_text(owner: str, old: str, new: str) -> str:
    if len(owner) + (owner.count(old)) * len(new) > MAX_TEXT:
        raise BudgetSpent
    return owner.replace(old, new)


def _join(owner: str, values: Any) -> str:
    parts = [part for part in _elements(values) if isinstance(part, str)]
    if len(parts) != len(values):
        raise TypeError("join() takes texts")
    if sum(map(len, parts)) + len(owner) * len(parts) > MAX_TEXT:
        raise BudgetSpent
    return owner.join(parts)


def _plain(name: str) -> Callable[..., Any]:
    """Return a method that makes nothing longer than its owner."""
    return lambda owner, *arguments: getattr(owner, name)(*arguments)


def _with_keywords(name: str) -> Callable[..., Any]:
    return lambda owner, *arguments, **named: getattr(owner, name)(*arguments, **named)


_TEXT_METHODS = [
    "lower",
    "upper",
    "casefold",
    "capitalize",
    "title",
    "strip",
    "lstrip",
    "rstrip",
    "startswith",
    "endswith",
    "split",
    "rsplit",
    "splitlines",
    "partition",
    "rpartition",
    "removeprefix",
    "removesuffix",
    "find",
    "rfind",
    "index",
    "count",
    "isdigit",
    "isalpha",
    "isalnum",
    "isspace",
    "islower",
    "isupper",
    "isnumeric",
    "isdecimal",
]
_SET_METHODS = ["union", "intersection", "difference", "issubset", "issuperset", "isdisjoint"]
_MOMENT_METHODS = ["date", "time", "isoformat", "weekday", "isoweekday", "timestamp"]


def _methods() -> dict[str, dict[type, Callable[..., Any]]]:
    table: dict[str, dict[type, Callable[..., Any]]] = {}

    def add(name: str, kind: type, function: Callable[..., Any]) -> None:
        table.setdefault(name, {})[kind] = function

    for name in _TEXT_METHODS:
        add(name, str, _plain(name))
    for name in _SET_METHODS:
        add(name, set, _plain(name))
    for name in _MOMENT_METHODS:
        add(name, datetime, _plain(name))
    for name in ("isoformat", "weekday", "isoweekday"):
        add(name, date, _plain(name))
    for kind in (list, tuple):
        add("count", kind, _plain("count"))
        add("index", kind, _plain("index"))
    add("replace", str, _replace_text)
    add("replace", datetime, _with_keywords("replace"))
    add("replace", date, _with_keywords("replace"))
    add("astimezone", datetime, _plain("astimezone"))
    add("join", str, _join)
    add("get", dict, _plain("get"))
    add("keys", dict, list)
    add("values", dict, lambda owner: list(owner.values()))
    add("items", dict, lambda owner: list(owner.items()))
    add("is_integer", float, _plain("is_integer"))
    add("total_seconds", timedelta, _plain("total_seconds"))
    add("datetime", Datetime, lambda _owner, *arguments, **named: datetime(*arguments, **named))  # noqa: DTZ001 - the language's own
    add("date", Datetime, lambda _owner, *arguments, **named: date(*arguments, **named))
    add("time", Datetime, lambda _owner, *arguments, **named: time(*arguments, **named))
    add("timedelta", Datetime, lambda _owner, *arguments, **named: timedelta(*arguments, **named))
    add("timezone", Datetime, lambda _owner, offset: timezone(offset))
    add("now", DatetimeClass, lambda owner, tz=None: owner.at(tz))
    add("utcnow", DatetimeClass, lambda owner: owner.at())
    add("today", DatetimeClass, lambda owner: owner.at())
    add("today", DateClass, lambda owner: owner.this_moment.date())
    add("fromisoformat", DatetimeClass, lambda _owner, text: datetime.fromisoformat(text))
    add("fromisoformat", DateClass, lambda _owner, text: date.fromisoformat(text))
    return table


#: By method name: the types that have it, each with the function that stands for it.
METHODS: Mapping[str, Mapping[type, Callable[..., Any]]] = MappingProxyType(_methods())

#: By type: the attributes that can be read.
ATTRIBUTES: Mapping[type, frozenset[str]] = MappingProxyType(
    {
        ExperimentFacts: frozenset({"label", "scandate", "state", "variables"}),
        ExecutionFacts: frozenset({"status", "result", "result_values"}),
        ExecutionStatus: frozenset({"value", "name"}),
        ExecutionResult: frozenset({"value", "name"}),
        Datetime: frozenset({"datetime", "date", "timezone", "UTC"}),
        TimezoneClass: frozenset({"utc"}),
        datetime: frozenset({"year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo"}),
        date: frozenset({"year", "month", "day"}),
        time: frozenset({"hour", "minute", "second", "microsecond"}),
        timedelta: frozenset({"days", "seconds", "microseconds"}),
    }
)

#: Names of arguments that calls may use.
KEYWORDS = frozenset(
    [
        "year",
        "month",
        "day",
        "hour",
        "minute",
        "second",
        "microsecond",
        "tzinfo",
        "tz",
        "days",
        "seconds",
        "microseconds",
        "milliseconds",
        "minutes",
        "hours",
        "weeks",
        "reverse",
        "start",
    ]
)
