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
    steps = []
    for question, values in [one for one in asked if "brought" in one[0] or "kept" in one[0]]:
        with database.read() as uow:
            plan = uow.session.connection().exec_driver_sql(f"explain query plan {question}", values)
            steps += [row[-1].split()[:2] for row in plan]
    tables = {"arrival", "place", "brought", "held", "kept", "copy"}
    assert {name for how, name in steps if how == "SEARCH"} >= tables
    assert not [name for how, name in steps if how == "SCAN" and name in tables], steps
