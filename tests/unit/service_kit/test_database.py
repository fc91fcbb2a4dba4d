"""Unit of work: one decision is one transaction."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import Field

from service_kit.database import Database
from service_kit.errors import OutOfSpace, Unavailable
from service_kit.tables import UtcDateTime, service_base

Base = service_base()


class Moment(Base, table=True):
    __tablename__ = "moment"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=cast("Any", UtcDateTime))


@pytest.fixture
def database(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path}/test.db")
    Base.metadata.create_all(database.engine)
    yield database
    database.dispose()


def count(database: Database) -> int:
    with database.read() as uow:
        return uow.session.connection().scalar(text("select count(*) from moment"))


def test_a_clean_exit_commits_and_then_tells(database: Database) -> None:
    told: list[int] = []
    with database.write() as uow:
        uow.session.add(Moment(at=datetime.now(UTC)))
        uow.after_commit(lambda: told.append(count(database)))
        assert told == []
    assert told == [1]


def test_an_exception_rolls_back_and_tells_nobody(database: Database) -> None:
    told: list[int] = []
    with pytest.raises(ValueError, match="no"), database.write() as uow:
        uow.session.add(Moment(at=datetime.now(UTC)))
        uow.session.flush()
        uow.after_commit(lambda: told.append(1))
        raise ValueError("no")
    assert count(database) == 0
    assert told == []


def test_moments_come_back_aware_in_utc(database: Database) -> None:
    zoned = datetime(2026, 2, 3, 10, 15, tzinfo=timezone(timedelta(hours=2)))
    with database.write() as uow:
        uow.session.add(Moment(at=zoned))
    with database.read() as uow:
        assert uow.session.get(Moment, 1).at == datetime(2026, 2, 3, 8, 15, tzinfo=UTC)
        assert uow.session.get(Moment, 1).at.tzinfo is UTC


def test_a_naive_moment_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="time zone"), database.write() as uow:
        uow.session.add(Moment(at=datetime(2026, 2, 3)))  # noqa: DTZ001


def test_twenty_writers_at_once_lose_nothing(database: Database) -> None:
    def write() -> None:
        for _ in range(5):
            with database.write() as uow:
                uow.session.add(Moment(at=datetime.now(UTC)))

    threads = [threading.Thread(target=write) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(database) == 100


def test_sqlite_keeps_what_it_committed_through_a_power_cut(database: Database) -> None:
    with database.read() as uow:
        connection = uow.session.connection()
        assert connection.scalar(text("pragma journal_mode")) == "wal"
        assert connection.scalar(text("pragma synchronous")) == 2  # FULL
        assert connection.scalar(text("pragma foreign_keys")) == 1


def test_a_database_that_does_not_answer_says_so() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1")
    with pytest.raises(Unavailable, match="does not answer"):
        database.ping()
    database.dispose()


def test_a_used_up_pool_is_an_outage(database: Database) -> None:
    with pytest.raises(Unavailable), database.read():
        raise PoolTimeoutError


def test_an_error_tells_no_value_of_its_statement(database: Database) -> None:
    statement = text("insert into moment (id, at) values (1, :at)")
    with pytest.raises(IntegrityError) as failed, database.write() as uow:
        for _ in range(2):
            uow.session.connection().execute(statement, {"at": "Anna Jansen"})
    assert "Anna" not in str(failed.value)


def test_a_full_disk_is_no_outage_without_a_reason(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/full.db")
    with pytest.raises(OutOfSpace, match="disk of the database is full"), database.write() as uow:
        uow.session.connection().exec_driver_sql("pragma max_page_count = 4")
        uow.session.connection().exec_driver_sql("create table t (x)")
        uow.session.connection().exec_driver_sql("insert into t values (zeroblob(100000))")
    database.dispose()
