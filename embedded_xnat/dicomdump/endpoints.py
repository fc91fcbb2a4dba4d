"""Endpoint of the DICOM dump. May import FastAPI, the resources and the prearchive."""

from pathlib import Path
from typing import BinaryIO

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.responses import JSONResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import BadRequest, NoSuchFile, NoSuchObject
from embedded_xnat.db import repository
from embedded_xnat.dicomdump.rows import dump_rows
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.domain.tables import table_document
from embedded_xnat.imports import prearchive
from embedded_xnat.imports.prearchive_content import at_rest
from embedded_xnat.locate import locate
from embedded_xnat.resources import service
from embedded_xnat.resources.downloads import LateOpener
from embedded_xnat.resources.refresh import address_of
from embedded_xnat.resources.service import Shelf
from embedded_xnat.storage.archive import Archive
from embedded_xnat.storage.files import walk

router = APIRouter()

_MAX_FIELDS = 200


@router.get("/data/services/dicomdump")
def dicom_dump(request: Request) -> Response:
    """Show the header of a DICOM file: of the one that is named, or the first of a scan or session."""
    query = request.query_params
    fields = query.getlist("field")
    if len(fields) > _MAX_FIELDS:
        raise BadRequest(f"Ask for up to {_MAX_FIELDS} fields, or for all by naming none.")
    archive, visitor = archive_of(request), visitor_of(request)
    source = (query.get("src") or "").strip("/").removeprefix("data/")
    if source.startswith("prearchive/"):
        handle: BinaryIO = at_rest(archive, lambda: _in_prearchive(archive, visitor, source).open("rb"))
    else:
        late = LateOpener(archive)
        with archive.read() as session:
            shelf, path = _in_archive(session, visitor, source)
        handle = late(shelf.resource.number or 0, path, archive.files.path(shelf.folder / path))
    with handle:
        return JSONResponse(table_document(dump_rows(handle, fields)))


def _in_archive(session: Session, visitor: Visitor, source: str) -> tuple[Shelf, str]:
    """Return the file that a source names: its resource, and its path in it."""
    address = address_of(source)
    found = locate(session, address, visitor)
    if found.experiment is None and found.assessor is None and found.resource is None:
        raise BadRequest("src is a session, a scan, a resource or a file.")
    if found.resource is not None:
        shelves = [service.shelf(found, found.resource)]
    else:
        owners = [found] if found.scan is not None or found.assessor is not None else service.parts(session, found)
        shelves = service.shelves(session, owners)
        shelves.sort(key=lambda each: each.resource.label != "DICOM" and each.resource.format != "DICOM")
    if address.aspect == "files" and address.rest:
        shelf, file = service.find_file(session, shelves, address.file_path)
        return shelf, file.path
    for shelf in shelves:
        first = next(iter(repository.file_facts(session, [shelf.resource.number or 0])), None)
        if first is not None:
            return shelf, first.path
    raise NoSuchFile


def _in_prearchive(archive: Archive, visitor: Visitor, source: str) -> Path:
    """Return the first file of a session, or a scan of it, that waits in the prearchive."""
    parts = source.split("/")
    if len(parts) not in {5, 7} or parts[1] != "projects" or (len(parts) == 7 and parts[5] != "scans"):
        raise BadRequest("src is a session in the prearchive or a scan of it.")
    with archive.read() as session:
        row = prearchive.find_session(session, visitor, project_id=parts[2], stamp=parts[3], folder=parts[4])
        folder = prearchive.folder_of(row)
    root = archive.files.path(folder) / "SCANS"
    for path in walk(root):
        if (len(parts) == 5 or path.relative_to(root).parts[0] == parts[6]) and path.is_file():
            return path
    if not root.is_dir():
        raise FileNotFoundError(root)
    raise NoSuchObject("scan")
