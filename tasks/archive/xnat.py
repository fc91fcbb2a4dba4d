"""The archive adapter for XNAT: a real one or the embedded one, through xnatpy. The only module that imports xnatpy.

xnatpy logs in, keeps the JSESSION and speaks HTTP; its object model is left out (``no_parse_model``), because building it
costs a request for every schema and element at each connect, and a pipeline connects often. Bugs of xnatpy 0.8.1 that
matter here: downloads do not notice an error page sent with status 200, hence the digests below.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tarfile
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tasks.archive.port import FileEntry, ScanRef, SessionRef, is_file_name, path_part, require_file_names
from tasks.errors import ArchiveRefused, ArchiveUnavailable, UploadIncomplete

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from tasks.series import SeriesRecord

logger = logging.getLogger(__name__)

_FEW_FILES = 3
_BATCH_FILES = 512
_BATCH_BYTES = 256 << 20
STUDY_FIELD = "cohortflow_study"
"""Custom field of a project."""
_TRANSIENT = frozenset({401, 408, 423, 425, 429, 500, 502, 503, 504, 507})
"""A 401 after the log-in means that the JSESSION ended; the retry logs in again."""
_KINDS = {
    "MR": "mr",
    "CT": "ct",
    "PT": "pet",
    "US": "us",
    "CR": "cr",
    "DX": "dx",
    "MG": "mg",
    "XA": "xa",
    "NM": "nm",
    "RF": "rf",
}


class XnatArchive:
    """An XNAT, reached as one user; a context manager that logs out at the end.

    Parameters
    ----------
    url, user, password
        The XNAT and the account that Cohortflow uses there.
    timeout_s
        Longest silence of the server before a call counts as not answered.
    """

    def __init__(self, url: str, user: str, password: str, *, timeout_s: float = 300.0) -> None:
        self._url = url.rstrip("/")
        self._user = user
        self._password = password
        self._timeout_s = timeout_s
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Log out."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with _errors("log out"):
                connection.disconnect()

    def ensure_project(self, project: str, *, title: str) -> None:
        """Create a project unless it is there."""
        address = f"/data/projects/{path_part(project)}"
        with self._asking(f"create project {project}") as xnat:
            if xnat.get(address, query={"format": "json"}, accepted_status=[200, 403, 404]).status_code == 200:
                return
            fields = {"xsiType": "xnat:projectData", "req_format": "qs", "xnat:projectData/name": title}
            xnat.put(address, query=fields)

    def name_study(self, project: str, study: str) -> None:
        """Note in a project which study it belongs to: its coordinators may then read it in the embedded archive."""
        field = f"xnat:projectData/fields/field[name={STUDY_FIELD}]/field"
        with self._asking(f"name the study of project {project}") as xnat:
            xnat.put(f"/data/projects/{path_part(project)}", query={"xsiType": "xnat:projectData", field: study})

    def ensure_subject(self, project: str, label: str) -> str:
        """Create a subject unless it is there; return its accession id."""
        fields = {"xsiType": "xnat:subjectData", "req_format": "qs", "xnat:subjectData/label": label}
        with self._asking(f"create a subject in {project}") as xnat:
            answer = xnat.put(f"/data/projects/{path_part(project)}/subjects/{path_part(label)}", query=fields)
            return _last_part(answer.text)

    def find_session(self, project: str, *, study_instance_uid: str) -> SessionRef | None:
        """Return the session of a DICOM study, looked up by the UID column and checked on the session itself."""
        query = {
            "columns": "ID,label,xsiType,UID",
            "xsiType": "xnat:imageSessionData",
            "UID": study_instance_uid,
        }
        with self._asking(f"find a session in {project}") as xnat:
            rows = _rows(xnat.get_json(f"/data/projects/{path_part(project)}/experiments", query=query))
        for row in rows:
            if row.get("uid", study_instance_uid) == study_instance_uid:
                session = self.session(row["id"])
                if session.study_instance_uid == study_instance_uid:
                    return session
        return None

    def find_label(self, project: str, label: str) -> SessionRef | None:
        """Return the session that holds a label in a project."""
        with self._asking(f"look for a session in {project}") as xnat:
            address = f"/data/projects/{path_part(project)}/experiments/{path_part(label)}"
            answer = xnat.get(address, query={"format": "json"}, accepted_status=[200, 404])
            return None if answer.status_code == 404 else self._session_of(answer.json())

    def session(self, session_id: str) -> SessionRef:
        """Return a session by its accession id."""
        with self._asking(f"read session {session_id}") as xnat:
            return self._session_of(xnat.get_json(f"/data/experiments/{path_part(session_id)}"))

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
        """Create a session under a label that is free; the session that holds it is returned if it is the same study's."""
        operation = f"create a session in {project}"
        held = self.find_label(project, label)
        if held is None:
            kind = f"xnat:{_KINDS.get(modality, 'otherDicom')}SessionData"
            fields = {
                "xsiType": kind,
                "req_format": "qs",
                f"{kind}/label": label,
                f"{kind}/UID": study_instance_uid,
                f"{kind}/modality": modality,
            }
            if scandate is not None:
                fields[f"{kind}/date"] = scandate.isoformat()
            subject = f"/data/projects/{path_part(project)}/subjects/{path_part(subject_label)}"
            address = f"{subject}/experiments/{path_part(label)}"
            with self._asking(operation) as xnat:
                xnat.put(address, query=fields)
            held = self.find_label(project, label)
        if held is None:
            raise ArchiveUnavailable(operation)
        if held.study_instance_uid != study_instance_uid:
            raise ArchiveRefused(operation, status=409)
        return held

    def scans(self, session_id: str) -> tuple[ScanRef, ...]:
        """List the scans of a session, in order of their ids."""
        with self._asking(f"list scans of {session_id}") as xnat:
            address = f"/data/experiments/{path_part(session_id)}/scans"
            rows = _rows(xnat.get_json(address, query={"columns": "ID,URI,type,xsiType,UID"}))
        return tuple(
            ScanRef(
                session_id=session_id, id=row["id"], type=row.get("type", ""), series_instance_uid=row.get("uid", "")
            )
            for row in rows
        )

    def create_scan(self, session_id: str, scan_id: str, *, series: SeriesRecord) -> ScanRef:
        """Create a scan, or set its fields again. The scan type is the series description as it is, as XNAT has it."""
        facts = series.facts
        kind = f"xnat:{_KINDS.get(facts.modality, 'otherDicom')}ScanData"
        scan_type = facts.series_description or "unknown"
        fields: dict[str, object] = {
            "id": scan_id,
            "type": scan_type,
            "UID": series.series_instance_uid,
            "series_description": facts.series_description,
            "modality": facts.modality,
            "quality": "usable",
            "frames": facts.frames,
        }
        if facts.modality == "MR":
            fields |= {
                "parameters/tr": facts.repetition_time_ms,
                "parameters/te": facts.echo_time_ms,
                "parameters/ti": facts.inversion_time_ms,
                "parameters/flip": facts.flip_angle_deg,
                "parameters/acqType": facts.mr_acquisition_type,
            }
        query = {"xsiType": kind, "req_format": "qs"}
        query |= {f"{kind}/{name}": str(value) for name, value in fields.items() if value not in (None, "")}
        with self._asking(f"create scan {scan_id} of {session_id}") as xnat:
            xnat.put(f"/data/experiments/{path_part(session_id)}/scans/{path_part(scan_id)}", query=query)
        return ScanRef(
            session_id=session_id, id=scan_id, type=scan_type, series_instance_uid=series.series_instance_uid
        )

    def files(self, holder: str, resource: str) -> tuple[FileEntry, ...]:
        """List the files of a resource in order of their names; none when there is no such resource."""
        address = f"{holder}/resources/{path_part(resource)}/files"
        with self._asking(f"list {resource} of {holder}") as xnat:
            answer = xnat.get(address, query={"format": "json"}, accepted_status=[200, 404])
            rows = [] if answer.status_code == 404 else _rows(answer.json())
        entries = (
            FileEntry(
                name=row["name"],
                size_bytes=int(row.get("size") or 0),
                md5=row.get("digest", ""),
                uri=f"{address}/{path_part(row['name'])}",
            )
            for row in rows
        )
        return tuple(sorted(entries, key=lambda entry: entry.name))

    def upload(
        self, holder: str, resource: str, files: Mapping[str, Path], *, content: str = "", file_format: str = ""
    ) -> None:
        """Put files under their names into a resource, in batches as tar files that the server unpacks."""
        require_file_names(files)
        address = f"{holder}/resources/{path_part(resource)}"
        with self._asking(f"create {resource} of {holder}") as xnat:
            query = {"content": content, "format": file_format}
            xnat.put(address, query={k: v for k, v in query.items() if v}, accepted_status=[200, 201, 409])
            query |= {"overwrite": "true"}
            if len(files) <= _FEW_FILES:
                for name, path in files.items():
                    self._put_file(xnat, f"{address}/files/{path_part(name)}", path=path, query=query)
            else:
                for batch in _batches(files):
                    self._put_tar(xnat, f"{address}/files/upload.tar", files=batch, query=query | {"extract": "true"})
        self._verify(holder, resource, files)

    def download(
        self, holder: str, resource: str, folder: Path, *, names: Sequence[str] | None = None
    ) -> dict[str, Path]:
        """Fetch files of a resource, all by default, into a folder; each is compared with the archive's digest."""
        require_file_names(names or ())
        entries = {entry.name: entry for entry in self.files(holder, resource)}
        wanted = list(entries) if names is None else list(names)
        for name in wanted:
            if name not in entries or not is_file_name(name):
                raise ArchiveRefused(f"fetch {name} of {holder}", status=404)
        folder.mkdir(parents=True, exist_ok=True)
        operation = f"fetch {resource} of {holder}"
        with self._asking(operation) as xnat:
            if len(wanted) <= _FEW_FILES:
                for name in wanted:
                    xnat.download(entries[name].uri, folder / name, verbose=False, timeout=self._timeout_s)
            else:
                self._fetch_zip(
                    xnat, f"{holder}/resources/{path_part(resource)}/files", folder=folder, wanted=set(wanted)
                )
        fetched = {name: folder / name for name in wanted}
        for name, path in fetched.items():
            if not path.is_file() or (entries[name].md5 and _md5(path) != entries[name].md5):
                raise ArchiveUnavailable(operation)
        return fetched

    def _fetch_zip(self, xnat: Any, address: str, *, folder: Path, wanted: set[str]) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as spool:
            path = Path(spool) / "files.zip"
            xnat.download_zip(address, path, verbose=False, timeout=self._timeout_s)
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    name = member.filename.rsplit("/", 1)[-1]
                    if name in wanted and not member.is_dir():
                        with archive.open(member) as source, (folder / name).open("wb") as target:
                            shutil.copyfileobj(source, target, 1 << 20)

    def _put_file(self, xnat: Any, address: str, *, path: Path, query: Mapping[str, str]) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        with path.open("rb") as file:
            # An empty file is no body for requests; a blank one is.
            data = file if path.stat().st_size else b""
            fields = {k: v for k, v in query.items() if v}
            xnat.put(address, data=data, query=fields, headers=headers, timeout=self._timeout_s)

    def _put_tar(self, xnat: Any, address: str, *, files: Mapping[str, Path], query: Mapping[str, str]) -> None:
        with tempfile.TemporaryDirectory() as spool:
            path = Path(spool) / "upload.tar"
            with tarfile.open(path, "w") as tar:
                for name, source in files.items():
                    tar.add(source, arcname=name, recursive=False)
            self._put_file(xnat, address, path=path, query=query)

    def _verify(self, holder: str, resource: str, files: Mapping[str, Path]) -> None:
        held = {entry.name: entry for entry in self.files(holder, resource)}
        missing = []
        for name, path in files.items():
            entry = held.get(name)
            is_same = entry is not None and (
                entry.md5 == _md5(path) if entry.md5 else entry.size_bytes == path.stat().st_size
            )
            if not is_same:
                missing.append(name)
        if missing:
            raise UploadIncomplete(f"{holder}/resources/{resource}", missing=missing)

    def _session_of(self, content: Mapping[str, Any]) -> SessionRef:
        item = next(one for one in content["items"] if not one["meta"].get("isHistory"))
        fields = {key.lower(): value for key, value in item["data_fields"].items()}
        project, subject_id = str(fields["project"]), str(fields.get("subject_id", ""))
        with self._asking(f"read subject of session {fields['id']}") as xnat:
            subject = xnat.get_json(f"/data/projects/{path_part(project)}/subjects/{path_part(subject_id)}")
        return SessionRef(
            id=str(fields["id"]),
            label=str(fields["label"]),
            project=project,
            subject_id=subject_id,
            subject_label=str(subject["items"][0]["data_fields"]["label"]),
            study_instance_uid=str(fields.get("uid", "")),
        )

    @contextmanager
    def _asking(self, operation: str) -> Iterator[Any]:
        """Hand out the connection, logging in at the first use, and map what goes wrong to our errors."""
        if self._connection is None:
            with _errors("log in"):
                import xnat

                self._connection = xnat.connect(
                    self._url,
                    user=self._user,
                    password=self._password,
                    no_parse_model=True,
                    default_timeout=self._timeout_s,
                    logger=logging.getLogger("tasks.archive.xnatpy"),
                )
        with _errors(operation):
            yield self._connection


