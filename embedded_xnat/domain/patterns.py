"""Regular expressions that people hand in: only those that end soon on any text. Pure.

While one is matched, nothing else of the process goes on: whoever hands in both pattern and text must not stop the server.
"""

import re
from functools import lru_cache
from math import comb, prod

MAX_PATTERN = 200
MAX_OPTIONAL = 4
MAX_BRANCHES = 64
#: What one match may take at the worst: half a second.
MAX_STEPS = 20_000_000
#: What all matches of one request may take at the worst.
MAX_STEPS_TOGETHER = 300_000_000
#: A part that repeats, inside a part that repeats, can take for ever.
_REPEATED_GROUP = re.compile(r"\)[*+{]")
#: Comments, and the flag that allows blanks: they could stand between a group and its repeat.
_GAPS = re.compile(r"\(\?(#|[a-z-]*x)")
_ESCAPED, _CLASS = re.compile(r"\\.", re.DOTALL), re.compile(r"\[\^?\]?[^\]]*\]")


def read_pattern(text: str, *, max_repeats: int = 2) -> re.Pattern[str]:
    r"""Return a regular expression; how many steps a match takes at the worst, `steps` says.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> read_pattern("P(.*)_MR").fullmatch("P01_MR")[1]
    '01'
    >>> read_pattern("(a+)+b")
    Traceback (most recent call last):
    ValueError: the pattern is too costly: at most 2 of * + {, 4 of ?, 64 combinations of |, no repeated group
    """
    bare = _bare(text)
    repeats, branches = _shape(text)
    is_nested = _REPEATED_GROUP.search(bare) or _GAPS.search(bare)
    if (
        len(text) > MAX_PATTERN
        or is_nested
        or repeats > max_repeats
        or bare.count("?") > MAX_OPTIONAL
        or branches > MAX_BRANCHES
    ):
        raise ValueError(
            f"the pattern is too costly: at most {max_repeats} of * + {{, {MAX_OPTIONAL} of ?, "
            f"{MAX_BRANCHES} combinations of |, no repeated group"
        )
    try:
        return re.compile(text, re.DOTALL)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError("the pattern is no regular expression") from error


def steps(pattern: re.Pattern[str], length: int, *, anywhere: bool = False) -> int:
    """Return how many steps a match of a text takes at the worst; each takes some thirty nanoseconds.

    Parameters
    ----------
    length
        Of the text.
    anywhere
        Whether the pattern is searched for; else it has to match the whole text.

    Examples
    --------
    >>> steps(read_pattern("P(.*)_MR"), 20), steps(read_pattern("(a|b)x?.*y.*"), 20), steps(read_pattern("y"), 20)
    (21, 924, 1)
    """
    repeats, branches = _shape(pattern.pattern)
    is_anchored = pattern.pattern.startswith("^") and "|" not in pattern.pattern
    repeats += anywhere and not is_anchored
    return comb(length + repeats, repeats) * branches


def _bare(text: str) -> str:
    """Return a pattern with an underscore for each escaped character and each set of characters."""
    return _CLASS.sub("_", _ESCAPED.sub("_", text))


@lru_cache(maxsize=256)
def _shape(text: str) -> tuple[int, int]:
    """Return how many repeats a pattern has, and in how many ways its alternatives and optional parts combine."""
    bare = _bare(text)
    open_groups, ways = [1], []
    for sign in bare:
        if sign == "|":
            open_groups[-1] += 1
        elif sign == "(":
            open_groups.append(1)
        elif sign == ")" and len(open_groups) > 1:
            ways.append(open_groups.pop())
    return sum(map(bare.count, "*+{")), prod((*ways, *open_groups)) * 2 ** bare.count("?")
