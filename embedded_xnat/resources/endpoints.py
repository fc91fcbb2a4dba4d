"""Answers requests for resources and files, except uploads. May import Starlette."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from sqlmodel import Session
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from embedded_xnat.contract.errors import NoSuchFile, NoSuchObject
from embedded_xnat.db.tables import ResourceRow
from embedded_xnat.domain.addresses import Address, ObjectKind
from embedded_xnat.domain.items import ItemSource, build_item, items_document
from embedded_xnat.domain.roles import Action
from embedded_xnat.domain.values import truth
from embedded_xnat.locate import Located, locate
from embedded_xnat.objects import changes
from embedded_xnat.objects.endpoints import Call, table
from embedded_xnat.resources import service
from embedded_xnat.resources.downloads import LateOpener, file_response, open_at_rest, open_file
from embedded_xnat.resources.service import Labels, Shelf
from embedded_xnat.resources.xar_packing import xar_entries
from embedded_xnat.storage.zipping import Entry, tar_stream, zip_stream

_ARCHIVES = {
    "zip": "application/zip",
    "tar": "application/x-tar",
    "tar.gz": "application/gzip",
    "tgz": "application/gzip",
}


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
    if found.experiment is None:
        raise NoSuchObject("scan")
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
    is_session = found.address.kind is ObjectKind.EXPERIMENT and found.experiment is not None
    if selector is None and truth(call.query.get("all"), name="all") and is_session:
        owners += service.parts(session, found)
    shelves = service.shelves(session, owners, key)
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
    """Make a resource; or change what is said about one, when the request sets fields of it and no label."""
    label = call.address.key(ObjectKind.RESOURCE) or ""
    fields = {name.partition("/")[2] for name, _ in call.query.parameters if name.startswith("xnat:resourceCatalog/")}
    with call.change() as change:
        if fields and "label" not in fields and _has_resource(change.session, call):
            found = locate(change.session, call.address, call.visitor, action=Action.UPDATE)
            assert found.resource is not None
            service.describe(change.session, found.resource, labels_of(call))
            return PlainTextResponse("")
        found, _ = find_owner(change.session, call, Action.CREATE)
        service.create_resource(change, found, label, labels_of(call))
    return PlainTextResponse("")


def _has_resource(session: Session, call: Call) -> bool:
    try:
        return locate(session, call.address, call.visitor).resource is not None
    except NoSuchObject:
        return False


def delete_resource(call: Call) -> Response:
    """Delete a resource with its files."""
    with call.change() as change:
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
            return table(call, service.file_rows(session, find_shelves(session, call), wanted_files(call)))
    late = LateOpener(call.archive)
    with call.archive.read() as session:
        shelf, file = service.find_file(session, find_shelves(session, call), call.address.file_path)
        with suppress(NoSuchFile):
            return file_response(call.request.headers, open_file(session, late, shelf, file), file)
    file, handle = open_at_rest(call.archive, file.resource_number, file.path)
    return file_response(call.request.headers, handle, file)


def pack_files(call: Call, packing: str) -> Response:
    """Return the files of resources as a zip or tar stream, below a folder named after their owner."""
    opener = LateOpener(call.archive)
    with call.archive.read() as session:
        entries = service.zip_entries(
            session,
            find_shelves(session, call),
            call.archive.files.root,
            opener=opener,
            wanted=wanted_files(call),
            simplified=(call.query.get("structure") or "").lower() == "simplified",
        )
    return _packed(call, entries, packing, name=call.address.steps[0].key if call.address.steps else "files")


def read_xar(call: Call) -> Response:
    """Return a session with all its files as a XAR, which the import service takes in again."""
    opener = LateOpener(call.archive)
    with call.archive.read() as session:
        found = locate(session, call.address, call.visitor)
        if found.experiment is None:
            raise NoSuchObject("session")
        entries = list(xar_entries(session, found, call.archive.files.root, opener=opener))
    return _packed(call, entries, "zip", name=found.experiment.label)


def _packed(call: Call, entries: Iterable[Entry], packing: str, *, name: str) -> Response:
    name = f"{name}.{packing}"
    disposition = f'attachment; filename="{name.encode("ascii", "replace").decode()}"'.replace("\n", " ")
    headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
    if call.request.method == "HEAD":  # nobody waits for the body; packing it would read every file
        return StreamingResponse(iter(()), media_type=_ARCHIVES[packing], headers=headers)  # of a length nobody knows
    return StreamingResponse(_pack(entries, packing), media_type=_ARCHIVES[packing], headers=headers)


def wanted_files(call: Call) -> service.FileFilter:
    """Return which files of the resources a request is about."""
    return service.FileFilter(call.query.get("file_format"), call.query.get("file_content"))


def _pack(entries: Iterable[Entry], packing: str) -> Iterator[bytes]:
    if packing == "zip":
        return zip_stream(entries)
    return tar_stream(entries, compressed=packing != "tar")


def delete_file(call: Call) -> Response:
    """Delete a file."""
    with call.change() as change:
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
