"""How many failed log-ins are too many. Pure decisions. May import the standard library only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class ThrottleRule:
    """How many failures within `window_s` close the log-in.

    Parameters
    ----------
    per_user_and_address
        For one name from one address: a person who mistypes.
    per_address
        For one address over all names: a machine that tries names.
    per_user
        For one name over all addresses: many machines at one account. High, so that a stranger cannot easily lock
        a colleague out.
    window_s
        How long a failure counts.
    """

    per_user_and_address: int = 8
    per_address: int = 40
    per_user: int = 100
    window_s: int = 300


@dataclass(frozen=True, slots=True)
class Failures:
    """When the failures within the window happened, oldest first."""

    by_user_and_address: Sequence[datetime]
    by_address: Sequence[datetime]
    by_user: Sequence[datetime]


def wait_s(failures: Failures, rule: ThrottleRule, *, now: datetime) -> int:
    """Return for how many seconds the log-in stays closed; 0 when it is open.

    It opens when enough failures have left the window.
    """
    waits = [
        _wait_for(failures.by_user_and_address, rule.per_user_and_address, rule.window_s, now=now),
        _wait_for(failures.by_address, rule.per_address, rule.window_s, now=now),
        _wait_for(failures.by_user, rule.per_user, rule.window_s, now=now),
    ]
    return max(waits)


def _wait_for(times: Sequence[datetime], limit: int, window_s: int, *, now: datetime) -> int:
    if len(times) < limit:
        return 0
    opens_at = times[-limit] + timedelta(seconds=window_s)
    return max(0, int((opens_at - now).total_seconds()) + 1)
