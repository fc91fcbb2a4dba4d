"""Cursor paging: stable under inserts, as dear for page 1000 as for page 1. Framework-free."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from service_kit.errors import InvalidInput

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 500


class Page(BaseModel, Generic[T]):
    """One page of a listing; ``next_cursor`` is None on the last one."""

    items: list[T]
    next_cursor: str | None = None


def encode_cursor(*values: Any) -> str:
    """Pack the sort values of the last row of a page.

    Examples
    --------
    >>> decode_cursor(encode_cursor(17, "b"))
    [17, 'b']
    """
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> list[Any] | None:
    """Unpack a cursor; None for the first page.

    Raises
    ------
    InvalidInput
        If the text is not one of our cursors.
    """
    if not cursor:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, UnicodeDecodeError) as error:
        raise InvalidInput("The cursor is not one this listing gave out; start again without it.") from error
    if not isinstance(values, list):
        raise InvalidInput("The cursor is not one this listing gave out; start again without it.")
    return values


def decode_id_cursor(cursor: str | None) -> int | None:
    """Unpack a cursor that holds the id of a row; None for the first page.

    Raises
    ------
    InvalidInput
        If the text is not one of our cursors, or holds something else.

    Examples
    --------
    >>> decode_id_cursor(encode_cursor(17))
    17
    """
    values = decode_cursor(cursor)
    if values is None:
        return None
    if len(values) != 1 or type(values[0]) is not int or not 0 <= values[0] < 2**63:
        raise InvalidInput("The cursor is not one this listing gave out; start again without it.")
    return values[0]


def clamp_limit(limit: int | None) -> int:
    """Return a page size between 1 and `MAX_LIMIT`.

    Examples
    --------
    >>> clamp_limit(None), clamp_limit(0), clamp_limit(10_000)
    (50, 1, 500)
    """
    return DEFAULT_LIMIT if limit is None else max(1, min(limit, MAX_LIMIT))
