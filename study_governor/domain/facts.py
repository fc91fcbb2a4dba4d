"""What a condition can see of a session. May import `study_governor.contract`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from study_governor.contract.states import ExecutionResult, ExecutionStatus


@dataclass(frozen=True, slots=True)
class ExperimentFacts:
    """What a condition sees as ``experiment``.

    Parameters
    ----------
    scandate
        Naive, in UTC.
    """

    label: str
    scandate: datetime
    state: str
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExecutionFacts:
    """What a condition sees as ``callbacks['label']``."""

    status: ExecutionStatus
    result: ExecutionResult
    result_values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a condition can see.

    Parameters
    ----------
    now
        This moment, naive, in UTC.
    """

    experiment: ExperimentFacts
    callbacks: Mapping[str, ExecutionFacts]
    now: datetime


def naive_utc(moment: datetime) -> datetime:
    """Return a moment as conditions see it: naive, in UTC.

    Examples
    --------
    >>> from datetime import timedelta, timezone
    >>> naive_utc(datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))))
    datetime.datetime(2024, 5, 1, 10, 0)
    """
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
