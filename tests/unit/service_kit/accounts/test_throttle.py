"""When the log-in closes and opens again."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service_kit.accounts.throttle import Failures, ThrottleRule, wait_s

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULE = ThrottleRule(per_user_and_address=3, per_address=10, per_user=20, window_s=300)


def failures(*ages_s: float) -> Failures:
    times = [NOW - timedelta(seconds=age) for age in sorted(ages_s, reverse=True)]
    return Failures(by_user_and_address=times, by_address=times, by_user=times)


def test_two_mistakes_do_not_close_it():
    assert wait_s(failures(1, 2), RULE, now=NOW) == 0


def test_the_third_closes_it_until_the_first_of_three_leaves_the_window():
    assert wait_s(failures(10, 100, 250), RULE, now=NOW) == 51


@given(st.lists(st.floats(0, 299), max_size=30))
def test_it_opens_at_last_and_never_stays_closed_longer_than_the_window(ages_s):
    closed_for_s = wait_s(failures(*ages_s), RULE, now=NOW)
    assert 0 <= closed_for_s <= RULE.window_s + 1
    assert (closed_for_s == 0) == (len(ages_s) < 3)
