"""Applies a project's script to a session of the archive that gets another name or project. May import SQLModel."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlmodel import Session, col, select

from embedded_xnat.anonymize import service
from embedded_xnat.anonymize.rewriting import Names, rewrite
from embedded_xnat.anonymize.script import Assign, HashUid, Script
from embedded_xnat.db import repository
from embedded_xnat.db.tables import ExperimentRow, FileRow, ScanRow, SubjectRow
from embedded_xnat.dicom.elements import Elements, is_dicom
from embedded_xnat.dicom.facts import read_header, scan_data, session_data
from embedded_xnat.domain.layout import Place
from embedded_xnat.storage.archive import Change
from embedded_xnat.storage.files import FileStore, Stored


@dataclass
class _Facts:
    """What the first file of something said before, and says now."""

    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    def applied_to(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields as they are now: what the header no longer says is gone, unless somebody changed it."""
        gone = {path for path, value in self.before.items() if path not in self.after and data.get(path) == value}
        changed = {path: value for path, value in self.after.items() if self.before.get(path) != value}
        kept = {path: value for path, value in data.items() if path not in gone}
        if "type" in data and data["type"] == self.before.get("series_description"):
            changed["type"] = self.after.get("series_description", "")
        return {**kept, **changed}


def anonymize_subject(change: Change, files: FileStore, subject: SubjectRow, *, project_id: str, label: str) -> None:
    """Apply a project's script to the sessions of a subject that is about to get this label, or this project.

    Raises
    ------
    NotAnonymized
    """
    statement = select(ExperimentRow).where(
        ExperimentRow.subject_id == subject.id,
        ExperimentRow.project_id == subject.project_id,
        col(ExperimentRow.session_id).is_(None),
    )
    for experiment in change.session.exec(statement).all():
        names = Names(project_id, label, experiment.label)
        anonymize_session(change, files, experiment, names)


def names_of(session: Session, experiment: ExperimentRow, label: str, *, project_id: str | None = None) -> Names:
    """Return what the names stand for when a session gets another label, or another project."""
    subject = repository.subject_by_id(session, experiment.subject_id or "")
    return Names(project_id or experiment.project_id, subject.label if subject is not None else "", label)


def anonymize_session(change: Change, files: FileStore, experiment: ExperimentRow, names: Names) -> None:
    """Apply a project's script to a session that is about to get these names; its files still lie where they lay.

    UIDs are hashed again only in another project: its own script has hashed them.

    Raises
    ------
    NotAnonymized
        Nothing is changed then.
    """
    scripts = service.in_force(change.session, names.project)
    if names.project == experiment.project_id:
        scripts = [_without_hashes(script) for script in scripts]
    if not any(script.statements for script in scripts):
        return
    facts = _Facts()
    for scan in repository.scans_of(change.session, experiment.id):
        folder = Place(experiment.project_id, None, experiment.label, "SCANS", scan.scan_id)
        of_scan = _Facts()
        for resource, file in _dicom_files(change.session, scan):
            path = folder.resource_folder(resource) / file.path
            before = read_header(files.path(path))
            stored = None if before is None else _rewritten(files, path, scripts, names)
            if stored is None or before is None:
                continue
            file.size, file.md5 = stored.size, stored.md5
            change.session.add(file)
            if not of_scan.after:
                of_scan, facts = _compared(before, read_header(stored.temporary), facts)
            change.replace(stored, path)
        scan.data = of_scan.applied_to(scan.data)
        change.session.add(scan)
    experiment.data = facts.applied_to(experiment.data)
    change.session.add(experiment)
    change.session.flush()


def _without_hashes(script: Script) -> Script:
    kept = [
        statement
        for statement in script.statements
        if not any(
            isinstance(action, Assign) and isinstance(action.value, HashUid)
            for action in (statement.action, statement.otherwise)
        )
    ]
    return Script(tuple(kept))


def _dicom_files(session: Session, scan: ScanRow) -> list[tuple[str, FileRow]]:
    """Return the folder of the resource, and the row, of each file of a scan's DICOM resources."""
    assert scan.number is not None
    resources = {
        each.number: each.folder
        for each in repository.resources_of(session, repository.SCANS, [scan.number])
        if each.number is not None and (each.label == "DICOM" or each.format == "DICOM")
    }
    return [(resources[file.resource_number], file) for file in repository.files_of(session, list(resources))]


def _rewritten(files: FileStore, path: Any, scripts: list[Script], names: Names) -> Stored | None:
    """Return a file as scripts change it, under a temporary name that stays; None when nothing changes."""
    source = files.path(path)
    if not source.is_file() or not is_dicom(source):
        return None
    with files.incoming() as incoming:
        if not rewrite(source, incoming, scripts, names):
            return None
        stored = incoming.finish()
        kept = stored.temporary.with_name(uuid4().hex)
        stored.temporary.rename(kept)
    return Stored(kept, stored.size, stored.md5)


def _compared(before: Elements, after: Elements | None, facts: _Facts) -> tuple[_Facts, _Facts]:
    """Return what of a scan, and of its session, a script has changed."""
    if after is None:
        return _Facts(), facts
    of_session = facts if facts.after else _Facts(session_data(before), session_data(after))
    return _Facts(scan_data(before), scan_data(after)), of_session
