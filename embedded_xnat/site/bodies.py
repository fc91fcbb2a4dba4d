"""Reads bodies of requests that have to be small. May import Starlette."""

import json
from typing import Any

from starlette.requests import Request

from embedded_xnat.contract.errors import BadRequest

MAX_BYTES = 1024 * 1024


async def small_body(request: Request, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the body of a request, which must be small.

    Raises
    ------
    BadRequest
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise BadRequest(f"The body of this request may have {max_bytes // 1024} KiB at most.")
    return body


async def json_body(request: Request, *, max_bytes: int = MAX_BYTES) -> Any:
    """Return the JSON in the body of a request; None when it is empty.

    Raises
    ------
    BadRequest
    """
    body = await small_body(request, max_bytes=max_bytes)
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body of this request must be JSON.") from error


async def json_object(request: Request, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Return the JSON object in the body of a request.

    Raises
    ------
    BadRequest
    """
    found = await json_body(request, max_bytes=max_bytes)
    if not isinstance(found, dict):
        raise BadRequest("The body of this request must be a JSON object.")
    return found
