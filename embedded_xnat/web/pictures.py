"""Answers with pictures and volumes of a scan: its snapshot, or what is made of its DICOM files. May import Starlette."""

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from embedded_xnat.contract.errors import NoSuchFile
from embedded_xnat.db import repository
from embedded_xnat.db.repository import SCANS
from embedded_xnat.db.tables import FileRow
from embedded_xnat.locate import Located
from embedded_xnat.resources import service
from embedded_xnat.resources.downloads import LateOpener, OpenFileResponse
from embedded_xnat.storage.archive import Archive
from embedded_xnat.web import queries

#: What a page asks of a scan beside pages: the end of the path.
PREVIEW, VOLUME = "preview.png", "volume.nii"
#: Shown where nothing can be drawn: a quiet frame that fits light and dark.
_NOTHING = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><path d="M18 24v-6h6M40 18h6v6M46 40v6h-6M24 46h-6v-6'
    b'M24 32h16" fill="none" stroke="#81909a" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)


def answer(request: Request, archive: Archive, found: Located) -> Response:
    """Return the picture or volume that the address asks for."""
    if found.address.aspect == PREVIEW:
        return _preview(request, archive, found)
    return _volume(request, archive, found)


@dataclass(frozen=True)
class _Files:
    """The files of a resource of a scan, to be opened some time after their rows were read.

    Parameters
    ----------
    late
        Made before the rows are read.
    """

    late: LateOpener
    folder: Path
    number: int = 0
    files: Sequence[FileRow] = ()

    def path(self, file: FileRow) -> Path:
        return self.folder / file.path

    def open(self, path: Path) -> BinaryIO:
        return self.late(self.number, path.relative_to(self.folder).as_posix(), path)


def _preview(request: Request, archive: Archive, found: Located) -> Response:
    from embedded_xnat.pictures.preview import preview_png  # noqa: PLC0415 - numpy and Pillow are not for the start

    late = LateOpener(archive)
    with archive.read() as session:
        snapshot = _snapshot(session, archive, found, late)
        chosen = snapshot or _dicom_files(session, archive, found, late)
    if not chosen.files:
        return _nothing()
    file = chosen.files[len(chosen.files) // 2]
    headers = {"ETag": f'"{file.md5}"', "Cache-Control": "private, max-age=300"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    path = chosen.path(file)
    try:
        if snapshot is not None:
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            picture = OpenFileResponse(chosen.open(path), name=path.name, md5=file.md5, media_type=kind)
            picture.headers.update(headers)
            return picture
        drawn = preview_png(path, chosen.open)
    except NoSuchFile:  # lost, or deleted at this moment
        return _nothing()
    return _nothing(headers) if drawn is None else Response(drawn, media_type="image/png", headers=headers)


def _nothing(headers: Mapping[str, str] = MappingProxyType({"Cache-Control": "no-store"})) -> Response:
    return Response(_NOTHING, media_type="image/svg+xml", headers=dict(headers))


def _snapshot(session: Session, archive: Archive, found: Located, late: LateOpener) -> _Files | None:
    """Return the picture that somebody made of a scan, if there is one."""
    assert found.scan is not None
    line = queries.scan(session, found.scan)
    if line.snapshot is None:
        return None
    label, _, name = line.snapshot.partition("/files/")
    row = repository.resource_of(session, *found.owner, label)
    file = repository.file_of(session, row.number, name) if row is not None and row.number is not None else None
    if row is None or row.number is None or file is None:
        return None
    return _Files(late, archive.files.path(service.shelf(found, row).folder), row.number, [file])


def _dicom_files(session: Session, archive: Archive, found: Located, late: LateOpener) -> _Files:
    assert found.scan is not None
    line = queries.scan(session, found.scan).dicom
    row = None if line is None else repository.resource_of(session, SCANS, found.owner[1], str(line.number))
    if row is None or row.number is None:
        return _Files(late, archive.files.root)
    folder = archive.files.path(service.shelf(found, row).folder)
    return _Files(late, folder, row.number, repository.files_of(session, [row.number]))


def _volume(request: Request, archive: Archive, found: Located) -> Response:
    from embedded_xnat.pictures.slices import read_slices  # noqa: PLC0415 - as above
    from embedded_xnat.pictures.volume import arrange, nifti_stream  # noqa: PLC0415 - as above

    late = LateOpener(archive)
    with archive.read() as session:
        chosen = _dicom_files(session, archive, found, late)
    tag = hashlib.md5("".join(file.md5 for file in chosen.files).encode(), usedforsecurity=False).hexdigest()
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache", "Content-Security-Policy": "sandbox"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    series = arrange(read_slices(map(chosen.path, chosen.files), chosen.open))
    headers |= {"Content-Length": str(series.size), "X-Slices-Left-Out": str(series.left_out)}
    pieces = nifti_stream(series, chosen.open)
    return StreamingResponse(_checked(pieces), media_type="application/octet-stream", headers=headers)


def _checked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Draw the first slice before the answer begins, so that a file that cannot be read is an error and no half volume."""
    head, first = next(pieces), next(pieces, b"")

    def rest() -> Iterator[bytes]:
        yield head
        yield first
        yield from pieces

    return rest()
