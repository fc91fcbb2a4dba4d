"""Outbox: an order is never lost, never doubled by its key, and its troubles are visible."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from service_kit.database import Database
from service_kit.errors import InvalidInput, Unavailable
from service_kit.outbox import Dispatcher, Order, OutboxColumns, enqueue
from service_kit.tables import service_base, utc_now

Base = service_base()


class Outbox(OutboxColumns, Base, table=True):
    __tablename__ = "outbox"


@pytest.fixture
def database(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path}/test.db")
    Base.metadata.create_all(database.engine)
    yield database
    database.dispose()


def order(database: Database, key: str, kind: str = "flow") -> None:
    with database.write() as uow:
        enqueue(uow, Outbox, kind=kind, key=key, payload={"key": key})


def row(database: Database, key: str) -> Outbox:
    with database.read() as uow:
        return uow.session.exec(text("select * from outbox where key = :key").bindparams(key=key)).one()


def test_the_same_key_twice_is_one_order(database: Database) -> None:
    seen: list[Order] = []
    order(database, "execution-1-1")
    order(database, "execution-1-1")
    dispatcher = Dispatcher(database, Outbox, handlers={"flow": lambda o: seen.append(o)})
    assert dispatcher.run_due() == 1
    assert [o.key for o in seen] == ["execution-1-1"]
    assert row(database, "execution-1-1").status == "delivered"


def test_an_order_of_a_rolled_back_decision_never_existed(database: Database) -> None:
    with pytest.raises(ValueError, match="no"), database.write() as uow:
        enqueue(uow, Outbox, kind="flow", key="1", payload={})
        raise ValueError("no")
    assert Dispatcher(database, Outbox, handlers={"flow": lambda _: None}).run_due() == 0


def test_a_peer_that_does_not_answer_is_asked_again_later(database: Database) -> None:
    def handler(order: Order) -> dict[str, int]:
        if order.attempts < 2:
            raise Unavailable("not now")
        return {"attempts": order.attempts}

    order(database, "1")
    dispatcher = Dispatcher(database, Outbox, handlers={"flow": handler})
    dispatcher.run_due()
    first = row(database, "1")
    assert (first.status, first.last_error) == ("pending", "not now")
    time.sleep(0.6)
    dispatcher.run_due()
    assert row(database, "1").status == "delivered"


def test_a_refusal_ends_the_order_and_the_service_hears_of_it(database: Database) -> None:
    dead: list[tuple[str, str]] = []

    def handler(_: Order) -> None:
        raise InvalidInput("never")

    order(database, "1")
    Dispatcher(database, Outbox, handlers={"flow": handler}, on_dead=lambda o, why: dead.append((o.key, why))).run_due()
    assert dead == [("1", "never")]
    assert row(database, "1").status == "dead"


def test_a_faulty_handler_does_not_stop_the_orders_of_others(database: Database) -> None:
    def broken(_: Order) -> None:
        raise KeyError("x")

    seen: list[str] = []
    order(database, "1", kind="broken")
    order(database, "2")
    Dispatcher(database, Outbox, handlers={"broken": broken, "flow": lambda o: seen.append(o.key)}).run_due()
    assert seen == ["2"]
    assert "KeyError" in row(database, "1").last_error


def test_an_order_without_a_handler_is_shown_as_dead(database: Database) -> None:
    order(database, "1", kind="unheard-of")
    Dispatcher(database, Outbox, handlers={}).run_due()
    assert "unheard-of" in row(database, "1").last_error


def test_two_dispatchers_share_the_work_without_doing_it_twice(database: Database) -> None:
    seen: list[str] = []
    for n in range(40):
        order(database, str(n))
    dispatchers = [Dispatcher(database, Outbox, handlers={"flow": lambda o: seen.append(o.key)}) for _ in range(3)]
    threads = [threading.Thread(target=d.run_due) for d in dispatchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen, key=int) == [str(n) for n in range(40)]


def test_one_who_lost_the_lease_says_no_more_what_becomes_of_the_order(database: Database) -> None:
    """A handler hangs beyond its lease; another dispatcher delivers the order; then the first one fails."""
    dead: list[str] = []

    def late(_: Order) -> None:
        time.sleep(0.2)
        assert Dispatcher(database, Outbox, handlers={"flow": lambda _: {"by": "other"}}).run_due() == 1
        raise InvalidInput("late no")

    order(database, "1")
    slow = Dispatcher(database, Outbox, handlers={"flow": late}, lease_s=0.1, on_dead=lambda o, _: dead.append(o.key))
    slow.run_due()
    assert row(database, "1").status == "delivered"
    assert not dead


def test_one_who_lost_the_lease_does_not_put_off_what_another_has_in_hand(database: Database) -> None:
    def late(_: Order) -> None:
        time.sleep(0.2)
        Dispatcher(database, Outbox, handlers={}, lease_s=3600)._lease()
        raise Unavailable("late, not now")

    order(database, "1")
    slow = Dispatcher(database, Outbox, handlers={"flow": late}, lease_s=0.1)
    slow.run_due()
    found = row(database, "1")
    assert found.lease_token
    assert found.last_error is None


def test_waking_the_thread_dispatches_at_once(database: Database) -> None:
    done = threading.Event()
    dispatcher = Dispatcher(database, Outbox, handlers={"flow": lambda _: done.set()}, poll_s=60)
    dispatcher.start()
    time.sleep(0.2)
    with database.write() as uow:
        enqueue(uow, Outbox, kind="flow", key="1", payload={})
        uow.after_commit(dispatcher.wake)
    assert done.wait(2)
    dispatcher.stop()


def test_an_order_for_later_comes_at_its_time_and_not_with_the_next_look(database: Database) -> None:
    done, came = threading.Event(), []
    dispatcher = Dispatcher(
        database, Outbox, handlers={"flow": lambda _: came.append(utc_now()) or done.set()}, poll_s=3600
    )
    with database.write() as uow:
        due = enqueue(uow, Outbox, kind="flow", key="1", payload={}, available_in_s=0.5).available_at
    dispatcher.start()
    assert done.wait(60)
    dispatcher.stop()
    assert came[0] >= due


def test_an_order_that_another_process_wrote_is_found(database: Database) -> None:
    done = threading.Event()
    dispatcher = Dispatcher(database, Outbox, handlers={"flow": lambda _: done.set()}, poll_s=0.1)
    dispatcher.start()
    time.sleep(0.2)
    order(database, "1")
    assert done.wait(60)
    dispatcher.stop()


def test_the_service_acts_before_the_order_is_settled_and_pages_are_told_after(database: Database) -> None:
    def status_of(o: Order) -> str:
        return str(row(database, o.key).status)

    def handler(o: Order) -> None:
        if o.key == "bad":
            raise InvalidInput("never")

    seen: list[str] = []
    order(database, "good")
    order(database, "bad")
    Dispatcher(
        database,
        Outbox,
        handlers={"flow": handler},
        on_delivered=lambda o, _: seen.append(status_of(o)),
        on_dead=lambda o, _: seen.append(status_of(o)),
        on_settled=lambda o: seen.append(status_of(o)),
    ).run_due()
    assert seen == ["pending", "delivered", "pending", "dead"]


def test_a_fault_of_the_service_repeats_the_order_and_does_not_end_the_thread(database: Database) -> None:
    done = threading.Event()

    def on_delivered(o: Order, _: object) -> None:
        if o.attempts == 1:
            raise KeyError("x")
        done.set()

    order(database, "1")
    dispatcher = Dispatcher(database, Outbox, handlers={"flow": lambda _: None}, on_delivered=on_delivered, lease_s=0.1)
    dispatcher.start()
    assert done.wait(10)
    dispatcher.stop()
    assert (row(database, "1").status, row(database, "1").attempts) == ("delivered", 2)


def test_what_a_handler_could_not_write_is_logged_without_its_path(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    label = "DOE_JANE"
    unwritable = Path("/nowhere", label, "report.pdf")

    def handler(_: Order) -> None:
        unwritable.write_text("")

    order(database, "1")
    Dispatcher(database, Outbox, handlers={"flow": handler}).run_due()
    assert "outbox handler failed" in caplog.text
    assert label not in caplog.text + str(row(database, "1").last_error)
