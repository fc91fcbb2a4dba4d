"""Where a session stands, as the demonstration shows it: pure decisions over what the services say.

Imports the standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Stage(StrEnum):
    """Steps of a session, in order; the last three end it."""

    waiting = "waiting"
    sending = "sending"
    received = "received"
    archived = "archived"
    extracting = "extracting"
    review = "review"
    releasing = "releasing"
    released = "released"
    aside = "aside"
    quarantined = "quarantined"


PATH = (Stage.received, Stage.archived, Stage.extracting, Stage.review, Stage.released)
"""The stages shown as columns."""

_OF_STATE = {
    "arrived": Stage.archived,
    "extracting": Stage.extracting,
    "review": Stage.review,
    "releasing": Stage.releasing,
    "released": Stage.released,
}
REVIEW = "review"
BEFORE_ANSWERS = frozenset({"arrived", "extracting", REVIEW})
"""The governor's states in which no answer of a reader is to be told of."""
_ORDER = {stage: number for number, stage in enumerate(Stage)}
ENDS = frozenset({Stage.released, Stage.aside, Stage.quarantined})


@dataclass(frozen=True)
class Progress:
    """What is known of one session.

    Attributes
    ----------
    state
        The governor's own word for the state.
    why
        Reason of a quarantine, or a state that is not on the path.
    by
        Who answered its review.
    web_uri
        The session's page.
    """

    subject: str
    study_instance_uid: str
    total: int = 0
    sent: int = 0
    stage: Stage = Stage.waiting
    label: str = ""
    state: str = ""
    why: str = ""
    by: str = ""
    web_uri: str = ""
    experiment_id: int | None = None

    @property
    def is_at_an_end(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.stage in ENDS

    def has_reached(self, stage: Stage) -> bool:
        """Whether the session has come to ``stage``; a session set aside has reached what it passed."""
        return self.stage not in {Stage.aside, Stage.quarantined} and _ORDER[self.stage] >= _ORDER[stage]


@dataclass(frozen=True)
class ArrivalSeen:
    """What the gateway says about a DICOM study."""

    state: str
    session_label: str | None = None
    reason: str | None = None
    instance_count: int = 0


@dataclass(frozen=True)
class SessionSeen:
    """What the governor says about a session."""

    id: int
    state: str
    web_uri: str
    why: str = ""
    by: str = ""


def advance(progress: Progress, arrival: ArrivalSeen | None, session: SessionSeen | None) -> Progress:
    """Give the progress after a look at both services.

    Examples
    --------
    >>> before = Progress("BV-001", "2.25.1", stage=Stage.sending)
    >>> advance(before, ArrivalSeen("accepted", "BV-001_MR"), SessionSeen(7, "review", "/sessions/7")).stage
    <Stage.review: 'review'>
    """
    if arrival is None:
        return progress
    if arrival.state == "quarantined":
        return replace(progress, stage=Stage.quarantined, why=arrival.reason or "no reason was given")
    if arrival.state != "accepted" or session is None:
        label = arrival.session_label or progress.label
        return replace(progress, stage=Stage.received, label=label)
    stage = stage_of(session.state)
    return replace(
        progress,
        stage=stage,
        label=arrival.session_label or progress.label,
        state=session.state,
        why=_why_aside(session) if stage is Stage.aside else "",
        by=session.by,
        web_uri=session.web_uri,
        experiment_id=session.id,
    )


def stage_of(state: str) -> Stage:
    """Give the stage of a state of the governor; what is not on the path is aside.

    Examples
    --------
    >>> stage_of("extraction_failed")
    <Stage.aside: 'aside'>
    """
    return _OF_STATE.get(state, Stage.aside)


def moved(progress: Progress) -> str:
    """Say in a line where a session is now, and whose answer led there.

    Examples
    --------
    >>> moved(Progress("BV-001", "2.25.1", stage=Stage.releasing, by="annotator"))
    'BV-001: accepted by annotator, releasing'
    >>> moved(Progress("BV-001", "2.25.1", stage=Stage.aside, state="rejected", why="rejected", by="annotator"))
    'BV-001: rejected by annotator'
    """
    name = progress.label or progress.subject
    if progress.by and progress.state == "rejected":
        return f"{name}: rejected by {progress.by}"
    answered = f"accepted by {progress.by}, " if progress.by and progress.has_reached(Stage.releasing) else ""
    words = [answered + progress.stage.value, progress.why] if progress.stage is not Stage.aside else [progress.why]
    return f"{name}: {': '.join(filter(None, words)) or progress.stage.value}"


def _why_aside(session: SessionSeen) -> str:
    state = session.state.replace("_", " ")
    return f"{state}: {session.why}" if session.why else state
