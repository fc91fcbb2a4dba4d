"""Decides what an import makes: where it goes, which scans there are and what they are called. Pure."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.domain.names import label_from_dicom
from embedded_xnat.imports.records import Instance, Plan, PlannedScan, Route
from embedded_xnat.schema.imaging_types import MODALITIES, modality_of

_ROUTE = re.compile(r"\b(project|subject|session)\s*:\s*([A-Za-z0-9_.\-]+)", re.IGNORECASE)
FALLBACK_LABEL = "dicom_upload"


def route_of(instance: Instance, wanted: Route) -> Route:
    """Return where a session goes: what the request says, else what the header says, else PatientName and PatientID.

    Examples
    --------
    >>> from embedded_xnat.storage.files import Stored
    >>> from pathlib import Path
    >>> i = Instance("a", Stored(Path("a"), 0, ""), "1", "2", "3", None, "MR", "A^B", "P1", ("Project:X Session:Y",))
    >>> route_of(i, Route())
    Route(project_id='X', subject_label='A_B', session_label='Y')
    """
    said: dict[str, str] = {}
    for text in instance.routing_texts:
        for name, value in _ROUTE.findall(text):
            said.setdefault(name.lower(), value)
    return Route(
        wanted.project_id or said.get("project"),
        wanted.subject_label or said.get("subject") or label_from_dicom(instance.patient_name) or FALLBACK_LABEL,
        wanted.session_label or said.get("session") or label_from_dicom(instance.patient_id) or FALLBACK_LABEL,
    )


def plan_session(instances: Sequence[Instance], wanted: Route) -> Plan:
    """Return the session that files make.

    Raises
    ------
    BadRequest
        If there is no DICOM file among them, or they are of several DICOM studies.
    """
    if not instances:
        raise BadRequest("The upload has no DICOM file.")
    studies = {instance.study_instance_uid for instance in instances}
    if len(studies) > 1:
        raise BadRequest(f"The upload has files of {len(studies)} DICOM studies; import one at a time.")
    first = instances[0]
    series: dict[str, list[Instance]] = {}
    for instance in instances:
        series.setdefault(instance.series_instance_uid, []).append(instance)
    data: dict[str, Any] = dict(first.session_data)
    modality = session_modality([members[0].modality for members in series.values()])
    data["modality"] = modality
    if modality != "MR":
        data = {path: value for path, value in data.items() if path not in {"coil", "fieldStrength"}}
    return Plan(route_of(first, wanted), first.study_instance_uid, modality, data, tuple(_scans(series)))


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


def _scans(series: dict[str, list[Instance]]) -> list[PlannedScan]:
    taken: set[str] = set()
    scans = []
    for series_uid, members in series.items():
        first = members[0]
        scan_id = free_scan_id(first.series_number or series_uid.replace(".", "_")[-64:], first.modality, taken)
        taken.add(scan_id)
        data = dict(first.scan_data)
        data["frames"] = sum(member.frames for member in members)
        if first.series_description is not None:
            data["type"] = first.series_description
        scans.append(PlannedScan(scan_id, first.modality, first.series_description, data, tuple(members)))
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


def file_names(instances: Sequence[Instance], existing: dict[str, str]) -> dict[str, Instance]:
    """Return the name of each file in its resource; the same file twice is there once.

    Parameters
    ----------
    existing
        md5 by name of the files that are in the resource already.
    """
    names = dict(existing)
    digests = set(existing.values())
    chosen: dict[str, Instance] = {}
    for instance in instances:
        if instance.stored.md5 in digests:
            continue
        path = PurePosixPath(instance.name)
        name = path.name
        if name in names:
            name = f"{path.stem}-{instance.stored.md5[:8]}{path.suffix}"
        names[name] = instance.stored.md5
        digests.add(instance.stored.md5)
        chosen[name] = instance
    return chosen
