"""The prearchive: sessions that were received and wait to be archived. May import SQLModel.

Their files lie in a folder of their own; archiving reads them again, so that the rules in force then apply.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from sqlmodel import Session, col, select

from embedded_xnat.contract.errors import MergeConflict, NoSuchObject, PrearchiveBusy, SessionExists
from embedded_xnat.db import repository
from embedded_xnat.db.tables import PrearchiveRow
from embedded_xnat.domain.items import sql_date
from embedded_xnat.domain.layout import PREARCHIVE
from embedded_xnat.domain.names import check_folder_name
from embedded_xnat.domain.roles import ProjectRole, Visitor
from embedded_xnat.domain.tables import Row
from embedded_xnat.imports import merging
from embedded_xnat.imports.options import UNASSIGNED
from embedded_xnat.imports.planning import file_names, free_scan_id
from embedded_xnat.imports.reading import md5_of
from embedded_xnat.imports.records import Plan, PlannedScan
from embedded_xnat.imports.routing import writable
from embedded_xnat.storage.archive import Change
from embedded_xnat.storage.files import FileStore, Stored
from service_kit.errors import Conflict
from service_kit.tables import utc_now

RECEIVING, READY = "RECEIVING", "READY"
#: States from which something may be begun.
AT_REST = frozenset({READY, "CONFLICT", "ERROR"})
#: The columns of the table of sessions.
COLUMNS = (
    "url",
    "name",
    "folderName",
    "timestamp",
    "uploaded",
    "lastmod",
    "scan_date",
    "scan_time",
    "status",
    "subject",
    "project",
    "tag",
    "TIMEZONE",
    "SOURCE",
    "VISIT",
    "PROTOCOL",
    "autoarchive",
    "prevent_anon",
    "prevent_auto_commit",
)
AUTO_ARCHIVE = {0: "Manual", 4: "AutoArchive", 5: "AutoArchiveOverwrite"}


@dataclass(frozen=True)
class Entry:
    """How a session is kept in the prearchive.

    Parameters
    ----------
    code
        What happens when it is complete: 0 nothing, 4 it is archived, 5 it is archived and overwrites.
    reasons
        Why it could not be archived, and what else is worth knowing of it.
    """

    status: str = READY
    code: int = 0
    reasons: Sequence[dict[str, Any]] = ()


def keep(change: Change, visitor: Visitor, plan: Plan, entry: Entry, *, files: FileStore) -> str:
    """Keep a session in the prearchive and return its address; files of one that is RECEIVING join it.

    Raises
    ------
    NoSuchObject, NotAllowed, BadName
    """
    project_id = plan.route.project_id or UNASSIGNED
    if project_id != UNASSIGNED:
        writable(change.session, visitor, project_id)
    row = _receiving(change.session, visitor, plan, project_id) if entry.status == RECEIVING else None
    if row is None:
        row = _new_row(change.session, visitor, plan, entry)
    row.modified_at = utc_now()
    instances = {scan.scan_id: _different_files(scan) for scan in plan.scans}
    findings = [*merging.scan_findings(_uids(row), plan.scans), *merging.duplicates(instances)]
    told = [*entry.reasons, *(as_reason(finding.code, finding.text) for finding in findings)]
    row.reasons = [*row.reasons, *(reason for reason in told if reason not in row.reasons)]
    placements: list[tuple[Stored, PurePosixPath]] = []
    for scan in plan.scans:
        folder = folder_of(row) / "SCANS" / _scan_folder(row, scan) / "DICOM"
        names = _names(files, folder, scan, by_uid=entry.status == RECEIVING)
        placements += [(stored, folder / name) for name, stored in names]
    change.session.add(row)
    change.session.flush()
    change.place(placements)
    return address_of(row)


def _different_files(scan: PlannedScan) -> list[str]:
    """Return the UID of the instance of each file; the same file twice is stored once."""
    return list({each.stored.md5: each.sop_instance_uid for each in scan.instances}.values())


def _new_row(session: Session, visitor: Visitor, plan: Plan, entry: Entry) -> PrearchiveRow:
    route = plan.route
    project_id = route.project_id or UNASSIGNED
    return PrearchiveRow(
        project_id=project_id,
        stamp=free_stamp(session, project_id, stamp(utc_now())),
        folder=check_folder_name(route.session_label or "session", what="session label"),
        subject_label=route.subject_label or "",
        session_label=route.session_label or "",
        scan_date=str(plan.data.get("date", "")),
        scan_time=str(plan.data.get("time", "")),
        uploaded_by=visitor.username,
        study_instance_uid=plan.study_instance_uid,
        status=entry.status,
        code=entry.code,
    )


def _receiving(session: Session, visitor: Visitor, plan: Plan, project_id: str) -> PrearchiveRow | None:
    """Return the session that files of this DICOM study still come in for, if there is one."""
    statement = select(PrearchiveRow).where(
        PrearchiveRow.project_id == project_id,
        PrearchiveRow.study_instance_uid == plan.study_instance_uid,
        PrearchiveRow.session_label == (plan.route.session_label or ""),
        PrearchiveRow.subject_label == (plan.route.subject_label or ""),
        PrearchiveRow.uploaded_by == visitor.username,
        PrearchiveRow.status == RECEIVING,
    )
    return session.exec(statement.order_by(col(PrearchiveRow.number))).first()


def _uids(row: PrearchiveRow) -> dict[str, str]:
    return {scan_id: str(facts.get("uid", "")) for scan_id, facts in row.scans.items()}


def _scan_folder(row: PrearchiveRow, scan: PlannedScan) -> str:
    """Return the folder of a scan: the one that has its series, else a free one."""
    uids = _uids(row)
    found = next((scan_id for scan_id, uid in uids.items() if uid == scan.series_instance_uid), None)
    if found is not None:
        return found
    scan_id = check_folder_name(free_scan_id(scan.scan_id, scan.modality, set(uids)), what="scan id")
    facts = {"uid": scan.series_instance_uid, "modality": scan.modality, "description": scan.scan_type or ""}
    row.scans = {**row.scans, scan_id: facts}
    return scan_id


def _names(files: FileStore, folder: PurePosixPath, scan: PlannedScan, *, by_uid: bool) -> list[tuple[str, Stored]]:
    """Return the name of each file in its folder; what lies there already is left out."""
    chosen = []
    for name, instance in file_names(scan.instances, {}, by_uid=by_uid).items():
        path = files.path(folder / name)
        if path.exists():
            if md5_of(path)[0] == instance.stored.md5:
                continue
            path = path.with_name(f"{path.stem}-{instance.stored.md5[:8]}{path.suffix}")
        if not path.exists():
            chosen.append((path.name, instance.stored))
    return chosen


def stamp(moment: datetime) -> str:
    """Return a moment as a part of an address.

    Examples
    --------
    >>> stamp(datetime(2026, 2, 3, 9, 15, 0, 123000))
    '20260203_091500123'
    """
    return f"{moment:%Y%m%d_%H%M%S}{moment.microsecond // 1000:03d}"


def free_stamp(session: Session, project_id: str, wanted: str) -> str:
    """Return the stamp, or a later one that no session of the project has."""
    taken = set(session.exec(select(PrearchiveRow.stamp).where(PrearchiveRow.project_id == project_id)).all())
    while wanted in taken:
        later = datetime.strptime(wanted, "%Y%m%d_%H%M%S%f").replace(tzinfo=UTC) + timedelta(milliseconds=1)
        wanted = stamp(later)
    return wanted


def folder_of(row: PrearchiveRow) -> PurePosixPath:
    """Return where the files of a session lie."""
    return PurePosixPath(PREARCHIVE) / row.project_id / row.stamp / row.folder


def address_of(row: PrearchiveRow) -> str:
    """Return the address of a session."""
    return f"/data/prearchive/projects/{row.project_id}/{row.stamp}/{row.folder}"


def list_sessions(session: Session, visitor: Visitor, project_id: str | None = None) -> list[Row]:
    """Return the table of sessions a visitor may handle."""
    return [session_row(row) for row in sessions_to_handle(session, visitor, project_id)]


def sessions_to_handle(session: Session, visitor: Visitor, project_id: str | None = None) -> list[PrearchiveRow]:
    """Return the sessions a visitor may handle; unassigned ones only for those who may do everything."""
    statement = select(PrearchiveRow).order_by(col(PrearchiveRow.number))
    if project_id is not None:
        if not project_id.isprintable():
            return []
        statement = statement.where(PrearchiveRow.project_id == project_id)
    may: dict[str, bool] = {}
    rows = []
    for row in session.exec(statement):
        if row.project_id not in may:
            may[row.project_id] = may_handle(session, visitor, row.project_id)
        if may[row.project_id]:
            rows.append(row)
    return rows


def find_session(session: Session, visitor: Visitor, *, project_id: str, stamp: str, folder: str) -> PrearchiveRow:
    """Return one session.

    Raises
    ------
    NoSuchObject
    """
    statement = select(PrearchiveRow).where(
        PrearchiveRow.project_id == project_id, PrearchiveRow.stamp == stamp, PrearchiveRow.folder == folder
    )
    row = session.exec(statement).first() if f"{project_id}{stamp}{folder}".isprintable() else None
    if row is None or not may_handle(session, visitor, row.project_id):
        raise NoSuchObject("session in the prearchive")
    return row


def may_handle(session: Session, visitor: Visitor, project_id: str) -> bool:
    """Tell whether a visitor may see and handle what waits for a project."""
    if visitor.everything:
        return True
    role = repository.role_of(session, project_id, visitor.username)
    return role in {ProjectRole.OWNER, ProjectRole.MEMBER}


def begin(
    change: Change, row: PrearchiveRow, status: str, *, also: frozenset[str] = frozenset()
) -> tuple[PrearchiveRow, str]:
    """Note that something is being done with a session; return its row in this change, and the state it was in.

    Parameters
    ----------
    also
        States, beside those at rest, from which this may begin.

    Raises
    ------
    PrearchiveBusy
    """
    found = change.session.get(PrearchiveRow, row.number, with_for_update=True)
    if found is None:
        raise NoSuchObject("session in the prearchive")
    if found.status not in AT_REST | also:
        raise PrearchiveBusy(found.status)
    before, found.status = found.status, status
    change.session.add(found)
    return found, before


def as_reason(code: int, text: str) -> dict[str, Any]:
    """Return a finding as it is kept."""
    return {"code": code, "text": text}


def reasons_of(conflict: Conflict) -> list[dict[str, Any]]:
    """Return why a session could not be archived, as it is kept."""
    if isinstance(conflict, MergeConflict):
        return [as_reason(code, text) for code, text in conflict.reasons]
    others = conflict.others if isinstance(conflict, SessionExists) else ()
    return [as_reason(1, conflict.detail), *(as_reason(code, text) for code, text in others)]


def can_be_merged(row: PrearchiveRow) -> bool:
    """Tell whether a session is kept out of the archive by nothing but that it is there already."""
    reasons = [reason["code"] for reason in row.reasons if reason["code"] not in merging.WARNINGS]
    return row.status == "CONFLICT" and set(reasons) == {1}


def session_row(row: PrearchiveRow) -> Row:
    """Return a session as the table shows it."""
    return {
        "url": address_of(row).removeprefix("/data"),
        "name": row.session_label,
        "folderName": row.folder,
        "timestamp": row.stamp,
        "uploaded": sql_date(row.uploaded_at),
        "lastmod": sql_date(row.modified_at),
        "scan_date": row.scan_date,
        "scan_time": row.scan_time,
        "status": row.status,
        "subject": row.subject_label,
        "project": row.project_id,
        "tag": row.study_instance_uid,
        "TIMEZONE": "",
        "SOURCE": row.source,
        "VISIT": "",
        "PROTOCOL": "",
        "autoarchive": AUTO_ARCHIVE.get(row.code, "Manual"),
        "prevent_anon": "false",
        "prevent_auto_commit": "false",
    }
