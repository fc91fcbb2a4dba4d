"""Decides what an import makes: where it goes, which scans there are and what they are called. Pure."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.domain.names import label_from_dicom
from embedded_xnat.imports.records import Instance, Plan, PlannedScan, Route, Series
from embedded_xnat.schema.imaging_types import MODALITIES, modality_of

_SAID = re.compile(r"(?:\A|(?<=[\s,;]))(project|subject|session|aa)\s*:\s*([A-Za-z0-9_.\-]+)", re.IGNORECASE)
FALLBACK_LABEL = "dicom_upload"
_NO_RULE = Route()


def said_in(texts: Sequence[str]) -> dict[str, str]:
    """Return what comments say about where a session belongs; the first one that says it counts.

    Examples
    --------
    >>> said_in(["", "PROJECT:P1; Session: P01_MR1,AA:true"])
    {'project': 'P1', 'session': 'P01_MR1', 'aa': 'true'}
    """
    said: dict[str, str] = {}
    for text in texts:
        for name, value in _SAID.findall(text):
            said.setdefault(name.lower(), value)
    return said


def project_candidates(series: Series, wanted: Route, ruled: Route) -> list[str]:
    """Return what may be the id or alias of the project, the likeliest first."""
    if wanted.project_id:
        return [wanted.project_id]
    said = said_in(series.saying).get("project")
    return [text for text in (ruled.project_id, said, *series.naming) if text]


def route_of(series: Series, wanted: Route, project_id: str | None, ruled: Route = _NO_RULE) -> Route:
    """Return where a session goes: what the request says, else the rules, else the header's own texts and names.

    Parameters
    ----------
    project_id
        The project that was found among the candidates.
    ruled
        What the administrator's rules say; they come before the comments, PatientName and PatientID last.

    Examples
    --------
    >>> route_of(Series("1", "2", patient_name="A^B", patient_id="P1", saying=("Session:Y AA:false",)), Route(), "X")
    Route(project_id='X', subject_label='A_B', session_label='Y', auto_archive=False)
    """
    said = said_in(series.saying)
    archives_itself = {"true": True, "false": False}.get(said.get("aa", "").lower())
    return Route(
        project_id,
        wanted.subject_label
        or _label(ruled.subject_label)
        or _label(said.get("subject"))
        or _label(series.patient_name)
        or FALLBACK_LABEL,
        wanted.session_label
        or _label(ruled.session_label)
        or _label(said.get("session"))
        or _label(series.patient_id)
        or FALLBACK_LABEL,
        wanted.auto_archive if wanted.auto_archive is not None else archives_itself,
    )


def _label(text: str | None) -> str:
    return label_from_dicom(text or "")


def studies_of(instances: Sequence[Instance]) -> list[list[Instance]]:
    """Return the files of each DICOM study, in the order in which they came.

    Raises
    ------
    BadRequest
        If there is no DICOM file among them.
    """
    if not instances:
        raise BadRequest(
            "The upload has no DICOM file. Send what the scanner wrote; other files are kept in a resource."
        )
    studies: dict[str, list[Instance]] = {}
    for instance in instances:
        studies.setdefault(instance.series.study_instance_uid, []).append(instance)
    return list(studies.values())


def plan_session(instances: Sequence[Instance], route: Route) -> Plan:
    """Return the session that the files of one DICOM study make."""
    members_of: dict[str, list[Instance]] = {}
    for instance in instances:
        members_of.setdefault(instance.series.series_instance_uid, []).append(instance)
    modality = session_modality([members[0].series.modality for members in members_of.values()])
    first = next(
        (m[0].series for m in members_of.values() if modality_of(m[0].series.modality).code == modality),
        instances[0].series,
    )
    data: dict[str, Any] = {**first.session_data, "modality": modality}
    if modality != "MR":
        data = {path: value for path, value in data.items() if path not in {"coil", "fieldStrength"}}
    return Plan(route, first.study_instance_uid, modality, data, tuple(_scans(members_of)))


def session_modality(modalities: Sequence[str]) -> str:
    """Return the modality that gives a session its type: the most telling one among its series.

    Examples
    --------
    >>> session_modality(["SR", "MR"])
    'MR'
    """
    for modality in MODALITIES:
        if modality.session is not None and any(modality_of(code) == modality for code in modalities):
            return modality.code
    return MODALITIES[-1].code


def _scans(members_of: dict[str, list[Instance]]) -> list[PlannedScan]:
    taken: set[str] = set()
    scans = []
    for series_uid, members in members_of.items():
        first = members[0].series
        scan_id = free_scan_id(first.number or series_uid.replace(".", "_")[-64:], first.modality, taken)
        taken.add(scan_id)
        data = dict(first.scan_data)
        data["frames"] = sum(member.frames for member in members)
        if first.description is not None:
            data["type"] = first.description
        scans.append(PlannedScan(scan_id, first.modality, first.description, data, tuple(members)))
    return scans


def free_scan_id(scan_id: str, modality: str, taken: set[str]) -> str:
    """Return a scan id that is not taken; a second series of one number becomes ``3-MR1`` as in XNAT.

    Examples
    --------
    >>> free_scan_id("3", "MR", {"3"})
    '3-MR1'
    """
    if scan_id not in taken:
        return scan_id
    label = re.sub(r"[^A-Z0-9]", "", modality.upper())[:4] or "OT"
    return next(name for number in range(1, 100_000) if (name := f"{scan_id}-{label}{number}") not in taken)


def is_renumbered(scan_id: str, number: str) -> bool:
    """Tell whether a scan id is a series number, as it is or made free.

    Examples
    --------
    >>> is_renumbered("3-MR1", "3"), is_renumbered("3", "3"), is_renumbered("31", "3")
    (True, True, False)
    """
    return re.fullmatch(rf"{re.escape(number)}(-[A-Z0-9]+)?", scan_id) is not None


def file_names(instances: Sequence[Instance], existing: dict[str, str], *, by_uid: bool = False) -> dict[str, Instance]:
    """Return the name of each file in its resource; the same file twice is there once.

    Parameters
    ----------
    existing
        md5 by name of the files that are in the resource already.
    by_uid
        Whether files are named after their instance and not after what they were called in the upload.
    """
    names = dict(existing)
    digests = set(existing.values())
    chosen: dict[str, Instance] = {}
    for instance in instances:
        if instance.stored.md5 in digests:
            continue
        name = f"{instance.sop_instance_uid}.dcm" if by_uid or not instance.name else PurePosixPath(instance.name).name
        if name in names:
            path = PurePosixPath(name)
            name = f"{path.stem}-{instance.stored.md5[:8]}{path.suffix}"
        names[name] = instance.stored.md5
        digests.add(instance.stored.md5)
        chosen[name] = instance
    return chosen