@contextmanager
def _errors(operation: str) -> Iterator[None]:
    """Map xnatpy's and requests' errors to `ArchiveUnavailable` and `ArchiveRefused`.

    Without their cause: it holds the address, and that the label of a subject. What kind it was is in the log.
    """
    import requests
    from xnat import exceptions

    try:
        yield
    except (exceptions.XNATError, requests.RequestException, zipfile.BadZipFile) as error:
        logger.info("archive call failed", extra={"operation": operation, "error": type(error).__name__})
        raise _mapped(error, operation) from None


def _mapped(error: Exception, operation: str) -> ArchiveRefused | ArchiveUnavailable:
    from xnat import exceptions

    if isinstance(error, exceptions.XNATAuthError):
        return ArchiveRefused(operation, status=401)
    status = error.status_code if isinstance(error, exceptions.XNATResponseError) else None
    if status is None or status in _TRANSIENT or status < 400:
        return ArchiveUnavailable(operation, status=status)
    return ArchiveRefused(operation, status=status)


def _rows(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the rows of a table with lower-case keys: XNAT changes the case of what was asked for."""
    return [{key.lower(): str(value) for key, value in row.items()} for row in content["ResultSet"]["Result"]]


def _last_part(text: str) -> str:
    return text.strip().rstrip("/").rsplit("/", 1)[-1]


def _batches(files: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    batch: dict[str, Path] = {}
    size = 0
    for name, path in files.items():
        batch[name] = path
        size += path.stat().st_size
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
