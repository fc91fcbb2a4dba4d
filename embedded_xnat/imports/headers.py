"""Reads a DICOM file of an import: what it is, and what its series says. May import `embedded_xnat.dicom`."""

import re

from embedded_xnat.dicom.elements import Elements, as_number
from embedded_xnat.dicom.facts import NAMING, SAYING, frames, read_header, scan_data, session_data
from embedded_xnat.imports.records import Instance, Series
from embedded_xnat.storage.files import Stored

_UID = re.compile(r"[0-9][0-9.]{0,63}")


def read_instance(name: str, stored: Stored, known: dict[str, Series]) -> Instance | None:
    """Return what a file's header says; None when it is no DICOM file with its UIDs.

    Parameters
    ----------
    known
        Series read before, by UID; a new one is added. Only the first file of a series is read for more than its UIDs,
        so that memory grows little with the number of files.
    """
    header = read_header(stored.temporary)
    if header is None:
        return None
    study_uid, series_uid = header.text("StudyInstanceUID"), header.text("SeriesInstanceUID")
    sop_uid = header.text("SOPInstanceUID")
    if not all(uid is not None and _UID.fullmatch(uid) for uid in (study_uid, series_uid, sop_uid)):
        return None
    key = f"{study_uid}/{series_uid}"
    if key not in known:
        known[key] = _series(header)
    return Instance(name=name, stored=stored, sop_instance_uid=sop_uid or "", series=known[key], frames=frames(header))


def _series(header: Elements) -> Series:
    number = as_number(header.text("SeriesNumber"))
    return Series(
        study_instance_uid=header.text("StudyInstanceUID") or "",
        series_instance_uid=header.text("SeriesInstanceUID") or "",
        number=str(int(number)) if number is not None else None,
        description=header.verbatim("SeriesDescription"),
        modality=header.text("Modality") or "OT",
        patient_name=header.text("PatientName") or "",
        patient_id=header.text("PatientID") or "",
        saying=tuple(header.verbatim(keyword) or "" for keyword in SAYING),
        naming=tuple(header.text(keyword) or "" for keyword in NAMING),
        scan_data=scan_data(header),
        session_data=session_data(header),
    )
