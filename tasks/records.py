"""The base of the frozen values that the stages hand to each other, and the sentences' plural. Imports pydantic only."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen value: compared by content, refuses unknown fields, goes through JSON unchanged."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    >>> counted(1, "slice"), counted(3, "slice")
    ('1 slice', '3 slices')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
