"""Start-up sweep: what a killed receiver left between the file and its index row gets its row.

May import the spool, the index and pydicom. Nothing it finds was ever answered with success, unless the database was
put back to an older copy; then it restores the rows of what came in since.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from pydicom.filereader import data_element_generator
from sqlalchemy import select

from gateway.contract.errors import SpoolUnavailable
from gateway.contract.naming import UNNAMED, parse_filename, spool_path, uid_or_none
from gateway.db.index import index_instances
from gateway.db.tables import INSTANCES
from gateway.domain.received import ReceivedInstance, Sender
from gateway.receiver.door import NO_NAME
from gateway.receiver.header import BROKEN, Header, read_header
from service_kit.errors import without_paths

if TYPE_CHECKING:
    from gateway.spool import Spool
    from service_kit.database import Database

logger = logging.getLogger(__name__)

DAMAGED = "Its file was damaged while the receiver was interrupted. Ask the sender to send it again."
_SOP_CLASS_UID = 0x00020002
_TRANSFER_SYNTAX_UID = 0x00020010
_READ_BYTES = 1024 * 1024


def sweep(spool: Spool, database: Database, *, before: datetime) -> int:
    """Index every file of the spool that has no row and is older than ``before``; return how many there were."""
    recovered = 0
    for folder in spool.folders():
        with database.read() as uow:
            query = select(INSTANCES.c.path).where(INSTANCES.c.path.startswith(f"{folder}/"))
            known = set(uow.session.connection().scalars(query))
        for path, modified_at in spool.files(folder):
            if path in known or modified_at >= before.timestamp():
                continue
            received = describe_file(spool, path, received_at=datetime.fromtimestamp(modified_at, UTC))
            with database.write() as uow:
                index_instances(uow, [received])
            recovered += 1
    if recovered:
        logger.warning("objects of an interrupted receiver indexed", extra={"objects": recovered})
    return recovered


def describe_file(spool: Spool, path: str, *, received_at: datetime) -> ReceivedInstance:
    """Return the index's view of a file in the spool. Its sender is not known; a repeated object will tell it.

    A file whose bytes do not fit the digest in its name is named anew, so that the object can come in once more.

    Raises
    ------
    SpoolUnavailable
        If the file cannot be read or renamed.
    """
    named = parse_filename(path.rsplit("/", maxsplit=1)[-1])
    assert named is not None, "the spool lists only files of its own naming"
    sop_instance_uid, sha256_of_name = named
    try:
        with spool.open(path) as file:
            meta, header = _read(file)
            sha256, size_bytes = _digest(file)
        reason = header.unreadable_reason
        if sha256 != sha256_of_name:
            reason = DAMAGED
            path = spool.rename(
                path,
                spool_path(sop_instance_uid, sha256=sha256, study_instance_uid=header.study_instance_uid),
            )
    except OSError as error:
        raise SpoolUnavailable(spool.root, cause=error.strerror or type(error).__name__) from without_paths(error)
    return ReceivedInstance(
        sop_instance_uid=sop_instance_uid,
        sha256=sha256,
        sop_class_uid=meta.get(_SOP_CLASS_UID, ""),
        transfer_syntax_uid=meta.get(_TRANSFER_SYNTAX_UID, ""),
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        path=path,
        size_bytes=size_bytes,
        received_at=received_at,
        sender=Sender(),
        unreadable_reason=reason if sop_instance_uid != UNNAMED else NO_NAME,
    )


def _read(file: BinaryIO) -> tuple[dict[int, str], Header]:
    """Read file meta information as the door wrote it, then the header."""
    start = file.read(144)
    if len(start) < 144 or start[128:132] != b"DICM":
        return {}, Header(None, None, BROKEN)
    encoded = BytesIO(file.read(int.from_bytes(start[140:144], "little")))
    values = {
        int(element.tag): uid_or_none(element.value.decode("ascii", "replace")) or ""
        for element in data_element_generator(encoded, is_implicit_VR=False, is_little_endian=True)
        if isinstance(element.value, bytes)
    }
    return values, read_header(file, transfer_syntax_uid=values.get(_TRANSFER_SYNTAX_UID, ""))


def _digest(file: BinaryIO) -> tuple[str, int]:
    file.seek(0)
    state, size_bytes = hashlib.sha256(), 0
    while chunk := file.read(_READ_BYTES):
        state.update(chunk)
        size_bytes += len(chunk)
    return state.hexdigest(), size_bytes
