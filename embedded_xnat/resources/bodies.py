"""Receives the body of a request into temporary files, piece by piece, in constant memory. May import Starlette."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from embedded_xnat.contract.errors import BadRequest, TooLarge
from embedded_xnat.storage.files import Incoming
from embedded_xnat.storage.space import check_space, disk_errors

SMALL = 1024 * 1024
MAX_PARTS = 10_000
MAX_PART_HEADER_BYTES = 16 * 1024
MAX_FIELDS = 200
MAX_FIELD_BYTES = 64 * 1024
_DIGEST = re.compile(r"(sha-256|md5)=:([A-Za-z0-9+/=]*):", re.IGNORECASE)


def is_form(request: Request) -> bool:
    """Tell whether a body is a form with files."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


def check_declared(request: Request, root: Path, *, limit: int) -> None:
    """Refuse a body by the length it declares, before it is read.

    Raises
    ------
    TooLarge
        If it is larger than this server takes.
    OutOfSpace
        If it is larger than what is free.
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit():
        if int(declared) > limit:
            raise TooLarge(limit)
        check_space(root, int(declared))


async def receive_body(request: Request, incoming: Incoming, *, limit: int) -> None:
    """Write the body of a request to a temporary file, in pieces that are worth a thread.

    Raises
    ------
    TooLarge
        If it is larger than allowed; what it declares is for `check_declared`.
    BadRequest
        If it has not the digest that the request declares.
    """
    expected = _expected(request)
    sha256 = hashlib.sha256() if expected.sha256 is not None else None

    def write(pieces: list[bytes]) -> None:
        with disk_errors():
            for piece in pieces:
                incoming.write(piece)
                if sha256 is not None:
                    sha256.update(piece)

    await _in_pieces(request, write, limit=limit)
    if expected.md5 not in {None, incoming.md5} or (sha256 is not None and sha256.hexdigest() != expected.sha256):
        raise BadRequest("The body has another digest than the request declares; send it again.")


async def receive_form(
    request: Request, open_file: Callable[[], Incoming], *, limit: int, fields: list[tuple[str, str]] | None = None
) -> list[tuple[str, Incoming]]:
    """Write the files of a form to temporary files, and return them with the names they were sent with.

    Parameters
    ----------
    fields
        Takes name and text of the parts that are no files; without it they are passed over.

    Raises
    ------
    TooLarge, BadRequest
    """
    form = _Form(request.headers.get("content-type", ""), open_file)

    def write(pieces: list[bytes]) -> None:
        with disk_errors():
            for piece in pieces:
                form.write(piece)

    await _in_pieces(request, write, limit=limit)
    form.finish()
    if fields is not None:
        fields += [(name, bytes(text).decode("utf-8", "replace")) for name, text in form.fields]
    if not form.files:
        raise BadRequest("The form has no file.")
    return form.files


async def _in_pieces(request: Request, write: Callable[[list[bytes]], None], *, limit: int) -> None:
    pieces: list[bytes] = []
    waiting = total = 0
    async for chunk in request.stream():
        pieces.append(chunk)
        waiting += len(chunk)
        total += len(chunk)
        if total > limit:
            raise TooLarge(limit)
        if waiting >= SMALL:
            await run_in_threadpool(write, pieces)
            pieces, waiting = [], 0
    if pieces:
        write(pieces)


@dataclass(frozen=True)
class _Expected:
    """Digests that a request declares, in hexadecimal."""

    md5: str | None = None
    sha256: str | None = None


def _expected(request: Request) -> _Expected:
    """Read ``Content-MD5`` (RFC 1864) and ``Content-Digest`` or ``Repr-Digest`` (RFC 9530)."""
    md5 = request.headers.get("content-md5")
    found: dict[str, str] = {} if md5 is None else {"md5": md5}
    for name in ("content-digest", "repr-digest"):
        found |= {each.lower(): value for each, value in _DIGEST.findall(request.headers.get(name, ""))}
    try:
        decoded = {name: base64.b64decode(value, validate=True).hex() for name, value in found.items()}
    except binascii.Error as error:
        raise BadRequest("The digest that the request declares cannot be read; it is base64 of the bytes.") from error
    return _Expected(decoded.get("md5"), decoded.get("sha-256"))


class _Form:
    """Takes a multipart body apart while it comes in."""

    def __init__(self, content_type: str, open_file: Callable[[], Incoming]) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise BadRequest("The form says not where its parts end.")
        self.files: list[tuple[str, Incoming]] = []
        self.fields: list[tuple[str, bytearray]] = []
        self._field: bytearray | None = None
        self._open_file = open_file
        self._current: Incoming | None = None
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._parts = 0
        self._is_complete = False
        callbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._on_name,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }
        self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]

    def write(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise BadRequest("The form cannot be read.") from error

    def finish(self) -> None:
        """Say that the body ended."""
        if not self._is_complete:
            raise BadRequest("The form ends too early.")

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise BadRequest(f"The form has more than {MAX_PARTS} parts; send an archive.")
        self._headers, self._current, self._field = {}, None, None

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._check_length()

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_length()

    def _check_length(self) -> None:
        if len(self._name) + len(self._value) > MAX_PART_HEADER_BYTES or len(self._headers) > 20:
            raise BadRequest("A part of the form has a header that is too long.")

    def _on_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"filename")
        if name is not None:
            self._current = self._open_file()
            self.files.append((name.decode("utf-8", "replace"), self._current))
            return
        if len(self.fields) >= MAX_FIELDS:
            raise BadRequest(f"The form has more than {MAX_FIELDS} fields.")
        self._field = bytearray()
        self.fields.append((options.get(b"name", b"").decode("utf-8", "replace"), self._field))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._current is not None:
            self._current.write(data[start:end])
        elif self._field is not None:
            self._field += data[start:end]
            if len(self._field) > MAX_FIELD_BYTES:
                raise BadRequest("A field of the form is too long.")

    def _on_part_end(self) -> None:
        if self._current is not None:
            self._current.close()

    def _on_end(self) -> None:
        self._is_complete = True
