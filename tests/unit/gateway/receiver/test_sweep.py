"""The start-up sweep gives rows to files that a killed receiver left without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from sqlalchemy import delete, select

from gateway.db.tables import INSTANCES
from gateway.domain.received import Indexed, Sender
from gateway.receiver.door import ObjectDoor, SentObject
from gateway.receiver.index_writer import IndexWriter
from gateway.receiver.sweep import DAMAGED, sweep

LATER = datetime.now(UTC) + timedelta(days=1)
SENDER = Sender("SCANNER", "COHORTFLOW", None)
DATASET = b"\x20\x00\x0d\x00UI\x06\x001.2.3\0" + b"\x28\x00\x10\x00US\x02\x00\x04\x00"


@pytest.fixture
def take(spool, database):
    writer = IndexWriter(database)
    door = ObjectDoor(spool, database, writer, min_free_bytes=0)

    def take_one(dataset=DATASET):
        sent = SentObject("1.2.840.10008.5.1.4.1.1.4", "1.2.3.4", "1.2.840.10008.1.2.1", BytesIO(dataset))
        return door.take(sent, sender=SENDER).indexed

    yield take_one
    writer.close()


def rows(database):
    with database.read() as uow:
        return [dict(row._mapping) for row in uow.session.connection().execute(select(INSTANCES))]


def forget_rows(database):
    with database.write() as uow:
        uow.session.connection().execute(delete(INSTANCES))


def test_a_file_without_a_row_gets_the_row_it_would_have_had(take, spool, database):
    take()
    (before,) = rows(database)
    forget_rows(database)
    assert sweep(spool, database, before=LATER) == 1
    (after,) = rows(database)
    changing = {"id", "received_at", "arrival_id"}
    assert {k: v for k, v in after.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }


def test_a_second_sweep_finds_nothing(take, spool, database):
    take()
    assert sweep(spool, database, before=LATER) == 0


def test_what_comes_in_during_the_sweep_is_left_to_the_receiver(take, spool, database):
    take()
    forget_rows(database)
    assert sweep(spool, database, before=datetime.now(UTC) - timedelta(minutes=1)) == 0


def test_a_damaged_file_is_kept_with_its_reason_and_its_object_can_come_again(take, spool, database):
    take()
    (row,) = rows(database)
    path = spool.root / row["path"]
    path.write_bytes(path.read_bytes()[:-4])
    forget_rows(database)
    sweep(spool, database, before=LATER)
    (damaged,) = rows(database)
    assert (damaged["status"], damaged["reason"]) == ("quarantined", DAMAGED)
    assert (spool.root / damaged["path"]).is_file()
    assert take() is Indexed.new
