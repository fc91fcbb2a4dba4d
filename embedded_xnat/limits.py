"""ASGI middleware: what reads a body into memory is handed a small one only. May import Starlette."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from embedded_xnat.domain.addresses import parse_address
from service_kit.body_limit import BodyLimit

MAX_FORM_BYTES = 4 * 1024 * 1024
_SMALL = ("/xapi/", "/data/services/auth", "/data/JSESSION", "/data/search", "/data/pars")
_FORM = "application/x-www-form-urlencoded"


class SmallBodies:
    """Limits the bodies of requests that are no uploads: settings, searches, forms."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._small = BodyLimit(app)
        self._form = BodyLimit(app, max_bytes=MAX_FORM_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, limited or not."""
        app = self._app
        if scope["type"] == "http":
            app = self._small if scope["path"].startswith(_SMALL) else self._form if _is_form(scope) else app
        await app(scope, receive, send)


def _is_form(scope: Scope) -> bool:
    """Tell whether a body is read as a form; what is stored as a file may call itself one."""
    request, path = Request(scope), str(scope["path"])
    if not request.headers.get("content-type", "").startswith(_FORM):
        return False
    if path == "/data/services/import":
        return request.query_params.get("inbody", "").lower() != "true"
    address = parse_address(path.removeprefix("/data/")) if path.startswith("/data/") else None
    return address is None or address.aspect != "files"
