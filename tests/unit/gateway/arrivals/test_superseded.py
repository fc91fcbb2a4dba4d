"""What came again and was archived is set aside by the gateway itself, and nothing else is."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from gateway.contract.ids import ArrivalId
from gateway.contract.schemas import Dismissal, RejectedInstance, Settlement
from gateway.contract.states import Outcome
from gateway.domain.received import Sender
from tests.unit.gateway.conftest import SCANNER

ONE, TWO, THREE = ArrivalId(1), ArrivalId(2), ArrivalId(3)
OTHER = Sender("OTHER", "COHORTFLOW", "10.0.0.9")
AT_AMS = {"study": "brain", "site": "ams"}
UNMARKED = "It is not marked as de-identified."


def accept(arrivals, arrival_id, *, rejected=(), **place):
    arrivals.complete(arrival_id, actor="test")
    gone = tuple(RejectedInstance(sha256=one.sha256, reason=UNMARKED) for one in rejected)
    return arrivals.settle(
        arrival_id, Settlement(outcome=Outcome.accepted, rejected=gone, **{**AT_AMS, **place}), actor="flows"
    )


def quarantine(arrivals, arrival_id, **place):
    arrivals.complete(arrival_id, actor="test")
    settlement = Settlement(outcome=Outcome.quarantined, reason=UNMARKED, **{**AT_AMS, **place})
    return arrivals.settle(arrival_id, settlement, actor="flows")


def held(arrivals):
    return [entry.arrival.id for entry in arrivals.quarantine().items]


def test_a_whole_arrival_whose_objects_came_again_is_set_aside_with_an_entry_in_each_history(arrivals, receive):
    for uid in ("1.1", "1.2"):
        receive(uid=uid)
    quarantine(arrivals, ONE)
    for uid in ("1.1", "1.2", "1.3"):
        receive(uid=uid)
    assert held(arrivals) == [1]
    accept(arrivals, TWO)
    assert held(arrivals) == []
    reason = "Arrival 2 brought these objects again and was archived."
    record = arrivals.get(ONE)
    assert (record.dismissed_by, record.dismissed_reason) == ("gateway", reason)
    latest = [arrivals.history(one)[0] for one in (ONE, TWO)]
    assert [(one.actor, one.what, one.detail) for one in latest] == [
        ("gateway", "Set aside", reason),
        ("gateway", "Set aside what came before", "It brought again what arrival 1 held back."),
    ]


def test_what_an_archived_arrival_held_back_is_set_aside_too_wherever_its_copies_were_accepted(arrivals, receive):
    good, *bad = [receive(uid=uid) for uid in ("1.1", "1.2", "1.3")]
    accept(arrivals, ONE, rejected=bad)
    receive(uid="1.2")
    accept(arrivals, TWO)
    assert held(arrivals) == [1], "one of its two objects did not come again yet"
    receive(uid="1.3", sender=OTHER)
    accept(arrivals, THREE)
    assert held(arrivals) == []
    assert arrivals.get(ONE).next_step == "Archived as a session; 2 of its objects were set aside."
    assert [one.sha256 for one in arrivals.instances(ONE).items if one.status == "accepted"] == [good.sha256]


def test_an_object_that_is_held_back_again_supersedes_nothing(arrivals, receive):
    receive(uid="1.1")
    quarantine(arrivals, ONE)
    again, _other = receive(uid="1.1"), receive(uid="1.2")
    accept(arrivals, TWO, rejected=[again])
    assert held(arrivals) == [2, 1]


def test_a_later_copy_that_differs_from_what_is_archived_is_not_superseded_by_it(arrivals, receive):
    bad, _good = receive(uid="1.1"), receive(uid="1.2")
    accept(arrivals, ONE, rejected=[bad])
    receive(uid="1.2")
    quarantine(arrivals, TWO)
    arrivals.retry(ONE, actor="anna")
    accept(arrivals, ONE)
    assert held(arrivals) == [2]


@pytest.mark.parametrize(
    ("place", "sender", "is_superseded"),
    [
        ({}, OTHER, True),
        ({"study": "chest"}, SCANNER, False),
        ({"site": "rtd"}, SCANNER, False),
        ({"site": None}, SCANNER, True),
        ({"site": None}, OTHER, False),
        ({"study": None, "site": None}, SCANNER, True),
        ({"study": None, "site": None}, OTHER, False),
        ({"study": None, "site": None}, Sender(), False),
    ],
)
def test_only_the_same_place_supersedes_and_the_same_sender_where_nothing_was_routed(
    arrivals, receive, place, sender, is_superseded
):
    receive(uid="1.1")
    quarantine(arrivals, ONE, **place)
    receive(uid="1.1", sender=sender)
    accept(arrivals, TWO)
    assert held(arrivals) == ([] if is_superseded else [1])


def test_a_copy_that_is_archived_elsewhere_does_not_count(arrivals, receive):
    for uid in ("1.1", "1.2"):
        receive(uid=uid)
    quarantine(arrivals, ONE)
    receive(uid="1.1", sender=OTHER)
    accept(arrivals, TWO, site="rtd")
    receive(uid="1.2")
    accept(arrivals, THREE)
    assert held(arrivals) == [1]


def test_an_arrival_without_a_study_or_a_sender_supersedes_nothing_it_should_not(arrivals, receive):
    receive(uid="1.1", sender=Sender())
    quarantine(arrivals, ONE, study=None, site=None)
    receive(uid="1.1", sender=Sender())
    accept(arrivals, TWO, study=None, site=None)
    receive(uid="1.1", sender=Sender())
    accept(arrivals, THREE)
    assert held(arrivals) == [1]


def test_objects_without_a_name_never_match(arrivals, receive):
    receive(uid="unnamed", unreadable="Its SOP Instance UID is not a valid UID.")
    arrivals.complete(ONE, actor="test")
    receive(uid="unnamed")
    accept(arrivals, TWO)
    assert held(arrivals) == [1]


def test_what_is_being_processed_is_left_alone(arrivals, receive):
    receive(uid="1.1")
    quarantine(arrivals, ONE)
    arrivals.retry(ONE, actor="anna")
    receive(uid="1.1")
    accept(arrivals, TWO)
    assert (arrivals.get(ONE).state, arrivals.get(ONE).dismissed_at) == ("complete", None)


def test_what_a_person_set_aside_or_brought_back_stays_so_when_the_answer_is_repeated(arrivals, receive):
    receive(uid="1.1")
    quarantine(arrivals, ONE)
    arrivals.dismiss(ONE, Dismissal(reason="A phantom."), actor="anna")
    receive(uid="1.1")
    accept(arrivals, TWO)
    assert arrivals.get(ONE).dismissed_by == "anna"
    arrivals.reopen(ONE, actor="anna")
    accept(arrivals, TWO)
    assert held(arrivals) == [1]


def test_what_is_settled_after_what_came_later_is_set_aside_at_once(arrivals, receive):
    receive(uid="1.1", study="2.1")
    receive(uid="1.1", study="2.2")
    accept(arrivals, TWO)
    record = quarantine(arrivals, ONE)
    reason = "Arrival 2 brought these objects again and was archived."
    assert (record.state, record.dismissed_by, record.dismissed_reason) == ("quarantined", "gateway", reason)
    assert held(arrivals) == []
    told = [(one.what, one.detail) for one in arrivals.history(ONE)[:2]]
    assert told == [("Set aside", reason), ("Quarantined", UNMARKED)]
    assert arrivals.history(TWO)[0].detail == "It brought again what arrival 1 held back."


def test_what_is_archived_late_keeps_nothing_back_of_what_came_again_meanwhile(arrivals, receive):
    bad, good = receive(uid="1.1", study="2.1"), receive(uid="1.2", study="2.1")
    receive(uid="1.1", study="2.2")
    accept(arrivals, TWO)
    assert accept(arrivals, ONE, rejected=[bad]).dismissed_by == "gateway"
    assert [one.sha256 for one in arrivals.instances(ONE).items if one.status == "accepted"] == [good.sha256]


def test_what_came_again_within_the_same_arrival_is_set_aside_too(arrivals, receive):
    bad, _good = receive(uid="1.1"), receive(uid="1.1")
    accept(arrivals, ONE, rejected=[bad])
    assert held(arrivals) == []


def test_what_cannot_be_read_is_set_aside_when_it_is_complete_after_what_came_later(arrivals, receive):
    receive(uid="1.1", unreadable="It is cut off.")
    receive(uid="1.1")
    accept(arrivals, TWO)
    assert arrivals.complete(ONE, actor="test").dismissed_by == "gateway"


@pytest.mark.parametrize(
    ("place", "sender", "is_superseded"),
    [
        ({}, OTHER, True),
        ({"study": "chest"}, SCANNER, False),
        ({"site": "rtd"}, SCANNER, False),
        ({"site": None}, OTHER, False),
        ({"study": None, "site": None}, SCANNER, True),
        ({"study": None, "site": None}, OTHER, False),
        ({"study": None, "site": None}, Sender(), False),
    ],
)
def test_what_is_settled_late_is_superseded_in_the_same_places(arrivals, receive, place, sender, is_superseded):
    receive(uid="1.1", study="2.1", sender=sender if sender == Sender() else SCANNER)
    receive(uid="1.1", study="2.2", sender=sender)
    accept(arrivals, TWO)
    quarantine(arrivals, ONE, **place)
    assert held(arrivals) == ([] if is_superseded else [1])


def test_the_one_that_was_accepted_last_is_named_and_until_then_nothing_is_set_aside(arrivals, receive):
    for uid in ("1.1", "1.2"):
        receive(uid=uid, study="2.1")
    for number, uid in ((2, "1.1"), (3, "1.2"), (4, "1.1")):
        receive(uid=uid, study=f"2.{number}")
    for arrival_id in (ArrivalId(4), TWO):
        accept(arrivals, arrival_id)
    quarantine(arrivals, ONE)
    assert held(arrivals) == [1], "one of its two objects did not come again yet"
    arrivals.retry(ONE, actor="anna")
    accept(arrivals, THREE)
    assert quarantine(arrivals, ONE).dismissed_reason == "Arrival 3 brought these objects again and was archived."


def test_nothing_but_a_newer_accepted_copy_supersedes_what_is_settled_late(arrivals, receive):
    receive(uid="1.1", study="2.1")
    again = receive(uid="1.1", study="2.2")
    receive(uid="1.2", study="2.2")
    accept(arrivals, TWO, rejected=[again])
    receive(uid="1.2", study="2.3")
    for arrival_id in (ONE, THREE):
        quarantine(arrivals, arrival_id)
    assert held(arrivals) == [3, 2, 1]


def test_those_that_cannot_be_superseded_take_no_place_among_the_newest(arrivals, receive, monkeypatch):
    monkeypatch.setattr("gateway.db.superseded._MOST_AT_ONCE", 2)
    for number in range(1, 7):
        receive(uid="1.1", study=f"2.{number}")
    quarantine(arrivals, ONE)
    for arrival_id in (TWO, THREE):
        quarantine(arrivals, arrival_id, site="rtd")
        quarantine(arrivals, ArrivalId(arrival_id + 2))
        arrivals.dismiss(ArrivalId(arrival_id + 2), Dismissal(reason="A phantom."), actor="anna")
    receive(uid="1.1", study="3")
    accept(arrivals, ArrivalId(7))
    assert arrivals.get(ONE).dismissed_by == "gateway"
    assert held(arrivals) == [3, 2]
    assert arrivals.get(ArrivalId(6)).state == "receiving"


def searched_and_scanned(database, asked):
    """Return the names of the tables that questions look up by an index, and of those that they read whole."""
    steps = set()
    for question, values in [one for one in asked if "brought" in one[0] or "kept" in one[0]]:
        with database.read() as uow:
            plan = uow.session.connection().exec_driver_sql(f"explain query plan {question}", values)
            steps |= {tuple(row[-1].split()[:2]) for row in plan}
    return [{name for how, name in steps if how == wanted} for wanted in ("SEARCH", "SCAN")]


TABLES = {"holder", "bringer", "place", "brought", "held", "kept", "copy"}


def test_many_are_set_aside_by_few_questions_that_read_no_table_from_end_to_end(arrivals, receive, database):
    for number in range(12):
        receive(uid=f"1.{number}", study=f"2.{number}")
        quarantine(arrivals, ArrivalId(number + 1))
    for number in range(12):
        receive(uid=f"1.{number}", study="3")
    arrivals.complete(ArrivalId(13), actor="test")
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
    accept(arrivals, ArrivalId(13))
    assert held(arrivals) == []
    assert (
        arrivals.history(ArrivalId(13))[0].detail == "It brought again what arrivals 1, 2, 3, 4 and 8 others held back."
    )
    assert len(asked) < 22, "not one for each"
    searched, scanned = searched_and_scanned(database, asked)
    assert searched >= TABLES
    assert not scanned & TABLES


def test_what_is_settled_late_is_found_by_two_questions_that_read_no_table_from_end_to_end(arrivals, receive, database):
    receive(uid="1.1", study="2.1")
    for number in range(2, 8):
        receive(uid="1.1", study=f"2.{number}")
        accept(arrivals, ArrivalId(number))
    arrivals.complete(ONE, actor="test")
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
    assert quarantine(arrivals, ONE).dismissed_reason == "Arrival 7 brought these objects again and was archived."
    assert len([one for one in asked if "brought" in one[0] or "kept" in one[0]]) == 2
    searched, scanned = searched_and_scanned(database, asked)
    assert searched >= TABLES
    assert not scanned & TABLES
