"""Receives files: raw bodies, multipart forms, archives to unpack. May import Starlette.

A body is written to a temporary file while it comes in; only when it is whole and durable, one transaction gives it
its name and its row, and then the answer goes out.
"""

import json
from contextlib import ExitStack

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.names import check_file_path, check_folder_name
from embedded_xnat.domain.roles import Action
from embedded_xnat.domain.values import truth
from embedded_xnat.objects.endpoints import Call
from embedded_xnat.resources import service
from embedded_xnat.resources.bodies import check_declared, is_form, receive_body, receive_form
from embedded_xnat.resources.endpoints import find_owner, labels_of
from embedded_xnat.resources.service import Upload
from embedded_xnat.storage.files import FileStore, Incoming, Stored
from embedded_xnat.storage.space import disk_errors
from embedded_xnat.storage.unpacking import CHUNK, entries


async def put_files(call: Call, *, limit: int) -> Response:
    """Store what a request brings for a resource."""
    request, files = call.request, call.archive.files
    if call.address.rest:
        check_file_path(call.address.file_path)
    if call.query.get("reference"):
        raise BadRequest("This server takes no files from its own disk; send the bytes.")
    await run_in_threadpool(_check_target, call)
    inbody = truth(call.query.get("inbody"), name="inbody")
    check_declared(request, files.root, limit=limit)
    with ExitStack() as stack:
        if is_form(request) and not inbody:
            received = await receive_form(request, lambda: stack.enter_context(files.incoming()), limit=limit)
        else:
            incoming = stack.enter_context(files.incoming())
            await receive_body(request, incoming, limit=limit)
            received = [("", incoming)]
        return await run_in_threadpool(_store, call, received)


def _check_target(call: Call) -> None:
    """Refuse an upload before its body is read, when it cannot be stored anyway."""
    key = call.address.key(ObjectKind.RESOURCE)
    if key is None:
        raise BadRequest("Files belong to a resource; name it in the address: …/resources/LABEL/files/NAME.")
    check_folder_name(key, what="resource label")
    if call.visitor.everything:  # found again when it is stored; no need to look twice
        return
    with call.archive.read() as session:
        find_owner(session, call, Action.CREATE)


def _store(call: Call, received: list[tuple[str, Incoming]]) -> Response:
    files = call.archive.files
    upload = Upload(overwrite=truth(call.query.get("overwrite"), name="overwrite"), labels=labels_of(call))
    extract = truth(call.query.get("extract"), name="extract")
    with ExitStack() as stack, disk_errors():
        for filename, incoming in received:
            if extract:
                _unpack(incoming, upload, files, stack)
            else:
                path = call.address.file_path or filename
                if not path:
                    raise BadRequest("The address does not say how the file is called.")
                if len(received) > 1 and call.address.file_path:
                    path = f"{call.address.file_path}/{filename}"
                upload.files.append((check_file_path(path), incoming.finish(sync=False)))
        files.make_durable(stored for _, stored in upload.files)
        duplicates = _commit(call, upload)
    if duplicates:
        return PlainTextResponse(json.dumps({"duplicates": duplicates}), media_type="application/json")
    return PlainTextResponse("")


def _unpack(incoming: Incoming, upload: Upload, files: FileStore, stack: ExitStack) -> None:
    stored = incoming.finish(sync=False)
    unpacked: dict[str, Stored] = {}  # of two entries of one name the last counts
    for name, content in entries(stored.temporary):
        file = stack.enter_context(files.incoming())
        while chunk := content.read(CHUNK):
            file.write(chunk)
        unpacked[name] = file.finish(sync=False)
    upload.files += unpacked.items()


def _commit(call: Call, upload: Upload) -> list[str]:
    key = call.address.key(ObjectKind.RESOURCE) or ""
    with call.change() as change:
        owner, selector = find_owner(change.session, call, Action.CREATE)
        if selector is not None:
            raise BadRequest("Files belong to one scan; a selector names several.")
        target = service.create_resource(change, owner, key, labels_of(call), exist_ok=True)
        if upload.overwrite and not call.visitor.everything:
            find_owner(change.session, call, Action.UPDATE)
        return service.store_files(change, target, upload, username=call.visitor.username)
