"""Which arrival an object belongs to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from gateway.contract.ids import ArrivalId
from gateway.contract.schemas import Settlement
from gateway.contract.states import Outcome
from gateway.db import arrivals as rows
from gateway.db.tables import ARRIVALS, INSTANCES
from gateway.domain.received import Sender

OTHER = Sender("OTHER", "COHORTFLOW", "10.0.0.8")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def all_arrivals(database):
    with database.read() as uow:
        return list(uow.session.connection().execute(select(ARRIVALS).order_by(ARRIVALS.c.id)))


def all_instances(database):
    with database.read() as uow:
        return list(uow.session.connection().execute(select(INSTANCES).order_by(INSTANCES.c.id)))


def test_objects_of_a_study_from_one_sender_are_one_arrival(database, receive):
    receive(at=NOW)
    receive(at=NOW + timedelta(seconds=1))
    (arrival,) = all_arrivals(database)
    assert (arrival.instance_count, arrival.calling_ae, arrival.state) == (2, "SCANNER", "receiving")
    assert arrival.last_instance_at == NOW + timedelta(seconds=1)
    assert arrival.opened_at == NOW


def test_another_study_or_another_sender_is_another_arrival(database, receive):
    receive()
    receive(study="1.2.9")
    receive(sender=OTHER)
    assert len(all_arrivals(database)) == 3


def test_the_same_bytes_of_a_processed_arrival_are_counted_and_open_nothing(database, receive, arrivals):
    receive(content=b"same")
    arrivals.complete(ArrivalId(1), actor="anna")
    receive(content=b"same")
    receive(content=b"same", sender=OTHER)
    (arrival,) = all_arrivals(database)
    assert (arrival.instance_count, arrival.duplicate_count) == (1, 2)
    assert all_instances(database)[0].copies == 3


def test_a_repeated_object_shows_that_the_sender_is_still_at_work(database, receive):
    receive(content=b"same", at=NOW)
    receive(content=b"same", at=NOW + timedelta(seconds=5))
    assert all_arrivals(database)[0].last_instance_at == NOW + timedelta(seconds=5)


def test_an_object_for_a_complete_arrival_opens_a_new_one(database, receive, arrivals):
    receive()
    arrivals.complete(ArrivalId(1), actor="anna")
    receive()
    assert [(one.state, one.instance_count) for one in all_arrivals(database)] == [("complete", 1), ("receiving", 1)]


def test_an_unreadable_object_has_a_row_and_a_reason(database, receive):
    receive(unreadable="It is broken.")
    (instance,) = all_instances(database)
    assert (instance.status, instance.reason, instance.readable) == ("quarantined", "It is broken.", False)
    assert all_arrivals(database)[0].quarantined_count == 1


def test_a_recovered_object_joins_the_arrival_that_receives_its_study(database, receive):
    receive()
    receive(sender=Sender())
    (arrival,) = all_arrivals(database)
    assert (arrival.instance_count, arrival.calling_ae) == (2, "SCANNER")


def test_the_sender_that_comes_back_claims_what_was_recovered(database, receive):
    receive(sender=Sender(), content=b"recovered")
    assert all_arrivals(database)[0].calling_ae == ""
    receive(content=b"recovered")
    receive()
    (arrival,) = all_arrivals(database)
    assert (arrival.calling_ae, arrival.peer_ip, arrival.instance_count) == ("SCANNER", "10.0.0.7", 2)


def test_a_new_object_claims_the_recovered_arrival_of_its_study(database, receive):
    receive(sender=Sender())
    receive()
    (arrival,) = all_arrivals(database)
    assert (arrival.calling_ae, arrival.instance_count) == ("SCANNER", 2)


def test_series_are_summed_up(database, receive):
    receive(series="1.1")
    receive(series="1.1")
    receive(series="1.2")
    with database.read() as uow:
        found = rows.series(uow, ArrivalId(1))
    assert [(one.series_instance_uid, one.count) for one in found] == [("1.1", 2), ("1.2", 1)]


def quarantined(arrivals):
    arrivals.complete(ArrivalId(1), actor="anna")
    arrivals.settle(ArrivalId(1), Settlement(outcome=Outcome.quarantined, reason="No route."), actor="flows")


def test_quarantined_objects_that_another_sender_sends_again_move_to_its_arrival(database, receive, arrivals):
    receive(content=b"one")
    receive(content=b"two")
    quarantined(arrivals)
    receive(content=b"one", sender=OTHER)
    assert [one.instance_count for one in all_arrivals(database)] == [1, 1]
    receive(content=b"two", sender=OTHER)
    old, new = all_arrivals(database)
    assert (old.state, old.instance_count, old.size_bytes) == ("quarantined", 0, 0)
    assert "now in arrival 2" in old.reason
    assert "Nothing is left" in arrivals.get(ArrivalId(1)).next_step
    assert (new.state, new.calling_ae, new.instance_count, new.size_bytes) == ("receiving", "OTHER", 2, 6)
    assert [(one.arrival_id, one.status, one.copies) for one in all_instances(database)] == [(2, "stored", 2)] * 2
    assert arrivals.complete(ArrivalId(2), actor="anna").attempt == 1


def test_a_quarantined_arrival_that_its_sender_sends_again_is_tried_again_once(database, receive, arrivals):
    receive(content=b"one")
    receive(content=b"two")
    quarantined(arrivals)
    receive(content=b"one")
    receive(content=b"two")
    (arrival,) = all_arrivals(database)
    assert (arrival.state, arrival.instance_count, arrival.reason) == ("receiving", 2, None)
    again = arrivals.complete(ArrivalId(1), actor="anna")
    assert (again.state, again.attempt) == ("complete", 2)


def test_a_quarantined_object_sent_again_joins_what_its_sender_sends_now(database, receive, arrivals):
    receive(content=b"one")
    quarantined(arrivals)
    receive(content=b"new")
    receive(content=b"one")
    assert [(one.state, one.instance_count) for one in all_arrivals(database)] == [("quarantined", 0), ("receiving", 2)]


def test_an_unreadable_object_sent_again_stays_where_it_is(database, receive, arrivals):
    receive(content=b"x", unreadable="It is broken.")
    arrivals.complete(ArrivalId(1), actor="anna")
    receive(content=b"x", unreadable="It is broken.")
    receive(content=b"x", unreadable="It is broken.", sender=OTHER)
    (arrival,) = all_arrivals(database)
    assert (arrival.state, arrival.duplicate_count) == ("quarantined", 2)
