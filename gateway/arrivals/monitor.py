"""The gateway's clock: completes quiet arrivals, reconciles orders, tells live pages. One thread a web process.

May import the service. Every step may run in several processes at a time: rows decide, not the clock.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from gateway.db import arrivals as rows
from service_kit.errors import Unavailable

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.arrivals.processing import Processing
    from gateway.arrivals.service import Arrivals
    from service_kit.database import Database
    from service_kit.events import Broadcast

logger = logging.getLogger(__name__)

#: Topic of the live pages: something about arrivals changed.
TOPIC = "arrivals"
_TICK_S = 0.25
#: While nothing is being received.
_IDLE_TICK_S = 1.0
#: While something is being received, pages are told this often: objects count up and the quiet period runs.
_LIVE_EVERY_S = 1.0


class Monitor:
    """Runs `step` again and again in a thread until `stop`."""

    def __init__(
        self,
        database: Database,
        arrivals: Arrivals,
        processing: Processing,
        broadcast: Broadcast,
        *,
        reconcile_every_s: float,
    ) -> None:
        self._database = database
        self._arrivals = arrivals
        self._processing = processing
        self._broadcast = broadcast
        self._reconcile_every_s = reconcile_every_s
        self._reconciled_at = time.monotonic()
        self._told_at = 0.0
        self._told: datetime | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="arrivals-monitor", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let the step in hand end and stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def step(self) -> bool:
        """Do what is due; return whether something is being received."""
        is_receiving = self._tell_pages()
        if is_receiving:
            self._arrivals.complete_quiet()
        if time.monotonic() - self._reconciled_at >= self._reconcile_every_s:
            self._reconciled_at = time.monotonic()
            self._processing.reconcile()
        return is_receiving

    def _tell_pages(self) -> bool:
        with self._database.read() as uow:
            changed_at, receiving = rows.last_change(uow)
        since_s = time.monotonic() - self._told_at
        is_due = changed_at != self._told and (receiving == 0 or since_s >= _LIVE_EVERY_S / 2)
        if is_due or (receiving and since_s >= _LIVE_EVERY_S):
            self._told, self._told_at = changed_at, time.monotonic()
            self._broadcast.publish(TOPIC)
        return receiving > 0

    def _run(self) -> None:
        is_receiving = True
        while not self._stopping.wait(_TICK_S if is_receiving else _IDLE_TICK_S):
            try:
                is_receiving = self.step()
            except (Unavailable, DBAPIError) as error:
                logger.warning("a part of the gateway does not answer", extra={"error": type(error).__name__})
                self._stopping.wait(1.0)
            except Exception:  # the clock must not stop for a fault; the next tick tries again
                logger.exception("the gateway's monitor failed in one step")
                self._stopping.wait(1.0)
