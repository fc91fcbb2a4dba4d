"""Payloads of the REST interface. Pydantic only."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from gateway.contract.states import ArrivalState, InstanceStatus, Outcome


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArrivalRecord(_Payload):
    """One DICOM study as it came in from one sender.

    ``study_instance_uid`` is None for objects whose header cannot be read; ``calling_ae`` is empty for objects that
    were recovered after a crash and whose sender has not come back. ``study`` is the research study.
    """

    id: int
    state: ArrivalState
    study_instance_uid: str | None
    calling_ae: str
    called_ae: str
    peer_ip: str | None
    opened_at: datetime
    last_instance_at: datetime
    completed_at: datetime | None
    settled_at: datetime | None
    complete_expected_at: datetime | None = Field(description="When it counts as complete if nothing more comes.")
    instance_count: int
    unreadable_count: int
    quarantined_count: int
    duplicate_count: int
    size_bytes: int
    reason: str | None
    study: str | None
    site: str | None
    session_label: str | None
    session_url: str | None
    attempt: int
    flow_run_id: str | None
    dismissed_at: datetime | None = Field(default=None, description="When what it holds back was set aside.")
    dismissed_by: str | None = None
    dismissed_reason: str | None = None
    next_step: str = Field(description="What happens next, as a sentence.")


class InstanceRecord(_Payload):
    """One received instance. The digest is that of the whole Part 10 file in the spool."""

    id: int
    sop_instance_uid: str
    sha256: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str | None
    series_instance_uid: str | None
    size_bytes: int
    received_at: datetime
    copies: int = Field(description="How often the same bytes came in.")
    status: InstanceStatus
    reason: str | None
    filename: str


class RejectedInstance(_Payload):
    """An instance that cannot go on, with the reason a coordinator reads."""

    sop_instance_uid: str | None = None
    sha256: str
    reason: str = Field(min_length=1)


class Settlement(_Payload):
    """What the processing of an arrival came to.

    Parameters
    ----------
    rejected
        Instances that stay in the quarantine although the arrival was accepted, or that explain why it was not.
    attempt
        Which attempt says so; one that was ordered anew since is too late.
    """

    outcome: Outcome
    reason: str | None = None
    session_label: str | None = None
    study: str | None = Field(default=None, max_length=200)
    site: str | None = Field(default=None, max_length=200)
    attempt: int | None = Field(default=None, ge=1)
    session_url: str | None = Field(default=None, pattern=r"^(https?://|/[^/\\]|/$)")
    rejected: tuple[RejectedInstance, ...] = ()


class Dismissal(_Payload):
    """Why what an arrival holds back is set aside, in the words of whoever does it."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]

    @field_validator("reason")
    @classmethod
    def _can_be_stored(cls, reason: str) -> str:
        """Refuse zero characters, which PostgreSQL does not hold."""
        if "\0" in reason:
            raise ValueError("it has a zero character; write it anew, in words")
        return reason


class ReasonCount(_Payload):
    """One reason, and for how many it stands: instances of an arrival, or arrivals."""

    reason: str
    count: int


class SeriesSummary(_Payload):
    """What came in of one series."""

    series_instance_uid: str | None
    sop_class_uids: tuple[str, ...]
    transfer_syntax_uids: tuple[str, ...]
    count: int
    quarantined_count: int
    size_bytes: int


class EventRecord(_Payload):
    """One line of an arrival's history."""

    at: datetime
    actor: str
    what: str
    detail: str | None


class QuarantineEntry(_Payload):
    """An arrival that holds something back: as a whole, or some of its instances."""

    arrival: ArrivalRecord
    reasons: tuple[ReasonCount, ...]
