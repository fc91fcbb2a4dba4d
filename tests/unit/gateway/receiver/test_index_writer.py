"""Group commit: each caller returns when its own row is durable."""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from sqlalchemy import event, func, select
from sqlalchemy.exc import DataError

from gateway.db.tables import INSTANCES
from gateway.domain.received import Indexed
from gateway.receiver.index_writer import IndexWriter


def test_many_associations_at_once_get_one_row_each(database, receive):
    template = receive(content=b"first")
    writer = IndexWriter(database)

    def add(number):
        digest = f"{number:064x}"
        return writer.add(replace(template, sha256=digest, sop_instance_uid=f"1.{number}", path=f"aa/bb/{digest}"))

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(add, range(1, 101)))
    writer.close()
    assert outcomes == [Indexed.new] * 100
    with database.read() as uow:
        assert uow.session.connection().scalar(select(func.count()).select_from(INSTANCES)) == 101


def test_the_same_object_twice_in_one_batch_is_one_row(database, receive):
    template = receive(content=b"first")
    again = replace(template, sha256="0" * 64, sop_instance_uid="1.9", path="aa/bb/x")
    writer = IndexWriter(database)
    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(one.value for one in pool.map(writer.add, [again] * 4))
    writer.close()
    assert outcomes == ["duplicate", "duplicate", "duplicate", "new"]


def test_a_row_that_the_database_refuses_fails_alone_and_is_no_outage(database, receive, caplog):
    @event.listens_for(database.engine, "connect")
    def allow_short_values_only(connection, _record):
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 5_000)

    template = receive(content=b"first")
    objects = [
        replace(template, sha256=f"{number:064x}", sop_instance_uid=f"1.{number}", path=f"aa/bb/{number}")
        for number in range(6)
    ]
    objects[3] = replace(objects[3], path="secret" * 1_000)
    database.engine.dispose()
    writer = IndexWriter(database)
    waiting: list[Future[Indexed]] = [Future() for _ in objects]
    writer._write(list(zip(objects, waiting, strict=True)))  # as if all six had come at the same moment
    refused = waiting.pop(3)
    assert [one.result(0) for one in waiting] == [Indexed.new] * 5
    assert isinstance(refused.exception(0), DataError)
    writer.close()
    assert "secret" not in caplog.text
