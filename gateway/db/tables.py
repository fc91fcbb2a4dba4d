"""Rows of the gateway's database. May import SQLModel and `service_kit`."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field

from gateway.contract.states import ArrivalState, InstanceStatus
from service_kit.outbox import OutboxColumns
from service_kit.tables import UtcDateTime, service_base, utc_now

if TYPE_CHECKING:  # mypy takes no class made at run time for a base
    from sqlmodel import SQLModel as Base
else:
    Base = service_base()

_MOMENT = cast("Any", UtcDateTime)
_LARGE = cast("Any", BigInteger)
_RECEIVING = text("state = 'receiving'")


class Arrival(Base, table=True):
    """One DICOM study from one sender.

    ``study_instance_uid`` is empty for objects whose header cannot be read, ``calling_ae`` for objects recovered
    after a crash. At most one arrival of a study and sender receives at a time. ``changed_at`` moves with every
    change, for the live pages. ``held_until`` lies ahead while the sender is connected. ``failures`` counts the attempts since the last try by a person.
    Only what holds something back and is settled is ever ``dismissed``, that is, set aside.
    """

    __tablename__ = "arrival"
    __table_args__: ClassVar[tuple[Any, ...]] = (
        Index(
            "uq_arrival_receiving",
            "study_instance_uid",
            "calling_ae",
            "called_ae",
            unique=True,
            sqlite_where=_RECEIVING,
            postgresql_where=_RECEIVING,
        ),
        Index("ix_arrival_state_id", "state", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    state: str = Field(default=ArrivalState.receiving.value, max_length=16)
    study_instance_uid: str = Field(default="", max_length=64, index=True)
    calling_ae: str = Field(default="", max_length=64)
    called_ae: str = Field(default="", max_length=64)
    peer_ip: str | None = Field(default=None, max_length=64)
    opened_at: datetime = Field(default_factory=utc_now, sa_type=_MOMENT)
    last_instance_at: datetime = Field(default_factory=utc_now, sa_type=_MOMENT)
    held_until: datetime | None = Field(default=None, sa_type=_MOMENT)
    completed_at: datetime | None = Field(default=None, sa_type=_MOMENT)
    settled_at: datetime | None = Field(default=None, sa_type=_MOMENT)
    changed_at: datetime = Field(default_factory=utc_now, sa_type=_MOMENT, index=True)
    instance_count: int = 0
    unreadable_count: int = 0
    quarantined_count: int = Field(default=0, index=True)
    duplicate_count: int = 0
    size_bytes: int = Field(default=0, sa_type=_LARGE)
    reason: str | None = Field(default=None, sa_type=Text)
    study: str | None = Field(default=None, max_length=200)
    site: str | None = Field(default=None, max_length=200)
    session_label: str | None = Field(default=None, max_length=200)
    session_url: str | None = Field(default=None, sa_type=Text)
    attempt: int = 0
    failures: int = 0
    flow_run_id: str | None = Field(default=None, max_length=64)
    dismissed_at: datetime | None = Field(default=None, sa_type=_MOMENT, index=True)
    dismissed_by: str | None = Field(default=None, max_length=100)
    dismissed_reason: str | None = Field(default=None, sa_type=Text)


class Instance(Base, table=True):
    """One received object: its SOP Instance UID and the digest of its bytes are its name.

    ``readable`` is False when no header could be read; such an object stays in the quarantine.
    """

    __tablename__ = "instance"
    __table_args__: ClassVar[tuple[Any, ...]] = (
        UniqueConstraint("sop_instance_uid", "sha256"),
        Index("ix_instance_arrival_id_id", "arrival_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    arrival_id: int = Field(foreign_key="arrival.id")
    sop_instance_uid: str = Field(max_length=64)
    sha256: str = Field(max_length=64)
    sop_class_uid: str = Field(max_length=64)
    transfer_syntax_uid: str = Field(max_length=64)
    study_instance_uid: str | None = Field(default=None, max_length=64)
    series_instance_uid: str | None = Field(default=None, max_length=64)
    path: str = Field(max_length=200, unique=True)
    size_bytes: int = Field(sa_type=_LARGE)
    received_at: datetime = Field(default_factory=utc_now, sa_type=_MOMENT)
    copies: int = 1
    readable: bool = True
    status: str = Field(default=InstanceStatus.stored.value, max_length=16)
    reason: str | None = Field(default=None, sa_type=Text)


class ArrivalEvent(Base, table=True):
    """What happened to an arrival: when, who or what did it, and why."""

    __tablename__ = "arrival_event"
    __table_args__: ClassVar[tuple[Any, ...]] = (Index("ix_arrival_event_arrival_id_id", "arrival_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    arrival_id: int = Field(foreign_key="arrival.id")
    at: datetime = Field(default_factory=utc_now, sa_type=_MOMENT)
    actor: str = Field(max_length=100)
    what: str = Field(sa_type=Text)
    detail: str | None = Field(default=None, sa_type=Text)


class Door(Base, table=True):
    """A DICOM receiver that is open: since when, and when it was last heard of."""

    __tablename__ = "door"

    name: str = Field(primary_key=True, max_length=200)
    opened_at: datetime = Field(sa_type=_MOMENT)
    seen_at: datetime = Field(sa_type=_MOMENT)


class Outbox(OutboxColumns, Base, table=True):
    """Orders for the flow server."""

    __tablename__ = "outbox"


METADATA = Base.metadata

#: The tables for plain statements; SQLAlchemy's types do not see SQLModel's columns.
ARRIVALS: Any = Arrival.__table__  # type: ignore[attr-defined]
INSTANCES: Any = Instance.__table__  # type: ignore[attr-defined]
DOORS: Any = Door.__table__  # type: ignore[attr-defined]
EVENTS: Any = ArrivalEvent.__table__  # type: ignore[attr-defined]
