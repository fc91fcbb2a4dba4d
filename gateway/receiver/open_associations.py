"""Which DICOM studies are being sent at this moment: the last one of each association that is open. Standard library only.

A sender that is still connected may go on with its study after a long pause, at a scanner between two series; while it
is, its arrival does not count as complete. What an association sent before its last study is not held back by it.

An association is open while its thread runs. That it closed is also told by an event, but not always, and not always
after the last object in hand was stored.
"""

from __future__ import annotations

import threading

from gateway.domain.received import Sender, StudyOfSender


class OpenAssociations:
    """The last study of each open association. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[threading.Thread, StudyOfSender] = {}

    def note(self, association: threading.Thread, study_instance_uid: str | None, *, sender: Sender) -> None:
        """Note that an association brought an object of a study.

        Examples
        --------
        >>> associations = OpenAssociations()
        >>> associations.note(threading.current_thread(), "1.2.3", sender=Sender("SITE_A", "COHORTFLOW"))
        >>> associations.studies()
        frozenset({StudyOfSender(study_instance_uid='1.2.3', calling_ae='SITE_A', called_ae='COHORTFLOW')})
        """
        with self._lock:
            self._last[association] = StudyOfSender(study_instance_uid or "", sender.calling_ae, sender.called_ae)

    def studies(self) -> frozenset[StudyOfSender]:
        """Return what is being sent now."""
        with self._lock:
            self._last = {association: last for association, last in self._last.items() if association.is_alive()}
            return frozenset(self._last.values())
