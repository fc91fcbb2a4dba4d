"""Answers requests for resources and files, except uploads. May import Starlette."""

import mimetypes
from collections.abc import Iterator

from sqlmodel import Session
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse

from embedded_xnat.contract.errors import NoSuchFile, NoSuchObject
from embedded_xnat.db.tables import ResourceRow
from embedded_xnat.domain.addresses import Address, ObjectKind
from embedded_xnat.domain.items import ItemSource, build_item, items_document
from embedded_xnat.domain.roles import Action
from embedded_xnat.domain.values import truth
from embedded_xnat.objects import changes
from embedded_xnat.objects.endpoints import Call, table
from embedded_xnat.objects.locate import Located, locate
from embedded_xnat.resources import service
from embedded_xnat.resources.service import Labels, Shelf
from embedded_xnat.storage.zipping import Entry, tar_stream, zip_stream

_ARCHIVES = {
    "zip": "application/zip",
    "tar": "application/x-tar",
    "tar.gz": "application/gzip",
    "tgz": "application/gzip",
}
#: Shown by a browser as they are; everything else is offered for saving.
_INLINE = frozenset({"image/png", "image/jpeg", "image/gif", "application/pdf", "text/plain"})


def find_owner(session: Session, call: Call, action: Action = Action.READ) -> tuple[Located, str | None]:
    """Return the object of the address (without its resource), and the selector of scans if there is one."""
    address = without_resource(call.address)
    try:
        return locate(session, address, call.visitor, action=action), None
    except NoSuchObject:
        if address.kind is not ObjectKind.SCAN:
            raise
    selector = address.steps[-1].key
    found = locate(session, Address(address.steps[:-1], address.aspect, address.rest), call.visitor, action=action)
    return found, selector


def without_resource(address: Address) -> Address:
    """Return the address of the object that has the resource."""
    steps = tuple(step for step in address.steps if step.kind is not ObjectKind.RESOURCE)
    return Address(steps, address.aspect, address.rest)


def find_shelves(session: Session, call: Call) -> list[Shelf]:
    """Return the resources that an address names: one, those of an object, or those of several scans."""
    found, selector = find_owner(session, call)
    key = call.address.key(ObjectKind.RESOURCE)
    owners = service.owners(session, found, selector)
    if selector is None and truth(call.query.get("all"), name="all") and found.experiment is not None:
        owners += service.owners(session, found, "ALL")
    shelves = [shelf for owner in owners for shelf in service.shelves(session, owner, key)]
    if key is not None and not shelves and selector is None and key not in {"ALL", "*"}:
        raise NoSuchObject("resource")
    return shelves


def list_resources(call: Call) -> Response:
    """List the resources of an object."""
    with call.archive.read() as session:
        return table(call, service.resource_rows(session, find_shelves(session, call)))


def read_resource(call: Call) -> Response:
    """Return a resource in item form, or its files as an archive."""
    packing = (call.query.get("format") or "").lower()
    if packing in _ARCHIVES:
        return pack_files(call, packing)
    with call.archive.read() as session:
        found = locate(session, call.address, call.visitor)
        assert isinstance(found.resource, ResourceRow)
        row = service.resource_rows(session, [service.shelf(found, found.resource)])[0]
        fields = {**service.resource_item(found), "file_count": row["file_count"], "file_size": row["file_size"]}
        return JSONResponse(items_document(build_item(ItemSource("xnat:resourceCatalog", fields, {}))))


def put_resource(call: Call) -> Response:
    """Make a resource."""
    label = call.address.key(ObjectKind.RESOURCE) or ""
    with call.archive.change() as change:
        found, _ = find_owner(change.session, call, Action.CREATE)
        service.create_resource(change, found, label, labels_of(call))
    return PlainTextResponse("")


def delete_resource(call: Call) -> Response:
    """Delete a resource with its files."""
    with call.archive.change() as change:
        found = locate(change.session, call.address, call.visitor, action=Action.DELETE)
        assert found.resource is not None
        folder = service.shelf(found, found.resource).folder
        changes.delete_resource(change.session, found.resource)
        change.remove(folder)
    return PlainTextResponse("")


def read_files(call: Call) -> Response:
    """List files, return one, or return all as an archive."""
    packing = (call.query.get("format") or "").lower()
    if not call.address.rest:
        if packing in _ARCHIVES:
            return pack_files(call, packing)
        with call.archive.read() as session:
            return table(call, service.file_rows(session, find_shelves(session, call)))
    with call.archive.read() as session:
        shelf, file = service.find_file(session, find_shelves(session, call), call.address.file_path)
        path, md5, is_dicom = call.archive.files.path(shelf.folder / file.path), file.md5, file.format == "DICOM"
    if not path.is_file():
        raise NoSuchFile
    kind = mimetypes.guess_type(path.name)[0] or ("application/dicom" if is_dicom else "application/octet-stream")
    headers = {"ETag": f'"{md5}"', "Cache-Control": "private, no-cache", "Content-Security-Policy": "sandbox"}
    return FileResponse(
        path,
        media_type=kind,
        headers=headers,
        filename=path.name,
        content_disposition_type="inline" if kind in _INLINE else "attachment",
    )


def pack_files(call: Call, packing: str) -> Response:
    """Return the files of resources as a zip or tar stream, below a folder named after their owner."""
    with call.archive.read() as session:
        entries = service.zip_entries(session, find_shelves(session, call), call.archive.files.root)
    name = f"{call.address.steps[0].key if call.address.steps else 'files'}.{packing}"
    body = _pack(entries, packing)
    disposition = f'attachment; filename="{name.encode("ascii", "replace").decode()}"'.replace("\n", " ")
    return StreamingResponse(
        body, media_type=_ARCHIVES[packing], headers={"Content-Disposition": disposition, "Cache-Control": "no-store"}
    )


def _pack(entries: list[Entry], packing: str) -> Iterator[bytes]:
    if packing == "zip":
        return zip_stream(entries)
    return tar_stream(entries, compressed=packing != "tar")


def delete_file(call: Call) -> Response:
    """Delete a file."""
    with call.archive.change() as change:
        found = locate(change.session, call.address, call.visitor, action=Action.DELETE, resource=False)
        shelves = [service.shelf(found, found.resource)] if found.resource is not None else []
        try:
            service.delete_file(change, shelves, call.address.file_path)
        except NoSuchFile:
            if not truth(call.query.get("accept-not-found"), name="accept-not-found"):
                raise
            return Response(status_code=204)
    return PlainTextResponse("")


def labels_of(call: Call) -> Labels:
    """Return what a request says about a resource or file, in either form."""

    def value(name: str) -> str | None:
        text = call.query.get(name) or call.query.get(f"xnat:resourceCatalog/{name}")
        return text[:200] if text else None

    return Labels(value("format"), value("content"), value("tags"), value("description"))
