r"""Reads anonymisation scripts: a subset of DicomEdit 6. Pure.

::

    version "6.1"                                     the first statement; 6.0 to 6.6
    // a comment
    (0010,0010) := "Anon"                             assign a text, or one of: project, subject, session
    (0020,000D) := hashUID[(0020,000D)]               assign the hash of a UID
    - (0010,0030)                                     delete; X, @ (even), # (odd) stand for any digit
    - * / (0010,0010)                                 delete in sequences, too (`embedded_xnat.anonymize.paths`)
    (0012,0064)[0]/(0008,0104) := "Anon"              assign in an item of a sequence, [%] in each
    (0008,0060) = "MR" ? (0010,4000) := "x" : - (0010,4000)     if (=, !=, ~ matches, !~), else

A statement stands on one line. What the language has beyond this is refused, with the line and the reason.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from embedded_xnat.anonymize.paths import MAX_STEPS, Into, Levels, Step
from embedded_xnat.contract.errors import ScriptRefused
from embedded_xnat.domain.patterns import read_pattern

MAX_LENGTH = 64 * 1024
NAMES = frozenset({"project", "subject", "session"})
_VERSION = re.compile(r"6\.[0-6]")
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<comment>//.*)
      | (?P<string>"[^"]*")
      | (?P<tag>\(\s*[0-9A-Fa-fXx@\#]{4}\s*,\s*[0-9A-Fa-fXx@\#]{4}\s*\))
      | (?P<mark>:=|!=|!~|==|[=~?:\-\[\]/*+.%])
      | (?P<number>\d{1,5})
      | (?P<word>[A-Za-z_]\w*)
    )""",
    re.VERBOSE,
)
_KNOWN = (
    "it knows :=, -, =, !=, ~, !~, ?, hashUID[…], the names project, subject, session, "
    "and paths such as (0012,0064)[0]/(0008,0104)"
)


@dataclass(frozen=True)
class TagPattern:
    """A tag, or with ``X``, ``@`` and ``#`` many.

    Parameters
    ----------
    digits
        Eight characters, upper case.
    """

    digits: str

    @property
    def tag(self) -> int | None:
        """The tag, if it is one."""
        return int(self.digits, 16) if not set(self.digits) & set("X@#") else None

    def matches(self, tag: int) -> bool:
        """Tell whether a tag is meant.

        Examples
        --------
        >>> TagPattern("XXX#XXXX").matches(0x00291010), TagPattern("XXX#XXXX").matches(0x00280010)
        (True, False)
        """
        return all(_fits(*pair) for pair in zip(self.digits, f"{tag:08X}", strict=True))


def _fits(sign: str, digit: str) -> bool:
    if sign == "@":
        return int(digit, 16) % 2 == 0
    if sign == "#":
        return int(digit, 16) % 2 == 1
    return sign in {"X", digit}


#: What is deleted when a path ends with an item: all that is in it.
EVERYTHING = TagPattern("X" * 8)


@dataclass(frozen=True)
class Literal:
    """A text."""

    text: str


@dataclass(frozen=True)
class Name:
    """What the session is called at its place: ``project``, ``subject``, ``session``."""

    name: str


@dataclass(frozen=True)
class HashUid:
    """The hash of a UID; with steps, of the one in the place that is assigned to."""

    tag: int
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Assign:
    """Gives an element a value; with steps, in items of sequences, as far as they are there."""

    tag: int
    value: Literal | Name | HashUid
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Delete:
    """Removes elements; without steps those outside of all sequences."""

    pattern: TagPattern
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Condition:
    """Compares the text of an element, or a name.

    Parameters
    ----------
    operator
        ``=``, ``!=``, ``~`` or ``!~``; the latter two match the whole text.
    """

    left: int | Name
    operator: str
    value: Literal | Name


@dataclass(frozen=True)
class Statement:
    """What one line does."""

    line: int
    action: Assign | Delete
    condition: Condition | None = None
    otherwise: Assign | Delete | None = None


