"""Reads the XML document that a PUT or POST of an object brings, in any of the forms clients send. May import Starlette."""

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.domain.tables import Query
from embedded_xnat.domain.values import truth
from embedded_xnat.domain.xml_documents import MAX_BYTES, Document, read_document

_MULTIPART = "multipart/form-data"


async def document_of(request: Request, query: Query) -> Document | None:
    """Return the document in a body: as it is, or as the first file of a form; None when there is none.

    Raises
    ------
    BadRequest, BadField
    """
    body = await document_bytes(request, inbody=truth(query.get("inbody"), name="inbody"))
    return None if body is None else await run_in_threadpool(read_document, body)


async def document_bytes(request: Request, *, inbody: bool = False) -> bytes | None:
    """Return the bytes of the document in a body; None when there is none.

    Raises
    ------
    BadRequest
    """
    kind = request.headers.get("content-type", "").lower()
    length = request.headers.get("content-length", "")
    if kind.startswith(_MULTIPART):
        if not (length.isascii() and length.isdigit()):
            raise BadRequest("Say the length of the form (Content-Length).")
        if int(length) > MAX_BYTES:
            raise BadRequest("The document is larger than this server accepts.")
        async with request.form(max_files=1) as form:
            for _, value in form.multi_items():
                if isinstance(value, UploadFile):
                    return await value.read()
        return None
    if length == "0" or (not length and "transfer-encoding" not in request.headers):
        return None
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise BadRequest("The document is larger than this server accepts.")
    return body if inbody or "xml" in kind or body.lstrip()[:1] == b"<" else None
