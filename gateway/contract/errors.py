"""Errors of the gateway.

::

    ServiceError
    ├── InvalidInput
    │   ├── UnknownInstances      an answer names instances that the arrival does not have
    │   └── ReasonMissing         a quarantine without a reason
    ├── NotFound
    │   └── NoSuchArrival
    ├── Conflict
    │   ├── ArrivalNotReady       asked too early: the arrival still receives
    │   ├── ArrivalSettled        settled otherwise before
    │   ├── ArrivalOrderedAnew    an answer of an earlier attempt
    │   ├── NothingToProcess      none of its instances can be read
    │   └── NothingHeldBack       there is nothing to set aside
    └── Unavailable
        └── SpoolUnavailable      the spool cannot take an object

`SpoolInUse` is raised at start only: two receivers may not share one spool.
"""

from collections.abc import Sequence
from pathlib import Path

from gateway.contract.ids import ArrivalId
from gateway.contract.states import ArrivalState
from service_kit.errors import Conflict, InvalidInput, NotFound, Unavailable


class NoSuchArrival(NotFound):
    """There is no arrival of this number, or the caller may not know of it."""

    def __init__(self, arrival_id: ArrivalId) -> None:
        super().__init__(f"There is no arrival {arrival_id}.")
        self.arrival_id = arrival_id


class UnknownInstances(InvalidInput):
    """An answer rejects instances that the arrival does not have."""

    def __init__(self, arrival_id: ArrivalId, *, digests: Sequence[str]) -> None:
        named = ", ".join(digest[:12] for digest in digests[:3])
        super().__init__(f"Arrival {arrival_id} has no instance with the digest {named}: send the digests it gave out.")
        self.arrival_id = arrival_id
        self.digests = tuple(digests)


class ReasonMissing(InvalidInput):
    """Whatever is quarantined carries a reason."""

    def __init__(self, arrival_id: ArrivalId) -> None:
        super().__init__(f"Arrival {arrival_id} cannot be quarantined without a reason: say why, in a sentence.")
        self.arrival_id = arrival_id


class ArrivalNotReady(Conflict):
    """The arrival is in a state in which this cannot be done yet."""

    def __init__(self, arrival_id: ArrivalId, *, state: ArrivalState, wanted: str) -> None:
        super().__init__(f"Arrival {arrival_id} is {state.value}: it cannot be {wanted} now.")
        self.arrival_id = arrival_id
        self.state = state


class ArrivalSettled(Conflict):
    """The arrival was settled with another outcome before; a late answer moves nothing."""

    def __init__(self, arrival_id: ArrivalId, *, state: ArrivalState) -> None:
        super().__init__(f"Arrival {arrival_id} is {state.value} already: this answer comes late and changes nothing.")
        self.arrival_id = arrival_id
        self.state = state


class ArrivalOrderedAnew(Conflict):
    """The arrival was given to processing again since; the answer of an earlier attempt moves nothing."""

    def __init__(self, arrival_id: ArrivalId, *, attempt: int) -> None:
        super().__init__(f"Arrival {arrival_id} is in attempt {attempt}: the answer of another one changes nothing.")
        self.arrival_id = arrival_id
        self.attempt = attempt


class NothingToProcess(Conflict):
    """No instance of the arrival can be read, so trying again cannot help."""

    def __init__(self, arrival_id: ArrivalId) -> None:
        super().__init__(
            f"Arrival {arrival_id} has no readable object: ask the sender to check the files and send them again."
        )
        self.arrival_id = arrival_id


class NothingHeldBack(Conflict):
    """The arrival has nothing in the quarantine, so there is nothing to set aside."""

    def __init__(self, arrival_id: ArrivalId) -> None:
        super().__init__(f"Arrival {arrival_id} holds nothing back: there is nothing to set aside.")
        self.arrival_id = arrival_id


class SpoolUnavailable(Unavailable):
    """The spool cannot take an object: the disk is full, or the folder cannot be written."""

    def __init__(self, root: Path, *, cause: str) -> None:
        super().__init__(f"The spool {root} cannot take objects ({cause}): free space or mend the folder's rights.")
        self.root = root


class SpoolInUse(Unavailable):
    """Another receiver holds the spool."""

    def __init__(self, root: Path) -> None:
        super().__init__(
            f"Another receiver already uses the spool {root}: stop it, or set COHORTFLOW_GATEWAY_SPOOL_DIR."
        )
        self.root = root
