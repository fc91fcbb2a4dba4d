"""Examine an arrival: which instances go on, in which series, for which study, and why the others do not."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.intake.deidentification import deidentification_problem
from tasks.intake.geometry import with_geometry
from tasks.intake.reading import Digests, Header, digest_file, read_header
from tasks.intake.records import IntakeReport, Rejection
from tasks.intake.routing import RouteUnknown, find_route
from tasks.records import counted
from tasks.series import Instance, SeriesRecord
from tasks.terms import said

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tasks.studies import Study

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Read:
    path: Path
    digests: Digests
    header: Header


def examine(
    paths: Iterable[Path], studies: Iterable[Study], *, calling_ae: str = "", called_ae: str = ""
) -> IntakeReport:
    """Examine the files of one arrival.

    Parameters
    ----------
    paths
        Every file that came, in any order; the same order of results comes out for any order of them.
    studies
        Every study of the house.
    calling_ae, called_ae
        AE titles of the association that brought them.

    Returns
    -------
    IntakeReport
        Each file is either an instance of a series or a rejection; none is left out. A file that came twice counts once.
    """
    read, rejected = _read_all(paths)
    read, strays = _one_dicom_study(read)
    rejected += strays
    if not read:
        return _nothing(rejected)
    try:
        route, study = find_route([one.header for one in read], studies, calling_ae=calling_ae, called_ae=called_ae)
    except RouteUnknown as unknown:
        rejected += [_rejection(one, str(unknown)) for one in read]
        return IntakeReport(route=None, rejected=_ordered(rejected), arrival_reason=str(unknown))
    accepted = []
    for one in read:
        problem = _study_problem(one.header, study)
        if problem is None:
            accepted.append(one)
        else:
            rejected.append(_rejection(one, _sentence(problem)))
    if not accepted:
        return _nothing(rejected).model_copy(update={"route": route})
    report = IntakeReport(route=route, series=_series(accepted), rejected=_ordered(rejected))
    logger.info(
        "arrival examined",
        extra={"study": study.name, "instances": report.instance_count, "rejected": len(report.rejected)},
    )
    return report


def examine_scan(paths: Iterable[Path]) -> tuple[SeriesRecord, ...]:
    """Group files that are already archived into series, without asking for study or de-identification again."""
    read, _ = _read_all(paths)
    return _series(read)


def _read_all(paths: Iterable[Path]) -> tuple[list[_Read], list[Rejection]]:
    read: dict[str, _Read] = {}
    rejected: dict[str, Rejection] = {}
    owner_of: dict[str, str] = {}
    digested = sorted(((digest_file(path), path) for path in paths), key=lambda pair: (pair[0].sha256, pair[1].name))
    for digests, path in digested:
        if digests.sha256 in read or digests.sha256 in rejected:
            continue
        header, problem = read_header(path)
        if header is None or problem is not None:
            uid = header.sop_instance_uid if header else None
            reason = _sentence(problem or "it cannot be read")
            rejected[digests.sha256] = Rejection(sop_instance_uid=uid, sha256=digests.sha256, reason=reason)
        elif header.sop_instance_uid in owner_of:
            reason = "Rejected: another instance with the same SOP Instance UID and other content came with it."
            rejected[digests.sha256] = Rejection(
                sop_instance_uid=header.sop_instance_uid, sha256=digests.sha256, reason=reason
            )
        else:
            owner_of[header.sop_instance_uid] = digests.sha256
            read[digests.sha256] = _Read(path=path, digests=digests, header=header)
    return list(read.values()), list(rejected.values())


def _one_dicom_study(read: list[_Read]) -> tuple[list[_Read], list[Rejection]]:
    """Keep the DICOM study that most instances belong to; an arrival is one."""
    counts = Counter(one.header.study_instance_uid for one in read)
    if len(counts) < 2:
        return read, []
    kept = min(counts, key=lambda uid: (-counts[uid], uid))
    strays = [
        _rejection(one, "Rejected: it belongs to another DICOM study than the rest of its arrival.")
        for one in read
        if one.header.study_instance_uid != kept
    ]
    return [one for one in read if one.header.study_instance_uid == kept], strays


def _study_problem(header: Header, study: Study) -> str | None:
    if header.facts.modality not in study.modalities:
        modality = said("modality", header.facts.modality) if header.facts.modality else "none"
        return f"its modality is {modality}, and study {study.name} takes {' and '.join(study.modalities)}"
    return deidentification_problem(header, study.deidentification)


def _series(read: Sequence[_Read]) -> tuple[SeriesRecord, ...]:
    members: dict[str, list[_Read]] = defaultdict(list)
    for one in read:
        members[one.header.series_instance_uid].append(one)
    records = [
        _series_record(uid, sorted(group, key=lambda one: one.header.sop_instance_uid))
        for uid, group in members.items()
    ]
    return tuple(sorted(records, key=lambda r: (r.series_number is None, r.series_number or 0, r.series_instance_uid)))


def _series_record(uid: str, group: Sequence[_Read]) -> SeriesRecord:
    headers = [one.header for one in group]
    facts = with_geometry(
        headers[0].facts,
        positions=[position for header in headers for position in header.positions],
        orientations=[orientation for header in headers for orientation in header.orientations],
        frames=sum(header.facts.frames for header in headers),
    )
    return SeriesRecord(
        series_instance_uid=uid,
        series_number=headers[0].series_number,
        facts=facts,
        instances=tuple(
            Instance(
                sop_instance_uid=one.header.sop_instance_uid,
                sha256=one.digests.sha256,
                md5=one.digests.md5,
                size_bytes=one.digests.size_bytes,
                path=one.path,
            )
            for one in group
        ),
    )


def _rejection(one: _Read, reason: str) -> Rejection:
    return Rejection(sop_instance_uid=one.header.sop_instance_uid, sha256=one.digests.sha256, reason=reason)


def _sentence(problem: str) -> str:
    return f"Rejected: {problem}."


def _ordered(rejected: Iterable[Rejection]) -> tuple[Rejection, ...]:
    return tuple(sorted(rejected, key=lambda one: (one.sop_instance_uid or "", one.sha256)))


def _nothing(rejected: Sequence[Rejection]) -> IntakeReport:
    """Report that nothing goes on, with the reasons counted."""
    counts = Counter(one.reason.removeprefix("Rejected: ").rstrip(".") for one in rejected)
    reasons = "; ".join(f"{counted(count, 'instance')}: {reason}" for reason, count in counts.most_common())
    arrival_reason = (
        f"None of its instances can be accepted. {reasons[:1].upper()}{reasons[1:]}."
        if counts
        else "It holds no files."
    )
    return IntakeReport(route=None, rejected=_ordered(rejected), arrival_reason=arrival_reason)
