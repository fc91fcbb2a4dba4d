"""Checks JSON that clients hand in to be stored. Pure."""

import json
from typing import Any

MAX_CHARS = 65_536


def check_document(value: Any, *, max_chars: int = MAX_CHARS) -> None:
    """Raise unless a JSON value can be stored in any of the databases and given back.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> check_document({"a": [1, None]})
    >>> check_document(float("nan"))
    Traceback (most recent call last):
    ValueError: it has a number that JSON does not know
    """
    try:
        text = json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise ValueError("it has a number that JSON does not know") from error
    if len(text) > max_chars:
        raise ValueError(f"it is longer than {max_chars:,} characters")
    if "\\u0000" in text or "\\ud8" in text.lower() or "\\udc" in text.lower():
        _check_texts(value)


def _check_texts(value: Any) -> None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError("it has half a character") from error
        if "\0" in value:
            raise ValueError("it has a zero character")
    for part in [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []:
        _check_texts(part)
