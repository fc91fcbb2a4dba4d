"""The receiver over real associations: whatever sites send is taken as sent, and nothing but 0000 is answered."""

from __future__ import annotations

import time
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from pynetdicom import AE, StoragePresentationContexts
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from sqlalchemy import text

from gateway.receiver import Receiver
from service_kit.database import Database
from tests.integration.gateway.conftest import association, mr_object

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

MR = "1.2.840.10008.5.1.4.1.1.4"
SIEMENS_CSA_NON_IMAGE = "1.3.12.2.1107.5.9.1"
PHILIPS_PRIVATE = "1.3.46.670589.11.0.0.12.1"
GE_PRIVATE_SYNTAX = "1.2.840.113619.5.2"
VERIFICATION = "1.2.840.10008.1.1"


def send_bytes(assoc, dataset: bytes, *, sop_class=MR, uid="1.2.3.4", syntax=ExplicitVRLittleEndian):
    """Send encoded bytes as they are, the way a sender does that does not look at them."""
    context = next(cx for cx in assoc.accepted_contexts if cx.abstract_syntax == sop_class)
    assert context.transfer_syntax == [syntax]
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = sop_class
    request.AffectedSOPInstanceUID = uid
    request.Priority = 2
    request.DataSet = BytesIO(dataset)
    assoc._reactor_checkpoint.clear()
    assoc.dimse.send_msg(request, context.context_id)
    _, response = assoc.dimse.get_msg(block=True)
    assoc._reactor_checkpoint.set()
    return None if response is None else response.Status


def split(path: Path):
    """Return SOP class, UID, transfer syntax and the encoded dataset of a Part 10 file."""
    content = path.read_bytes()
    length = int.from_bytes(content[140:144], "little")
    meta = dcmread(BytesIO(content), stop_before_pixels=True).file_meta
    return (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
        meta.TransferSyntaxUID,
        content[144 + length :],
    )


def test_echo_is_answered(receiver):
    with association(receiver.port, (VERIFICATION, ImplicitVRLittleEndian)) as assoc:
        assert assoc.send_c_echo().Status == 0x0000


def test_real_objects_of_many_kinds_are_stored_byte_for_byte(receiver, home, shared_data):
    files = [path for path in sorted((shared_data / "odd").rglob("*.dcm")) if path.stat().st_size > 144]
    assert len(files) >= 12
    for path in files:
        sop_class, uid, syntax, dataset = split(path)
        with association(receiver.port, (sop_class, syntax)) as assoc:
            assert send_bytes(assoc, dataset, sop_class=sop_class, uid=uid, syntax=syntax) == 0x0000, path.name
        stored = [found.read_bytes() for found in home.spool.rglob(f"{uid}_*.dcm")]
        assert any(content.endswith(dataset) for content in stored), path.name
    assert len(home.rows()) == len(files) == len(home.files())
    assert {JPEG2000Lossless, JPEGLSLossless} < {row.transfer_syntax_uid for row in home.rows()}


def test_every_storage_or_private_class_is_accepted_in_exactly_the_syntax_offered(receiver):
    offered = [
        (MR, DeflatedExplicitVRLittleEndian),
        (MR, ExplicitVRBigEndian),
        (MR, RLELossless),
        (MR, "1.2.840.10008.1.2.4.201"),
        (MR, GE_PRIVATE_SYNTAX),
        (MR, "1.2.3.4.5.6"),
        (SIEMENS_CSA_NON_IMAGE, ExplicitVRLittleEndian),
        (PHILIPS_PRIVATE, ImplicitVRLittleEndian),
        ("1.2.840.10008.5.1.4.1.1.999", ExplicitVRLittleEndian),
        ("1.2.840.10008.5.1.1.27", ExplicitVRLittleEndian),
    ]
    for sop_class, syntax in offered:
        with association(receiver.port, (sop_class, syntax)) as assoc:
            accepted = [(one.abstract_syntax, one.transfer_syntax) for one in assoc.accepted_contexts]
            assert accepted == [(sop_class, [syntax])]


def test_every_storage_class_that_pynetdicom_knows_is_accepted(receiver):
    classes = [context.abstract_syntax for context in StoragePresentationContexts]
    for start in range(0, len(classes), 120):
        contexts = [(one, JPEG2000Lossless) for one in classes[start : start + 120]]
        with association(receiver.port, *contexts) as assoc:
            assert len(assoc.accepted_contexts) == len(contexts)


def test_a_deflated_object_is_kept_deflated_and_finds_its_study(receiver, home):
    import zlib

    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    dataset = deflater.compress(encode(mr_object(), False, True)) + deflater.flush()
    with association(receiver.port, (MR, DeflatedExplicitVRLittleEndian)) as assoc:
        assert send_bytes(assoc, dataset, syntax=DeflatedExplicitVRLittleEndian) == 0x0000
    (row,) = home.rows()
    assert row.study_instance_uid == "1.2.3"
    assert (home.spool / row.path).read_bytes().endswith(dataset)
    assert dcmread(home.spool / row.path).InstanceNumber == 1


@pytest.mark.parametrize("dataset", [b"\0", b"\x08\x00\x05\x00CS\x0a\x00ISO_IR", b"no DICOM, a letter " * 50])
def test_an_unreadable_object_is_answered_with_success_and_held_back_with_a_reason(receiver, home, dataset):
    with association(receiver.port, (MR, ExplicitVRLittleEndian)) as assoc:
        status = send_bytes(assoc, dataset)
    assert status == 0x0000
    (row,) = home.rows()
    assert (row.status, row.readable) == ("quarantined", False)
    assert row.reason


