"""When a dead process is started again."""

from hypothesis import given
from hypothesis import strategies as st

from deployments.launcher.restarts import RestartPolicy


def test_the_first_restart_comes_at_once_and_later_ones_wait_longer():
    policy = RestartPolicy()
    delays = [policy.delay_after(lived_s=0.1) for _ in range(4)]
    assert delays[0] <= 0.1
    assert delays == sorted(delays)


def test_repeated_fast_deaths_are_given_up():
    policy = RestartPolicy(most_fast_deaths=5)
    assert [policy.delay_after(lived_s=0.5) for _ in range(5)][-1] is None


def test_the_same_last_words_three_times_are_enough():
    policy = RestartPolicy()
    words = ["set A", "set B", "set B"]
    assert all(policy.delay_after(lived_s=2, last_words=said) is not None for said in words)
    assert policy.delay_after(lived_s=2, last_words="set B") is None


def test_deaths_without_words_are_counted_as_before():
    policy = RestartPolicy()
    assert [policy.delay_after(lived_s=2) for _ in range(4)][-1] is not None
    assert policy.delay_after(lived_s=2) is None


def test_a_process_that_lived_starts_afresh():
    policy = RestartPolicy(most_fast_deaths=3)
    policy.delay_after(lived_s=0.1)
    policy.delay_after(lived_s=0.1)
    assert policy.delay_after(lived_s=60) == policy.first_delay_s


@given(st.lists(st.floats(min_value=10, max_value=1e6), max_size=50))
def test_a_process_that_always_lived_long_is_never_given_up(lives):
    policy = RestartPolicy()
    assert all(policy.delay_after(lived_s=life) is not None for life in lives)
