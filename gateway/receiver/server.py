"""The receiver as a whole: start, serve, stop. May import everything of the receiver.

`serve` is the entry of the process; `Receiver` is the same inside another one, for tests and tools.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from gateway.db import arrivals, doors
from gateway.receiver.door import ObjectDoor
from gateway.receiver.handlers import AssociationHandlers
from gateway.receiver.index_writer import IndexWriter
from gateway.receiver.negotiation import application_entity, relax_pynetdicom
from gateway.receiver.sweep import sweep
from gateway.spool import Spool
from service_kit import migrations
from service_kit.database import Database
from service_kit.errors import Unavailable
from service_kit.tables import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.settings import ReceiverSettings

logger = logging.getLogger(__name__)

DRAIN_TIMEOUT_S = 6.0
#: How often the receiver says that it is open.
PULSE_S = 1.0
#: An arrival whose sender is connected is held so far ahead; a receiver that is killed holds nothing for longer.
HELD_FOR = timedelta(seconds=5)
#: How long the last answers may take to leave the socket once their handlers have returned.
_LINGER_S = 0.1


class Receiver:
    """A listening DICOM receiver.

    Raises
    ------
    SpoolInUse
        If another receiver uses the spool.
    SpoolUnavailable
        If the spool cannot be written.
    OSError
        If the port is taken.
    """

    def __init__(self, settings: ReceiverSettings) -> None:
        relax_pynetdicom()
        started_at = utc_now()
        url = settings.gateway_database_url
        migrations.upgrade(url, package="gateway")
        self._spool = Spool(settings.gateway_spool_dir)
        self._lock = self._spool.lock()
        self._spool.remove_temporaries()
        self._database = Database(url)
        self._writer = IndexWriter(self._database)
        door = ObjectDoor(self._spool, self._database, self._writer, min_free_bytes=settings.spool_min_free_bytes)
        self._handlers = AssociationHandlers(door)
        self._ae = application_entity(settings)
        try:
            server = self._ae.start_server(
                (settings.dicom_host, settings.dicom_port), block=False, evt_handlers=self._handlers.bindings()
            )
        except OSError:
            self._writer.close()
            self._lock.release()
            raise
        assert server is not None, "a server that does not block is returned"
        self._server = server
        self.port: int = server.server_address[1]
        self._sweeper = threading.Thread(target=self._sweep, args=(started_at,), name="spool-sweep", daemon=True)
        self._sweeper.start()
        self._name = f"{settings.dicom_host}:{self.port}/{settings.dicom_ae_title}"
        with self._database.write() as uow:
            doors.open_door(uow, self._name, now=utc_now())
        self._ended = threading.Event()
        self._pulse = threading.Thread(target=self._beat, name="door-pulse", daemon=True)
        self._pulse.start()
        logger.info("receiver listens", extra={"port": self.port, "ae_title": settings.dicom_ae_title})

    def stop(self) -> None:
        """Take nothing new, let the objects in hand be stored and answered, then end."""
        self._server.shutdown()
        if not self._handlers.drain(timeout_s=DRAIN_TIMEOUT_S):
            logger.warning("receiver stops with objects in hand; their senders will repeat them")
        time.sleep(_LINGER_S)
        for association in self._server.active_associations:
            association.abort()
        self._sweeper.join(timeout=1.0)
        self._ended.set()
        self._pulse.join(timeout=PULSE_S)
        self._writer.close()
        try:
            with self._database.write() as uow:
                doors.close_door(uow, self._name)
        except (Unavailable, DBAPIError):
            logger.warning("receiver could not take its door off the list")
        self._database.dispose()
        self._lock.release()
        logger.info("receiver stopped")

    def _beat(self) -> None:
        """Say that the door is open, again and again, and which arrivals are not over: their senders are connected."""
        while not self._ended.wait(PULSE_S):
            try:
                now, studies = utc_now(), self._handlers.open_associations.studies()
                with self._database.write() as uow:
                    doors.keep_open(uow, self._name, now=now)
                    arrivals.hold(uow, studies, until=now + HELD_FOR)
            except (Unavailable, DBAPIError):
                logger.warning("receiver cannot reach its database")

    def _sweep(self, started_at: datetime) -> None:
        """Run the start-up sweep beside the traffic; a large spool must not keep senders waiting."""
        try:
            sweep(self._spool, self._database, before=started_at)
        except (Unavailable, DBAPIError):
            logger.exception("start-up sweep ended early; the next start repeats it")


def serve(settings: ReceiverSettings) -> None:
    """Receive until SIGTERM or SIGINT. Blocks; call it in the main thread of its own process."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    receiver = Receiver(settings)
    try:
        stopping.wait()
    finally:
        receiver.stop()
