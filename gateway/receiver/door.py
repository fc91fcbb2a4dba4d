"""Takes one received object in: durable file, durable index row, then the answer. Knows no network.

May import the spool, the index and the domain. `ObjectDoor.take` returns only when both are durable.
"""

from __future__ import annotations

import hashlib
import logging
import struct
import threading
import time
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from gateway.contract.errors import SpoolUnavailable
from gateway.contract.naming import UNNAMED, is_uid, spool_path, uid_or_none
from gateway.domain.received import ReceivedInstance, Sender, Taken
from gateway.receiver.header import Header, read_header
from service_kit.errors import Unavailable
from service_kit.tables import utc_now

if TYPE_CHECKING:
    from gateway.receiver.index_writer import IndexWriter
    from gateway.spool import Spool
    from service_kit.database import Database

logger = logging.getLogger(__name__)

#: PS3.7, D.3.3.2; below the 2.25 root (PS3.5, B.2). Constant, so that equal objects have equal digests for ever.
IMPLEMENTATION_CLASS_UID = "2.25.145528341743239592407028833501417307651"
IMPLEMENTATION_VERSION_NAME = "COHORTFLOW"

NO_NAME = "Its SOP Instance UID is not a valid UID. Ask the sender to check the de-identification script."


@dataclass(frozen=True, slots=True)
class SentObject:
    """One object as a sender hands it over: the command's UIDs and the encoded dataset."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset: BytesIO


class ObjectDoor:
    """Stores objects and tells whether more can be taken.

    Parameters
    ----------
    min_free_bytes
        Below that much free disk no association is accepted.
    hold_s
        How long nothing is accepted after a failure, before it is tried again.
    """

    def __init__(
        self, spool: Spool, database: Database, writer: IndexWriter, *, min_free_bytes: int, hold_s: float = 5.0
    ) -> None:
        self._spool = spool
        self._database = database
        self._writer = writer
        self._min_free_bytes = min_free_bytes
        self._hold_s = hold_s
        self._failed_at: float | None = None
        self._lock = threading.Lock()

    def take(self, sent: SentObject, *, sender: Sender) -> Taken:
        """Make one object durable in spool and index. An unreadable one too: it goes into the quarantine.

        Raises
        ------
        SpoolUnavailable, Unavailable
            If bytes or row cannot be made durable; the sender must not be told of success.
        """
        sent.dataset.seek(0)
        header = read_header(sent.dataset, transfer_syntax_uid=sent.transfer_syntax_uid)
        meta = file_meta(sent)
        payload = sent.dataset.getbuffer()
        try:
            sha256 = digest(meta, payload)
            received = describe(sent, header, sha256=sha256, size_bytes=len(meta) + len(payload), sender=sender)
            try:
                self._spool.store(received.path, [meta, payload])
                return Taken(self._writer.add(received), received.study_instance_uid)
            except Unavailable:
                with self._lock:
                    self._failed_at = time.monotonic()
                raise
        finally:
            payload.release()

    def check(self) -> None:
        """Raise when no object could be taken now; costs nothing while all is well.

        Raises
        ------
        SpoolUnavailable, Unavailable
        """
        if self._spool.free_bytes() < self._min_free_bytes:
            raise SpoolUnavailable(self._spool.root, cause="less free space than the set minimum")
        with self._lock:
            failed_at = self._failed_at
        if failed_at is None:
            return
        if time.monotonic() - failed_at < self._hold_s:
            raise Unavailable("An object could not be stored a moment ago.")
        self._spool.probe()
        with self._database.write():
            pass
        with self._lock:
            self._failed_at = None


def describe(sent: SentObject, header: Header, *, sha256: str, size_bytes: int, sender: Sender) -> ReceivedInstance:
    """Return what the index stores of an object."""
    named = is_uid(sent.sop_instance_uid)
    sop_instance_uid = sent.sop_instance_uid if named else UNNAMED
    return ReceivedInstance(
        sop_instance_uid=sop_instance_uid,
        sha256=sha256,
        sop_class_uid=uid_or_none(sent.sop_class_uid) or "",
        transfer_syntax_uid=uid_or_none(sent.transfer_syntax_uid) or "",
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        path=spool_path(sop_instance_uid, sha256=sha256, study_instance_uid=header.study_instance_uid),
        size_bytes=size_bytes,
        received_at=utc_now(),
        sender=sender,
        unreadable_reason=header.unreadable_reason if named else NO_NAME,
    )


def digest(*parts: bytes | memoryview) -> str:
    """Return the SHA-256 of the parts one after another, in hex."""
    state = hashlib.sha256()
    for part in parts:
        state.update(part)
    return state.hexdigest()


def file_meta(sent: SentObject) -> bytes:
    """Return preamble and file meta information of the Part 10 file (PS3.10, 7.1).

    Holds nothing of the moment or the sender: the same object gives the same bytes whoever sends it, and when.
    Encoded here because a UID is kept as it was sent, where pydicom would complain of it with its value.
    """
    elements = b"".join(
        (
            b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01",
            _element(0x0002, b"UI", sent.sop_class_uid),
            _element(0x0003, b"UI", sent.sop_instance_uid),
            _element(0x0010, b"UI", sent.transfer_syntax_uid),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
        )
    )
    return b"\0" * 128 + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<L", len(elements)) + elements


def _element(element: int, vr: bytes, text: str) -> bytes:
    """Encode one element of group 0002: explicit VR little endian, padded to even length (PS3.5, 7.1.2 and 6.2)."""
    value = text.encode("ascii", "replace")
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value