@dataclass(frozen=True)
class Script:
    """A script that can be applied."""

    statements: tuple[Statement, ...]


class _RefusedError(Exception):
    """A line cannot be read; the text says why."""


def parse_script(text: str) -> Script:
    r"""Read a script.

    Raises
    ------
    ScriptRefused
        With each line that is wrong or beyond the subset.

    Examples
    --------
    >>> script = parse_script('version "6.1"\n- (0010,0030) // birth date')
    >>> script.statements[0].action.pattern
    TagPattern(digits='00100030')
    """
    if len(text) > MAX_LENGTH:
        raise ScriptRefused([(1, f"the script is longer than {MAX_LENGTH} characters")])
    mistakes: list[tuple[int, str]] = []
    statements: list[Statement] = []
    has_version = False
    for line, content in enumerate(text.splitlines(), start=1):
        try:
            tokens = list(_tokens(content))
            if not tokens:
                continue
            if not has_version:
                has_version = True
                _check_version(tokens)
            else:
                statements.append(_Line(tokens).statement(line))
        except _RefusedError as refused:
            mistakes.append((line, str(refused)))
    if not has_version:
        mistakes.append((1, 'the script is empty; its first statement must be version "6.1"'))
    if mistakes:
        raise ScriptRefused(mistakes)
    return Script(tuple(statements))


def _tokens(line: str) -> Iterator[tuple[str, str]]:
    position, end = 0, len(line.rstrip())
    while position < end:
        match = _TOKEN.match(line, position)
        if match is None or match.lastgroup is None:
            raise _RefusedError(f"column {position + 1} cannot be read; {_KNOWN}")
        position = match.end()
        if match.lastgroup != "comment":
            yield match.lastgroup, match[match.lastgroup]


def _check_version(tokens: list[tuple[str, str]]) -> None:
    words = [text for _, text in tokens]
    if words[0] != "version":
        raise _RefusedError('the first statement must be version "6.1"; scripts of older versions are not understood')
    if len(words) != 2 or tokens[1][0] != "string" or not _VERSION.fullmatch(words[1].strip('"')):
        raise _RefusedError('the version is one of "6.0" to "6.6"')


