"""What the pages of the archive read, a page at a time. May import SQLAlchemy.

Everything here costs as much as the page it fills, however much the archive holds: listings go by an index and stop.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlmodel import Session, col

from embedded_xnat.db import labels, repository
from embedded_xnat.db.repository import EXPERIMENTS, SCANS, SUBJECTS
from embedded_xnat.db.tables import (
    ExperimentRow,
    FileRow,
    PrearchiveRow,
    ProjectRow,
    ResourceRow,
    ScanRow,
    ShareRow,
    SubjectRow,
)
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.roles import Accessibility, Visitor
from embedded_xnat.domain.selectors import scan_order
from embedded_xnat.search.visibility import visible_projects
from embedded_xnat.web.lines import Findings, ProjectLine, ResourceLine, ScanLine, SessionLine, SubjectLine

PAGE = 50
FILES_PAGE = 100
SNAPSHOTS = "SNAPSHOTS"
_PICTURES = (".png", ".jpg", ".jpeg", ".gif")


def projects(session: Session, visitor: Visitor, *, after: str = "", limit: int = PAGE) -> list[ProjectLine]:
    """Return the projects whose title a visitor may see, by id, from beyond ``after`` on."""
    statement = (
        select(col(ProjectRow.id), col(ProjectRow.data), col(ProjectRow.accessibility))
        .where(col(ProjectRow.is_deleted).is_(False), col(ProjectRow.id) > after)
        .order_by(col(ProjectRow.id))
        .limit(limit)
    )
    readable = visible_projects(visitor)
    if readable is not None:
        seen = or_(col(ProjectRow.id).in_(readable), col(ProjectRow.accessibility) == Accessibility.PROTECTED.value)
        statement = statement.where(seen)
    found = session.connection().execute(statement).all()
    ids = [row[0] for row in found]
    open_ids = set(ids)
    if readable is not None:
        mine = select(col(ProjectRow.id)).where(col(ProjectRow.id).in_(readable), col(ProjectRow.id).in_(ids))
        open_ids = set(session.connection().scalars(mine))
    subject_counts = _counts(session, col(SubjectRow.project_id), ids)
    session_counts = _counts(session, col(ExperimentRow.project_id), ids, col(ExperimentRow.session_id).is_(None))
    return [
        ProjectLine(
            id=project_id,
            name=str(data.get("name") or project_id),
            description=str(data.get("description") or ""),
            accessibility=accessibility,
            may_open=project_id in open_ids,
            subjects=subject_counts.get(project_id, 0),
            sessions=session_counts.get(project_id, 0),
        )
        for project_id, data, accessibility in found
    ]


def _counts(session: Session, column: Any, ids: Sequence[Any], *conditions: ColumnElement[bool]) -> dict[Any, int]:
    """Count rows by the value of a column."""
    if not ids:
        return {}
    statement = select(column, func.count()).where(column.in_(ids), *conditions).group_by(column)
    return {row[0]: row[1] for row in session.connection().execute(statement)}


def totals(session: Session, project_id: str) -> dict[str, int]:
    """Count what a project holds, shared objects included."""
    kinds = [SUBJECTS, EXPERIMENTS]
    shared = _counts(session, col(ShareRow.owner_kind), kinds, col(ShareRow.project_id) == project_id)
    own_sessions = _counts(
        session, col(ExperimentRow.project_id), [project_id], col(ExperimentRow.session_id).is_(None)
    )
    own_subjects = _counts(session, col(SubjectRow.project_id), [project_id])
    return {
        "sessions": own_sessions.get(project_id, 0) + shared.get(EXPERIMENTS, 0),
        "subjects": own_subjects.get(project_id, 0) + shared.get(SUBJECTS, 0),
        "prearchive": _counts(session, col(PrearchiveRow.project_id), [project_id]).get(project_id, 0),
    }


def sessions(
    session: Session,
    *,
    project_id: str,
    subject_id: str | None = None,
    text: str = "",
    before: int | None = None,
    limit: int = PAGE,
) -> list[SessionLine]:
    """Return sessions of a subject as a project has it, or of a project, newest first, shared ones included."""
    own = _sessions_statement(text, before=before, limit=limit).where(col(ExperimentRow.project_id) == project_id)
    if subject_id is not None:
        own = own.where(col(ExperimentRow.subject_id) == subject_id)
    found = _named(session, own, labels.SESSIONS, text, before=before, limit=limit)
    lines = [_session_line(values) for values in found]
    shared = _sessions_statement(text, before=before, limit=limit, label=col(ShareRow.label)).join(
        ShareRow,
        (col(ShareRow.owner_kind) == EXPERIMENTS)
        & (col(ShareRow.owner_id) == col(ExperimentRow.id))
        & (col(ShareRow.project_id) == project_id),
    )
    if subject_id is not None:
        shared = shared.where(col(ExperimentRow.subject_id) == subject_id)
    lines += [_session_line(values, shared=True) for values in session.connection().execute(shared)]
    lines.sort(key=lambda line: -line.number)
    return _with_scans(session, lines[:limit])


def _sessions_statement(text: str, *, before: int | None, limit: int, label: Any = None) -> Select[Any]:
    named = col(ExperimentRow.label) if label is None else label
    statement = (
        select(
            col(ExperimentRow.number),
            col(ExperimentRow.id),
            named,
            col(ExperimentRow.xsi_type),
            col(ExperimentRow.data)["date"].as_string(),
            col(ExperimentRow.status),
            col(ExperimentRow.project_id),
            col(ExperimentRow.subject_id),
            col(SubjectRow.label),
            col(ExperimentRow.inserted_at),
        )
        .outerjoin(SubjectRow, col(SubjectRow.id) == col(ExperimentRow.subject_id))
        .where(col(ExperimentRow.session_id).is_(None))
        .order_by(col(ExperimentRow.number).desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(col(ExperimentRow.number) < before)
    if text:
        pattern = like(text)
        statement = statement.where(
            or_(named.ilike(pattern, escape="\\"), col(SubjectRow.label).ilike(pattern, escape="\\"))
        )
    return statement


def _session_line(values: Any, *, shared: bool = False) -> SessionLine:
    number, id_, label, xsi_type, date, status, project_id, subject_id, subject_label, inserted_at = values
    return SessionLine(
        number=number,
        id=id_,
        label=label,
        xsi_type=xsi_type,
        date=date or "",
        status=status,
        project_id=project_id,
        subject_id=subject_id,
        subject_label=subject_label or "",
        inserted_at=inserted_at,
        shared=shared,
    )


def _with_scans(session: Session, lines: list[SessionLine]) -> list[SessionLine]:
    counts = _counts(
        session, col(ScanRow.experiment_id), [line.id for line in lines], col(ScanRow.kind) == ObjectKind.SCAN.value
    )
    return [SessionLine(**{**line.__dict__, "scans": counts.get(line.id, 0)}) for line in lines]


def subjects(
    session: Session, project_id: str, *, text: str = "", before: int | None = None, limit: int = PAGE
) -> list[SubjectLine]:
    """Return subjects of a project, newest first, those shared into it included, with how many sessions it has of each."""
    own = _subjects_statement(text, before=before, limit=limit).where(col(SubjectRow.project_id) == project_id)
    lines = [
        _subject_line(values) for values in _named(session, own, labels.SUBJECTS, text, before=before, limit=limit)
    ]
    shared = _subjects_statement(text, before=before, limit=limit, label=col(ShareRow.label)).join(
        ShareRow,
        (col(ShareRow.owner_kind) == SUBJECTS)
        & (col(ShareRow.owner_id) == col(SubjectRow.id))
        & (col(ShareRow.project_id) == project_id),
    )
    lines += [_subject_line(values, shared=True) for values in session.connection().execute(shared)]
    lines.sort(key=lambda line: -line.number)
    shown = select(col(ShareRow.owner_id)).where(
        col(ShareRow.owner_kind) == EXPERIMENTS, col(ShareRow.project_id) == project_id
    )
    counts = _counts(
        session,
        col(ExperimentRow.subject_id),
        [one.id for one in lines],
        col(ExperimentRow.session_id).is_(None),
        or_(col(ExperimentRow.project_id) == project_id, col(ExperimentRow.id).in_(shown)),
    )
    return [SubjectLine(**{**line.__dict__, "sessions": counts.get(line.id, 0)}) for line in lines[:limit]]


def _subject_line(values: Any, *, shared: bool = False) -> SubjectLine:
    number, id_, label, project_id, inserted_at = values
    return SubjectLine(number, id_, label, project_id, inserted_at, shared=shared)


def _subjects_statement(text: str, *, before: int | None, limit: int, label: Any = None) -> Select[Any]:
    named = col(SubjectRow.label) if label is None else label
    statement = (
        select(
            col(SubjectRow.number), col(SubjectRow.id), named, col(SubjectRow.project_id), col(SubjectRow.inserted_at)
        )
        .order_by(col(SubjectRow.number).desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(col(SubjectRow.number) < before)
    return statement.where(named.ilike(like(text), escape="\\")) if text else statement


def _named(
    session: Session, statement: Select[Any], kind: str, text: str, *, before: int | None, limit: int
) -> list[Any]:
    """Return the newest rows of a statement that looks for a text in labels, by the index of their parts."""
    connection = session.connection()
    if not text:
        return list(connection.execute(statement))
    number = col(SubjectRow.number) if kind == labels.SUBJECTS else col(ExperimentRow.number)
    found: list[Any] = []
    for numbers in labels.candidates(session, kind, text, before=before):
        found += connection.execute(statement.where(number.in_(numbers)))
        if len(found) >= limit:
            break
    return found[:limit]


def like(text: str) -> str:
    r"""Return a pattern that finds a text anywhere.

    Examples
    --------
    >>> like("P_1%")
    '%P\\_1\\%%'
    """
    return "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def find(session: Session, visitor: Visitor, text: str) -> Findings:
    """Return projects, subjects and sessions whose label has a text in it, newest first, `PAGE` of each at most."""
    pattern = like(text)
    readable = visible_projects(visitor)
    by_name = or_(
        col(ProjectRow.id).ilike(pattern, escape="\\"),
        col(ProjectRow.data)["name"].as_string().ilike(pattern, escape="\\"),
    )
    named = select(col(ProjectRow.id)).where(by_name, col(ProjectRow.is_deleted).is_(False)).limit(PAGE)
    people = _subjects_statement(text, before=None, limit=PAGE)
    visits = _sessions_statement(text, before=None, limit=PAGE)
    if readable is not None:
        named = named.where(col(ProjectRow.id).in_(readable))
        people = people.where(col(SubjectRow.project_id).in_(readable))
        visits = visits.where(col(ExperimentRow.project_id).in_(readable))
    connection = session.connection()
    ids = connection.scalars(named.order_by(col(ProjectRow.id))).all()
    found = [line for one in ids if (line := project_line(session, one)) is not None]
    subjects_found = _named(session, people, labels.SUBJECTS, text, before=None, limit=PAGE)
    sessions_found = _named(session, visits, labels.SESSIONS, text, before=None, limit=PAGE)
    return Findings(
        projects=found,
        subjects=[_subject_line(values) for values in subjects_found],
        sessions=_with_scans(session, [_session_line(values) for values in sessions_found]),
    )


def project_line(session: Session, project_id: str) -> ProjectLine | None:
    """Return one project as a list shows it."""
    row = repository.project_by_id(session, project_id)
    if row is None:
        return None
    counted = totals(session, project_id)
    return ProjectLine(
        id=row.id,
        name=str(row.data.get("name") or row.id),
        description=str(row.data.get("description") or ""),
        accessibility=row.accessibility,
        may_open=True,
        subjects=counted["subjects"],
        sessions=counted["sessions"],
    )


def scans(session: Session, experiment_id: str, kind: ObjectKind = ObjectKind.SCAN) -> list[ScanLine]:
    """Return the scans of a session with their resources, sorted by number."""
    rows = sorted(repository.scans_of(session, experiment_id, kind), key=lambda row: scan_order(row.scan_id))
    numbers = [row.number for row in rows if row.number is not None]
    found = repository.resources_of(session, SCANS, numbers)
    lines = resource_lines(session, found)
    by_scan: dict[int, list[ResourceLine]] = {}
    for resource, line in zip(found, lines, strict=True):
        by_scan.setdefault(resource.owner_number, []).append(line)
    pictures = snapshots(session, [line.number for line in lines if line.label.upper() == SNAPSHOTS])
    return [_scan_line(row, by_scan.get(row.number or 0, []), pictures) for row in rows]


def scan(session: Session, row: ScanRow) -> ScanLine:
    """Return one scan with its resources."""
    assert row.number is not None
    lines = resource_lines(session, repository.resources_of(session, SCANS, [row.number]))
    return _scan_line(row, lines, snapshots(session, [one.number for one in lines if one.label.upper() == SNAPSHOTS]))


def _scan_line(row: ScanRow, resources: Sequence[ResourceLine], pictures: dict[int, str]) -> ScanLine:
    picture = next((f"{one.label}/files/{pictures[one.number]}" for one in resources if one.number in pictures), None)
    return ScanLine(row, tuple(resources), picture)


def snapshots(session: Session, resource_numbers: Sequence[int]) -> dict[int, str]:
    """Return for each resource one picture in it: a thumbnail where there is one, else the first by name."""
    chosen: dict[int, FileRow] = {}
    for file in repository.files_of(session, list(resource_numbers)):
        if not file.path.lower().endswith(_PICTURES):
            continue
        before = chosen.get(file.resource_number)
        if before is None or (_is_thumbnail(file) and not _is_thumbnail(before)):
            chosen[file.resource_number] = file
    return {number: file.path for number, file in chosen.items()}


def _is_thumbnail(file: FileRow) -> bool:
    return (file.content or "").upper() == "THUMBNAIL"


def resource_lines(session: Session, rows: Iterable[ResourceRow]) -> list[ResourceLine]:
    """Return resources with how much is in them."""
    rows = list(rows)
    counted = repository.file_totals(session, [row.number for row in rows if row.number is not None])
    return [
        ResourceLine(
            row.number or 0, row.label, row.format or "", row.content or "", *counted.get(row.number or 0, (0, 0))
        )
        for row in rows
    ]


def resources(session: Session, owner_kind: str, owner_number: int) -> list[ResourceLine]:
    """Return the resources of an object."""
    return resource_lines(session, repository.resources_of(session, owner_kind, [owner_number]))


def files(session: Session, resource_number: int, *, after: str = "", limit: int = FILES_PAGE) -> list[FileRow]:
    """Return files of a resource by path, from beyond ``after`` on."""
    statement = (
        select(FileRow)
        .where(col(FileRow.resource_number) == resource_number, col(FileRow.path) > after)
        .order_by(col(FileRow.path))
        .limit(limit)
    )
    return list(session.scalars(statement))


def assessors(session: Session, experiment_id: str) -> list[ExperimentRow]:
    """Return the assessors of a session, in order of creation."""
    statement = (
        select(ExperimentRow).where(col(ExperimentRow.session_id) == experiment_id).order_by(col(ExperimentRow.number))
    )
    return list(session.scalars(statement))
