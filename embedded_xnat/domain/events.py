"""What can happen in the archive that others may want to hear of: kinds of events, and what each tells. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_PACKAGE = "org.nrg.xnat.eventservice.events"


class EventStatus(StrEnum):
    """What happened to the object."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    ARCHIVED = "ARCHIVED"
    DELETED = "DELETED"


class EventType(StrEnum):
    """What it happened to; the value is the name that XNAT's clients write into a subscription."""

    PROJECT = f"{_PACKAGE}.ProjectEvent"
    SUBJECT = f"{_PACKAGE}.SubjectEvent"
    SESSION = f"{_PACKAGE}.SessionEvent"
    SUBJECT_ASSESSOR = f"{_PACKAGE}.SubjectAssessorEvent"
    ASSESSOR = f"{_PACKAGE}.ImageAssessorEvent"
    SCAN = f"{_PACKAGE}.ScanEvent"
    RESOURCE = f"{_PACKAGE}.ResourceEvent"


@dataclass(frozen=True)
class EventKind:
    """A kind of event as it is listed."""

    type: EventType
    name: str
    description: str
    statuses: tuple[EventStatus, ...] = (EventStatus.CREATED, EventStatus.UPDATED, EventStatus.DELETED)
    scopes: tuple[str, ...] = ("PROJECT", "SITE")


KINDS: Mapping[EventType, EventKind] = {
    kind.type: kind
    for kind in (
        EventKind(EventType.PROJECT, "Project", "A project was made, changed or deleted.", scopes=("SITE",)),
        EventKind(EventType.SUBJECT, "Subject", "A subject was made, changed or deleted."),
        EventKind(
            EventType.SESSION,
            "Session",
            "An imaging session was made, archived from received images, changed or deleted.",
            statuses=tuple(EventStatus),
        ),
        EventKind(EventType.SUBJECT_ASSESSOR, "Subject assessor", "Another experiment of a subject changed."),
        EventKind(EventType.ASSESSOR, "Image assessor", "An assessor of a session was made, changed or deleted."),
        EventKind(EventType.SCAN, "Scan", "A scan or reconstruction was made, changed or deleted."),
        EventKind(
            EventType.RESOURCE,
            "Resource",
            "A resource was made or deleted, or files were uploaded to it, replaced or deleted (updated).",
        ),
    )
}


@dataclass(frozen=True)
class ArchiveEvent:
    """Something that happened to one object.

    Parameters
    ----------
    payload
        What a filter sees and a webhook sends: `id`, `label`, `xsiType`, `uri`, `project-id`, and of sessions also
        `subject-id`, `scans` and `modalities-in-study`. Labels and ids, no other field of the object.
    """

    type: EventType
    status: EventStatus
    project_id: str | None
    payload: dict[str, Any] = field(default_factory=dict)


def read_event_type(name: str) -> EventType | None:
    """Return the type of that name, in its long form or its last word; None when there is none.

    Examples
    --------
    >>> read_event_type("SessionEvent") is read_event_type("org.nrg.xnat.eventservice.events.SessionEvent")
    True
    """
    return next((each for each in EventType if name in {each.value, each.value.rpartition(".")[2]}), None)
