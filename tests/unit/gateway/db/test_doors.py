"""Silence is quiet only while a door was open to hear it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.db import doors

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUIET_S = 10.0


def seconds(number: float) -> datetime:
    return NOW + timedelta(seconds=number)


def since(database, *, at: float) -> datetime | None:
    with database.read() as uow:
        return doors.quiet_since(uow, now=seconds(at), quiet_period_s=QUIET_S)


@pytest.fixture
def opened(database):
    with database.write() as uow:
        doors.open_door(uow, "a", now=NOW)
    return database


def heard(database, *, at: float, name: str = "a") -> None:
    with database.write() as uow:
        doors.keep_open(uow, name, now=seconds(at))


def test_without_a_door_the_clock_alone_counts(database) -> None:
    assert since(database, at=30) == seconds(20)


def test_a_door_just_opened_has_not_heard_silence_yet(opened) -> None:
    heard(opened, at=9)
    assert since(opened, at=9) is None
    heard(opened, at=10)
    assert since(opened, at=10) == NOW


def test_the_period_stands_still_while_a_killed_receiver_is_away(opened) -> None:
    heard(opened, at=20)
    assert since(opened, at=300) == seconds(10)


def test_it_begins_anew_when_the_receiver_is_back(opened) -> None:
    heard(opened, at=20)
    with opened.write() as uow:
        doors.open_door(uow, "a", now=seconds(300))
    assert since(opened, at=305) is None


def test_a_receiver_that_ended_in_order_holds_nothing_up(opened) -> None:
    with opened.write() as uow:
        doors.close_door(uow, "a")
    assert since(opened, at=300) == seconds(290)


def test_a_receiver_that_never_comes_back_is_given_up(opened) -> None:
    assert since(opened, at=doors.GIVEN_UP_AFTER_S + 60) == seconds(doors.GIVEN_UP_AFTER_S + 50)


def test_of_two_doors_the_one_heard_of_least_counts(opened) -> None:
    with opened.write() as uow:
        doors.open_door(uow, "b", now=NOW)
    heard(opened, at=30, name="a")
    heard(opened, at=15, name="b")
    assert since(opened, at=30) == seconds(5)
