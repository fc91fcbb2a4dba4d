"""Reads the headers of a session's DICOM files again and takes over what they say. May import SQLModel."""

from pathlib import Path
from typing import Any

from sqlmodel import Session

from embedded_xnat.contract.errors import NoSuchObject
from embedded_xnat.db import repository
from embedded_xnat.db.repository import SCANS
from embedded_xnat.db.tables import ScanRow
from embedded_xnat.domain.addresses import Address, ObjectKind
from embedded_xnat.domain.roles import Action, Visitor
from embedded_xnat.imports.headers import read_header, scan_data, session_data
from embedded_xnat.objects.locate import PART_FOLDERS, Located, locate
from embedded_xnat.storage.archive import Archive


def pull_from_headers(archive: Archive, visitor: Visitor, address: Address) -> None:
    """Set the fields of a session and its scans that the headers of their DICOM files give; others stay.

    Raises
    ------
    NoSuchObject, NotAllowed
    """
    with archive.read() as session:
        found = locate(session, address, visitor, action=Action.UPDATE)
        files = _first_files(session, archive, found)
    of_scans: dict[int, dict[str, Any]] = {}
    of_session: dict[str, Any] = {}
    for number, (path, count) in files.items():
        ds = read_header(path)
        if ds is None:
            continue
        of_scans[number] = {**scan_data(ds), "frames": count * int(ds.get("NumberOfFrames") or 1)}
        of_session = of_session or {**session_data(ds), "modality": str(ds.get("Modality") or "OT")}
    with archive.change() as change:
        again = locate(change.session, address, visitor, action=Action.UPDATE)
        if again.experiment is None:
            raise NoSuchObject("experiment")
        again.experiment.data = {**again.experiment.data, **of_session}
        change.session.add(again.experiment)
        for number, data in of_scans.items():
            scan = change.session.get(ScanRow, number)
            if scan is not None:
                scan.data = {"type": data.get("series_description") or "", **scan.data, **data}
                change.session.add(scan)


def _first_files(session: Session, archive: Archive, found: Located) -> dict[int, tuple[Path, int]]:
    """Return one DICOM file and the number of files of each scan, by the scan's number."""
    if found.experiment is None:
        raise NoSuchObject("experiment")
    chosen: dict[int, tuple[Path, int]] = {}
    for scan in repository.scans_of(session, found.experiment.id):
        assert scan.number is not None
        for resource in repository.resources_of(session, SCANS, [scan.number]):
            if resource.label != "DICOM" and resource.format != "DICOM":
                continue
            files = repository.files_of(session, [resource.number] if resource.number else [])
            folder = found.place.folder() / PART_FOLDERS[ObjectKind(scan.kind)] / scan.scan_id
            if files:
                path = archive.files.path(folder / resource.folder / files[0].path)
                chosen.setdefault(scan.number, (path, len(files)))
    return chosen
