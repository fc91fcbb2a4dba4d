"""ASGI middleware: every address that answers GET answers HEAD, without the body. May import Starlette.

Objects and files know HEAD themselves, so that the size of an archive is not found by packing it; of what is streamed
elsewhere no more than the beginning is made.
"""

from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_THEIR_OWN = ("/data/projects", "/data/subjects", "/data/experiments")


class _Enough(Exception):
    """The answer to HEAD is complete."""


class HeadAsGet:
    """Asks the app as if for GET, and keeps the body back."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"].startswith(_THEIR_OWN):
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
                return
            await send({**message, "body": b"", "more_body": False})
            if message.get("more_body", False):
                raise _Enough

        with suppress(_Enough):
            await self._app({**scope, "method": "GET"}, receive, without_body)
