"""Follows sessions through the services until each is at an end. Imports the services' clients for their errors."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Protocol

from deployments.demo.stages import Stage, advance
from deployments.errors import DemoUnfinished
from gateway.client import GatewayUnavailable
from study_governor.client import GovernorUnavailable
from task_supervisor.client import SupervisorUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deployments.demo.stages import ArrivalSeen, Progress, SessionSeen

logger = logging.getLogger(__name__)

POLL_S = 0.5
LONGEST_WAIT_S = 1800.0
"""Without any change for so long, it is said what is waited for."""


class View(Protocol):
    """What is asked of a running Cohortflow."""

    @property
    def answers_reviews(self) -> bool:
        """Whether reviews are answered here, rather than left to a person."""

    def arrival(self, study_instance_uid: str) -> ArrivalSeen | None:
        """Give the newest arrival of a DICOM study."""

    def session(self, label: str) -> SessionSeen | None:
        """Give a session by its label."""

    def accept_reviews(self, labels: set[str]) -> int:
        """Accept the open review tasks of sessions; give how many."""


def follow(
    sessions: Sequence[Progress],
    view: View,
    *,
    on_change: Callable[[Progress], None],
    check: Callable[[], None],
    waits_for_reviews: bool = False,
    longest_wait_s: float = LONGEST_WAIT_S,
    poll_s: float = POLL_S,
) -> tuple[Progress, ...]:
    """Follow sessions to their end, or to their review when a person shall answer that.

    Parameters
    ----------
    on_change
        Called with a session that is further than before.
    check
        Called at each look; raises to end the following.
    waits_for_reviews
        Follow to the end although a person answers the reviews.

    Raises
    ------
    DemoUnfinished
        If nothing changed for ``longest_wait_s``.
    """
    now = tuple(sessions)
    changed_at = time.monotonic()
    while True:
        check()
        before = now
        try:
            now = tuple(_look(one, view) for one in before)
            reviewed = {one.label for one in now if one.stage is Stage.review}
            if view.answers_reviews and reviewed:
                view.accept_reviews(reviewed)
        except (GatewayUnavailable, GovernorUnavailable, SupervisorUnavailable) as error:
            logger.info("a service did not answer, asking again", extra={"error": type(error).__name__})
        for one, former in zip(now, before, strict=True):
            if one != former:
                changed_at = time.monotonic()
                on_change(one)
        waiting = [one for one in now if not one.is_at_an_end]
        if not (view.answers_reviews or waits_for_reviews):
            waiting = [one for one in waiting if one.stage is not Stage.review]
        if not waiting:
            return now
        if time.monotonic() - changed_at > longest_wait_s:
            raise DemoUnfinished([f"{one.label or one.subject} waits at {one.stage.value}" for one in waiting])
        time.sleep(poll_s)


def _look(progress: Progress, view: View) -> Progress:
    if progress.is_at_an_end:
        return progress
    arrival = view.arrival(progress.study_instance_uid)
    label = arrival.session_label if arrival is not None else None
    return advance(progress, arrival, view.session(label) if label else None)
