"""Receives the body of an import, raw or as a form, straight to disk. May import Starlette and python-multipart.

Nothing of a file is held in memory beyond some pieces of it, and a form costs no second copy.
"""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from embedded_xnat.contract.errors import BadRequest, TooLarge
from embedded_xnat.resources.uploads import disk_errors, receive_body
from embedded_xnat.storage.files import FileStore, Incoming

SMALL = 1024 * 1024
MAX_FIELDS = 100
MAX_FIELD_BYTES = 64 * 1024
MAX_FILES = 1000
_MULTIPART = "multipart/form-data"
_FORM = "application/x-www-form-urlencoded"


@dataclass
class Body:
    """What a request brought: files with the names they had, and the fields beside them."""

    files: list[tuple[str, Incoming]] = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)


async def receive(request: Request, files: FileStore, stack: ExitStack, *, limit: int, inbody: bool = False) -> Body:
    """Write what a request brings to temporary files, which live as long as the stack.

    Raises
    ------
    BadRequest, TooLarge
        If it is too large, or the form is damaged.
    """
    kind = request.headers.get("content-type", "")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > shutil.disk_usage(files.root).free:
        raise BadRequest("The body is larger than the free space of the archive; nothing was stored.")
    if kind.startswith(_FORM) and not inbody:
        async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
            return Body([], [(name, value) for name, value in form.multi_items() if isinstance(value, str)])
    if kind.startswith(_MULTIPART) and not inbody:
        return await _receive_form(request, files, stack, limit=limit)
    incoming = stack.enter_context(files.incoming())
    await receive_body(request, incoming, limit=limit)
    return Body([("", incoming)] if incoming.size else [])


async def _receive_form(request: Request, files: FileStore, stack: ExitStack, *, limit: int) -> Body:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge(limit)
    _, options = parse_options_header(request.headers["content-type"])
    boundary = options.get(b"boundary")
    if not boundary:
        raise BadRequest("The form does not say where its parts end (boundary).")
    reader = _FormReader(lambda: stack.enter_context(files.incoming()))
    total = 0
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        async for chunk in request.stream():
            total += len(chunk)
            if total > limit:
                raise TooLarge(limit)
            parser.write(chunk)
            if reader.waiting >= SMALL:
                await run_in_threadpool(reader.flush)
        parser.finalize()
    except FormParserError as error:
        raise BadRequest("The form is damaged.") from error
    await run_in_threadpool(reader.flush)
    if not reader.is_complete:
        raise BadRequest("The form ends before its last part does.")
    return reader.body


class _FormReader:
    """Takes the parts of a form as they come.

    Parameters
    ----------
    new_file
        Called for each part that is a file.
    """

    def __init__(self, new_file: Callable[[], Incoming]) -> None:
        self.body = Body()
        self.waiting = 0
        self.is_complete = False
        self._new_file = new_file
        self._pieces: list[tuple[Incoming, bytes]] = []
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._file: Incoming | None = None
        self._field: tuple[str, bytearray] | None = None

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._on_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_part_end": self._on_end,
            "on_end": self._on_last,
        }

    def flush(self) -> None:
        """Write what is waiting."""
        pieces, self._pieces, self.waiting = self._pieces, [], 0
        with disk_errors():
            for incoming, piece in pieces:
                incoming.write(piece)

    def _on_begin(self) -> None:
        self._headers, self._name, self._value = {}, b"", b""
        self._file = self._field = None

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        filename = options.get(b"filename")
        if filename is not None:
            if len(self.body.files) >= MAX_FILES:
                raise BadRequest(f"The form has more than {MAX_FILES} files; send them as one zip.")
            self._file = self._new_file()
            self.body.files.append((filename.decode("utf-8", "replace"), self._file))
        else:
            if len(self.body.fields) >= MAX_FIELDS:
                raise BadRequest(f"The form has more than {MAX_FIELDS} fields.")
            self._field = (options.get(b"name", b"").decode("utf-8", "replace"), bytearray())

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._pieces.append((self._file, data[start:end]))
            self.waiting += end - start
        elif self._field is not None:
            self._field[1].extend(data[start:end])
            if len(self._field[1]) > MAX_FIELD_BYTES:
                raise BadRequest("A field of the form is too long.")

    def _on_end(self) -> None:
        if self._field is not None:
            name, value = self._field
            self.body.fields.append((name, value.decode("utf-8", "replace")))

    def _on_last(self) -> None:
        self.is_complete = True
