"""Derive from a scan's DICOM files what people and models look at: NIfTI volumes, previews, and a record of their origin.

The record (``series.json`` beside the volumes) is written last. It names the instances with digests, so that a
repetition sees at once whether anything is to be done, and a measurement can name what it was made from.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import ValidationError, model_validator

from tasks.archive.deposit import file_name
from tasks.archive.nifti import convert_scan, converter_version
from tasks.archive.port import DICOM, NIFTI, SNAPSHOTS, Archive, FileEntry, ScanRef, is_file_name, scan_stem
from tasks.archive.preview import draw_preview
from tasks.errors import NoVolume, VolumeDiffers
from tasks.intake.examine import examine_scan
from tasks.records import Record
from tasks.series import SeriesRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tasks.series import Instance

logger = logging.getLogger(__name__)

RECORD_FILE = "series.json"


class VolumeFile(Record):
    """A volume in the archive."""

    name: str
    sha256: str


class ScanRecord(Record):
    """What a scan's volumes were made from, and what they are.

    `best` names the volume to measure, None when the scan is no single volume; `problem` says why there is none at all.
    """

    series: SeriesRecord
    converter: str
    volumes: tuple[VolumeFile, ...] = ()
    best: str | None = None
    preview: str | None = None
    remarks: tuple[str, ...] = ()
    problem: str | None = None

    @model_validator(mode="after")
    def _names_its_own_volumes(self) -> Self:
        names = {volume.name for volume in self.volumes}
        if not all(map(is_file_name, names)) or not {self.best} <= {None, *names}:
            raise ValueError("a volume that is none of the scan's, or whose name leaves its folder")
        return self


class DerivedScan(Record):
    """A scan with its record; `is_new` when the archive had to be written to."""

    scan: ScanRef
    record: ScanRecord
    is_new: bool = False


class FetchedScan(Record):
    """A scan's volume on this machine, with the record of its origin."""

    scan: ScanRef
    record: ScanRecord
    volume: Path


def derive_scan(archive: Archive, scan: ScanRef, work_dir: Path, *, local: SeriesRecord | None = None) -> DerivedScan:
    """Make volumes and previews of a scan unless the archive has them.

    Parameters
    ----------
    archive
        Where the scan is, and where the results go: resources NIFTI and SNAPSHOTS.
    scan
        The scan.
    work_dir
        A folder of this scan's own.
    local
        The series as it arrived, with its files on this machine. If that is not all of the scan, it is fetched.

    Raises
    ------
    ArchiveUnavailable, ArchiveRefused, UploadIncomplete
    """
    entries = archive.files(scan.uri, DICOM)
    record = read_record(archive, scan, work_dir)
    if record is not None and _covers(record.series.instances, entries):
        return DerivedScan(scan=scan, record=record)
    if local is not None and all(one.path for one in local.instances) and _covers(local.instances, entries):
        series = local
    else:
        fetched = archive.download(scan.uri, DICOM, work_dir / "dicom")
        series = _only_series(examine_scan(fetched.values()), scan)
    record, files, pictures = _convert(series, scan, work_dir)
    if files:
        archive.upload(scan.uri, NIFTI, files, content="NIFTI", file_format="NIFTI")
    if pictures:
        archive.upload(scan.uri, SNAPSHOTS, pictures, content="SNAPSHOT", file_format="PNG")
    path = work_dir / RECORD_FILE
    path.write_text(json.dumps(record.model_dump(mode="json"), indent=1), encoding="utf-8")
    archive.upload(scan.uri, NIFTI, {RECORD_FILE: path})
    logger.info("scan derived", extra={"session": scan.session_id, "scan": scan.id, "volumes": len(record.volumes)})
    return DerivedScan(scan=scan, record=record, is_new=True)


