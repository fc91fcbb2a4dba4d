"""Sets pynetdicom up to take whatever sites send. May import pynetdicom.

The options are global to pynetdicom and pydicom, so they are set when a receiver starts, never at import.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

from pydicom import config as pydicom_config
from pynetdicom import AE, _config
from pynetdicom._globals import ALL_TRANSFER_SYNTAXES

from gateway.receiver.door import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

if TYPE_CHECKING:
    from pynetdicom.events import Event

    from gateway.settings import ReceiverSettings


#: Verification SOP Class (PS3.4, A.4), for C-ECHO.
_VERIFICATION = "1.2.840.10008.1.1"


def relax_pynetdicom() -> None:
    """Accept every storage, private and unknown SOP class in the first transfer syntax that is offered for it.

    A presentation context refused, or a status for a UID or AE title that bends the rules, would put the object into
    the sender's own quarantine, where nobody sees it. What is wrong with an object is said later, with a reason.
    """
    # both write values that break a rule into the log, and such a value may be anything, a name too
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    _config.LOG_HANDLER_LEVEL = "none"
    _config.CODECS = ("ascii", "utf8", "latin_1")
    _config.VALIDATORS["UI"] = _accept_anything
    _config.VALIDATORS["AE"] = _accept_anything


def application_entity(settings: ReceiverSettings) -> AE:
    """Return the receiver's application entity: storage of everything, and verification."""
    ae = AE(ae_title=settings.dicom_ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_pdu_size = settings.dicom_max_pdu_bytes
    ae.maximum_associations = settings.dicom_max_associations
    ae.network_timeout = settings.dicom_idle_timeout_s
    ae.require_called_aet = False
    ae.add_supported_context(_VERIFICATION, ALL_TRANSFER_SYNTAXES)
    return ae


def tune_socket(event: Event) -> None:
    """Send answers at once: a sender waits for each before it sends the next object."""
    _set_tcp_option(event, socket.TCP_NODELAY)
    acknowledge_at_once(event)


def acknowledge_at_once(event: Event) -> None:
    """Acknowledge what came in at once: senders with Nagle's algorithm on would wait 40 ms for it per object.

    The kernel takes the option back by itself, so it is set again with each PDU. Linux only.
    """
    if hasattr(socket, "TCP_QUICKACK"):
        _set_tcp_option(event, socket.TCP_QUICKACK)


def _set_tcp_option(event: Event, option: int) -> None:
    wrapped = event.assoc.dul.socket
    if wrapped is not None and wrapped.socket is not None:
        wrapped.socket.setsockopt(socket.IPPROTO_TCP, option, 1)


def _accept_anything(_value: Any) -> tuple[bool, str]:
    return True, ""
