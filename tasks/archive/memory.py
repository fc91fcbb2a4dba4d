"""An archive in a dictionary: the port's second adapter, for tests and for trying a pipeline without a server."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tasks.archive.port import FileEntry, ScanRef, SessionRef, require_file_names
from tasks.errors import ArchiveRefused

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tasks.series import SeriesRecord


class MemoryArchive:
    """Keeps projects, subjects, sessions, scans and files of one process."""

    def __init__(self) -> None:
        self._projects: dict[str, str] = {}
        self._subjects: dict[tuple[str, str], str] = {}
        self._sessions: dict[str, SessionRef] = {}
        self._scans: dict[tuple[str, str], ScanRef] = {}
        self._files: dict[tuple[str, str], dict[str, bytes]] = {}
        self.uploads: list[tuple[str, str, str]] = []
        """Holder, resource and name of every file ever sent, in order."""

    def ensure_project(self, project: str, *, title: str) -> None:
        """Create a project unless it is there."""
        self._projects.setdefault(project, title)

    def ensure_subject(self, project: str, label: str) -> str:
        """Create a subject unless it is there; return its accession id."""
        if project not in self._projects:
            raise ArchiveRefused(f"create a subject in {project}", status=404)
        return self._subjects.setdefault((project, label), f"MEM_S{len(self._subjects) + 1:05d}")

    def find_session(self, project: str, *, study_instance_uid: str) -> SessionRef | None:
        """Return the session of a DICOM study."""
        here = (one for one in self._sessions.values() if one.project == project)
        return next((one for one in here if one.study_instance_uid == study_instance_uid), None)

    def find_label(self, project: str, label: str) -> SessionRef | None:
        """Return the session that holds a label in a project."""
        return next((one for one in self._sessions.values() if (one.project, one.label) == (project, label)), None)

    def session(self, session_id: str) -> SessionRef:
        """Return a session by its accession id."""
        if session_id not in self._sessions:
            raise ArchiveRefused(f"read session {session_id}", status=404)
        return self._sessions[session_id]

    def create_session(
        self,
        project: str,
        *,
        subject_label: str,
        label: str,
        modality: str,
        study_instance_uid: str,
        scandate: dt.date | None,
    ) -> SessionRef:
        """Create a session under a label that is free."""
        del modality, scandate
        held = self.find_label(project, label)
        if held is not None:
            if held.study_instance_uid == study_instance_uid:
                return held
            raise ArchiveRefused(f"create a session in {project}", status=409)
        session = SessionRef(
            id=f"MEM_E{len(self._sessions) + 1:05d}",
            label=label,
            project=project,
            subject_id=self.ensure_subject(project, subject_label),
            subject_label=subject_label,
            study_instance_uid=study_instance_uid,
        )
        self._sessions[session.id] = session
        return session

    def scans(self, session_id: str) -> tuple[ScanRef, ...]:
        """List the scans of a session, in order of their ids."""
        self.session(session_id)
        return tuple(
            sorted(
                (one for one in self._scans.values() if one.session_id == session_id), key=lambda one: _order(one.id)
            )
        )

    def create_scan(self, session_id: str, scan_id: str, *, series: SeriesRecord) -> ScanRef:
        """Create a scan, or set its fields again."""
        self.session(session_id)
        scan = ScanRef(
            session_id=session_id,
            id=scan_id,
            type=series.facts.series_description or "unknown",
            series_instance_uid=series.series_instance_uid,
        )
        self._scans[session_id, scan_id] = scan
        return scan

    def files(self, holder: str, resource: str) -> tuple[FileEntry, ...]:
        """List the files of a resource in order of their names."""
        held = self._files.get((holder, resource), {})
        return tuple(
            FileEntry(
                name=name,
                size_bytes=len(held[name]),
                md5=hashlib.md5(held[name], usedforsecurity=False).hexdigest(),
                uri=f"{holder}/resources/{resource}/files/{name}",
            )
            for name in sorted(held)
        )

    def upload(
        self, holder: str, resource: str, files: Mapping[str, Path], *, content: str = "", file_format: str = ""
    ) -> None:
        """Put files under their names into a resource, replacing those that are there."""
        del content, file_format
        require_file_names(files)
        held = self._files.setdefault((holder, resource), {})
        for name, path in files.items():
            held[name] = path.read_bytes()
            self.uploads.append((holder, resource, name))

    def download(
        self, holder: str, resource: str, folder: Path, *, names: Sequence[str] | None = None
    ) -> dict[str, Path]:
        """Fetch files of a resource, all by default, into a folder."""
        require_file_names(names or ())
        held = self._files.get((holder, resource), {})
        folder.mkdir(parents=True, exist_ok=True)
        fetched = {}
        for name in sorted(held) if names is None else names:
            if name not in held:
                raise ArchiveRefused(f"fetch {name} of {holder}", status=404)
            fetched[name] = folder / name
            fetched[name].write_bytes(held[name])
        return fetched


def _order(scan_id: str) -> tuple[bool, int, str]:
    return (not scan_id.isdigit(), int(scan_id) if scan_id.isdigit() else 0, scan_id)
