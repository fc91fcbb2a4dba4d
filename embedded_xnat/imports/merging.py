"""Compares a session that comes in with the one of the archive, by the codes of XNAT. Pure.

Conflicts can be settled by saying how to overwrite; failures cannot; warnings are only told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from embedded_xnat.imports.planning import is_renumbered
from embedded_xnat.imports.records import Overwrite, Plan, PlannedScan
from embedded_xnat.schema.imaging_types import modality_of

#: Modalities that come along with images of another: no sign of a wrong session.
_COMPANIONS = frozenset({"SR", "SEG", "SC", "OT", "RTIMAGE"})

#: Codes of what is only told.
WARNINGS = frozenset({17, 20, 22})


class Severity(StrEnum):
    """What a finding does to an import."""

    WARNING = "warning"
    CONFLICT = "conflict"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One difference between what comes in and what is there.

    Parameters
    ----------
    code
        XNAT's number for it.
    """

    code: int
    severity: Severity
    text: str


@dataclass(frozen=True)
class Archived:
    """What the archive has of a session.

    Parameters
    ----------
    uids
        Series UID by scan id, empty for a scan that has none.
    """

    label: str
    project_id: str
    subject_label: str
    study_instance_uid: str | None = None
    modality: str | None = None
    uids: Mapping[str, str] = field(default_factory=dict)


def compare(archived: Archived, plan: Plan, overwrite: Overwrite) -> list[Finding]:
    """Return what speaks against, or is worth knowing about, adding a session to one that is there.

    Parameters
    ----------
    archived
        Its labels are compared with those of the plan's route, which must be complete.

    Notes
    -----
    Code 16 is not found here but where the files are stored: a series may come in parts, and the same bytes may come
    twice, so that only other bytes of an instance that is there stand against an import.
    """
    found: list[Finding] = []
    if overwrite is Overwrite.NONE:
        found.append(Finding(1, Severity.CONFLICT, "Session already exists, retry with overwrite enabled"))
    for code, what, theirs, ours in (
        (2, "label", archived.label, plan.route.session_label),
        (3, "project", archived.project_id, plan.route.project_id),
        (4, "subject", archived.subject_label, plan.route.subject_label),
    ):
        if theirs != ours:
            found.append(Finding(code, Severity.FAIL, f"The session that is there has another {what}."))
    if archived.study_instance_uid and archived.study_instance_uid != plan.study_instance_uid:
        found.append(Finding(5, Severity.CONFLICT, "The session that is there is of another DICOM study."))
    if _differ(archived.modality, plan.modality):
        found.append(Finding(19, Severity.FAIL, "The session that is there is of another modality."))
    return [*found, *scan_findings(archived.uids, plan.scans)]


def scan_findings(uids: Mapping[str, str], scans: Sequence[PlannedScan]) -> list[Finding]:
    """Return what the scans of a session that is there say about those that come in."""
    found: list[Finding] = []
    ids = {uid: scan_id for scan_id, uid in uids.items() if uid}
    for scan in scans:
        number = _number(scan)
        theirs = ids.get(scan.series_instance_uid)
        if theirs is not None:
            if not is_renumbered(theirs, number):
                text = f"Scan {number} is there already, as scan {theirs}."
                found.append(Finding(18, Severity.CONFLICT, text))
        elif uids.get(scan.scan_id):
            text = f"Scan {scan.scan_id} is there with another series; the new one gets another number."
            found.append(Finding(17, Severity.WARNING, text))
    return found


def duplicates(sop_instance_uids: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Return a finding for each scan in which an instance comes twice.

    Parameters
    ----------
    sop_instance_uids
        By scan id, one for each file.

    Examples
    --------
    >>> [finding.text for finding in duplicates({"3": ["1.2", "1.3", "1.2"], "4": ["1.4"]})]
    ['Scan 3 has 1 files with the SOP instance UID of another.']
    """
    found = []
    for scan_id, uids in sop_instance_uids.items():
        again = len(uids) - len(set(uids))
        if again:
            text = f"Scan {scan_id} has {again} files with the SOP instance UID of another."
            found.append(Finding(22, Severity.WARNING, text))
    return found


def not_dicom(count: int) -> list[Finding]:
    """Return a finding for files that are no DICOM."""
    return [Finding(20, Severity.WARNING, f"{count} files are no DICOM and were left out.")] if count else []


def settled(findings: Sequence[Finding], overwrite: Overwrite) -> list[Finding]:
    """Return the findings that still stand against an import when it may overwrite this much.

    Examples
    --------
    >>> settled([Finding(5, Severity.CONFLICT, ""), Finding(4, Severity.FAIL, "")], Overwrite.DELETE)
    [Finding(code=4, severity=<Severity.FAIL: 'fail'>, text='')]
    """
    conflicts_stand = overwrite is not Overwrite.DELETE
    return [
        finding
        for finding in findings
        if finding.severity is Severity.FAIL or (conflicts_stand and finding.severity is Severity.CONFLICT)
    ]


def _number(scan: PlannedScan) -> str:
    return scan.instances[0].series.number or scan.scan_id


def _differ(theirs: str | None, ours: str) -> bool:
    codes = {modality_of(theirs).code, modality_of(ours).code} if theirs else set()
    return len(codes) == 2 and not codes & _COMPANIONS
