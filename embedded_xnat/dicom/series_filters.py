r"""Filters of the series that an import takes, as XNAT writes them. May import pydicom, when it is needed.

One pattern a line, found somewhere in the series description whatever its case; a line in brackets says in which element
those after it are looked for, and ``EXISTS`` and ``!EXISTS`` ask whether it has a value::

    ^.*Scanned.*$
    [(0028,0301)]
    YES
    [BurnedInAnnotation]
    EXISTS

A blacklist leaves out what one of the lines meets, a whitelist takes nothing else.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from embedded_xnat.domain.patterns import MAX_STEPS, read_pattern, steps

BLACKLIST, WHITELIST = "blacklist", "whitelist"
MAX_LINES, MAX_LENGTH = 200, 16_384
#: So much of a value is looked at; descriptions have 64 characters at most (PS3.5, 6.2).
MAX_TEXT = 128
MAX_REPEATS = 4
_SERIES_DESCRIPTION = 0x0008103E
_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)?")
_EXISTS = {"EXISTS": True, "!EXISTS": False}


@dataclass(frozen=True)
class Line:
    """One line of a filter: a pattern that is found in an element, or (``exists``) whether it has a value."""

    tag: int
    pattern: re.Pattern[str] | None = None
    exists: bool = False

    def meets(self, text: str | None) -> bool:
        """Tell whether the line meets a value."""
        if self.pattern is None:
            return bool(text) is self.exists
        return text is not None and self.pattern.search(text[:MAX_TEXT]) is not None


@dataclass(frozen=True)
class SeriesFilter:
    """Which series are taken."""

    is_whitelist: bool
    lines: tuple[Line, ...]

    def takes(self, text_of: Callable[[int], str | None]) -> bool:
        r"""Tell whether a series is taken.

        Parameters
        ----------
        text_of
            Returns the value of an element of the series; None when it has none.

        Examples
        --------
        >>> found = read_filter('{"mode": "blacklist", "list": "scout\\n[Modality]\\nSR"}')
        >>> found.takes({0x0008103E: "SCOUT 3 planes"}.get), found.takes({0x0008103E: "T1"}.get)
        (False, True)
        """
        return any(line.meets(text_of(line.tag)) for line in self.lines) is self.is_whitelist

    @property
    def steps(self) -> int:
        """How many steps it takes at the worst to look at one series."""
        patterns = (line.pattern for line in self.lines if line.pattern is not None)
        return sum(steps(pattern, MAX_TEXT, anywhere=True) for pattern in patterns)

    @property
    def tags(self) -> set[int]:
        """The elements that it looks at."""
        return {line.tag for line in self.lines}


@lru_cache(maxsize=64)
def read_filter(text: str) -> SeriesFilter | None:
    """Read a filter as the configuration service keeps it: JSON with mode, list and enabled; None when it is not enabled.

    Raises
    ------
    ValueError
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is no JSON object with mode and list") from error
    if not isinstance(document, dict) or not isinstance(document.get("list"), str):
        raise ValueError("it is no JSON object with mode and list")  # noqa: TRY004 - whoever calls makes it a sentence
    found = make_filter(document.get("mode", BLACKLIST), document["list"])
    return found if str(document.get("enabled", "true")).lower() == "true" else None


def make_filter(mode: Any, text: str) -> SeriesFilter:
    """Make a filter of a mode and lines.

    Raises
    ------
    ValueError
    """
    if not isinstance(mode, str) or mode.lower() not in {BLACKLIST, WHITELIST}:
        raise ValueError("its mode is neither blacklist nor whitelist")
    if len(text) > MAX_LENGTH:
        raise ValueError(f"it is longer than {MAX_LENGTH:,} characters")
    lines: list[Line] = []
    tag = _SERIES_DESCRIPTION
    for number, raw in enumerate(text.split("\\n" if "\\n" in text else "\n"), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        try:
            if line.startswith("[") and line.endswith("]"):
                tag = _tag(line[1:-1].strip())
            else:
                lines.append(_line(tag, line))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    if len(lines) > MAX_LINES:
        raise ValueError(f"it has more than {MAX_LINES} lines")
    return SeriesFilter(mode.lower() == WHITELIST, tuple(lines))


def _tag(text: str) -> int:
    from pydicom.datadict import tag_for_keyword  # noqa: PLC0415

    match = _TAG.fullmatch(text)
    if match is not None:
        return int(match[1] + match[2], 16)
    found = tag_for_keyword(text)
    if found is None:
        raise ValueError("an element is (gggg,eeee), or its keyword")
    return found


def _line(tag: int, text: str) -> Line:
    if text in _EXISTS:
        return Line(tag, exists=_EXISTS[text])
    pattern = read_pattern(text, max_repeats=MAX_REPEATS)
    if steps(pattern, MAX_TEXT, anywhere=True) > MAX_STEPS:
        raise ValueError("the pattern is too costly; use fewer of * + { ? |")
    return Line(tag, re.compile(pattern.pattern, pattern.flags | re.IGNORECASE))
