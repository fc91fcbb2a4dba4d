"""What the answer of a review task means for the session. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tasks.errors import RejectedInput
from tasks.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping


class Decision(StrEnum):
    """What a person decides about a measurement."""

    ACCEPT = "accept"
    REJECT = "reject"


class Verdict(Record):
    """A decision with the person's comment."""

    decision: Decision
    comment: str = ""


def decision_of(answer: Mapping[str, object]) -> Verdict:
    """Read the decision of an answer.

    >>> decision_of({"decision": "accept", "comment": " fine "}).comment
    'fine'

    Raises
    ------
    RejectedInput
        The answer decides nothing.
    """
    given = str(answer.get("decision") or "").strip().lower()
    if given not in set(Decision):
        raise RejectedInput(f"The answer has no decision: expected {' or '.join(Decision)}.")
    return Verdict(decision=Decision(given), comment=str(answer.get("comment") or "").strip())
