"""Which arrival an object belongs to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from gateway.contract.ids import ArrivalId
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


def test_the_same_bytes_again_are_counted_and_open_nothing(database, receive, arrivals):
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
