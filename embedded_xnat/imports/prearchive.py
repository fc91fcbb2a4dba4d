"""The prearchive: sessions that were received and wait to be archived. May import SQLModel.

Their files lie in a folder of their own; archiving reads them again, so that the rules in force then apply.
"""

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path, PurePosixPath

from sqlmodel import Session, col, select

from embedded_xnat.contract.errors import NoSuchObject
from embedded_xnat.db import repository
from embedded_xnat.db.tables import PrearchiveRow
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.items import sql_date
from embedded_xnat.domain.layout import PREARCHIVE
from embedded_xnat.domain.roles import Action, ProjectRole, Visitor
from embedded_xnat.domain.tables import Row
from embedded_xnat.imports.headers import read_instance
from embedded_xnat.imports.planning import file_names
from embedded_xnat.imports.records import Instance, Plan
from embedded_xnat.objects.locate import locate
from embedded_xnat.storage.archive import Archive
from embedded_xnat.storage.files import FileStore
from embedded_xnat.storage.unpacking import CHUNK
from service_kit.tables import utc_now

UNASSIGNED = "Unassigned"


def keep(archive: Archive, visitor: Visitor, plan: Plan) -> str:
    """Keep a session in the prearchive and return its address."""
    project_id = plan.route.project_id or UNASSIGNED
    now = utc_now()
    row = PrearchiveRow(
        project_id=project_id,
        stamp=f"{stamp(now)}",
        folder=plan.route.session_label or "session",
        subject_label=plan.route.subject_label or "",
        session_label=plan.route.session_label or "",
        scan_date=str(plan.data.get("date", "")),
        scan_time=str(plan.data.get("time", "")),
        uploaded_by=visitor.username,
    )
    with archive.change() as change:
        if project_id != UNASSIGNED:
            address = Address((Step(ObjectKind.PROJECT, project_id),))
            locate(change.session, address, visitor, action=Action.CREATE)
        row.stamp = _free_stamp(change.session, row)
        placements = []
        for scan in plan.scans:
            folder = folder_of(row) / "SCANS" / scan.scan_id / "DICOM"
            placements += [(each.stored, folder / name) for name, each in file_names(scan.instances, {}).items()]
        change.place(placements)
        change.session.add(row)
        return address_of(row)


def stamp(moment: datetime) -> str:
    """Return a moment as a part of an address.

    Examples
    --------
    >>> stamp(datetime(2026, 2, 3, 9, 15, 0, 123000))
    '20260203_091500123'
    """
    return f"{moment:%Y%m%d_%H%M%S}{moment.microsecond // 1000:03d}"


def _free_stamp(session: Session, row: PrearchiveRow) -> str:
    taken = set(session.exec(select(PrearchiveRow.stamp).where(PrearchiveRow.project_id == row.project_id)).all())
    digits = row.stamp
    while digits in taken:
        head, _, tail = digits.partition("_")
        digits = f"{head}_{int(tail) + 1:09d}"
    return digits


def folder_of(row: PrearchiveRow) -> PurePosixPath:
    """Return where the files of a session lie."""
    return PurePosixPath(PREARCHIVE) / row.project_id / row.stamp / row.folder


def address_of(row: PrearchiveRow) -> str:
    """Return the address of a session."""
    return f"/data/prearchive/projects/{row.project_id}/{row.stamp}/{row.folder}"


def list_sessions(session: Session, visitor: Visitor, project_id: str | None = None) -> list[Row]:
    """Return the sessions a visitor may handle; unassigned ones only for those who may do everything."""
    statement = select(PrearchiveRow).order_by(col(PrearchiveRow.number))
    if project_id is not None:
        statement = statement.where(PrearchiveRow.project_id == project_id)
    return [session_row(row) for row in session.exec(statement) if _may_handle(session, visitor, row)]


def find_session(session: Session, visitor: Visitor, *, project_id: str, stamp: str, folder: str) -> PrearchiveRow:
    """Return one session.

    Raises
    ------
    NoSuchObject
    """
    statement = select(PrearchiveRow).where(
        PrearchiveRow.project_id == project_id, PrearchiveRow.stamp == stamp, PrearchiveRow.folder == folder
    )
    row = session.exec(statement).first()
    if row is None or not _may_handle(session, visitor, row):
        raise NoSuchObject("session in the prearchive")
    return row


def _may_handle(session: Session, visitor: Visitor, row: PrearchiveRow) -> bool:
    if visitor.everything:
        return True
    role = repository.role_of(session, row.project_id, visitor.username)
    return role in {ProjectRole.OWNER, ProjectRole.MEMBER}


def session_row(row: PrearchiveRow) -> Row:
    """Return a session as the table shows it."""
    uploaded = sql_date(row.uploaded_at)
    return {
        "url": address_of(row).removeprefix("/data"),
        "name": row.session_label,
        "folderName": row.folder,
        "timestamp": row.stamp,
        "uploaded": uploaded,
        "lastmod": uploaded,
        "scan_date": row.scan_date,
        "scan_time": row.scan_time,
        "status": row.status,
        "subject": row.subject_label,
        "project": row.project_id,
        "tag": "",
        "TIMEZONE": "",
        "SOURCE": "",
        "VISIT": "",
        "PROTOCOL": "",
        "autoarchive": "Manual",
        "prevent_anon": "false",
        "prevent_auto_commit": "false",
    }


def read_again(row: PrearchiveRow, files: FileStore, stack: ExitStack) -> list[Instance]:
    """Return the files of a session, copied so that they can be archived; the originals stay until that is done."""
    instances = []
    root: Path = files.path(folder_of(row))
    for path in sorted(each for each in root.rglob("*") if each.is_file()):
        incoming = stack.enter_context(files.incoming())
        with path.open("rb") as handle:
            while chunk := handle.read(CHUNK):
                incoming.write(chunk)
        instance = read_instance(path.name, incoming.finish())
        if instance is not None:
            instances.append(instance)
    return instances


def forget(archive: Archive, row: PrearchiveRow) -> None:
    """Delete a session from the prearchive with its files."""
    with archive.change() as change:
        found = change.session.get(PrearchiveRow, row.number)
        if found is not None:
            change.session.delete(found)
        change.remove(folder_of(row))