def test_a_uid_that_breaks_every_rule_is_no_reason_to_refuse(receiver, home):
    with association(receiver.port, (MR, ExplicitVRLittleEndian), calling="CTP ANON") as assoc:
        dataset = encode(mr_object(), False, True)
        assert send_bytes(assoc, dataset, uid="9" * 64) == 0x0000
        assert send_bytes(assoc, dataset, uid="1.02.x") == 0x0000
    assert [row.sop_instance_uid for row in home.rows()] == ["9" * 64, "unnamed"]
    assert home.arrivals()[0].calling_ae == "CTP ANON"


def test_control_characters_in_an_ae_title_reach_neither_the_index_nor_the_log(receiver, home, caplog):
    caplog.set_level("INFO")
    with association(receiver.port, (MR, ExplicitVRLittleEndian), calling="EV\0IL\n", called="A\tB") as assoc:
        assert assoc.send_c_store(mr_object()).Status == 0x0000
    (arrival,) = home.arrivals()
    assert (arrival.calling_ae, arrival.called_ae) == ("EVIL", "AB")
    assert {vars(one)["calling_ae"] for one in caplog.records if "calling_ae" in vars(one)} == {"EVIL"}


def test_duplicates_are_answered_with_success_and_counted(receiver, home):
    with association(receiver.port, (MR, ExplicitVRLittleEndian)) as assoc:
        assert [assoc.send_c_store(mr_object()).Status for _ in range(3)] == [0, 0, 0]
    (row,) = home.rows()
    assert (row.copies, len(home.files())) == (3, 1)
    assert len(home.arrivals()) == 1


def test_parallel_associations_store_everything_once(receiver, home):
    from concurrent.futures import ThreadPoolExecutor

    def send(sender):
        with association(receiver.port, (MR, ExplicitVRLittleEndian), calling=f"SENDER{sender}") as assoc:
            objects = [mr_object(study=f"1.2.{sender}", number=number) for number in range(10)]
            return [assoc.send_c_store(ds).Status for ds in objects]

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(send, range(1, 7)))
    assert statuses == [[0] * 10] * 6
    assert sorted(arrival.instance_count for arrival in home.arrivals()) == [10] * 6
    assert len(home.files()) == 60


def test_an_association_is_refused_for_the_moment_when_the_disk_is_nearly_full(settings, home):
    receiver = Receiver(settings(spool_min_free_bytes=10**18))
    try:
        ae = AE()
        ae.add_requested_context(MR, ExplicitVRLittleEndian)
        assoc = ae.associate("127.0.0.1", receiver.port)
        assert assoc.is_rejected
        assert (assoc.acceptor.primitive.result, assoc.acceptor.primitive.result_source) == (0x02, 0x03)
    finally:
        receiver.stop()


def test_when_a_row_cannot_be_written_the_association_is_aborted_and_nothing_else_is_answered(receiver, home):
    database = Database(home.url)
    with database.write() as uow:
        uow.session.connection().execute(text("alter table instance rename to away"))
    with association(receiver.port, (MR, ExplicitVRLittleEndian)) as assoc:
        status = assoc.send_c_store(mr_object())
        assert "Status" not in status
        deadline = time.monotonic() + 5
        while not assoc.is_aborted and time.monotonic() < deadline:
            time.sleep(0.01)
        assert assoc.is_aborted
    with association(receiver.port, (MR, ExplicitVRLittleEndian)) as assoc:
        assert assoc.is_rejected
    with database.write() as uow:
        uow.session.connection().execute(text("alter table away rename to instance"))
    database.dispose()


def test_a_taken_port_ends_the_start_and_leaves_the_spool_free(receiver, settings, tmp_path):
    taken = settings(dicom_port=receiver.port, gateway_spool_dir=tmp_path / "other")
    for _ in range(2):
        with pytest.raises(OSError, match="in use"):
            Receiver(taken)


def test_the_last_study_of_an_open_association_is_held_and_no_other(receiver, home):
    def held():
        return {row.study_instance_uid for row in home.arrivals() if row.held_until is not None}

    associations = receiver._handlers.open_associations
    with association(receiver.port, (MR, ExplicitVRLittleEndian)) as assoc:
        for study in ("1.2.7", "1.2.8"):
            assert assoc.send_c_store(mr_object(study=study)).Status == 0x0000
        deadline = time.monotonic() + 10
        while "1.2.8" not in held():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert [one.study_instance_uid for one in associations.studies()] == ["1.2.8"]
    deadline = time.monotonic() + 5
    while associations.studies():
        assert time.monotonic() < deadline, "an association that ended holds nothing"
        time.sleep(0.05)


def test_a_sender_that_breaks_off_while_its_object_is_in_hand_holds_nothing(receiver, home):
    def wait_until(is_so):
        deadline = time.monotonic() + 10
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    database = Database(home.url)
    with association(receiver.port, (MR, ExplicitVRLittleEndian)) as assoc:
        with database.write():  # the object's row waits for us
            request = C_STORE()
            request.MessageID, request.Priority = 1, 2
            request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = MR, "1.2.3.4"
            request.DataSet = BytesIO(encode(mr_object(), False, True))
            assoc.dimse.send_msg(request, assoc.accepted_contexts[0].context_id)
            wait_until(lambda: receiver._handlers._in_hand == 1)
            (theirs,) = receiver._server.active_associations
            assoc.abort()
            wait_until(lambda: not theirs.dul.is_alive())
        theirs.join(10)
    database.dispose()
    assert len(home.arrivals()) == 1, "its object is kept"
    assert receiver._handlers.open_associations.studies() == frozenset()
