r"""Filters of event subscriptions: JSONPath predicates over the payload of an event. Pure.

The part of JSONPath that such filters need, read into a tree and walked; nothing of it is ever run as code::

    predicate  = term ("||" term)*          term = factor ("&&" factor)*
    factor     = "!" factor | "(" predicate ")" | path [comparison]
    comparison = ("==" | "!=" | "<" | "<=" | ">" | ">=") value | "=~" /pattern/[i] | ("in" | "nin") "[" values "]"
    path       = "@" ("." name | "['name']" | "[*]" | "[0]")*

It may stand alone or as ``$[?(...)]``. A path with ``[*]`` matches when one of its values does. A pattern must match
the whole value, as in Java; patterns that could take long (groups that repeat, more than three repetitions) are
refused.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from embedded_xnat.contract.errors import BadRequest

MAX_LENGTH = 1000
MAX_DEPTH = 20
_MAX_TEXT = 200
_MAX_REPETITIONS = 3

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<operator>\|\||&&|==|!=|<=|>=|=~|[<>!()\[\],])
      | (?P<path>@(?:\.[A-Za-z_][\w\-]*|\[\s*'[^'\]]{1,100}'\s*\]|\[\s*"[^"\]]{1,100}"\s*\]|\[(?:\*|\d{1,4})\])*)
      | (?P<pattern>/(?:[^/\\]|\\.)*/i?)
      | (?P<text>'[^']*'|"[^"]*")
      | (?P<number>-?\d{1,15}(?:\.\d{1,15})?)
      | (?P<word>\w+)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r"""\.([A-Za-z_][\w\-]*)|\[\s*['"]([^'"]+)['"]\s*\]|\[(\*|\d+)\]""")
_WRAPPED = re.compile(r"\$\.?\[\?\s*\((?P<inner>.*)\)\s*\]", re.DOTALL)

Predicate = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def read_filter(text: str) -> Predicate:
    """Return the predicate that a filter means.

    Raises
    ------
    BadRequest
        If it cannot be read, with where.

    Examples
    --------
    >>> fits = read_filter('(@.xsiType == "xnat:mrSessionData" && @.scans[*].type =~ /T1.*/i)')
    >>> fits({"xsiType": "xnat:mrSessionData", "scans": [{"type": "FLAIR"}, {"type": "t1 w"}]})
    True
    >>> fits({"xsiType": "xnat:ctSessionData", "scans": []})
    False
    """
    if len(text) > MAX_LENGTH:
        raise BadRequest(f"The filter is longer than {MAX_LENGTH} characters.")
    wrapped = _WRAPPED.fullmatch(text.strip())
    reader = _Reader(_tokens(wrapped["inner"] if wrapped else text))
    found = reader.predicate()
    if not reader.is_at_end:
        raise _unreadable(reader.here)
    return found


def _unreadable(where: str) -> BadRequest:
    return BadRequest(f"The filter is no JSONPath predicate such as (@.xsiType == 'xnat:mrSessionData'); see {where}.")


def _tokens(text: str) -> list[_Token]:
    found, place, text = [], 0, text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise _unreadable(f"character {place + 1}")
        found.append(_Token(match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return found


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    @property
    def is_at_end(self) -> bool:
        return self._place >= len(self._tokens)

    @property
    def here(self) -> str:
        return "its end" if self.is_at_end else f"the part number {self._place + 1}"

    def predicate(self) -> Predicate:
        terms = [self._term()]
        while self._take("||"):
            terms.append(self._term())
        return lambda payload: any(term(payload) for term in terms)

    def _term(self) -> Predicate:
        factors = [self._factor()]
        while self._take("&&"):
            factors.append(self._factor())
        return lambda payload: all(factor(payload) for factor in factors)

    def _factor(self) -> Predicate:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BadRequest("The filter has too many parentheses inside each other.")
        try:
            if self._take("!"):
                inner = self._factor()
                return lambda payload: not inner(payload)
            if self._take("("):
                inner = self.predicate()
                self._expect(")")
                return inner
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Predicate:
        path = _steps(self._next("path"))
        operator = None if self.is_at_end else self._tokens[self._place].text
        if operator in _COMPARE:
            self._place += 1
            compare, wanted = _COMPARE[operator], self._value()
            return lambda payload: any(compare(value, wanted) for value in _values(payload, path))
        if self._take("=~"):
            pattern = _pattern(self._next("pattern"))
            return lambda payload: any(_matches(pattern, value) for value in _values(payload, path))
        if operator in {"in", "nin"}:
            self._place += 1
            wanted_values = self._list()
            is_in = operator == "in"
            return lambda payload: any((value in wanted_values) is is_in for value in _values(payload, path))
        return lambda payload: any(value not in {None, False, ""} for value in map(_plain, _values(payload, path)))

    def _list(self) -> list[Any]:
        self._expect("[")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._expect("]")
        return values

    def _value(self) -> Any:
        token = None if self.is_at_end else self._tokens[self._place]
        self._place += 1
        if token is not None and token.kind == "text":
            return token.text[1:-1]
        if token is not None and token.kind == "number":
            return float(token.text)
        constants = {"true": True, "false": False, "null": None}
        if token is not None and token.text in constants:
            return constants[token.text]
        self._place -= 1
        raise _unreadable(self.here)

    def _next(self, kind: str) -> str:
        if self.is_at_end or self._tokens[self._place].kind != kind:
            raise _unreadable(self.here)
        self._place += 1
        return self._tokens[self._place - 1].text

    def _take(self, text: str) -> bool:
        found = not self.is_at_end and self._tokens[self._place] == _Token("operator", text)
        self._place += found
        return found

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise _unreadable(self.here)


def _steps(path: str) -> list[str]:
    return [name or key or index for name, key, index in _STEP.findall(path)]


def _values(payload: Any, path: Iterable[str]) -> list[Any]:
    found = [payload]
    for step in path:
        following: list[Any] = []
        for value in found:
            if isinstance(value, Mapping) and step in value:
                following.append(value[step])
            elif isinstance(value, list) and step == "*":
                following.extend(value)
            elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
                following.append(value[int(step)])
        found = following
    return found


def _plain(value: Any) -> Any:
    return bool(value) if isinstance(value, dict | list) else value


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value[:_MAX_TEXT]) is not None


def _pattern(token: str) -> re.Pattern[str]:
    source, _, flags = token[1:].rpartition("/")
    bare = re.sub(r"\\.|\[[^\]]*\]", "x", source)
    repetitions, groups = len(re.findall(r"[*+?{]", bare)), bare.count("(")
    if re.search(r"\)[*+?{]", bare) or "(?" in bare or max(repetitions, groups) > _MAX_REPETITIONS:
        raise BadRequest(
            "The pattern of the filter repeats too much; use at most three of * + ? {} and three groups, repeat no group."
        )
    if re.search(r"\\[1-9]", source):
        raise BadRequest("The pattern of the filter refers back to a group, which is not possible here.")
    try:
        return re.compile(source, re.IGNORECASE if flags else 0)
    except (re.error, OverflowError) as error:
        raise BadRequest("The pattern of the filter is no regular expression.") from error


def _ordered(decide: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(value: Any, wanted: Any) -> bool:
        both_text = isinstance(value, str) and isinstance(wanted, str)
        both_number = isinstance(value, int | float) and isinstance(wanted, int | float)
        return (both_text or both_number) and decide(value, wanted)

    return compare


_COMPARE: Mapping[str | None, Callable[[Any, Any], bool]] = {
    "==": lambda value, wanted: bool(value == wanted),
    "!=": lambda value, wanted: bool(value != wanted),
    "<": _ordered(lambda value, wanted: bool(value < wanted)),
    "<=": _ordered(lambda value, wanted: bool(value <= wanted)),
    ">": _ordered(lambda value, wanted: bool(value > wanted)),
    ">=": _ordered(lambda value, wanted: bool(value >= wanted)),
}