def describe_session(archive: Archive, session_id: str, work_dir: Path) -> tuple[DerivedScan, ...]:
    """Return every scan of a session that has DICOM files, with its record.

    Scans without a record of exactly the files that are there now are derived: those that others archived, or added to.
    """
    return tuple(
        derive_scan(archive, scan, work_dir / scan_stem(scan.id))
        for scan in archive.scans(session_id)
        if archive.files(scan.uri, DICOM)
    )


def fetch_scan(archive: Archive, derived: DerivedScan, work_dir: Path) -> FetchedScan:
    """Bring the volume to measure to this machine.

    Raises
    ------
    NoVolume
        The scan is no single volume.
    VolumeDiffers
        The archive gave another volume than the record names.
    """
    record = derived.record
    if record.best is None:
        raise NoVolume(derived.scan.id, why=record.problem or "it holds several volumes, and none of them is the scan.")
    digest = next(volume.sha256 for volume in record.volumes if volume.name == record.best)
    path = work_dir / record.best
    if not path.is_file() or _sha256(path) != digest:
        path = archive.download(derived.scan.uri, NIFTI, work_dir, names=[record.best])[record.best]
        if _sha256(path) != digest:
            raise VolumeDiffers(derived.scan.id, name=record.best)
    return FetchedScan(scan=derived.scan, record=record, volume=path)


def read_record(archive: Archive, scan: ScanRef, work_dir: Path) -> ScanRecord | None:
    """Return the record of a scan, None when it has none that can be read."""
    if all(entry.name != RECORD_FILE for entry in archive.files(scan.uri, NIFTI)):
        return None
    path = archive.download(scan.uri, NIFTI, work_dir, names=[RECORD_FILE])[RECORD_FILE]
    try:
        return ScanRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError:
        logger.warning("record of a scan is of another kind, making it anew", extra={"scan": scan.id})
        return None


def _covers(instances: Iterable[Instance], entries: tuple[FileEntry, ...]) -> bool:
    """Say whether instances are exactly the files of a resource; by name where the archive keeps no digests."""
    instances = list(instances)
    digests, names = {one.md5 for one in instances}, {file_name(one) for one in instances}
    is_known = all(entry.md5 in digests if entry.md5 else entry.name in names for entry in entries)
    return is_known and len(entries) == len(instances)


def _only_series(found: tuple[SeriesRecord, ...], scan: ScanRef) -> SeriesRecord:
    """Return the series of a scan's files; the largest, should a foreign archive have mixed some."""
    if not found:
        return SeriesRecord(series_instance_uid=scan.series_instance_uid or scan.id)
    return max(found, key=lambda one: (len(one.instances), one.series_instance_uid))


def _convert(
    series: SeriesRecord, scan: ScanRef, work_dir: Path
) -> tuple[ScanRecord, Mapping[str, Path], Mapping[str, Path]]:
    """Convert a series; a scan that cannot become a volume is a record with a problem, not an error."""
    kept = series.model_copy(
        update={"instances": tuple(one.model_copy(update={"path": None}) for one in series.instances)}
    )
    sources = [one.path for one in series.instances if one.path is not None]
    try:
        conversion = convert_scan(sources, work_dir / "nifti", scan=scan.id)
    except NoVolume as error:
        return ScanRecord(series=kept, converter=converter_version(), problem=error.reason), {}, {}
    files = {path.name: path for path in (*conversion.volumes, *conversion.sidecars)}
    pictures: dict[str, Path] = {}
    remarks = list(conversion.remarks)
    try:
        drawn = draw_preview(conversion.best or conversion.volumes[0], work_dir, scan=scan.id)
        pictures = {path.name: path for path in drawn}
    except NoVolume as error:
        remarks.append(error.reason)
    record = ScanRecord(
        series=kept,
        converter=conversion.converter,
        volumes=tuple(VolumeFile(name=path.name, sha256=_sha256(path)) for path in conversion.volumes),
        best=conversion.best.name if conversion.best else None,
        preview=next(iter(pictures), None),
        remarks=tuple(remarks),
    )
    return record, files, pictures


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
