"""Sends prepared sessions by C-STORE over real associations, as a site's system would. Imports pynetdicom."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from deployments.errors import SendFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pynetdicom.association import Association

    from deployments.demo.prepare import OutgoingSession

CALLING_AE_TITLE = "SITE-A-SCU"
_MOST_CONTEXTS = 128
_TRIES = 3
#: Before the second try; before the third twice as long.
PAUSE_S = 2.0
#: How long an answer may take; of a receiver that died in between there is none, and the object is sent again.
ANSWER_TIMEOUT_S = 10.0


def send_session(
    session: OutgoingSession,
    *,
    host: str,
    port: int,
    ae_title: str,
    on_sent: Callable[[int], None] = lambda _: None,
) -> int:
    """Send every object of a session; give how many.

    Objects that were not confirmed are sent again over a new association: what arrived twice is one object.

    Parameters
    ----------
    on_sent
        Called with the number of objects confirmed so far.

    Raises
    ------
    SendFailed
        If some object was still not accepted at the last try.
    """
    waiting = session.files()
    total, reason = len(waiting), ""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(PAUSE_S * attempt)
        waiting, reason = _send_all(
            waiting, host=host, port=port, ae_title=ae_title, on_sent=lambda left: on_sent(total - left)
        )
        if not waiting:
            return total
    raise SendFailed(session.subject, f"{len(waiting)} of {total} left, {reason}")


def echo(*, host: str, port: int, ae_title: str) -> bool:
    """Say whether the receiver answers C-ECHO."""
    ae = AE(ae_title=CALLING_AE_TITLE)
    ae.add_requested_context(Verification)
    assoc = ae.associate(host, port, ae_title=ae_title)
    if not assoc.is_established:
        return False
    status = assoc.send_c_echo()
    assoc.release()
    return bool(status and status.Status == 0x0000)


def _send_all(
    files: Sequence[Path], *, host: str, port: int, ae_title: str, on_sent: Callable[[int], None]
) -> tuple[list[Path], str]:
    """Send over one association; give what was not confirmed, and why."""
    ae = AE(ae_title=CALLING_AE_TITLE)
    ae.dimse_timeout = ANSWER_TIMEOUT_S
    for abstract_syntax, transfer_syntax in sorted({_syntaxes(path) for path in files})[:_MOST_CONTEXTS]:
        ae.add_requested_context(UID(abstract_syntax), UID(transfer_syntax))
    assoc = ae.associate(host, port, ae_title=ae_title)
    if not assoc.is_established:
        return list(files), "no association could be made"
    left, reason = list(files), ""
    try:
        for path in files:
            if not _is_up(assoc):
                reason = "the association ended early"
                break
            status = assoc.send_c_store(path)
            if status and status.Status == 0x0000:
                left.remove(path)
                on_sent(len(left))
            else:
                reason = f"status 0x{status.Status:04X}" if status else "no answer"
    finally:
        if _is_up(assoc):
            assoc.release()
    return left, reason


def _is_up(assoc: Association) -> bool:
    """Whether the association still stands; either side may have ended it since we asked."""
    return bool(assoc.is_established)


def _syntaxes(path: Path) -> tuple[str, str]:
    meta = dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True).file_meta
    return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
