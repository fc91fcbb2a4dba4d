"""What the receiver knows about one object when it stores it. Standard library only."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent an object. All empty when it was recovered after a crash."""

    calling_ae: str = ""
    called_ae: str = ""
    peer_ip: str | None = None


@dataclass(frozen=True, slots=True)
class StudyOfSender:
    """A DICOM study as one sender sends it; at most one arrival of it receives at a time."""

    study_instance_uid: str
    calling_ae: str
    called_ae: str


@dataclass(frozen=True, slots=True)
class ReceivedInstance:
    """One object that lies in the spool and waits for its index row.

    Parameters
    ----------
    path
        Below the spool's root.
    sha256
        Of the whole Part 10 file.
    unreadable_reason
        Why its header gives no DICOM study; None for a readable object.
    """

    sop_instance_uid: str
    sha256: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str | None
    series_instance_uid: str | None
    path: str
    size_bytes: int
    received_at: datetime
    sender: Sender
    unreadable_reason: str | None = None


class Indexed(StrEnum):
    """What the index made of an object."""

    new = "new"
    duplicate = "duplicate"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an object that was taken in, and the DICOM study it belongs to."""

    indexed: Indexed
    study_instance_uid: str | None
