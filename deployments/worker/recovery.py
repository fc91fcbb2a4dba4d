"""Finds the runs whose worker died, and says what becomes of each. Decisions only; imports Prefect's records.

A run under way names its owner, ``<worker name>:<instance>``: in the message of its state ``Pending``, because that is
written in the same request that takes the run, and from then on as its infrastructure. A new instance of the same worker
means that the old one is dead, since one home lets one instance of a name run. Another worker is dead when its
heart-beat is overdue or the server no longer knows it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from prefect.client.schemas.objects import StateType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prefect.client.schemas.objects import FlowRun

MAX_STARTS = 10
"""A run that was begun so often and never ended takes its worker down with it: it is given up."""

UNCLAIMED_S = 60
"""A run that is pending without an owner so long was taken by something that died at once."""

_CLAIM = "Taken by worker "


@dataclass(frozen=True)
class Identity:
    """One start of one worker."""

    name: str
    instance: str

    @classmethod
    def new(cls, name: str) -> Self:
        """Make the identity of a worker that starts now."""
        return cls(name, uuid.uuid4().hex)

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """Read what `__str__` wrote.

        Examples
        --------
        >>> Identity.parse("warm:0a1b")
        Identity(name='warm', instance='0a1b')
        >>> Identity.parse("12345") is None
        True
        """
        name, colon, instance = (text or "").rpartition(":")
        return cls(name, instance) if colon and name and instance else None

    def __str__(self) -> str:
        return f"{self.name}:{self.instance}"

    @property
    def claim(self) -> str:
        """Message of the state in which this worker has taken a run."""
        return f"{_CLAIM}{self}"


class Remedy(StrEnum):
    """What becomes of an abandoned run."""

    RUN_AGAIN = "run again"
    CANCEL = "cancel"
    GIVE_UP = "give up"


def owner_of(run: FlowRun) -> Identity | None:
    """Say which worker has a run, None when nothing tells."""
    state = run.state
    if state is not None and state.type is StateType.PENDING and (state.message or "").startswith(_CLAIM):
        return Identity.parse((state.message or "").removeprefix(_CLAIM))
    return Identity.parse(run.infrastructure_pid)


@dataclass(frozen=True)
class Situation:
    """What a worker knows when it looks for abandoned runs.

    Attributes
    ----------
    mine
        Ids of the runs this instance has.
    online
        Names of the workers of the pool whose heart-beat is not overdue.
    """

    me: Identity
    mine: Collection[uuid.UUID]
    online: Collection[str]
    now: datetime


def is_abandoned(run: FlowRun, situation: Situation) -> bool:
    """Say whether nobody alive has this run."""
    if run.id in situation.mine or run.state is None:
        return False
    owner = owner_of(run)
    if owner is None:
        return situation.now - run.state.timestamp > timedelta(seconds=UNCLAIMED_S)
    if owner.name == situation.me.name:
        return True
    return owner.name not in situation.online


def remedy_for(run: FlowRun) -> Remedy:
    """Say what becomes of an abandoned run."""
    if run.state is not None and run.state.type is StateType.CANCELLING:
        return Remedy.CANCEL
    return Remedy.GIVE_UP if run.run_count >= MAX_STARTS else Remedy.RUN_AGAIN


def abandoned(runs: Iterable[FlowRun], situation: Situation) -> list[tuple[FlowRun, Remedy]]:
    """List the abandoned ones with their remedies."""
    return [(run, remedy_for(run)) for run in runs if is_abandoned(run, situation)]
