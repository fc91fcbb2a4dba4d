"""The gateway on a real PostgreSQL: two receivers at once, and the service's decisions."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update

from gateway.arrivals.processing import Processing
from gateway.arrivals.service import FLOW, Arrivals
from gateway.contract.ids import ArrivalId
from gateway.contract.naming import spool_path
from gateway.contract.schemas import RejectedInstance, Settlement
from gateway.contract.states import ArrivalState, Outcome
from gateway.db.tables import ARRIVALS
from gateway.db.turns import take_turn
from gateway.domain.received import Indexed, ReceivedInstance, Sender
from gateway.receiver.index_writer import IndexWriter
from service_kit import migrations
from service_kit.database import Database
from service_kit.flow_orders import MemoryFlowOrders
from service_kit.outbox import Order
from service_kit.tables import utc_now

pytestmark = pytest.mark.integration

WAITING_FOR_A_TURN = text(
    "select count(*) from pg_locks join pg_database on pg_database.oid = database"
    " where datname = current_database() and locktype = 'advisory' and not granted"
)


@pytest.fixture
def database(postgres_url):
    name = f"gateway_{uuid4().hex[:8]}"
    server = Database(postgres_url)
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"create database {name}"))
    server.dispose()
    base, _, query = postgres_url.partition("?")
    url = base.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")
    migrations.upgrade(url, package="gateway")
    database = Database(url)
    yield database
    database.dispose()


def received(number, *, study="1.2.3"):
    digest = f"{number:064x}"
    return ReceivedInstance(
        sop_instance_uid=f"1.2.{number}",
        sha256=digest,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        study_instance_uid=study,
        series_instance_uid=f"{study}.1",
        path=spool_path(f"1.2.{number}", sha256=digest, study_instance_uid=study),
        size_bytes=100,
        received_at=utc_now(),
        sender=Sender("SCANNER", "COHORTFLOW", "10.0.0.7"),
    )


def test_two_receivers_share_arrivals_without_a_double(database):
    writers = [IndexWriter(database), IndexWriter(database)]
    objects = [received(number, study=f"1.2.{number % 3}") for number in range(60)]
    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(lambda job: writers[job[0] % 2].add(job[1]), enumerate(objects + objects)))
    for writer in writers:
        writer.close()
    assert sorted(one.value for one in outcomes) == ["duplicate"] * 60 + ["new"] * 60
    assert set(outcomes) == {Indexed.new, Indexed.duplicate}
    with database.read() as uow:
        arrivals = list(uow.session.connection().execute(select(ARRIVALS)))
    assert sorted((one.instance_count, one.duplicate_count) for one in arrivals) == [(20, 20)] * 3


def test_an_arrival_goes_its_whole_way(database):
    writer = IndexWriter(database)
    writer.add(received(1))
    writer.close()
    arrivals = Arrivals(database, quiet_period_s=0.001)
    assert arrivals.complete_quiet() == 1
    arrivals.settle(ArrivalId(1), Settlement(outcome=Outcome.quarantined, reason="No study fits."), actor="flows")
    assert [entry.arrival.reason for entry in arrivals.quarantine().items] == ["No study fits."]
    count, reasons = arrivals.held_in_all()
    assert (count, [(one.count, one.reason) for one in reasons]) == (1, [(1, "No study fits.")])
    assert arrivals.retry(ArrivalId(1), actor="anna").attempt == 2
    record = arrivals.settle(ArrivalId(1), Settlement(outcome=Outcome.accepted, study="brain"), actor="flows")
    assert record.state is ArrivalState.accepted
    assert [(one.count, one.size_bytes) for one in arrivals.series(ArrivalId(1))] == [(1, 100)]
    assert arrivals.counts().by_state[ArrivalState.accepted] == 1


def test_receivers_and_settlements_that_touch_the_same_arrivals_never_wait_for_each_other_for_ever(database):
    first = [received(number, study="1.2.1") for number in range(40)]
    again = [replace(received(100 + number, study="1.2.2"), sop_instance_uid=f"1.2.{number}") for number in range(40)]
    arrivals = Arrivals(database, quiet_period_s=0.001)
    writer = IndexWriter(database)
    for objects in (first, again):
        for one in objects:
            writer.add(one)
    for arrival_id in (1, 2):
        arrivals.complete(ArrivalId(arrival_id), actor="test")
    held = tuple(RejectedInstance(sha256=one.sha256, reason="It is not marked.") for one in first)
    arrivals.settle(ArrivalId(1), Settlement(outcome=Outcome.accepted, study="brain", rejected=held), actor="flows")

    def settle_again() -> None:
        for _ in range(12):
            arrivals.settle(
                ArrivalId(2), Settlement(outcome=Outcome.accepted, study="brain", rejected=()), actor="flows"
            )
            with database.write() as uow:  # as if it came anew
                take_turn(uow)
                uow.session.connection().execute(update(ARRIVALS).values(dismissed_at=None))
                uow.session.connection().execute(update(ARRIVALS).where(ARRIVALS.c.id == 2).values(state="complete"))

    with ThreadPoolExecutor(9) as pool:
        settling = pool.submit(settle_again)
        mixed = [one for pair in zip(again, reversed(first), strict=True) for one in pair]
        outcomes = list(pool.map(writer.add, mixed * 3))
        settling.result()
    writer.close()
    assert {one.value for one in outcomes} == {"duplicate"}
    arrivals.settle(ArrivalId(2), Settlement(outcome=Outcome.accepted, study="brain"), actor="flows")
    assert arrivals.get(ArrivalId(1)).dismissed_by == "gateway"
    assert [entry.arrival.id for entry in arrivals.quarantine(dismissed=True).items] == [1]


def test_what_writes_an_arrival_with_its_instances_or_several_arrivals_waits_for_its_turn(database):
    writer = IndexWriter(database)
    for number in range(1, 5):
        writer.add(received(number, study=f"1.2.{number}"))
    writer.close()
    arrivals = Arrivals(database, quiet_period_s=0.001)
    processing = Processing(database, arrivals, MemoryFlowOrders())
    arrivals.complete(ArrivalId(1), actor="test")
    arrivals.settle(ArrivalId(1), Settlement(outcome=Outcome.quarantined, reason="No study fits."), actor="flows")
    arrivals.complete(ArrivalId(2), actor="test")
    with database.write() as uow:
        uow.session.connection().execute(update(ARRIVALS).where(ARRIVALS.c.id == 2).values(flow_run_id="lost"))
    given_up = Order(id=1, kind=FLOW, key="arrival-2-2", payload={"arrival_id": 2, "attempt": 2}, attempts=1, lease="")
    accepted = Settlement(outcome=Outcome.accepted, study="brain")
    for act in (
        lambda: arrivals.retry(ArrivalId(1), actor="anna"),
        lambda: arrivals.settle(ArrivalId(1), accepted, actor="flows"),
        processing.reconcile,
        lambda: processing.give_up_order(given_up, "No flow server."),
        lambda: arrivals.complete(ArrivalId(3), actor="anna"),
        arrivals.complete_quiet,
    ):
        with ThreadPoolExecutor(1) as pool:
            with database.write() as uow:
                take_turn(uow)
                done = pool.submit(act)
                while not done.done() and not uow.session.connection().scalar(WAITING_FOR_A_TURN):
                    time.sleep(0.005)
                assert not done.done()
            done.result()
    states = [one.state.value for one in reversed(arrivals.page().items)]
    assert states == ["accepted", "quarantined", "complete", "complete"]


def test_what_is_settled_after_what_came_later_is_set_aside_at_once(database):
    writer = IndexWriter(database)
    for number, study in ((1, "1.2.1"), (2, "1.2.2")):
        writer.add(replace(received(number, study=study), sop_instance_uid="1.2.9"))
    writer.close()
    arrivals = Arrivals(database, quiet_period_s=0.001)
    for arrival_id in (1, 2):
        arrivals.complete(ArrivalId(arrival_id), actor="test")
    arrivals.settle(ArrivalId(2), Settlement(outcome=Outcome.accepted, study="brain"), actor="flows")
    late = Settlement(outcome=Outcome.quarantined, reason="It is not marked.", study="brain")
    assert arrivals.settle(ArrivalId(1), late, actor="flows").dismissed_by == "gateway"
