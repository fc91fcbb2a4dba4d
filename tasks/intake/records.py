"""What intake says about an arrival. Imports records only."""

from __future__ import annotations

import datetime as dt

from tasks.records import Record
from tasks.series import SeriesRecord


class Rejection(Record):
    """An instance that cannot go on, with a sentence for the coordinator.

    `sop_instance_uid` is None when the file could not even be read that far. Nothing of the reason is a value of the file.
    """

    sop_instance_uid: str | None
    sha256: str
    reason: str


class Route(Record):
    """Where an arrival belongs."""

    study: str
    xnat_project: str
    site: str | None
    subject_label: str
    session_label: str
    """The label wished for; the archive may hold another session under it, see `tasks.archive.deposit`."""
    modality: str
    study_instance_uid: str
    scandate: dt.date | None
    how: str
    """By what the study was found, in words."""


class IntakeReport(Record):
    """The result of examining an arrival: what goes on, what does not, and why.

    `arrival_reason` is set when nothing of the arrival can go on; `route` is then None, or names the study that refused.
    """

    route: Route | None
    series: tuple[SeriesRecord, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    arrival_reason: str | None = None

    @property
    def instance_count(self) -> int:
        """How many instances go on."""
        return sum(len(one.instances) for one in self.series)
