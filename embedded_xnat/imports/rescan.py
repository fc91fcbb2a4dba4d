"""Reads the headers of a session's DICOM files again and takes over what they say. May import SQLModel."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlmodel import Session, col, select

from embedded_xnat.contract.errors import NoSuchObject
from embedded_xnat.db import repository
from embedded_xnat.db.repository import SCANS
from embedded_xnat.db.tables import ExperimentRow, ScanRow
from embedded_xnat.dicom.elements import Elements, is_dicom
from embedded_xnat.dicom.facts import read_header, read_scan, scan_data, session_data
from embedded_xnat.domain.addresses import Address, ObjectKind
from embedded_xnat.domain.roles import Action, Visitor
from embedded_xnat.domain.workflows import PULLED
from embedded_xnat.imports.planning import session_modality
from embedded_xnat.locate import PART_FOLDERS, Located, locate
from embedded_xnat.schema.imaging_types import modality_of
from embedded_xnat.storage.archive import Archive, Cause

UNKNOWN_TYPE = "Unknown"
T = TypeVar("T")


@dataclass(frozen=True)
class ScanHeaders:
    """What the files of a scan say.

    Parameters
    ----------
    first
        Header of the first DICOM file.
    frames
        Frames of all of them together.
    """

    first: Elements
    frames: int


def pull_from_headers(archive: Archive, visitor: Visitor, address: Address) -> None:
    """Set the fields of a session and its scans that the headers of their DICOM files give; others stay.

    Raises
    ------
    NoSuchObject, NotAllowed
    """

    def look(*, is_at_rest: bool) -> dict[int, ScanHeaders]:
        with archive.read() as session:
            found = locate(session, address, visitor, action=Action.UPDATE)
            paths = _paths(session, archive, found, may_lack=is_at_rest)
        return {number: read for number, files in paths.items() if (read := _read(files)) is not None}

    headers = _looked(archive, look)
    with archive.change(Cause(visitor.username, action=PULLED)) as change:
        experiment = _experiment(locate(change.session, address, visitor, action=Action.UPDATE))
        experiment.data = {**experiment.data, **_of_session(headers)}
        change.session.add(experiment)
        for number, header in headers.items():
            scan = change.session.get(ScanRow, number)
            if scan is None:
                continue
            data = {**scan_data(header.first), "frames": header.frames}
            scan.data = {"type": data.get("series_description") or "", **scan.data, **data}
            change.session.add(scan)


def fix_scan_types(archive: Archive, visitor: Visitor, address: Address) -> None:
    """Give each scan without a type the one that its project gave to scans of the same description.

    Where nothing is known the description itself becomes the type. It is read from the files where it is not stored.

    Raises
    ------
    NoSuchObject, NotAllowed
    """

    def look(*, is_at_rest: bool) -> tuple[dict[str, str], dict[int, str | None]]:
        with archive.read() as session:
            found = locate(session, address, visitor, action=Action.UPDATE)
            known = _known_types(session, _experiment(found).project_id)
            paths = _paths(session, archive, found, may_lack=is_at_rest)
            scans = repository.scans_of(session, _experiment(found).id)
        described = {}
        for scan in scans:
            if not scan.data.get("type") and not scan.data.get("series_description"):
                header = _first(paths.get(scan.number or 0, []))
                described[scan.number or 0] = None if header is None else header.verbatim("SeriesDescription")
        return known, described

    known, described = _looked(archive, look)
    with archive.change(Cause(visitor.username)) as change:
        experiment = _experiment(locate(change.session, address, visitor, action=Action.UPDATE))
        for scan in repository.scans_of(change.session, experiment.id):
            if scan.data.get("type"):
                continue
            description = scan.data.get("series_description") or described.get(scan.number or 0)
            given = {"type": known.get(description or "") or description or UNKNOWN_TYPE}
            scan.data = {**scan.data, **given, **({"series_description": description} if description else {})}
            change.session.add(scan)


def _looked(archive: Archive, look: Callable[..., T]) -> T:
    """Look at the files of a session; when they move meanwhile, once more while nothing moves on disk."""
    before = archive.files.folders_changed
    try:
        found = look(is_at_rest=False)
        if archive.files.folders_changed == before:
            return found
    except FileNotFoundError:
        pass
    with archive.read_at_rest():
        return look(is_at_rest=True)


def _experiment(found: Located) -> ExperimentRow:
    if found.experiment is None:
        raise NoSuchObject("experiment")
    return found.experiment


def _of_session(headers: Mapping[int, ScanHeaders]) -> dict[str, Any]:
    """Return the fields of the session: what the series of its leading modality say."""
    if not headers:
        return {}
    codes = {number: header.first.text("Modality") or "OT" for number, header in headers.items()}
    modality = session_modality(list(codes.values()))
    first = next((number for number, code in codes.items() if modality_of(code).code == modality), next(iter(codes)))
    return {**session_data(headers[first].first), "modality": modality}


def _known_types(session: Session, project_id: str) -> dict[str, str]:
    """Return the type most often given to scans of each description in a project."""
    statement = (
        select(ScanRow.data)
        .join(ExperimentRow, col(ExperimentRow.id) == col(ScanRow.experiment_id))
        .where(ExperimentRow.project_id == project_id)
    )
    counts: dict[str, Counter[str]] = {}
    for data in session.exec(statement):
        description, scan_type = data.get("series_description"), data.get("type")
        if description and scan_type:
            counts.setdefault(description, Counter())[scan_type] += 1
    return {description: given.most_common(1)[0][0] for description, given in counts.items()}


def _read(paths: list[Path]) -> ScanHeaders | None:
    """Read the first header in full, and of all others how many frames they have."""
    first, total = read_scan(paths)
    return None if first is None else ScanHeaders(first, total)


def _first(paths: list[Path]) -> Elements | None:
    return next((header for path in paths if (header := read_header(path)) is not None), None)


def _paths(session: Session, archive: Archive, found: Located, *, may_lack: bool) -> dict[int, list[Path]]:
    """Return the DICOM files of each scan, by the scan's number.

    Raises
    ------
    FileNotFoundError
        If one is not there, unless files may be lost.
    """
    paths: dict[int, list[Path]] = {}
    for scan in repository.scans_of(session, _experiment(found).id):
        assert scan.number is not None
        folder = found.place.folder() / PART_FOLDERS[ObjectKind(scan.kind)] / scan.scan_id
        for resource in repository.resources_of(session, SCANS, [scan.number]):
            if resource.label != "DICOM" and resource.format != "DICOM":
                continue
            files = repository.files_of(session, [resource.number] if resource.number else [])
            candidates = [archive.files.path(folder / resource.folder / file.path) for file in files]
            there = [path for path in candidates if path.is_file()]
            if len(there) < len(candidates) and not may_lack:
                raise FileNotFoundError(folder)
            paths.setdefault(scan.number, []).extend(path for path in there if is_dicom(path))
    return paths
