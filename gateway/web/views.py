"""What the pages of the gateway show of an arrival, in words. Pure; may import pydicom for names of UIDs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pydicom.uid import UID

from gateway.contract.schemas import ArrivalRecord
from gateway.contract.states import ArrivalState
from gateway.domain.arrivals import holds_back
from service_kit.tables import utc_now
from service_kit.web.filters import duration

if TYPE_CHECKING:
    from collections.abc import Sequence


class Shown(StrEnum):
    """As what pages list an arrival: by its state, and apart what was set aside as a whole."""

    receiving = "receiving"
    complete = "complete"
    accepted = "accepted"
    quarantined = "quarantined"
    dismissed = "dismissed"

    @property
    def state(self) -> ArrivalState:
        """The state of the arrivals listed so."""
        return ArrivalState.quarantined if self is Shown.dismissed else ArrivalState(self.value)

    @property
    def dismissed_only(self) -> bool | None:
        """Whether only those that were set aside are listed so, or only the others; None for both."""
        return self is Shown.dismissed if self.state is ArrivalState.quarantined else None


#: How it is called on pages, and its colour.
LABELS: dict[Shown, tuple[str, str]] = {
    Shown.receiving: ("receiving", "blue"),
    Shown.complete: ("in processing", "yellow"),
    Shown.accepted: ("archived", "green"),
    Shown.quarantined: ("quarantined", "red"),
    Shown.dismissed: ("set aside", "secondary"),
}


@dataclass(frozen=True, slots=True)
class ArrivalView:
    """One arrival as pages show it.

    Parameters
    ----------
    may_change
        Whether who looks may complete it, try it again, set it aside or bring it back.
    quiet_s, quiet_total_s
        How much of the quiet period is over; None unless it receives.
    """

    record: ArrivalRecord
    label: str
    tone: str
    sender: str
    may_change: bool
    may_retry: bool
    may_dismiss: bool
    is_dismissed: bool
    quiet_s: float | None
    quiet_total_s: float | None

    @property
    def quiet_period(self) -> str:
        """The quiet period in words."""
        return duration(self.quiet_total_s or 0.0).replace(".0 s", " s")


def view(record: ArrivalRecord, *, may_change: bool) -> ArrivalView:
    """Return what pages show of an arrival."""
    is_dismissed = record.dismissed_at is not None
    whole = is_dismissed and record.state is ArrivalState.quarantined
    label, tone = LABELS[Shown.dismissed if whole else Shown(record.state.value)]
    holding_back = holds_back(record.state, quarantined_count=record.quarantined_count)
    quiet_s = quiet_total_s = None
    if record.complete_expected_at is not None:
        quiet_total_s = (record.complete_expected_at - record.last_instance_at).total_seconds()
        quiet_s = round(min(max((utc_now() - record.last_instance_at).total_seconds(), 0.0), quiet_total_s), 1)
    return ArrivalView(
        record=record,
        label=label,
        tone=tone,
        sender=record.calling_ae or "not known yet",
        may_change=may_change,
        may_retry=may_change and holding_back and record.unreadable_count < record.instance_count,
        may_dismiss=may_change and holding_back and not is_dismissed,
        is_dismissed=is_dismissed,
        quiet_s=quiet_s,
        quiet_total_s=quiet_total_s,
    )


def short_uid(uid: str | None) -> str:
    """Return the end of a UID, enough to tell two apart at a glance.

    Examples
    --------
    >>> short_uid("1.2.840.113619.2.5.1762583153.215519.978957063.78")
    '…978957063.78'
    >>> short_uid("1.2.3"), short_uid(None)
    ('1.2.3', 'not readable')
    """
    if uid is None:
        return "not readable"
    return uid if len(uid) <= 16 else f"…{uid[-12:]}"


def uid_names(uids: Sequence[str]) -> str:
    """Return the names that the standard gives to UIDs; a private one stands for itself.

    Examples
    --------
    >>> uid_names(["1.2.840.10008.5.1.4.1.1.4", "1.2.3"])
    'MR Image Storage, 1.2.3'
    """
    return ", ".join(UID(uid).name or "not known" for uid in uids) or "not known"


def told_reason(reason: str) -> str:
    """Return a reason as a sentence of its own.

    Examples
    --------
    >>> told_reason("Rejected: it cannot be read as a DICOM file."), told_reason("")
    ('It cannot be read as a DICOM file.', 'No reason was given.')
    """
    told = reason.removeprefix("Rejected: ").strip() or "no reason was given."
    return told[:1].upper() + told[1:]
