"""Receives the body of an import, raw or as a form, straight to disk. May import Starlette."""

from contextlib import ExitStack
from dataclasses import dataclass, field

from starlette.requests import Request

from embedded_xnat.resources.bodies import check_declared, is_form, receive_body, receive_form
from embedded_xnat.storage.files import FileStore, Incoming

MAX_FIELDS = 100
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
    BadRequest, TooLarge, OutOfSpace
        If it is too large, or the form is damaged.
    """
    check_declared(request, files.root, limit=limit)
    if request.headers.get("content-type", "").startswith(_FORM) and not inbody:
        async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
            return Body([], [(name, value) for name, value in form.multi_items() if isinstance(value, str)])
    if is_form(request) and not inbody:
        fields: list[tuple[str, str]] = []
        received = await receive_form(
            request, lambda: stack.enter_context(files.incoming()), limit=limit, fields=fields
        )
        return Body(received, fields)
    incoming = stack.enter_context(files.incoming())
    await receive_body(request, incoming, limit=limit)
    return Body([("", incoming)] if incoming.size else [])
