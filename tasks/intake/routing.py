"""Find the study, the site and the labels of an arrival. Pure.

The header decides before the network: ClinicalTrialProtocolID (0012,0020) names the study, then the AE title that the
sender called, then the sender's own. Labels are made of what the de-identified header holds.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING

from tasks.intake.records import Route
from tasks.terms import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tasks.intake.reading import Header
    from tasks.studies import Study

_NOT_IN_LABELS = re.compile(r"[^A-Za-z0-9_-]+")
_LABEL_LENGTH = 48


class RouteUnknown(ValueError):
    """No route; the message is the reason for the coordinator, a sentence for each thing that is wrong."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(" ".join(reasons))


def find_route(
    headers: Sequence[Header], studies: Iterable[Study], *, calling_ae: str, called_ae: str
) -> tuple[Route, Study]:
    """Return where an arrival belongs.

    Parameters
    ----------
    headers
        Readable instances of one DICOM study, at least one.
    studies
        Every study of the house.
    calling_ae, called_ae
        AE titles of the association, blank when it came another way.

    Raises
    ------
    RouteUnknown
        With a sentence for each thing that is wrong, which says what was looked for.
    """
    protocol_ids = {header.protocol_id for header in headers if header.protocol_id}
    subjects = {header.patient_id for header in headers}
    unclear = _unclear_subject(subjects)
    try:
        study, how = _find_study(tuple(studies), protocol_ids, called_ae=called_ae, calling_ae=calling_ae)
    except RouteUnknown as unknown:
        raise RouteUnknown(str(unknown), *unclear) from None
    if unclear:
        raise RouteUnknown(*unclear)
    first = min(headers, key=lambda header: header.sop_instance_uid)
    subject = label_of(next(iter(subjects)))
    taken = [header.facts.modality for header in headers if header.facts.modality in study.modalities]
    modality = _modality(taken or [header.facts.modality for header in headers])
    dates = Counter(header.date for header in headers if header.date)
    scandate = _date(min(dates, key=lambda date: (-dates[date], date))) if dates else None
    day = scandate.strftime("%Y%m%d") if scandate else short_digest(first.study_instance_uid, length=8)
    site = study.site_of(identifier=first.site_id, calling_ae=calling_ae)
    return (
        Route(
            study=study.name,
            xnat_project=study.xnat_project,
            site=site,
            subject_label=subject,
            session_label=f"{subject}_{modality}_{day}",
            modality=modality,
            study_instance_uid=first.study_instance_uid,
            scandate=scandate,
            how=how,
        ),
        study,
    )


def label_of(identifier: str) -> str:
    """Make an XNAT label of a DICOM identifier; a short digest keeps two apart that would become equal.

    It begins with a letter or a digit, so that it is no option, no hidden file and no way out of a folder.

    >>> label_of("BV-001")
    'BV-001'
    >>> label_of("BV 001") == label_of("BV.001")
    False
    """
    plain = _NOT_IN_LABELS.sub("_", identifier).lstrip("_-").rstrip("_")[:_LABEL_LENGTH]
    if plain == identifier:
        return plain
    return f"{plain}-{short_digest(identifier)}" if plain else f"subject-{short_digest(identifier, length=8)}"


def short_digest(text: str, *, length: int = 4) -> str:
    """Return the first hex digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _unclear_subject(subjects: set[str]) -> list[str]:
    """Return why the subject is not known, a sentence for each reason; none when it is."""
    unclear = []
    if "" in subjects:
        unclear.append("It has no PatientID (0010,0020), so its subject is not known.")
    if len(subjects - {""}) > 1:
        unclear.append(
            "Its instances belong to different subjects: PatientID (0010,0020) changes within one DICOM study."
        )
    return unclear


def _find_study(
    studies: tuple[Study, ...], protocol_ids: set[str], *, called_ae: str, calling_ae: str
) -> tuple[Study, str]:
    if len(protocol_ids) > 1:
        raise RouteUnknown("Its instances name different studies in ClinicalTrialProtocolID (0012,0020).")
    if protocol_ids:
        (protocol_id,) = protocol_ids
        for study in studies:
            if protocol_id in {study.name, *study.routing.clinical_trial_protocol_ids}:
                return study, "ClinicalTrialProtocolID (0012,0020)"
        raise RouteUnknown("No study of this house has the name that it gives in ClinicalTrialProtocolID (0012,0020).")
    for study in studies:
        if called_ae and called_ae in study.routing.called_ae_titles:
            return study, f"the AE title called, {called_ae}"
    senders = [study for study in studies if study.site_of(identifier="", calling_ae=calling_ae)]
    if len(senders) == 1:
        return senders[0], f"the AE title of the sender, {calling_ae}"
    if senders:
        raise RouteUnknown(
            f"The sender {calling_ae} takes part in several studies and the instances name none (0012,0020)."
        )
    raise RouteUnknown(
        "Its instances name no study in ClinicalTrialProtocolID (0012,0020), and no study lists the AE title of the "
        f"sender, {calling_ae or '(none)'}, or the one that it called, {called_ae or '(none)'}."
    )


def _modality(modalities: Iterable[str]) -> str:
    """Return the usual modality; it becomes a part of the session's label, so OT stands for what is no defined term."""
    counts = Counter(modality if modality in MODALITIES else "OT" for modality in modalities)
    return min(counts, key=lambda modality: (-counts[modality], modality))


def _date(text: str) -> dt.date | None:
    try:
        return dt.datetime.strptime(text, "%Y%m%d").replace(tzinfo=dt.UTC).date()
    except ValueError:
        return None
