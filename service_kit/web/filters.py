"""How values look on pages: moments, sizes, durations, states. Pure; may import the standard library only."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_TONES: dict[str, frozenset[str]] = {
    "green": frozenset(
        {"accepted", "archived", "complete", "completed", "delivered", "done", "finished", "released", "success"}
    ),
    "blue": frozenset({"active", "claimed", "delivering", "in progress", "receiving", "running"}),
    "red": frozenset({"aborted", "crashed", "dead", "error", "failed", "quarantined", "rejected"}),
    "yellow": frozenset({"overdue", "paused", "review", "waiting", "timed out", "late"}),
}


def iso(moment: datetime) -> str:
    """Return the moment for the ``datetime`` attribute, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def minute(moment: datetime) -> str:
    """Return the moment to the minute, in UTC; scripts show it in the reader's own zone, at the same width.

    Examples
    --------
    >>> minute(datetime(2026, 3, 1, 9, 5, tzinfo=UTC))
    '2026-03-01 09:05'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def ago(moment: datetime, now: datetime | None = None) -> str:
    """Return how long ago a moment was, in words; `times.ts` says the same and keeps it true.

    Examples
    --------
    >>> noon = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    >>> ago(datetime(2026, 3, 1, 11, 54, tzinfo=UTC), now=noon), ago(noon, now=noon)
    ('6 min ago', 'just now')
    """
    seconds = max(0.0, ((now or datetime.now(UTC)) - moment).total_seconds())
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h ago"
    days = int(seconds // 86400)
    return "yesterday" if days == 1 else f"{days} days ago"


def size(count_bytes: float) -> str:
    """Return a size in the largest unit that keeps a number above one.

    Examples
    --------
    >>> size(0), size(1536), size(25_000_000)
    ('0 B', '1.5 KiB', '23.8 MiB')
    """
    value = float(count_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units.

    Examples
    --------
    >>> duration(0.25), duration(75), duration(7260), duration(200_000)
    ('0.2 s', '1 min 15 s', '2 h 1 min', '2 d 7 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def words(name: str) -> str:
    """Return an identifier as words.

    Examples
    --------
    >>> words("extraction_failed")
    'extraction failed'
    """
    return str(name).replace("_", " ").replace("-", " ")


def tone(state: str) -> str:
    """Return the colour of a state: green for ended well, blue for at work, yellow waits, red needs a person.

    Known words decide, the last word of the state too; another "-ing" is at work.

    Examples
    --------
    >>> tone("extraction_failed"), tone("done"), tone("releasing"), tone("never heard of")
    ('red', 'green', 'blue', 'secondary')
    """
    text = words(state).lower()
    for name, states in _TONES.items():
        if text in states:
            return name
    last = text.rsplit(" ", maxsplit=1)[-1]
    known = next((name for name, states in _TONES.items() if last in states), None)
    return known or ("blue" if last.endswith("ing") else "secondary")


FILTERS: dict[str, Callable[..., Any]] = {
    "iso": iso,
    "minute": minute,
    "ago": ago,
    "size": size,
    "duration": duration,
    "words": words,
    "tone": tone,
}
