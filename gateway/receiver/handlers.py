"""What happens on an association: C-STORE, C-ECHO, refusal when nothing can be taken. May import pynetdicom.

Statuses as CTP needs them (every status but 0000 puts the object into the site's quarantine): an object that is taken
is answered 0000, a duplicate and an unreadable one too. When nothing can be taken the association is refused, or,
within one, aborted: both make the sender try again.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE

from gateway.contract.naming import ae_title
from gateway.domain.received import Sender
from gateway.receiver.door import ObjectDoor, SentObject
from gateway.receiver.negotiation import acknowledge_at_once, tune_socket
from gateway.receiver.open_associations import OpenAssociations
from service_kit.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pynetdicom.events import Event

logger = logging.getLogger(__name__)

SUCCESS = 0x0000
_NOT_SENT = 0xA700
#: A-ASSOCIATE-RJ (PS3.8, 9.3.4): rejected for the moment, by the provider's presentation part, temporary congestion.
_CONGESTION = (0x02, 0x03, 0x01)


class AssociationHandlers:
    """The receiver's answers.

    Parameters
    ----------
    door
        Takes the objects.
    """

    def __init__(self, door: ObjectDoor) -> None:
        self._door = door
        self.open_associations = OpenAssociations()
        self._draining = threading.Event()
        self._in_hand = 0
        self._changed = threading.Condition()

    def bindings(self) -> list[evt.EventHandlerType]:
        """Return the handlers for pynetdicom's server."""
        return [
            (evt.EVT_CONN_OPEN, tune_socket),
            (evt.EVT_PDU_RECV, acknowledge_at_once),
            (evt.EVT_REQUESTED, self.on_requested),
            (evt.EVT_ESTABLISHED, self.on_established),
            (evt.EVT_RELEASED, self.on_released),
            (evt.EVT_ABORTED, self.on_aborted),
            (evt.EVT_C_ECHO, self.on_echo),
            (evt.EVT_C_STORE, self.on_store),
        ]

    def drain(self, *, timeout_s: float) -> bool:
        """Take no further object, wait for those in hand to be answered; tell whether they were."""
        self._draining.set()
        with self._changed:
            return self._changed.wait_for(lambda: self._in_hand == 0, timeout_s)

    def on_requested(self, event: Event) -> None:
        """Refuse an association while nothing can be stored."""
        cause = "The receiver is stopping." if self._draining.is_set() else self._why_closed()
        if cause is not None:
            logger.warning("association refused", extra={"cause": cause, **_facts(event)})
            event.assoc.acse.send_reject(*_CONGESTION)
            event.assoc.kill()

    def _why_closed(self) -> str | None:
        try:
            self._door.check()
        except Unavailable as error:
            return error.detail
        return None

    def on_established(self, event: Event) -> None:
        """Log who opened an association and for how many presentation contexts."""
        contexts = len(event.assoc.accepted_contexts)
        logger.info("association opened", extra={**_facts(event), "contexts": contexts})

    def on_released(self, event: Event) -> None:
        """Log that an association ended well."""
        logger.info("association released", extra=_facts(event))

    def on_aborted(self, event: Event) -> None:
        """Log that an association broke off; what was answered is safe."""
        logger.warning("association aborted", extra=_facts(event))

    def on_echo(self, _event: Event) -> int:
        """Answer C-ECHO."""
        return SUCCESS

    def on_store(self, event: Event) -> int:
        """Answer C-STORE with success once the object is durable; abort the association when it cannot be."""
        with self._holding():
            if self._draining.is_set():
                event.assoc.abort()
                return _NOT_SENT
            try:
                sender = _sender(event)
                taken = self._door.take(_sent(event), sender=sender)
            except Exception:  # a status would end in the site's quarantine; an abort is retried
                logger.exception("object not stored, association aborted")
                event.assoc.abort()
                return _NOT_SENT
        self.open_associations.note(event.assoc, taken.study_instance_uid, sender=sender)
        logger.debug("object stored", extra={"indexed": taken.indexed.value})
        return SUCCESS

    @contextmanager
    def _holding(self) -> Iterator[None]:
        with self._changed:
            self._in_hand += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_hand -= 1
                self._changed.notify_all()


def _sent(event: Event) -> SentObject:
    request = event.request
    assert isinstance(request, C_STORE)
    assert request.DataSet is not None
    return SentObject(
        sop_class_uid=str(request.AffectedSOPClassUID),
        sop_instance_uid=str(request.AffectedSOPInstanceUID),
        transfer_syntax_uid=str(event.context.transfer_syntax),
        dataset=request.DataSet,
    )


def _sender(event: Event) -> Sender:
    requestor = event.assoc.requestor
    called = requestor.primitive.called_ae_title if requestor.primitive is not None else ""
    return Sender(calling_ae=_calling_ae(event), called_ae=ae_title(called), peer_ip=requestor.address)


def _facts(event: Event) -> dict[str, object]:
    return {"calling_ae": _calling_ae(event), "peer_ip": event.assoc.requestor.address}


def _calling_ae(event: Event) -> str:
    primitive = event.assoc.requestor.primitive
    return ae_title(primitive.calling_ae_title if primitive is not None else "")
