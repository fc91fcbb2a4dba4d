"""ASGI middleware: what reads a body into memory is handed a small one only. May import Starlette."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service_kit.body_limit import BodyLimit

_SMALL = ("/xapi/", "/data/services/auth", "/data/JSESSION", "/data/search", "/data/pars")
_BULK = ("/files", "/data/services/import")


class SmallBodies:
    """Limits the bodies of requests that are no uploads: settings, searches, forms."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._limited = BodyLimit(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, limited or not."""
        app = self._limited if scope["type"] == "http" and _is_small(scope) else self._app
        await app(scope, receive, send)


def _is_small(scope: Scope) -> bool:
    path: str = scope["path"]
    if path.startswith(_SMALL):
        return True
    is_form = Headers(scope=scope).get("content-type", "").startswith("application/x-www-form-urlencoded")
    return is_form and not any(word in path for word in _BULK)
