"""The chart of sessions a day, as the numbers that a template draws. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from study_governor.web.dashboard import DayShown

WIDTH, HEIGHT = 320, 112
_TOP, _BOTTOM = 14.0, 92.0
_GAP = 0.34


@dataclass(frozen=True, slots=True)
class Bar:
    """The two bars of one day; measures in the units of the drawing.

    Parameters
    ----------
    label
        The day's name below the axis; empty where it would be too tight.
    """

    day: date
    registered: int
    ended: int
    x: float
    width: float
    registered_height: float
    ended_x: float
    ended_height: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, and the one line that says how high they go."""

    bars: tuple[Bar, ...]
    most: int
    registered: int
    ended: int
    width: int = WIDTH
    height: int = HEIGHT
    top: float = _TOP
    base: float = _BOTTOM


def chart_of(days: Sequence[DayShown]) -> Chart:
    """Return the drawing of the last days.

    Examples
    --------
    >>> from datetime import date
    >>> from study_governor.web.dashboard import DayShown
    >>> bar = chart_of([DayShown(date(2024, 5, 1), 4, 2)]).bars[0]
    >>> bar.ended_height, bar.label
    (39.0, '2024-05-01')
    """
    most = max([1, *(max(day.registered, day.ended) for day in days)])
    step = WIDTH / max(1, len(days))
    width = step * (1 - _GAP) / 2
    scale = (_BOTTOM - _TOP) / most
    bars = tuple(
        Bar(
            day=day.day,
            registered=day.registered,
            ended=day.ended,
            x=round(number * step + step * _GAP / 2, 1),
            width=round(width, 1),
            registered_height=round(day.registered * scale, 1),
            ended_x=round(number * step + step * _GAP / 2 + width, 1),
            ended_height=round(day.ended * scale, 1),
            label=_label(day.day, number=number, count=len(days)),
        )
        for number, day in enumerate(days)
    )
    return Chart(bars, most, sum(day.registered for day in days), sum(day.ended for day in days))


def _label(day: date, *, number: int, count: int) -> str:
    """Name the last day and every fourth before it, as the rest of the page writes dates."""
    from_end = count - 1 - number
    return day.isoformat() if from_end % 4 == 0 else ""
