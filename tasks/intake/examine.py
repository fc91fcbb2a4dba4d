"""Examine an arrival: which instances go on, in which series, for which study, and why the others do not."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.intake.deidentification import deidentification_problems
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

_ALSO = "; also "
"""Between the reasons of one instance."""


@dataclass(frozen=True)
class _Read:
    """A file with a header; `problem` says why it cannot go on, whatever its study is."""

    path: Path
    digests: Digests
    header: Header
    problem: str | None = None


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
    studies = tuple(studies)
    read, rejected = _read_all(paths)
    read = _one_dicom_study(read)
    whole = [one for one in read if one.problem is None]
    rejected += [_rejection(one, _own_problems(one, studies)) for one in read if one.problem is not None]
    if not whole:
        return _nothing(rejected)
    try:
        route, study = find_route([one.header for one in whole], studies, calling_ae=calling_ae, called_ae=called_ae)
    except RouteUnknown as unknown:
        return _astray(str(unknown), whole, studies, rejected=rejected)
    accepted = []
    for one in whole:
        if problems := _study_problems(one.header, study):
            rejected.append(_rejection(one, problems))
        else:
            accepted.append(one)
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
    return _series([one for one in read if one.problem is None])


def _read_all(paths: Iterable[Path]) -> tuple[list[_Read], list[Rejection]]:
    """Return the files with a header, and why the others have none."""
    read: dict[str, _Read] = {}
    rejected: dict[str, Rejection] = {}
    taken: set[str] = set()
    digested = sorted(((digest_file(path), path) for path in paths), key=lambda pair: (pair[0].sha256, pair[1].name))
    for digests, path in digested:
        if digests.sha256 in read or digests.sha256 in rejected:
            continue
        header, problem = read_header(path)
        if header is None:
            reason = _sentence([problem or "it cannot be read"])
            rejected[digests.sha256] = Rejection(sop_instance_uid=None, sha256=digests.sha256, reason=reason)
            continue
        if problem is None and header.sop_instance_uid in taken:
            problem = "another instance with the same SOP Instance UID and other content came with it"
        if problem is None:
            taken.add(header.sop_instance_uid)
        read[digests.sha256] = _Read(path=path, digests=digests, header=header, problem=problem)
    return list(read.values()), list(rejected.values())


def _one_dicom_study(read: list[_Read]) -> list[_Read]:
    """Keep the DICOM study that most whole instances belong to, since an arrival is one; the others have a problem."""
    counts = Counter(one.header.study_instance_uid for one in read if one.problem is None)
    if len(counts) < 2:
        return read
    kept = min(counts, key=lambda uid: (-counts[uid], uid))
    stray = "it belongs to another DICOM study than the rest of its arrival"
    return [
        replace(one, problem=stray) if one.problem is None and one.header.study_instance_uid != kept else one
        for one in read
    ]


def _own_problems(one: _Read, studies: Sequence[Study]) -> list[str]:
    """Return all that is wrong with an instance whose study nobody asks for."""
    found = [one.problem] if one.problem is not None else []
    # Of a header that is cut off before the size of its image nobody knows what else it would have said.
    return found + (_problems_everywhere(one.header, studies) if one.header.facts.rows else [])


def _problems_everywhere(header: Header, studies: Sequence[Study]) -> list[str]:
    """Return the problems of de-identification that an instance would have in every study."""
    of_each = [deidentification_problems(header, study.deidentification) for study in studies]
    return [one for one in of_each[0] if all(one in others for others in of_each)] if of_each else []


def _study_problems(header: Header, study: Study) -> list[str]:
    """Return every reason why a study does not take an instance."""
    problems = list(deidentification_problems(header, study.deidentification))
    if header.facts.modality not in study.modalities:
        modality = said("modality", header.facts.modality) if header.facts.modality else "none"
        problems.insert(0, f"its modality is {modality}, and study {study.name} takes {' and '.join(study.modalities)}")
    return problems


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


def _rejection(one: _Read, problems: Sequence[str]) -> Rejection:
    return Rejection(
        sop_instance_uid=one.header.sop_instance_uid, sha256=one.digests.sha256, reason=_sentence(problems)
    )


def _sentence(problems: Sequence[str]) -> str:
    return f"Rejected: {_ALSO.join(problems)}."


def _ordered(rejected: Iterable[Rejection]) -> tuple[Rejection, ...]:
    return tuple(sorted(rejected, key=lambda one: (one.sop_instance_uid or "", one.sha256)))


def _nothing(rejected: Sequence[Rejection]) -> IntakeReport:
    """Report that nothing goes on, with the reasons counted."""
    reasons = _counted(one.reason.removeprefix("Rejected: ").rstrip(".") for one in rejected)
    arrival_reason = f"None of its instances can be accepted. {reasons}" if reasons else "It holds no files."
    return IntakeReport(route=None, rejected=_ordered(rejected), arrival_reason=arrival_reason)


def _astray(
    unknown: str, whole: Sequence[_Read], studies: Sequence[Study], *, rejected: Sequence[Rejection]
) -> IntakeReport:
    """Report what would be in the way if a study were found, de-identification before all, and that none was."""
    problems = {one.digests.sha256: _ALSO.join(_own_problems(one, studies)) for one in whole}
    astray = [
        Rejection(
            sop_instance_uid=one.header.sop_instance_uid,
            sha256=(sha256 := one.digests.sha256),
            reason=f"{_told(problems[sha256])} {unknown}" if problems[sha256] else unknown,
        )
        for one in whole
    ]
    besides = _counted(filter(None, problems.values()))
    return IntakeReport(
        route=None,
        rejected=_ordered([*rejected, *astray]),
        arrival_reason=f"{besides} {unknown}" if besides else unknown,
    )


def _counted(reasons: Iterable[str]) -> str:
    """Return reasons as a sentence that says how many instances have each; the usual one first."""
    counts = Counter(reasons).most_common()
    text = "; ".join(f"{counted(count, 'instance')}: {reason}" for reason, count in counts)
    return _told(text) if text else ""


def _told(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
