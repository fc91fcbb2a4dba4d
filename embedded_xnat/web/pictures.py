"""Answers with pictures and volumes of a scan: its snapshot, or what is made of its DICOM files. May import Starlette."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from embedded_xnat.db import repository
from embedded_xnat.db.repository import SCANS
from embedded_xnat.db.tables import FileRow
from embedded_xnat.locate import Located
from embedded_xnat.resources import service
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


def _preview(request: Request, archive: Archive, found: Located) -> Response:
    from embedded_xnat.pictures.preview import preview_png  # noqa: PLC0415 - numpy and Pillow are not for the start

    with archive.read() as session:
        path, tag, is_picture = _best_picture(session, archive, found)
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, max-age=300"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if path is not None and path.is_file():
        if is_picture:
            return FileResponse(path, headers=headers)
        drawn = preview_png(path)
        if drawn is not None:
            return Response(drawn, media_type="image/png", headers=headers)
    return Response(_NOTHING, media_type="image/svg+xml", headers=headers)


def _best_picture(session: Session, archive: Archive, found: Located) -> tuple[Path | None, str, bool]:
    """Return a picture of the snapshots, else the DICOM file in the middle, with its digest."""
    assert found.scan is not None
    line = queries.scan(session, found.scan)
    if line.snapshot is not None:
        label, _, name = line.snapshot.partition("/files/")
        row = repository.resource_of(session, *found.owner, label)
        file = repository.file_of(session, row.number, name) if row is not None and row.number is not None else None
        if row is not None and file is not None:
            return archive.files.path(service.shelf(found, row).folder / file.path), file.md5, True
    folder, files = _dicom_files(session, archive, found)
    if not files:
        return None, "none", False
    middle = files[len(files) // 2]
    return folder / middle.path, middle.md5, False


def _dicom_files(session: Session, archive: Archive, found: Located) -> tuple[Path, list[FileRow]]:
    assert found.scan is not None
    line = queries.scan(session, found.scan).dicom
    row = None if line is None else repository.resource_of(session, SCANS, found.owner[1], str(line.number))
    if row is None or row.number is None:
        return archive.files.root, []
    return archive.files.path(service.shelf(found, row).folder), repository.files_of(session, [row.number])


def _volume(request: Request, archive: Archive, found: Located) -> Response:
    from embedded_xnat.pictures.slices import read_slices  # noqa: PLC0415 - as above
    from embedded_xnat.pictures.volume import arrange, nifti_stream  # noqa: PLC0415 - as above

    with archive.read() as session:
        folder, files = _dicom_files(session, archive, found)
    tag = hashlib.md5("".join(file.md5 for file in files).encode(), usedforsecurity=False).hexdigest()
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache", "Content-Security-Policy": "sandbox"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    series = arrange(read_slices(folder / file.path for file in files))
    headers |= {"Content-Length": str(series.size), "X-Slices-Left-Out": str(series.left_out)}
    pieces = nifti_stream(series)
    return StreamingResponse(_checked(pieces), media_type="application/octet-stream", headers=headers)


def _checked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Draw the first slice before the answer begins, so that a file that cannot be read is an error and no half volume."""
    head, first = next(pieces), next(pieces, b"")

    def rest() -> Iterator[bytes]:
        yield head
        yield first
        yield from pieces

    return rest()
