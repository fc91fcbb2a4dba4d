"""Garbage is looked for again once a process has loaded, however that went."""

import gc

import pytest

from deployments.loading import loading


@pytest.fixture(autouse=True)
def _nothing_stays_frozen():
    yield
    gc.unfreeze()


def test_what_was_loaded_is_not_looked_through_any_more():
    with loading():
        assert not gc.isenabled()
        made = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(made)


def test_a_failure_switches_it_on_again():
    with pytest.raises(ImportError), loading():
        raise ImportError("a part is missing")
    assert gc.isenabled()
