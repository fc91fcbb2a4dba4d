"""Group commit: each caller returns when its own row is durable."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from sqlalchemy import func, select

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
