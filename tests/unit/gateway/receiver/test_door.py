"""The door: durable file, durable row, then the answer."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread
from sqlalchemy import select, text

from gateway.contract.errors import SpoolUnavailable
from gateway.db.tables import INSTANCES
from gateway.domain.received import Indexed, Sender
from gateway.receiver.door import NO_NAME, ObjectDoor, SentObject, file_meta
from gateway.receiver.index_writer import IndexWriter
from service_kit.errors import Unavailable

SENDER = Sender("SCANNER", "COHORTFLOW", None)
DATASET = b"\x20\x00\x0d\x00UI\x06\x001.2.3\0" + b"\x28\x00\x10\x00US\x02\x00\x04\x00"


@pytest.fixture
def door(spool, database):
    writer = IndexWriter(database)
    yield ObjectDoor(spool, database, writer, min_free_bytes=0, hold_s=0.05)
    writer.close()


def sent(dataset=DATASET, *, uid="1.2.3.4"):
    return SentObject("1.2.840.10008.5.1.4.1.1.4", uid, "1.2.840.10008.1.2.1", BytesIO(dataset))


def rows(database):
    with database.read() as uow:
        return list(uow.session.connection().execute(select(INSTANCES)))


def test_what_is_taken_is_a_part_10_file_with_the_sent_bytes(door, spool, database):
    assert door.take(sent(), sender=SENDER).indexed is Indexed.new
    (row,) = rows(database)
    stored = (spool.root / row.path).read_bytes()
    assert stored.endswith(DATASET)
    ds = dcmread(BytesIO(stored))
    assert (ds.Rows, ds.file_meta.MediaStorageSOPInstanceUID) == (4, "1.2.3.4")
    assert (row.size_bytes, row.status) == (len(stored), "stored")


def test_the_same_object_from_anyone_is_the_same_file(door, spool, database):
    door.take(sent(), sender=SENDER)
    assert door.take(sent(), sender=Sender("OTHER", "X", "10.1.1.1")).indexed is Indexed.duplicate
    assert len(rows(database)) == 1


def test_an_unreadable_object_is_taken_too(door, spool, database):
    assert door.take(sent(b"not DICOM at all"), sender=SENDER).indexed is Indexed.new
    (row,) = rows(database)
    assert row.status == "quarantined"
    assert (spool.root / row.path).is_file()


@pytest.mark.parametrize("uid", ["../../etc/passwd", "SMITH^JOHN", "1" * 65, ""])
def test_a_name_that_is_no_uid_reaches_neither_path_nor_index(door, spool, database, uid):
    door.take(sent(uid=uid), sender=SENDER)
    (row,) = rows(database)
    assert (row.sop_instance_uid, row.reason) == ("unnamed", NO_NAME)
    assert "SMITH" not in row.path
    assert (spool.root / row.path).resolve().is_relative_to(spool.root.resolve())


def test_file_meta_is_even_and_complete():
    meta = file_meta(sent(uid="1.2.3"))
    ds = dcmread(BytesIO(meta + DATASET))
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert ds.file_meta.FileMetaInformationGroupLength == len(meta) - 144


def test_a_database_that_refuses_closes_the_door_until_it_takes_rows_again(door, database):
    with database.write() as uow:
        uow.session.connection().execute(text("alter table instance rename to away"))
    with pytest.raises(Unavailable):
        door.take(sent(), sender=SENDER)
    with pytest.raises(Unavailable, match="a moment ago"):
        door.check()
    with database.write() as uow:
        uow.session.connection().execute(text("alter table away rename to instance"))
    import time

    time.sleep(0.06)
    door.check()
    assert door.take(sent(), sender=SENDER).indexed is Indexed.new


def test_too_little_free_space_closes_the_door(spool, database):
    writer = IndexWriter(database)
    with pytest.raises(SpoolUnavailable, match="less free space"):
        ObjectDoor(spool, database, writer, min_free_bytes=10**18).check()
    writer.close()
