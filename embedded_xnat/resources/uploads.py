"""Receives files: raw bodies, multipart forms, archives to unpack. May import Starlette.

A body is written to a temporary file while it comes in; only when it is whole and durable, one transaction gives it
its name and its row, and then the answer goes out.
"""

import errno
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.names import check_file_path, check_folder_name
from embedded_xnat.domain.roles import Action
from embedded_xnat.domain.values import truth
from embedded_xnat.objects.endpoints import Call
from embedded_xnat.resources import service
from embedded_xnat.resources.endpoints import find_owner, labels_of
from embedded_xnat.resources.service import Upload
from embedded_xnat.storage.files import FileStore, Incoming
from embedded_xnat.storage.unpacking import CHUNK, entries
from service_kit.errors import Unavailable

SMALL = 1024 * 1024
_MULTIPART = "multipart/form-data"


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn a full disk into an answer that says so.

    Raises
    ------
    Unavailable
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Unavailable("The disk of the archive is full; nothing was stored.") from error
        raise


async def receive_body(request: Request, incoming: Incoming, *, limit: int) -> None:
    """Write the body of a request to a temporary file, in pieces that are worth a thread.

    Raises
    ------
    BadRequest
        If it is larger than allowed.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise BadRequest("The body is larger than this server accepts.")
    pieces: list[bytes] = []
    waiting = total = 0
    async for chunk in request.stream():
        pieces.append(chunk)
        waiting += len(chunk)
        total += len(chunk)
        if total > limit:
            raise BadRequest("The body is larger than this server accepts.")
        if waiting >= SMALL:
            await run_in_threadpool(_write, incoming, pieces)
            pieces, waiting = [], 0
    if pieces:
        _write(incoming, pieces)


def _write(incoming: Incoming, pieces: list[bytes]) -> None:
    with disk_errors():
        for piece in pieces:
            incoming.write(piece)


async def put_files(call: Call, *, limit: int) -> Response:
    """Store what a request brings for a resource."""
    request, files = call.request, call.archive.files
    if call.address.rest:
        check_file_path(call.address.file_path)
    await run_in_threadpool(_check_target, call)
    inbody = truth(call.query.get("inbody"), name="inbody")
    with ExitStack() as stack:
        received: list[tuple[str, Incoming]] = []
        if request.headers.get("content-type", "").startswith(_MULTIPART) and not inbody:
            async with request.form() as form:
                for value in [value for _, value in form.multi_items() if isinstance(value, UploadFile)]:
                    incoming = stack.enter_context(files.incoming())
                    while chunk := await value.read(CHUNK):
                        await run_in_threadpool(_write, incoming, [chunk])
                    received.append((value.filename or "", incoming))
            if not received:
                raise BadRequest("The form has no file.")
        else:
            incoming = stack.enter_context(files.incoming())
            await receive_body(request, incoming, limit=limit)
            received.append(("", incoming))
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
                upload.files.append((check_file_path(path), incoming.finish()))
        duplicates = _commit(call, upload)
    if duplicates:
        return PlainTextResponse(json.dumps({"duplicates": duplicates}), media_type="application/json")
    return PlainTextResponse("")


def _unpack(incoming: Incoming, upload: Upload, files: FileStore, stack: ExitStack) -> None:
    stored = incoming.finish(sync=False)
    for name, handle in entries(stored.temporary):
        unpacked = stack.enter_context(files.incoming())
        while chunk := handle.read(CHUNK):
            unpacked.write(chunk)
        upload.files.append((name, unpacked.finish()))
    last: dict[str, int] = {path: place for place, (path, _) in enumerate(upload.files)}
    upload.files = [upload.files[place] for place in sorted(last.values())]


def _commit(call: Call, upload: Upload) -> list[str]:
    key = call.address.key(ObjectKind.RESOURCE) or ""
    with call.archive.change() as change:
        owner, selector = find_owner(change.session, call, Action.CREATE)
        if selector is not None:
            raise BadRequest("Files belong to one scan; a selector names several.")
        target = service.create_resource(change, owner, key, labels_of(call), exist_ok=True)
        if upload.overwrite and not call.visitor.everything:
            find_owner(change.session, call, Action.UPDATE)
        return service.store_files(change, target, upload, username=call.visitor.username)
