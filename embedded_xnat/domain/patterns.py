"""Regular expressions that people hand in: only those that end soon on any text. Pure."""

import re

MAX_PATTERN = 200
MAX_OPTIONAL = 4
#: A part that repeats, inside a part that repeats, can take for ever.
_REPEATED_GROUP = re.compile(r"\)[*+{]")
#: Comments, and the flag that allows blanks: they could stand between a group and its repeat.
_GAPS = re.compile(r"\(\?(#|[a-z-]*x)")


def read_pattern(text: str, *, max_repeats: int = 2) -> re.Pattern[str]:
    r"""Return a regular expression; a full match of it takes steps in the order of the text's length to `max_repeats`.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> read_pattern("P(.*)_MR").fullmatch("P01_MR")[1]
    '01'
    >>> read_pattern("(a+)+b")
    Traceback (most recent call last):
    ValueError: the pattern is too costly: at most 2 of * + {, 4 of ?, no repeated group
    """
    bare = re.sub(r"\\.", "_", text, flags=re.DOTALL)
    repeats, optional = sum(map(bare.count, "*+{")), bare.count("?")
    is_nested = _REPEATED_GROUP.search(bare) or _GAPS.search(bare)
    if len(text) > MAX_PATTERN or is_nested or repeats > max_repeats or optional > MAX_OPTIONAL:
        raise ValueError(
            f"the pattern is too costly: at most {max_repeats} of * + {{, {MAX_OPTIONAL} of ?, no repeated group"
        )
    try:
        return re.compile(text, re.DOTALL)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError("the pattern is no regular expression") from error
