"""Does in the background what imports leave to it, in a thread of its own. May import SQLModel.

Sessions that no file has come for are built, and archived when their project wants so; orders for the prearchive and
requests for the inbox are carried out one after another. What is to be done stands in the database, so that the next
process goes on where this one was cut off. While the database or the disk cannot be used, it looks more and more rarely:
each look may read and write whole sessions.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import delete
from sqlmodel import col, select

from embedded_xnat.db.tables import InboxRequestRow, OpenSessionRow, PrearchiveRow
from embedded_xnat.imports.inbox import Inbox
from embedded_xnat.imports.prearchive import RECEIVING
from embedded_xnat.imports.prearchive_actions import QUEUED, Actions
from service_kit.errors import OutOfSpace, ServiceError, Unavailable, without_paths
from service_kit.tables import utc_now

logger = logging.getLogger(__name__)

#: Longest pause between two looks of which the first failed.
MAX_PAUSE_S = 300.0


class ImportWorker:
    """Looks from time to time what is to be done.

    Parameters
    ----------
    idle_s
        Called for the seconds after which a session that nothing came in for counts as complete.
    check_s
        Seconds between two looks.
    """

    def __init__(
        self, actions: Actions, inbox: Inbox | None, *, idle_s: Callable[[], float], check_s: float = 10.0
    ) -> None:
        self._actions = actions
        self._inbox = inbox
        self._idle_s = idle_s
        self._check_s = check_s
        self._awake = threading.Event()
        self._is_stopping = False
        self._looking = threading.Lock()
        self._without_space: list[OutOfSpace] = []
        self._thread = threading.Thread(target=self._run, name="xnat-imports", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._actions.put_right()
        self._thread.start()

    def stop(self, *, timeout_s: float = 5.0) -> None:
        """End after what is being done now."""
        self._is_stopping = True
        self._awake.set()
        self._thread.join(timeout_s)

    def wake(self) -> None:
        """Look at once: there is something to do."""
        self._awake.set()

    def _run(self) -> None:
        failures = 0
        while not self._is_stopping:
            failures = 0 if self._looks() else failures + 1
            self._awake.wait(pause_s(self._check_s, failures))
            self._awake.clear()

    def _looks(self) -> bool:
        try:
            self.look(utc_now())
        except Unavailable:
            logger.warning("database or disk cannot be used at the moment; looking again later")
        except Exception as error:
            without_paths(error)
            logger.exception("looking for imports failed; looking again later")
        else:
            return True
        return False

    def look(self, now: datetime) -> None:
        """Do what is to be done at this moment."""
        with self._looking:
            self._look(now)

    def _look(self, now: datetime) -> None:
        archive = self._actions.archive
        self._without_space.clear()
        self._actions.put_right()
        idle_since = now - timedelta(seconds=self._idle_s())
        with archive.read() as session:
            idle = session.exec(
                select(PrearchiveRow).where(
                    PrearchiveRow.status == RECEIVING, col(PrearchiveRow.modified_at) <= idle_since
                )
            ).all()
            has_open = session.exec(select(OpenSessionRow).where(col(OpenSessionRow.modified_at) <= idle_since)).first()
            requests = session.exec(
                select(InboxRequestRow)
                .where(col(InboxRequestRow.status).in_(["Queued", "Importing"]))
                .order_by(col(InboxRequestRow.number))
            ).all()
        for row in idle:
            self._try(partial(self._actions.complete, row))
        for row in self._queued():
            self._try(partial(self._actions.carry_out, row))
        if has_open is not None:
            with archive.change() as change:
                statement = delete(OpenSessionRow).where(col(OpenSessionRow.modified_at) <= idle_since)
                change.session.connection().execute(statement)
        for request in requests:
            if self._inbox is not None:
                self._try(partial(self._inbox.carry_out, request))
        if self._without_space:
            raise self._without_space.pop()

    def _queued(self) -> Sequence[PrearchiveRow]:
        statement = select(PrearchiveRow).where(col(PrearchiveRow.status).startswith(QUEUED, autoescape=True))
        with self._actions.archive.read() as session:
            return session.exec(statement.order_by(col(PrearchiveRow.number))).all()

    def _try(self, action: Callable[[], object]) -> None:
        """Do one thing; that it cannot be done is noted with the session and keeps nothing else from being done.

        What there is no space for is tried again with the next look; another thing may need less.
        """
        if self._is_stopping:
            return
        try:
            action()
        except OutOfSpace as error:
            self._without_space.append(error)
        except Unavailable:
            raise
        except ServiceError as error:
            logger.info("a session of the prearchive stays", extra={"error": type(error).__name__})


def pause_s(check_s: float, failures: int) -> float:
    """Return how long to wait before the next look, after so many that failed one after another.

    Examples
    --------
    >>> [pause_s(10, failures) for failures in (0, 1, 2, 3, 9)]
    [10.0, 20.0, 40.0, 80.0, 300.0]
    """
    return min(check_s * 2.0 ** min(failures, 20), max(check_s, MAX_PAUSE_S))
