"""Which DICOM studies are being sent at this moment: the last one of each association that is open. Standard library only.

A sender that is still connected may go on with its study after a long pause, at a scanner between two series; while it
is, its arrival does not count as complete. What an association sent before its last study is not held back by it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gateway.domain.received import Sender, StudyOfSender

if TYPE_CHECKING:
    from collections.abc import Hashable


class OpenAssociations:
    """The last study of each open association. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[Hashable, StudyOfSender] = {}

    def note(self, association: Hashable, study_instance_uid: str | None, *, sender: Sender) -> None:
        """Note that an association brought an object of a study.

        Examples
        --------
        >>> associations = OpenAssociations()
        >>> associations.note(1, "1.2.3", sender=Sender("SITE_A", "COHORTFLOW"))
        >>> associations.studies()
        frozenset({StudyOfSender(study_instance_uid='1.2.3', calling_ae='SITE_A', called_ae='COHORTFLOW')})
        >>> associations.forget(1)
        >>> associations.studies()
        frozenset()
        """
        with self._lock:
            self._last[association] = StudyOfSender(study_instance_uid or "", sender.calling_ae, sender.called_ae)

    def forget(self, association: Hashable) -> None:
        """Note that an association ended."""
        with self._lock:
            self._last.pop(association, None)

    def studies(self) -> frozenset[StudyOfSender]:
        """Return what is being sent now."""
        with self._lock:
            return frozenset(self._last.values())
