"""A thread that looks at regular times for what nobody reports: time-outs and flow runs that died."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from service_kit.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)


class Watch:
    """Calls a function every so often until it is stopped; one that fails is called again the next time."""

    def __init__(self, name: str, look: Callable[[], object], *, every_s: float) -> None:
        self._name = name
        self._look = look
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, *, timeout_s: float = 5.0) -> None:
        """Let the look in hand end and stop."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self._look()
            except (ServiceError, DBAPIError) as error:
                logger.warning("watch could not look", extra={"watch": self._name, "error": type(error).__name__})
            except Exception:  # the watch must not end for a fault; the next look tries again
                logger.exception("watch failed in one look", extra={"watch": self._name})
