"""Where a session stands, from what the services say."""

import pytest

from deployments.commands.demo import what_is_left
from deployments.demo.stages import ArrivalSeen, Progress, SessionSeen, Stage, advance, moved

BEFORE = Progress("BV-001", "2.25.1", total=10, sent=10, stage=Stage.sending)


@pytest.mark.parametrize(
    ("arrival", "state", "expected"),
    [
        (None, None, Stage.sending),
        (ArrivalSeen("receiving"), None, Stage.received),
        (ArrivalSeen("complete"), None, Stage.received),
        (ArrivalSeen("accepted", "S"), None, Stage.received),
        (ArrivalSeen("accepted", "S"), "arrived", Stage.archived),
        (ArrivalSeen("accepted", "S"), "extracting", Stage.extracting),
        (ArrivalSeen("accepted", "S"), "review", Stage.review),
        (ArrivalSeen("accepted", "S"), "releasing", Stage.releasing),
        (ArrivalSeen("accepted", "S"), "released", Stage.released),
        (ArrivalSeen("accepted", "S"), "not_relevant", Stage.aside),
        (ArrivalSeen("quarantined", reason="It is a CT."), None, Stage.quarantined),
    ],
)
def test_the_stage_follows_arrival_and_session(arrival, state, expected):
    session = SessionSeen(7, state, "/sessions/7") if state else None
    assert advance(BEFORE, arrival, session).stage is expected


def test_a_quarantine_says_why():
    assert advance(BEFORE, ArrivalSeen("quarantined", reason="It is a CT."), None).why == "It is a CT."


def test_only_ends_are_ends():
    ends = {stage for stage in Stage if Progress("s", "u", stage=stage).is_at_an_end}
    assert ends == {Stage.released, Stage.aside, Stage.quarantined}


def test_a_session_set_aside_reached_nothing_further():
    assert not Progress("s", "u", stage=Stage.aside).has_reached(Stage.review)
    assert Progress("s", "u", stage=Stage.released).has_reached(Stage.review)


def test_reviews_are_offered_only_while_something_waits():
    released = Progress("BV-001", "2.25.1", stage=Stage.released)
    waits = Progress("BV-002", "2.25.2", stage=Stage.review)
    assert "Open reviews: http://site/tasks/" in what_is_left([released, waits], "http://site/tasks")
    said = what_is_left([released, released], "http://site/tasks")
    assert "reviews" not in said
    assert "--home" in said


def test_who_answered_is_said_with_where_the_session_went():
    arrival = ArrivalSeen("accepted", "BV-001_MR")
    released = advance(BEFORE, arrival, SessionSeen(7, "released", "/sessions/7", by="ada"))
    assert moved(released) == "BV-001_MR: accepted by ada, released"
    rejected = advance(BEFORE, arrival, SessionSeen(7, "rejected", "/sessions/7", why="the skull is in", by="ada"))
    assert moved(rejected) == "BV-001_MR: rejected by ada"
    overdue = advance(BEFORE, arrival, SessionSeen(7, "review_overdue", "/sessions/7"))
    assert moved(overdue) == "BV-001_MR: review overdue"
