"""Group commit: objects of all associations that wait at the same moment share one transaction.

One thread writes; a caller of `IndexWriter.add` returns when its row is durable. May import the database layer.
"""

from __future__ import annotations

import logging
import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InvalidRequestError

from gateway.db.index import index_instances
from service_kit.errors import Unavailable

if TYPE_CHECKING:
    from gateway.domain.received import Indexed, ReceivedInstance
    from service_kit.database import Database

logger = logging.getLogger(__name__)

MAX_BATCH = 64
ANSWER_TIMEOUT_S = 60.0
_RACES = 3

_Waiting = tuple["ReceivedInstance", "Future[Indexed]"]


class IndexWriter:
    """Writes index rows in one thread, as many to a commit as wait for one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="index-writer", daemon=True)
        self._thread.start()

    def add(self, received: ReceivedInstance) -> Indexed:
        """Write the row of one object and return when it is committed.

        Raises
        ------
        Unavailable
            If the database takes nothing.
        sqlalchemy.exc.DataError
            If it takes others, but not the values of this one.
        """
        future: Future[Indexed] = Future()
        self._waiting.put((received, future))
        try:
            return future.result(timeout=ANSWER_TIMEOUT_S)
        except TimeoutError as error:
            raise Unavailable("The index did not take an object in time.") from error

    def close(self) -> None:
        """Write what waits, then stop."""
        self._waiting.put(None)
        self._thread.join(timeout=ANSWER_TIMEOUT_S)

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first]
            closing = False
            while len(batch) < MAX_BATCH and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    closing = True
                    break
                batch.append(following)
            self._write(batch)
            if closing:
                return

    def _write(self, batch: list[_Waiting]) -> None:
        try:
            outcomes = self._commit([received for received, _ in batch])
        except Exception as error:  # whatever it is, each waiting association must hear of it
            if len(batch) > 1 and not isinstance(error, Unavailable):
                for waiting in batch:  # what is wrong with one must not fail the others
                    self._write([waiting])
                return
            logger.exception("index rows could not be written", extra={"objects": len(batch)})
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            future.set_result(outcome)

    def _commit(self, received: list[ReceivedInstance]) -> list[Indexed]:
        for race in range(1, _RACES + 1):
            try:
                with self._database.write() as uow:
                    return index_instances(uow, received)
            except IntegrityError:
                if race == _RACES:  # another receiver indexed the same object each time: not a race any more
                    raise
            except DataError:
                raise
            except (DBAPIError, InvalidRequestError) as error:
                raise Unavailable("The index database does not take rows.") from error
        raise AssertionError("unreachable")
