"""What happens to an arrival, decision by decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select

from gateway.contract.errors import (
    ArrivalNotReady,
    ArrivalOrderedAnew,
    ArrivalSettled,
    NoSuchArrival,
    NothingToProcess,
    ReasonMissing,
    UnknownInstances,
)
from gateway.contract.ids import ArrivalId
from gateway.contract.schemas import RejectedInstance, Settlement
from gateway.contract.states import ArrivalState, InstanceStatus, Outcome
from gateway.db import arrivals as rows
from gateway.db.tables import INSTANCES, Outbox
from gateway.domain.received import StudyOfSender
from service_kit.errors import InvalidInput
from service_kit.paging import encode_cursor

ONE = ArrivalId(1)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCEPTED = Settlement(
    outcome=Outcome.accepted, session_label="S1_MR_20260301", study="brain", session_url="/sessions/1"
)


def orders(database):
    with database.read() as uow:
        found = uow.session.scalars(select(Outbox).order_by(Outbox.id)).all()
        return [Outbox(**order.model_dump()) for order in found]


def test_nothing_for_the_quiet_period_completes_it_and_orders_its_processing(arrivals, receive, database):
    receive(at=NOW)
    assert arrivals.complete_quiet(now=NOW + timedelta(seconds=9.9)) == 0
    assert arrivals.complete_quiet(now=NOW + timedelta(seconds=10)) == 1
    assert arrivals.get(ONE).state is ArrivalState.complete
    (order,) = orders(database)
    assert (order.kind, order.key) == ("flow", "arrival-1")
    assert order.payload["deployment"] == "receive-session/warm"
    assert order.payload["parameters"] == {"arrival_id": 1}


def test_completing_twice_orders_once(arrivals, receive, database):
    receive(at=NOW)
    arrivals.complete(ONE, actor="anna")
    arrivals.complete(ONE, actor="anna")
    assert arrivals.complete_quiet(now=NOW + timedelta(hours=1)) == 0
    assert len(orders(database)) == 1


def test_an_arrival_without_a_readable_object_goes_to_the_quarantine_without_a_flow(arrivals, receive, database):
    receive(unreadable="It is broken.", at=NOW)
    arrivals.complete_quiet(now=NOW + timedelta(minutes=1))
    record = arrivals.get(ONE)
    assert record.state is ArrivalState.quarantined
    assert record.reason == "It is broken."
    assert orders(database) == []
    with pytest.raises(NothingToProcess):
        arrivals.retry(ONE, actor="anna")


def test_an_accepted_arrival_leads_to_its_session(arrivals, receive):
    receive()
    arrivals.complete(ONE, actor="anna")
    record = arrivals.settle(ONE, ACCEPTED, actor="flows")
    assert (record.state, record.session_label, record.study) == (ArrivalState.accepted, "S1_MR_20260301", "brain")
    assert [one.status for one in arrivals.instances(ONE).items] == [InstanceStatus.accepted]


def test_rejected_instances_stay_in_the_quarantine_while_the_others_go_on(arrivals, receive):
    good, bad = receive(), receive()
    arrivals.complete(ONE, actor="anna")
    rejected = (RejectedInstance(sha256=bad.sha256, reason="Its pixel data is cut off."),)
    record = arrivals.settle(ONE, ACCEPTED.model_copy(update={"rejected": rejected}), actor="flows")
    assert (record.state, record.quarantined_count) == (ArrivalState.accepted, 1)
    assert [file.filename for file in arrivals.files(ONE)] == [f"{good.sop_instance_uid}_{good.sha256}.dcm"]
    (entry,) = arrivals.quarantine().items
    assert [(one.reason, one.count) for one in entry.reasons] == [("Its pixel data is cut off.", 1)]


def test_many_rejected_instances_are_written_at_once_each_with_its_reason(arrivals, receive, database):
    unreadable, *bad = receive(), *(receive() for _ in range(20))
    with database.write() as uow:
        gone = INSTANCES.c.sha256 == unreadable.sha256
        uow.session.connection().execute(INSTANCES.update().where(gone).values(readable=False, reason="It is broken."))
    arrivals.complete(ONE, actor="anna")
    rejected = [RejectedInstance(sha256=one.sha256, reason=f"Reason {i}.") for i, one in enumerate((unreadable, *bad))]
    written = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: written.append(given[2]))
    arrivals.settle(ONE, ACCEPTED.model_copy(update={"rejected": tuple(rejected)}), actor="flows")
    assert len([one for one in written if one.startswith("UPDATE instance")]) == 2, "these, and the accepted ones"
    reasons = [one.reason for one in arrivals.instances(ONE).items]
    assert reasons == ["It is broken.", *(f"Reason {number}." for number in range(1, 21))]


def test_the_same_answer_twice_changes_nothing(arrivals, receive):
    receive()
    arrivals.complete(ONE, actor="anna")
    first = arrivals.settle(ONE, ACCEPTED, actor="flows")
    history = len(arrivals.history(ONE))
    assert arrivals.settle(ONE, ACCEPTED, actor="flows") == first
    assert len(arrivals.history(ONE)) == history


def test_another_answer_afterwards_comes_late(arrivals, receive):
    receive()
    arrivals.complete(ONE, actor="anna")
    arrivals.settle(ONE, ACCEPTED, actor="flows")
    with pytest.raises(ArrivalSettled):
        arrivals.settle(ONE, Settlement(outcome=Outcome.quarantined, reason="No study fits."), actor="flows")


def test_it_cannot_be_settled_or_downloaded_while_it_receives(arrivals, receive):
    receive()
    with pytest.raises(ArrivalNotReady):
        arrivals.settle(ONE, ACCEPTED, actor="flows")
    with pytest.raises(ArrivalNotReady):
        arrivals.files(ONE)


def test_an_answer_about_foreign_instances_moves_nothing(arrivals, receive):
    receive()
    arrivals.complete(ONE, actor="anna")
    rejected = (RejectedInstance(sha256="0" * 64, reason="?"),)
    with pytest.raises(UnknownInstances):
        arrivals.settle(ONE, ACCEPTED.model_copy(update={"rejected": rejected}), actor="flows")
    assert arrivals.get(ONE).state is ArrivalState.complete


def test_a_quarantine_needs_a_reason(arrivals, receive):
    receive()
    arrivals.complete(ONE, actor="anna")
    with pytest.raises(ReasonMissing):
        arrivals.settle(ONE, Settlement(outcome=Outcome.quarantined), actor="flows")


def test_trying_again_gives_everything_readable_back_and_orders_a_new_attempt(arrivals, receive, database):
    one, _broken = receive(), receive(study="1.2.3")
    arrivals.complete(ONE, actor="anna")
    rejected = (RejectedInstance(sha256=one.sha256, reason="Not marked as de-identified."),)
    arrivals.settle(
        ONE, Settlement(outcome=Outcome.quarantined, reason="No study fits.", rejected=rejected), actor="flows"
    )
    record = arrivals.retry(ONE, actor="anna")
    assert (record.state, record.reason, record.quarantined_count) == (ArrivalState.complete, None, 0)
    assert [order.key for order in orders(database)] == ["arrival-1", "arrival-1-2"]
    assert arrivals.retry(ONE, actor="anna") == record
    assert arrivals.history(ONE)[0].actor == "anna"


def test_what_an_accepted_arrival_holds_back_can_be_tried_again(arrivals, receive):
    bad, _good = receive(), receive()
    arrivals.complete(ONE, actor="anna")
    rejected = (RejectedInstance(sha256=bad.sha256, reason="The study takes no CT."),)
    arrivals.settle(ONE, ACCEPTED.model_copy(update={"rejected": rejected}), actor="flows")
    assert arrivals.retry(ONE, actor="anna").state is ArrivalState.complete


def test_an_arrival_that_holds_nothing_back_cannot_be_tried_again(arrivals, receive):
    receive()
    with pytest.raises(ArrivalNotReady):
        arrivals.retry(ONE, actor="anna")
    arrivals.complete(ONE, actor="anna")
    arrivals.settle(ONE, ACCEPTED, actor="flows")
    with pytest.raises(ArrivalNotReady):
        arrivals.retry(ONE, actor="anna")


def test_pages_follow_one_another_without_gap_or_repeat(arrivals, receive):
    for number in range(5):
        receive(study=f"1.2.{number}")
    first = arrivals.page(limit=2)
    second = arrivals.page(limit=2, cursor=first.next_cursor)
    third = arrivals.page(limit=2, cursor=second.next_cursor)
    assert [one.id for page in (first, second, third) for one in page.items] == [5, 4, 3, 2, 1]
    assert third.next_cursor is None
    for cursor in ("rubbish!", encode_cursor("a"), encode_cursor(1, 2)):
        with pytest.raises(InvalidInput):
            arrivals.page(cursor=cursor)


def test_arrivals_of_another_study_are_not_there_for_a_coordinator_of_one(arrivals, receive):
    receive()
    receive(study="1.2.9")
    arrivals.complete(ONE, actor="anna")
    arrivals.settle(ONE, ACCEPTED, actor="flows")
    chest = frozenset({("chest", None)})
    assert arrivals.page(reach=chest).items == [], "neither brain's nor what is not routed yet"
    with pytest.raises(NoSuchArrival):
        arrivals.get(ONE, reach=chest)
    assert arrivals.get(ONE, reach=frozenset({("brain", None)})).study == "brain"
    assert len(arrivals.page(reach=frozenset({(None, None)})).items) == 2


def test_arrivals_of_another_site_are_not_there_for_a_coordinator_of_one(arrivals, receive):
    receive()
    arrivals.complete(ONE, actor="anna")
    arrivals.settle(ONE, ACCEPTED.model_copy(update={"site": "ams"}), actor="flows")
    for reach, seen in [(("brain", "ams"), 1), ((None, "ams"), 1), (("brain", "rtd"), 0), ((None, "rtd"), 0)]:
        assert len(arrivals.page(reach=frozenset({reach})).items) == seen
        assert sum(arrivals.counts(reach=frozenset({reach})).by_state.values()) == seen


def test_an_answer_of_an_earlier_attempt_moves_nothing(arrivals, receive, database):
    receive()
    arrivals.complete(ONE, actor="anna")
    with database.write() as uow:
        arrivals.order(uow, rows.get(uow, ONE, lock=True))
    with pytest.raises(ArrivalOrderedAnew):
        arrivals.settle(ONE, ACCEPTED.model_copy(update={"attempt": 1}), actor="flows")
    assert arrivals.get(ONE).state is ArrivalState.complete
    assert arrivals.settle(ONE, ACCEPTED.model_copy(update={"attempt": 2}), actor="flows").session_label


def test_the_history_tells_who_did_what(arrivals, receive):
    receive()
    arrivals.complete(ONE, actor="anna")
    arrivals.settle(ONE, ACCEPTED, actor="flows")
    assert [(event.actor, event.what) for event in arrivals.history(ONE)] == [
        ("flows", "Accepted"),
        ("anna", "Marked as complete"),
        ("receiver", "First object received"),
    ]


def test_an_arrival_is_not_complete_while_its_sender_is_connected(arrivals, receive, database):
    received = receive(at=NOW)
    study = StudyOfSender(received.study_instance_uid, received.sender.calling_ae, received.sender.called_ae)
    with database.write() as uow:
        rows.hold(uow, [study], until=NOW + timedelta(seconds=65))
    assert arrivals.complete_quiet(now=NOW + timedelta(seconds=60)) == 0
    assert arrivals.complete_quiet(now=NOW + timedelta(seconds=65)) == 1, "it hung up"


def test_the_page_says_that_a_sender_is_connected(arrivals, receive, database):
    received = receive()
    study = StudyOfSender(received.study_instance_uid, received.sender.calling_ae, received.sender.called_ae)
    assert arrivals.get(ONE).complete_expected_at is not None
    with database.write() as uow:
        rows.hold(uow, [study], until=datetime.now(UTC) + timedelta(minutes=1))
    record = arrivals.get(ONE)
    assert (record.next_step, record.complete_expected_at) == ("Its sender is connected and may send more.", None)
