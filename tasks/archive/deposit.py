"""Put an examined arrival into the archive, idempotently.

The DICOM study is the session, the series is the scan, the SOP instance is the file. What is there with the same digest is
left alone; an instance that is there with other content is refused, never replaced.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from tasks.archive.port import DICOM, Archive, FileEntry, ScanRef, SessionRef
from tasks.errors import RejectedInput
from tasks.intake.records import IntakeReport, Rejection, Route
from tasks.intake.routing import short_digest
from tasks.records import Record
from tasks.series import Instance, SeriesRecord

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

logger = logging.getLogger(__name__)


class DepositedScan(Record):
    """A scan of the arrival, with the series as it arrived and how many files were new."""

    scan: ScanRef
    series: SeriesRecord
    uploaded: int


class Deposit(Record):
    """What the archive holds of an arrival now."""

    session: SessionRef
    is_new_session: bool
    scans: tuple[DepositedScan, ...]
    rejected: tuple[Rejection, ...] = ()
    """Instances that are archived already with other content."""

    @property
    def uploaded(self) -> int:
        """How many files were sent; none when everything was there."""
        return sum(one.uploaded for one in self.scans)


def find_archived(archive: Archive, route: Route, *, study_title: str) -> SessionRef | None:
    """Return the session that the archive holds of an arrival's DICOM study, None when it holds none.

    The parameters and the errors are those of `deposit_session`.
    """
    archive.ensure_project(route.xnat_project, title=study_title)
    session = archive.find_session(route.xnat_project, study_instance_uid=route.study_instance_uid)
    if session is not None and session.subject_label != route.subject_label:
        raise RejectedInput(
            f"The archive holds DICOM study {route.study_instance_uid} under another subject than the one that its "
            "PatientID (0010,0020) names now. Nothing was archived; ask the sender which subject is right."
        )
    return session


def deposit_session(archive: Archive, report: IntakeReport, *, study_title: str) -> Deposit:
    """Put every instance of an arrival into the archive.

    Parameters
    ----------
    archive
        Where it goes.
    report
        An arrival with a route; the paths of its instances must exist.
    study_title
        Name of the project, should it have to be made.

    Raises
    ------
    ArchiveUnavailable, UploadIncomplete
        Try again; what is there stays there and is not sent twice.
    ArchiveRefused
        A right or a label is wrong.
    RejectedInput
        The archive holds the DICOM study under another subject; nothing is sent then.
    """
    if report.route is None:
        raise ValueError("an arrival without a route cannot be deposited")
    route = report.route
    session = find_archived(archive, route, study_title=study_title)
    is_new = session is None
    if session is None:
        archive.ensure_subject(route.xnat_project, route.subject_label)
        session = _create_session(archive, route)
    existing = archive.scans(session.id)
    scans: list[DepositedScan] = []
    rejected: list[Rejection] = []
    for series in report.series:
        known = next((scan for scan in existing if scan.series_instance_uid == series.series_instance_uid), None)
        scan = known or archive.create_scan(
            session.id, _free_scan_id(series, {one.id for one in existing}), series=series
        )
        if known is None:
            existing = (*existing, scan)
        deposited, refused = _deposit_scan(archive, scan, series)
        scans.append(deposited)
        rejected += refused
    deposit = Deposit(session=session, is_new_session=is_new, scans=tuple(scans), rejected=tuple(rejected))
    logger.info("session deposited", extra={"session": session.id, "scans": len(scans), "uploaded": deposit.uploaded})
    return deposit


def content_digest(archive: Archive, session_id: str) -> str:
    """Return one SHA-256 over all DICOM files of a session: it changes when images are added, and only then.

    Of the lines ``scan id, name, MD5``, in order; the size stands in where an XNAT keeps no digests.
    """
    lines = [
        f"{scan.id} {entry.name} {entry.md5 or entry.size_bytes}\n"
        for scan in archive.scans(session_id)
        for entry in archive.files(scan.uri, DICOM)
    ]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def file_name(instance: Instance) -> str:
    """Return the name of an instance in the archive."""
    return f"{instance.sop_instance_uid}.dcm"


def _create_session(archive: Archive, route: Route) -> SessionRef:
    label = route.session_label
    held = archive.find_label(route.xnat_project, label)
    if held is not None and held.study_instance_uid != route.study_instance_uid:
        label = f"{label}_{short_digest(route.study_instance_uid)}"
    return archive.create_session(
        route.xnat_project,
        subject_label=route.subject_label,
        label=label,
        modality=route.modality,
        study_instance_uid=route.study_instance_uid,
        scandate=route.scandate,
    )


def _free_scan_id(series: SeriesRecord, taken: Collection[str]) -> str:
    """Return the series number, or XNAT's own variation of it (``3-MR1``) when another series has it."""
    if series.series_number is None:
        return f"s{short_digest(series.series_instance_uid, length=8)}"
    wished = str(series.series_number)
    if wished not in taken:
        return wished
    modality = series.facts.modality or "OT"
    return next(name for name in (f"{wished}-{modality}{n}" for n in range(1, len(taken) + 2)) if name not in taken)


def _deposit_scan(archive: Archive, scan: ScanRef, series: SeriesRecord) -> tuple[DepositedScan, list[Rejection]]:
    held = archive.files(scan.uri, DICOM)
    by_name = {entry.name: entry for entry in held}
    digests = {entry.md5 for entry in held if entry.md5}
    missing: dict[str, Path] = {}
    kept: list[Instance] = []
    refused: list[Rejection] = []
    for instance in series.instances:
        name = file_name(instance)
        if instance.md5 in digests or _is_same(by_name.get(name), instance):
            kept.append(instance)
        elif name in by_name:
            reason = "Rejected: the archive holds an instance with the same SOP Instance UID and other content."
            refused.append(Rejection(sop_instance_uid=instance.sop_instance_uid, sha256=instance.sha256, reason=reason))
        elif instance.path is not None:
            kept.append(instance)
            missing[name] = instance.path
    if missing:
        archive.upload(scan.uri, DICOM, missing, content="RAW", file_format="DICOM")
    series = series.model_copy(update={"instances": tuple(kept)})
    return DepositedScan(scan=scan, series=series, uploaded=len(missing)), refused


def _is_same(entry: FileEntry | None, instance: Instance) -> bool:
    """Compare by size where the archive keeps no digests."""
    return entry is not None and not entry.md5 and entry.size_bytes == instance.size_bytes
