"""What an archive of images can do. Knows neither xnatpy nor HTTP.

Every write is an upsert: doing it twice is doing it once. Addresses are XNAT's own (``/data/experiments/E/scans/5``), so
that pages and programs may use them as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from tasks.intake.routing import short_digest
from tasks.records import Record

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tasks.series import SeriesRecord

DICOM = "DICOM"
NIFTI = "NIFTI"
SNAPSHOTS = "SNAPSHOTS"
_PLAIN_ID = re.compile(r"(?=.{1,64}$)[A-Za-z0-9]+([-_][A-Za-z0-9]+)*")


def path_part(text: str) -> str:
    """Write a label, an id or a name as one part of an address, whatever it holds.

    >>> path_part("a/b c")
    'a%2Fb%20c'
    """
    return quote(text, safe="")


def scan_stem(scan_id: str) -> str:
    """Return the name, without an ending, of the files and the work folder of a scan.

    An archive may call a scan anything; an id that is no plain word, and could lead out of a folder or mean something to
    a converter, is replaced by its digest.

    >>> scan_stem("3-MR1"), scan_stem("../../releases"), scan_stem("%n")
    ('scan_3-MR1', 'scan_4a57ed9dd3d3ce5b', 'scan_7892df0e4b5a5912')
    """
    is_plain = _PLAIN_ID.fullmatch(scan_id) is not None
    return f"scan_{scan_id if is_plain else short_digest(scan_id, length=16)}"


class SessionRef(Record):
    """An imaging session in the archive (XNAT experiment)."""

    id: str
    label: str
    project: str
    subject_id: str
    subject_label: str
    study_instance_uid: str = ""

    @property
    def uri(self) -> str:
        """Address of the session below the archive's root."""
        return f"/data/experiments/{path_part(self.id)}"


class ScanRef(Record):
    """A scan of a session; `id` is the series number, or a variation of it when that was taken."""

    session_id: str
    id: str
    type: str = ""
    series_instance_uid: str = ""

    @property
    def uri(self) -> str:
        """Address of the scan below the archive's root."""
        return f"/data/experiments/{path_part(self.session_id)}/scans/{path_part(self.id)}"


class FileEntry(Record):
    """A file in a resource. `md5` is blank where an XNAT keeps no digests."""

    name: str
    size_bytes: int
    md5: str
    uri: str


def is_file_name(name: str) -> bool:
    """Say whether a name stays in its folder.

    >>> is_file_name("1.2.3.dcm"), is_file_name("../1.2.3.dcm"), is_file_name("..")
    (True, False, False)
    """
    return name not in {"", ".", ".."} and not {"/", "\\", "\0"} & set(name)


def require_file_names(names: Iterable[str]) -> None:
    """Stop before anything is sent or written under a name that would leave its folder.

    Raises
    ------
    ValueError
    """
    if not all(is_file_name(name) for name in names):
        raise ValueError("a file name with a slash or a backslash, or one that means a folder")


class Archive(Protocol):
    """Port to an XNAT-like archive.

    Every method raises `ArchiveUnavailable` when the archive does not answer and `ArchiveRefused` when it says no.
    `holder` is the address of a session or of a scan. A file name that would leave its folder is a ValueError.
    """

    def ensure_project(self, project: str, *, title: str) -> None:
        """Create a project unless it is there."""

    def ensure_subject(self, project: str, label: str) -> str:
        """Create a subject unless it is there; return its accession id."""

    def find_session(self, project: str, *, study_instance_uid: str) -> SessionRef | None:
        """Return the session of a DICOM study."""

    def find_label(self, project: str, label: str) -> SessionRef | None:
        """Return the session that holds a label in a project."""

    def session(self, session_id: str) -> SessionRef:
        """Return a session by its accession id."""

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

    def scans(self, session_id: str) -> tuple[ScanRef, ...]:
        """List the scans of a session, in order of their ids."""

    def create_scan(self, session_id: str, scan_id: str, *, series: SeriesRecord) -> ScanRef:
        """Create a scan, or set its fields again."""

    def files(self, holder: str, resource: str) -> tuple[FileEntry, ...]:
        """List the files of a resource in order of their names; none when there is no such resource."""

    def upload(
        self, holder: str, resource: str, files: Mapping[str, Path], *, content: str = "", file_format: str = ""
    ) -> None:
        """Put files under their names into a resource, replacing those that are there.

        Raises
        ------
        UploadIncomplete
            If the archive does not hold every file afterwards.
        """

    def download(
        self, holder: str, resource: str, folder: Path, *, names: Sequence[str] | None = None
    ) -> dict[str, Path]:
        """Fetch files of a resource, all by default, into a folder; return where each name lies."""