class _Line:
    """Reads the tokens of one statement from the left."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def statement(self, line: int) -> Statement:
        condition = self._condition()
        action = self._action()
        otherwise = None
        if condition is not None and self._take("mark", ":"):
            otherwise = self._action()
        if self._at < len(self._tokens):
            raise _RefusedError(f"there is more after the statement than this server reads; {_KNOWN}")
        return Statement(line, action, condition, otherwise)

    def _peek(self, ahead: int = 0) -> tuple[str, str]:
        place = self._at + ahead
        return self._tokens[place] if place < len(self._tokens) else ("end", "")

    def _take(self, kind: str, text: str | None = None) -> str | None:
        found_kind, found = self._peek()
        if found_kind != kind or (text is not None and found != text):
            return None
        self._at += 1
        return found

    def _condition(self) -> Condition | None:
        if not any(text == "?" for kind, text in self._tokens if kind == "mark"):
            return None
        word = self._take("word") if self._peek()[1] in NAMES else None
        left = self._tag("a condition") if word is None else Name(word)
        operator = self._peek()[1]
        if operator not in {"=", "==", "!=", "~", "!~"}:
            raise _RefusedError("a condition compares with =, !=, ~ or !~")
        self._at += 1
        value = self._value()
        if isinstance(value, HashUid):
            raise _RefusedError("a condition compares with a text, project, subject or session")
        if "~" in operator:
            _check_pattern(value)
        if not self._take("mark", "?"):
            raise _RefusedError("after the condition a question mark must follow")
        return Condition(left, "=" if operator == "==" else operator, value)

    def _action(self) -> Assign | Delete:
        if self._take("mark", "-"):
            steps, pattern = self._path("a deletion")
            return Delete(pattern, steps)
        if self._peek()[0] == "word":
            raise _RefusedError(f"{self._peek()[1]} is not supported by this server; {_KNOWN}")
        steps, tag = self._place("an assignment")
        if not self._take("mark", ":="):
            raise _RefusedError(f"after the tag := must follow; {_KNOWN}")
        value = self._value()
        if isinstance(value, HashUid) and value.steps and (value.steps, value.tag) != (steps, tag):
            raise _RefusedError("a UID in a sequence is hashed where it is: PATH := hashUID[PATH], twice the same path")
        return Assign(tag, value, steps)

    def _path(self, what: str) -> tuple[tuple[Step, ...], TagPattern]:
        """Read a path: steps into sequences, and the elements there; without these, all that is in the item."""
        steps: list[Step] = []
        while len(steps) <= MAX_STEPS:
            kind, text = self._peek()
            if kind == "mark" and text in set(Levels):
                self._at += 1
                if text != Levels.ONE and set(steps) & {Levels.ANY, Levels.SOME}:
                    raise _RefusedError("a path has one * or + at most")
                steps.append(Levels(text))
                if not self._take("mark", "/"):
                    raise _RefusedError(f"after {text} a slash and a tag must follow, as in {text} / (0010,0010)")
                continue
            pattern = self._pattern(what)
            if not self._take("mark", "["):
                if self._peek() == ("mark", "/"):
                    raise _RefusedError("a path says which item of a sequence: (gggg,eeee)[0], or [%] for each")
                return tuple(steps), pattern
            steps.append(Into(_one_tag(pattern, "a step into a sequence"), self._item()))
            if not self._take("mark", "/"):
                return tuple(steps), EVERYTHING
        raise _RefusedError(f"a path has {MAX_STEPS} steps at most")

    def _item(self) -> int | None:
        number = self._take("number")
        if (number is None and not self._take("mark", "%")) or not self._take("mark", "]"):
            raise _RefusedError("an item of a sequence is written [0], and each of them [%]")
        return None if number is None else int(number)

    def _place(self, what: str) -> tuple[tuple[Step, ...], int]:
        """Read a path that an assignment can follow."""
        steps, pattern = self._path(what)
        if any(isinstance(step, Levels) for step in steps):
            raise _RefusedError(f"{what} names the sequences on its way; *, + and . are for deletions")
        return steps, _one_tag(pattern, what)

    def _pattern(self, what: str) -> TagPattern:
        text = self._take("tag")
        if text is None:
            raise _RefusedError(f"{what} names a tag such as (0010,0010)")
        return TagPattern(re.sub(r"[^0-9A-FX@#]", "", text.upper()))

    def _tag(self, what: str) -> int:
        tag = _one_tag(self._pattern(what), what)
        if self._peek()[1] in {"[", "/"}:
            raise _RefusedError(f"{what} looks at an element outside of all sequences")
        return tag

    def _value(self) -> Literal | Name | HashUid:
        text = self._take("string")
        if text is not None:
            return Literal(text[1:-1])
        word = self._take("word")
        if word in NAMES:
            return Name(word or "")
        if word == "hashUID":
            if not self._take("mark", "["):
                raise _RefusedError("hashUID is written hashUID[(gggg,eeee)]")
            steps, tag = self._place("hashUID")
            if not self._take("mark", "]"):
                raise _RefusedError("hashUID is written hashUID[(gggg,eeee)]")
            return HashUid(tag, steps)
        if word is not None:
            raise _RefusedError(f"{word} is not supported by this server; {_KNOWN}")
        raise _RefusedError("the value must be a text in quotes, project, subject, session or hashUID[…]")


def _one_tag(pattern: TagPattern, what: str) -> int:
    if pattern.tag is None:
        raise _RefusedError(f"{what} names one tag; X, @ and # are for deletions")
    return pattern.tag


def _check_pattern(value: Literal | Name) -> None:
    """Refuse a regular expression that is none, or that could take for ever."""
    if isinstance(value, Name):
        raise _RefusedError("~ compares with a pattern in quotes")
    try:
        read_pattern(value.text)
    except ValueError as error:
        raise _RefusedError(str(error)) from error
