"""Keeps the bodies of requests small: what reads a body into memory must not be handed gigabytes. Plain ASGI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Far more than any form or JSON of ours needs.
MAX_BODY_BYTES = 16 * 1024 * 1024
_TOO_LARGE = 413


class BodyLimit:
    """ASGI middleware: refuses a request whose body is, or becomes, larger than ``max_bytes``."""

    def __init__(self, app: ASGIApp, *, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what its body brings."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared) > self._max_bytes:
            await _refuse(send, self._detail())
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(_TOO_LARGE, detail=self._detail())
            return message

        await self._app(scope, receive_counted, send)

    def _detail(self) -> str:
        return f"The body of the request is larger than {self._max_bytes // 1024**2} MiB; send less at once."


async def _refuse(send: Send, detail: str) -> None:
    problem = {"type": "about:blank", "title": "Too much at once", "status": _TOO_LARGE, "detail": detail}
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": _TOO_LARGE, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem).encode()})
