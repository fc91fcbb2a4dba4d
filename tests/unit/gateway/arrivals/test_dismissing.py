"""What a person sets aside in the quarantine is counted no more, is kept, and comes back."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.arrivals.rights import WRITE, Right
from gateway.contract.errors import ArrivalNotReady, NoSuchArrival, NothingHeldBack
from gateway.contract.ids import ArrivalId
from gateway.contract.schemas import Dismissal, RejectedInstance, Settlement
from gateway.contract.states import ArrivalState, Outcome
from gateway.domain.received import Sender
from service_kit.accounts.domain import Grant, Principal, Role
from service_kit.accounts.errors import ScopeMissing

ONE, TWO = ArrivalId(1), ArrivalId(2)
PHANTOM = Dismissal(reason="A phantom, not a subject.")


@pytest.fixture
def quarantined(arrivals, receive):
    """Return one object that is held back: the whole arrival 1 of brain at ams."""
    received = receive(uid="1.1")
    arrivals.complete(ONE, actor="test")
    settlement = Settlement(outcome=Outcome.quarantined, reason="No study fits.", study="brain", site="ams")
    arrivals.settle(ONE, settlement, actor="flows")
    return received


def right(*grants):
    return Right(Principal("eve", "Eve", frozenset(grants)), WRITE)


def listed(arrivals, *, dismissed=False):
    return [entry.arrival.id for entry in arrivals.quarantine(dismissed=dismissed).items]


def test_what_is_set_aside_is_counted_and_listed_as_held_no_more_and_nothing_is_lost(arrivals, quarantined):
    record = arrivals.dismiss(ONE, PHANTOM, actor="anna")
    assert (record.dismissed_by, record.dismissed_reason) == ("anna", "A phantom, not a subject.")
    assert record.dismissed_at is not None
    assert (listed(arrivals), arrivals.held_in_all(), arrivals.counts().holding_back) == ([], (0, ()), 0)
    assert listed(arrivals, dismissed=True) == [1]
    assert record.state is ArrivalState.quarantined
    assert record.next_step == "Nothing is left to do: it was set aside."
    assert len(arrivals.page().items) == len(arrivals.instances(ONE).items) == 1
    latest = arrivals.history(ONE)[0]
    assert (latest.actor, latest.what, latest.detail) == ("anna", "Set aside", "A phantom, not a subject.")


def test_setting_aside_and_bringing_back_twice_is_as_once(arrivals, quarantined):
    first = arrivals.dismiss(ONE, PHANTOM, actor="anna")
    lines = len(arrivals.history(ONE))
    assert arrivals.dismiss(ONE, PHANTOM, actor="bert") == first
    assert len(arrivals.history(ONE)) == lines
    back = arrivals.reopen(ONE, actor="bert")
    assert (back.dismissed_at, back.dismissed_by, back.dismissed_reason) == (None, None, None)
    assert arrivals.reopen(ONE, actor="bert") == back
    assert [one.what for one in arrivals.history(ONE)][:2] == ["Brought back", "Set aside"]
    assert (listed(arrivals), listed(arrivals, dismissed=True)) == ([1], [])


def test_another_reason_takes_the_place_of_the_first_which_stays_in_the_history(arrivals, quarantined):
    arrivals.dismiss(ONE, PHANTOM, actor="anna")
    record = arrivals.dismiss(ONE, Dismissal(reason="A test of the scanner."), actor="bert")
    assert (record.dismissed_by, record.dismissed_reason) == ("bert", "A test of the scanner.")
    assert [one.detail for one in arrivals.history(ONE)][:2] == ["A test of the scanner.", "A phantom, not a subject."]


def test_trying_again_brings_back_and_what_is_rejected_then_is_held_back_once_more(arrivals, quarantined):
    arrivals.dismiss(ONE, PHANTOM, actor="anna")
    record = arrivals.retry(ONE, actor="anna")
    assert (record.state, record.dismissed_at) == (ArrivalState.complete, None)
    assert [one.what for one in arrivals.history(ONE)][:2] == ["Try again", "Brought back"]
    rejected = (RejectedInstance(sha256=quarantined.sha256, reason="It is cut off."),)
    arrivals.settle(ONE, Settlement(outcome=Outcome.accepted, study="brain", rejected=rejected), actor="flows")
    assert listed(arrivals) == [1]


def test_what_its_sender_sends_again_comes_back_by_itself(arrivals, quarantined, receive):
    arrivals.dismiss(ONE, PHANTOM, actor="anna")
    receive(uid="1.1", content=b"object 1")
    record = arrivals.get(ONE)
    assert (record.state, record.dismissed_at) == (ArrivalState.receiving, None)


def test_an_arrival_whose_objects_all_moved_to_another_one_is_set_aside_by_itself(arrivals, quarantined, receive):
    receive(uid="1.1", content=b"object 1", sender=Sender("OTHER", "COHORTFLOW"))
    record = arrivals.get(ONE)
    assert (record.instance_count, record.dismissed_by) == (0, "gateway")
    assert record.dismissed_reason == "All of its objects were sent again and are now in arrival 2."
    assert arrivals.counts().holding_back == 0


def test_a_person_s_own_words_stay_when_the_objects_move(arrivals, quarantined, receive):
    arrivals.dismiss(ONE, PHANTOM, actor="anna")
    receive(uid="1.1", content=b"object 1", sender=Sender("OTHER", "COHORTFLOW"))
    assert (arrivals.get(ONE).dismissed_by, arrivals.get(ONE).dismissed_reason) == ("anna", PHANTOM.reason)


def test_only_what_is_settled_and_holds_something_back_can_be_set_aside(arrivals, receive):
    receive()
    with pytest.raises(ArrivalNotReady, match="is receiving: it cannot be set aside now"):
        arrivals.dismiss(ONE, PHANTOM, actor="anna")
    arrivals.complete(ONE, actor="anna")
    with pytest.raises(ArrivalNotReady, match="is complete"):
        arrivals.dismiss(ONE, PHANTOM, actor="anna")
    arrivals.settle(ONE, Settlement(outcome=Outcome.accepted, study="brain"), actor="flows")
    with pytest.raises(NothingHeldBack, match="holds nothing back"):
        arrivals.dismiss(ONE, PHANTOM, actor="anna")
    assert arrivals.reopen(ONE, actor="anna").dismissed_at is None


@pytest.mark.parametrize("reason", ["", "   \n", "x" * 501, "a\0b", "\ud800", None])
def test_a_reason_is_a_sentence_that_can_be_kept(reason):
    with pytest.raises(ValidationError):
        Dismissal(reason=reason)


def test_a_reason_is_trimmed():
    assert Dismissal(reason="  A phantom. \n").reason == "A phantom."


@pytest.mark.parametrize(
    ("grant", "refusal"),
    [
        (Grant(Role.coordinator, "brain", "rtd"), NoSuchArrival),
        (Grant(Role.coordinator, "chest"), NoSuchArrival),
        (Grant(Role.annotator), NoSuchArrival),
    ],
)
def test_who_may_not_change_an_arrival_neither_sets_aside_nor_brings_back(arrivals, quarantined, grant, refusal):
    eve = right(grant)
    with pytest.raises(refusal):
        arrivals.dismiss(ONE, PHANTOM, actor="eve", right=eve)
    dismissed = arrivals.dismiss(ONE, PHANTOM, actor="anna", right=right(Grant(Role.coordinator, "brain", "ams")))
    with pytest.raises(refusal):
        arrivals.reopen(ONE, actor="eve", right=eve)
    assert arrivals.get(ONE) == dismissed
    assert arrivals.quarantine(dismissed=True, reach=eve.reach).items == []


def test_a_token_that_only_reads_sets_nothing_aside(arrivals, quarantined):
    reader = Right(Principal("eve", "Eve", frozenset({Grant(Role.engineer)}), frozenset({"gateway:read"})), WRITE)
    for act in (
        lambda: arrivals.dismiss(ONE, PHANTOM, actor="eve", right=reader),
        lambda: arrivals.reopen(ONE, actor="eve", right=reader),
    ):
        with pytest.raises(ScopeMissing):
            act()


def test_what_is_set_aside_comes_in_pages_newest_first(arrivals, receive):
    for number in range(1, 4):
        receive(study=f"1.{number}")
        arrivals.complete(ArrivalId(number), actor="test")
        settlement = Settlement(outcome=Outcome.quarantined, reason="No study fits.")
        arrivals.settle(ArrivalId(number), settlement, actor="flows")
        arrivals.dismiss(ArrivalId(number), PHANTOM, actor="anna")
    first = arrivals.quarantine(dismissed=True, limit=2)
    rest = arrivals.quarantine(dismissed=True, limit=2, cursor=first.next_cursor)
    assert [entry.arrival.id for page in (first, rest) for entry in page.items] == [3, 2, 1]
    assert rest.next_cursor is None
