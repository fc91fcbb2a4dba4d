"""The closed sets of the gateway. May import the standard library only."""

from enum import StrEnum


class ArrivalState(StrEnum):
    """Where an arrival stands."""

    receiving = "receiving"
    complete = "complete"
    accepted = "accepted"
    quarantined = "quarantined"


class InstanceStatus(StrEnum):
    """What became of one received instance."""

    stored = "stored"
    accepted = "accepted"
    quarantined = "quarantined"


class Outcome(StrEnum):
    """What the processing of an arrival came to."""

    accepted = "accepted"
    quarantined = "quarantined"
