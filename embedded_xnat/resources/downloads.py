"""Hands out one file: whole, in parts, or not at all when the client has it. May import Starlette."""

import mimetypes
import os
from contextlib import ExitStack, suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from sqlmodel import Session, col, select
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from embedded_xnat.contract.errors import NoSuchFile
from embedded_xnat.db import repository
from embedded_xnat.db.tables import FileRow, MoveRow
from embedded_xnat.places import folder_of_resource
from embedded_xnat.resources.service import Shelf
from embedded_xnat.storage.archive import Archive
from embedded_xnat.storage.files import lasting_path

#: Shown by a browser as they are; everything else is offered for saving.
_INLINE = frozenset({"image/png", "image/jpeg", "image/gif", "application/pdf", "text/plain"})


_HEADERS = {"Cache-Control": "private, no-cache", "Content-Security-Policy": "sandbox"}


class OpenFileResponse(FileResponse):
    """A file that was opened before: what is sent is what was found, whatever happens to its name meanwhile."""

    chunk_size = 1024 * 1024

    def __init__(self, handle: BinaryIO, *, name: str, md5: str | None, media_type: str) -> None:
        super().__init__(
            lasting_path(handle),
            media_type=media_type,
            headers=(_HEADERS if md5 is None else {**_HEADERS, "ETag": f'"{md5}"'}),
            filename=name,
            stat_result=os.fstat(handle.fileno()),
            content_disposition_type="inline" if media_type in _INLINE else "attachment",
        )
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file and close it."""
        with self._handle:
            await super().__call__(scope, receive, send)


def open_file(session: Session, late: "LateOpener", shelf: Shelf, file: FileRow) -> BinaryIO:
    """Open the bytes that belong to a row: while a file is being replaced these are still under another name.

    Parameters
    ----------
    late
        Made before the row was read: what lies at its place now may be another's.

    Raises
    ------
    NoSuchFile
        If they are not there: a folder on the way is being renamed at this moment, or they are gone (`open_at_rest`).
    """
    path = str(shelf.folder / file.path)
    moves = select(MoveRow.source).where(MoveRow.target == path).order_by(col(MoveRow.number).desc())
    waiting = session.exec(moves).first()
    for candidate in filter(None, (waiting, path)):
        with ExitStack() as stack, suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            handle = stack.enter_context(late.archive.files.path(candidate).open("rb"))
            if not late.is_outdated:
                stack.pop_all()
                return handle
    raise NoSuchFile


def open_at_rest(archive: Archive, resource_number: int, path: str) -> tuple[FileRow, BinaryIO]:
    """Open a file that was not where its row had said, after a change that is under way is finished.

    Raises
    ------
    NoSuchFile
        If it was deleted, or its bytes are lost.
    """
    with archive.read_at_rest() as session:
        file = repository.file_of(session, resource_number, path)
        folder = folder_of_resource(session, resource_number)
        if file is None or folder is None:
            raise NoSuchFile
        try:
            return file, archive.files.path(f"{folder}/{path}").open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NoSuchFile from error


class LateOpener:
    """Opens files some time after their rows were read, wherever they are by then; made before the rows are read."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._folders_changed = archive.files.folders_changed

    @property
    def is_outdated(self) -> bool:
        """Whether folders have moved meanwhile."""
        return self.archive.files.folders_changed != self._folders_changed

    def __call__(self, resource_number: int, inside: str, path: str | Path) -> BinaryIO:
        """Open a file by its resource and its path in it; ``path`` is where it was on disk.

        Raises
        ------
        NoSuchFile
            If it was deleted meanwhile.
        """
        with ExitStack() as stack, suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            handle = stack.enter_context(Path(path).open("rb"))
            if not self.is_outdated:
                stack.pop_all()
                return handle
        return open_at_rest(self.archive, resource_number, inside)[1]


def file_response(headers: Headers, handle: BinaryIO, file: FileRow) -> Response:
    """Answer with a file, or with 304 when the client has it (RFC 9110, section 13.2.2)."""
    name = file.path.rpartition("/")[2]
    is_dicom = file.format == "DICOM"
    kind = mimetypes.guess_type(name)[0] or ("application/dicom" if is_dicom else "application/octet-stream")
    response = OpenFileResponse(handle, name=name, md5=file.md5, media_type=kind)
    if not has_client(headers, etag=response.headers["etag"], modified=response.headers["last-modified"]):
        return response
    handle.close()
    kept = {name: response.headers[name] for name in ("etag", "last-modified", "cache-control")}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)


def has_client(headers: Headers, *, etag: str, modified: str) -> bool:
    """Tell whether the request says that the client has this very file.

    Examples
    --------
    >>> has_client(Headers({"if-none-match": 'W/"a", "b"'}), etag='"b"', modified="")
    True
    """
    tags = headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in tags.split(",")}
    since = headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False
