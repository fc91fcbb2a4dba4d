"""Notes what is done to projects, subjects and experiments as workflow records, with the change itself. May import SQLModel.

As in XNAT, what is done to a scan, a resource or a file is noted at the experiment, subject or project that it belongs to;
one record for each of these in a change. It looks at the rows that the change writes, so that no part of the archive has
to tell it; a deletion is noted at the outermost object that goes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import event, inspect
from sqlmodel import Session, col, select

from embedded_xnat.db.repository import EXPERIMENTS, PROJECTS, SUBJECTS, experiment_by_id, project_by_id, subject_by_id
from embedded_xnat.db.site_tables import WorkflowRow
from embedded_xnat.db.tables import (
    ExperimentRow,
    FileRow,
    MembershipRow,
    ProjectRow,
    ResourceRow,
    ScanRow,
    ShareRow,
    SubjectRow,
)
from embedded_xnat.domain import workflows
from embedded_xnat.domain.items import sql_date
from embedded_xnat.schema.registry import MODEL
from embedded_xnat.storage.archive import Cause, Change
from service_kit.database import UnitOfWork
from service_kit.tables import utc_now

_Noted = ProjectRow | SubjectRow | ExperimentRow | ScanRow | ResourceRow | ShareRow | MembershipRow
_Holder = ProjectRow | SubjectRow | ExperimentRow
_Key = tuple[str, str]
_NEW, _CHANGED, _GONE = range(3)
_REMOVED = "Removed "


@dataclass(frozen=True)
class _Entry:
    """What is noted of an object; of several entries of one change the one of the highest rank."""

    holder: _Holder
    action: str
    rank: int


@dataclass
class _Seen:
    """What happened to the rows of a change."""

    rows: dict[int, tuple[_Noted, int]] = field(default_factory=dict)
    attributes: dict[int, set[str]] = field(default_factory=dict)
    files: dict[int, str] = field(default_factory=dict)

    def note(self, row: object, status: int) -> None:
        if isinstance(row, FileRow):
            action = workflows.FILE_REMOVED if status == _GONE else workflows.FILE_UPLOADED
            if self.files.get(row.resource_number) != workflows.FILE_UPLOADED:
                self.files[row.resource_number] = action
        if not isinstance(row, _Noted):
            return
        before = self.rows.get(id(row))
        if before is not None and before[1] == _NEW:
            if status == _GONE:
                del self.rows[id(row)]
            return
        if status == _CHANGED:
            changed = self.attributes.setdefault(id(row), set())
            changed |= {each.key for each in inspect(row).attrs if each.history.has_changes()}
            status = _GONE if isinstance(row, ProjectRow) and row.is_deleted else status
        self.rows[id(row)] = (row, status)


def watch(uow: UnitOfWork, change: Change) -> Callable[[], None]:
    """Watch a change that somebody is named for; what is returned is called before its commit."""
    cause, seen = change.cause, _Seen()
    if cause is None:
        return lambda: None

    def after_flush(session: Session, _context: object) -> None:
        for row in session.new:
            seen.note(row, _NEW)
        for row in session.dirty:
            if session.is_modified(row):
                seen.note(row, _CHANGED)
        for row in session.deleted:
            seen.note(row, _GONE)

    event.listen(uow.session, "after_flush", after_flush)

    def finish() -> None:
        uow.session.flush()
        event.remove(uow.session, "after_flush", after_flush)
        _record(uow.session, change, cause, seen=seen)

    return finish


def _record(session: Session, change: Change, cause: Cause, *, seen: _Seen) -> None:
    chosen: dict[_Key, _Entry] = {}
    for entry in _entries(session, change, cause, seen=seen):
        before = chosen.get(_key(entry.holder))
        if before is None or before.rank < entry.rank:
            chosen[_key(entry.holder)] = entry
    for entry in chosen.values():
        if not any(_says_the_same(chosen.get(key), entry) for key in _above(entry.holder)):
            _write(session, entry, cause)


def _entries(session: Session, change: Change, cause: Cause, *, seen: _Seen) -> Iterator[_Entry]:
    for row, status in seen.rows.values():
        if isinstance(row, _Holder):
            yield _of_holder(row, status, change, cause, changed=seen.attributes.get(id(row), set()))
            continue
        holder = _holder_of(session, row)
        if holder is not None:
            yield _of_part(holder, row, status, cause)
    for number, action in seen.files.items():
        resource = session.get(ResourceRow, number)
        holder = None if resource is None else _holder_of(session, resource)
        if holder is not None:
            yield _named(_Entry(holder, action, 3 if action == workflows.FILE_UPLOADED else 1), cause)


def _of_holder(row: _Holder, status: int, change: Change, cause: Cause, *, changed: set[str]) -> _Entry:
    named = _singular(row.xsi_type)
    if status == _GONE:
        return _Entry(row, f"{_REMOVED}{named}", 9)
    if isinstance(row, ExperimentRow) and cause.action is not None:
        return _Entry(row, cause.action, 8)
    if isinstance(row, ExperimentRow) and row.id in change.archived:
        return _Entry(row, workflows.TRANSFERRED, 8)
    if status == _NEW:
        is_along = isinstance(row, SubjectRow) and change.archived
        return _Entry(row, workflows.MADE_ALONG if is_along else f"Added {named}", 7)
    if "project_id" in changed:
        return _Entry(row, workflows.MOVED, 6)
    return _Entry(row, workflows.RENAMED if "label" in changed else f"Modified {named}", 6)


def _of_part(holder: _Holder, row: _Noted, status: int, cause: Cause) -> _Entry:
    is_gone = status == _GONE
    if isinstance(row, ScanRow):
        verb = ("Added ", "Modified ", _REMOVED)[status]
        return _named(_Entry(holder, f"{verb}{_singular(row.xsi_type)}", 5), cause)
    if isinstance(row, ShareRow):
        return _Entry(holder, workflows.SHARED, 4)
    if isinstance(row, MembershipRow):
        return _Entry(holder, workflows.USER_REMOVED if is_gone else workflows.USER_ADDED, 4)
    return _named(_Entry(holder, workflows.RESOURCE_REMOVED if is_gone else workflows.RESOURCE_MADE, 2), cause)


def _named(entry: _Entry, cause: Cause) -> _Entry:
    """Return an entry under the name that the change has for what it does to experiments, if it has one."""
    if cause.action is None or not isinstance(entry.holder, ExperimentRow):
        return entry
    return _Entry(entry.holder, cause.action, 8)


def _singular(xsi_type: str) -> str:
    named = MODEL.find(xsi_type)
    return (named.singular if named is not None else None) or xsi_type


def _holder_of(session: Session, row: _Noted) -> _Holder | None:
    """Return what the record of a part is kept at; None when that is gone."""
    if isinstance(row, MembershipRow):
        return project_by_id(session, row.project_id)
    if isinstance(row, ScanRow):
        return experiment_by_id(session, row.experiment_id)
    if isinstance(row, ShareRow):
        is_subject = row.owner_kind == SUBJECTS
        return subject_by_id(session, row.owner_id) if is_subject else experiment_by_id(session, row.owner_id)
    if not isinstance(row, ResourceRow):
        return row
    if row.owner_kind == PROJECTS:
        return session.get(ProjectRow, row.owner_number)
    if row.owner_kind == SUBJECTS:
        return session.get(SubjectRow, row.owner_number)
    if row.owner_kind == EXPERIMENTS:
        return session.get(ExperimentRow, row.owner_number)
    scan = session.get(ScanRow, row.owner_number)
    return None if scan is None else _holder_of(session, scan)


def _key(row: _Holder) -> _Key:
    if isinstance(row, ProjectRow):
        return PROJECTS, row.id
    return SUBJECTS if isinstance(row, SubjectRow) else EXPERIMENTS, row.id


def _above(row: _Holder) -> list[_Key]:
    if isinstance(row, ProjectRow):
        return []
    if isinstance(row, SubjectRow):
        return [(PROJECTS, row.project_id)]
    return [(EXPERIMENTS, row.session_id or ""), (SUBJECTS, row.subject_id or ""), (PROJECTS, row.project_id)]


def _says_the_same(outer: _Entry | None, entry: _Entry) -> bool:
    if outer is None:
        return False
    return outer.action == entry.action or (outer.rank == entry.rank and entry.action.startswith(_REMOVED))


def _write(session: Session, entry: _Entry, cause: Cause) -> None:
    kind, owner_id = _key(entry.holder)
    now = utc_now()
    last = _last(session, kind, owner_id) if entry.action in workflows.JOINING else None
    if last is not None and (last.is_own, last.pipeline_name, last.created_by) == (True, entry.action, cause.username):
        last.data = {**last.data, "current_step_launch_time": sql_date(now)}
        last.modified_at = now
        session.add(last)
        return
    said = {"justification": cause.reason} if cause.reason else {}
    row = WorkflowRow(
        owner_kind=kind,
        owner_id=owner_id,
        data_type=entry.holder.xsi_type,
        external_id=entry.holder.id if isinstance(entry.holder, ProjectRow) else entry.holder.project_id,
        pipeline_name=entry.action,
        is_own=True,
        created_by=cause.username,
    )
    is_of_people = entry.action in {workflows.USER_ADDED, workflows.USER_REMOVED}
    row.data = {
        "status": "Complete",
        "launch_time": sql_date(now),
        "category": "PROJECT_ACCESS" if is_of_people else "DATA",
        "type": "WEB_SERVICE",
        "percentageComplete": "100.0",
        **said,
    }
    session.add(row)


def _last(session: Session, kind: str, owner_id: str) -> WorkflowRow | None:
    mine = select(WorkflowRow).where(WorkflowRow.owner_kind == kind, WorkflowRow.owner_id == owner_id)
    return session.exec(mine.order_by(col(WorkflowRow.number).desc())).first()
