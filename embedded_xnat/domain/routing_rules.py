r"""Rules of an administrator that read from a header where a session belongs, as XNAT writes them. Pure.

One rule a line; the first one whose pattern matches all of an element's text counts::

    (0008,1030):Project:\s*(\w+)              the first group of the pattern
    (0010,4000):(\w+)_(\w+):2                 the group that is named
    (0010,0020):(.*):1 t:^SITE r:S             what is found then has `SITE` at its beginning replaced by `S`

As in XNAT, the first 64 characters of a text are looked at; of what a rule with a replacement reads, 256.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from embedded_xnat.domain.patterns import MAX_STEPS, read_pattern, steps

MAX_RULES = 50
MAX_LENGTH = 8192
MAX_TEXT, MAX_REPLACED_TEXT = 64, 256
MAX_REPEATS = 4
_RULE = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\):(.+?)(?::(\d{1,2}))?(?: t:(.+) r:(.*))?")
_REFERENCE = re.compile(r"\\(.)|\$(\d)", re.DOTALL)


@dataclass(frozen=True)
class Replacement:
    """Changes what a rule has found: ``$1`` in the text stands for the first group of the pattern."""

    pattern: re.Pattern[str]
    text: str

    def apply(self, found: str) -> str:
        """Return the text with every match replaced."""

        def expanded(match: re.Match[str]) -> str:
            return _REFERENCE.sub(lambda sign: sign[1] or match[int(sign[2])] or "", self.text)

        return self.pattern.sub(expanded, found)


@dataclass(frozen=True)
class Rule:
    """Takes a part of an element's text."""

    tag: int
    pattern: re.Pattern[str]
    group: int
    replacement: Replacement | None = None

    def find(self, text: str) -> str | None:
        """Return what the rule finds in a text; None when it does not match.

        Examples
        --------
        >>> read_rules("(0008,1030):Project: *(.*)")[0].find("Project: ProjectA")
        'ProjectA'
        >>> read_rules("(0010,0020):(.*):1 t:(.*)-(.*) r:$2_x")[0].find("A-7")
        '7_x'
        """
        match = self.pattern.fullmatch(text[: MAX_TEXT if self.replacement is None else MAX_REPLACED_TEXT])
        if match is None or match[self.group] is None:
            return None
        return match[self.group] if self.replacement is None else self.replacement.apply(match[self.group])


def read_rules(text: str) -> list[Rule]:
    """Read the rules of an expression.

    Raises
    ------
    ValueError
        With the line that cannot be read, and why.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"it is longer than {MAX_LENGTH:,} characters")
    rules = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rules.append(_rule(line.strip()))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    if len(rules) > MAX_RULES:
        raise ValueError(f"it has more than {MAX_RULES} rules")
    return rules


def _rule(line: str) -> Rule:
    match = _RULE.fullmatch(line)
    if match is None:
        raise ValueError("a rule is (gggg,eeee):pattern, (gggg,eeee):pattern:group, or either with t:pattern r:text")
    group, element, text, index, target, by = match.groups()
    pattern, chosen = read_pattern(text, max_repeats=MAX_REPEATS), int(index or 1)
    if steps(pattern, MAX_TEXT if target is None else MAX_REPLACED_TEXT) > MAX_STEPS:
        raise ValueError("the pattern is too costly for so long a text; use fewer of * + { ? |")
    if chosen > pattern.groups:
        raise ValueError(f"the pattern has no group {chosen}")
    return Rule(int(group + element, 16), pattern, chosen, None if target is None else _replacement(target, by))


def _replacement(target: str, text: str) -> Replacement:
    pattern = read_pattern(target)
    for sign in _REFERENCE.finditer(text):
        if sign[2] is not None and int(sign[2]) > pattern.groups:
            raise ValueError(f"the pattern after t: has no group {sign[2]}")
    return Replacement(pattern, text)


def first_found(rules: Sequence[Rule], text_of: Callable[[int], str | None]) -> str | None:
    r"""Return what the first rule finds that matches; None when none does.

    Examples
    --------
    >>> first_found(read_rules("(0010,0020):A(.*)\n(0008,0050):(.*)"), {0x00100020: "B1", 0x00080050: "77"}.get)
    '77'
    """
    for rule in rules:
        text = text_of(rule.tag)
        found = rule.find(text) if text else None
        if found is not None:
            return found
    return None
