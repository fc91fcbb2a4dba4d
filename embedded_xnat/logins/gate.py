"""ASGI middleware: finds out who asks before anything else does, and keeps XNAT's cookies. May import Starlette.

It also gives equal addresses one form: ``/REST/X`` and ``/data/archive/X`` become ``/data/X``.
"""

import base64
import binascii
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from embedded_xnat.contract.errors import LoginFailed, PasswordExpired
from embedded_xnat.logins.service import Logins
from service_kit.accounts.credentials import csrf_matches
from service_kit.accounts.guards import CSRF_HEADER, SESSION_COOKIE
from service_kit.errors import Forbidden, ServiceError
from service_kit.problems import problem, status_of
from service_kit.web.error_pages import render_error

COOKIE = "JSESSIONID"
OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/metrics", "/data/services/auth", "/favicon.ico", "/login"})
#: Below these nothing needs a login: styles and scripts of the log-in page.
OPEN_FOLDERS = ("/static/",)
#: What is left to somebody whose password has expired: to hear of it, to set a new one, to log out.
OPEN_TO_EXPIRED = (OPEN_PATHS - {"/"}) | {"/data/auth", "/data/JSESSION", "/account", "/account/password", "/logout"}
#: Below these programs are answered; everything else is a page.
INTERFACES = ("/data/", "/xapi/")
CSRF_PARAMETER = "XNAT_CSRF"
#: Forms larger than this are not searched for the parameter.
MAX_FORM_BYTES = 1024 * 1024
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: What a guest may do beyond reading: look something up, log in, log out.
_OPEN_TO_GUESTS = frozenset({"/data/JSESSION", "/data/search", *OPEN_PATHS})


class LoginGate:
    """Lets pass who is logged in; everybody else gets a 401.

    Parameters
    ----------
    logins
        Called when the first request comes; the app opens its databases at its start.
    """

    def __init__(self, app: ASGIApp, *, logins: Callable[[], Logins]) -> None:
        self._app = app
        self._logins = logins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["path"] = one_form(scope["path"])
        request = Request(scope)
        try:
            await self._enter(request)
            receive = await self._check(request, receive)
        except ServiceError as error:
            strange = isinstance(error, LoginFailed) and "authorization" not in request.headers
            # the script of a page says itself what to do; challenged, the browser would ask for a password meanwhile
            refusal = login_failed_answer if CSRF_HEADER in request.headers else _refusal
            answer = to_login(request) if strange and is_navigation(request) else refusal(error)
            if isinstance(error, PasswordExpired) and is_navigation(request):
                answer = render_error(request, 403, error.title, error.detail)
            await answer(scope, receive, send)
            return
        state = scope["state"]
        idle_s = self._logins().idle_s

        async def with_cookies(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                login_id = state.get("new_login")
                if login_id is not None:
                    headers.append("Set-Cookie", f"{COOKIE}={login_id}; Path=/; HttpOnly; SameSite=Lax")
                if login_id is not None or state["from_cookie"]:
                    headers.append("Set-Cookie", expiration_cookie(idle_s))
            await send(message)

        await self._app(scope, receive, with_cookies)

    async def _check(self, request: Request, receive: Receive) -> Receive:
        """Return what the app then receives, if the request may go on.

        Raises
        ------
        LoginFailed
            If it needs a login.
        Forbidden
            If it is a change that a page of somebody else may have made the browser send.
        """
        state, path = request.scope["state"], request.scope["path"]
        visitor, is_change = state["visitor"], request.method not in _SAFE
        if visitor is None and path not in OPEN_PATHS and not path.startswith(OPEN_FOLDERS):
            raise LoginFailed
        is_open = path in OPEN_TO_EXPIRED or path.startswith(OPEN_FOLDERS)
        if visitor is not None and visitor.is_expired and not is_open:
            raise PasswordExpired
        if visitor is not None and visitor.is_guest and is_change and path not in _OPEN_TO_GUESTS:
            raise LoginFailed
        if is_change and _comes_from_elsewhere(request):  # browsers send cookies and Basic logins along by themselves
            raise Forbidden("This change came from a page of another site.")
        if is_change and state["from_page"] and is_interface(path):
            if not csrf_matches(request.cookies.get(SESSION_COOKIE, ""), request.headers.get(CSRF_HEADER)):
                raise Forbidden("The page was open for too long. Load it again, then repeat what you did.")
            return receive
        if not (state["from_cookie"] and is_change):
            return receive
        asks = path not in OPEN_PATHS and _looks_like_browser(request)
        if asks and self._logins().config.flag("enableCsrfToken"):
            receive, submitted = await _csrf_parameter(request, receive)
            if not csrf_matches(state["login_id"], submitted):
                raise Forbidden(f"A change from a browser needs the parameter {CSRF_PARAMETER}; load the page again.")
        return receive

    async def _enter(self, request: Request) -> None:
        """Note in the request's state who asks, and by what."""
        state = request.scope.setdefault("state", {})
        state.update(visitor=None, login_id=None, from_cookie=False, from_page=False, new_login=None)
        authorization = request.headers.get("authorization")
        if authorization is None and await self._enter_page(request, state):
            return
        login_id = request.cookies.get(COOKIE)
        if login_id is not None:
            visitor = await run_in_threadpool(self._logins().visitor_of, login_id)
            if visitor is not None:
                state.update(visitor=visitor, login_id=login_id, from_cookie=True)
                return
        if authorization is None:
            state["visitor"] = self._logins().guest()
            return
        username, password = read_basic(authorization)
        address = request.client.host if request.client is not None else ""
        visitor = await run_in_threadpool(self._logins().check, username, password, address=address)
        state["visitor"] = visitor
        if request.url.path in {"/", "/data/JSESSION"}:
            state["new_login"] = state["login_id"] = await run_in_threadpool(self._logins().open, visitor)

    async def _enter_page(self, request: Request, state: dict[str, Any]) -> bool:
        """Note who is signed in at the browser, at this archive's pages or at those of the whole site."""
        cookie = request.cookies.get(SESSION_COOKIE)
        found = None if cookie is None else await run_in_threadpool(self._logins().of_page, cookie)
        if found is not None:
            principal, visitor = found
            state.update(visitor=visitor, principal=principal, from_page=True)
        return found is not None


def is_navigation(request: Request) -> bool:
    """Tell whether a browser asks for a page, by what browsers accept and programs do not, or by ``format=html``."""
    if request.method not in _SAFE:
        return False
    wanted = request.query_params.get("format")
    if wanted is not None:
        return wanted.lower() == "html"
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted and "application/xhtml+xml" in accepted


def is_interface(path: str) -> bool:
    """Tell whether an address is for programs rather than a page."""
    return path.startswith(INTERFACES)


def to_login(request: Request) -> Response:
    """Lead a browser to the log-in, and back afterwards."""
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?next={quote(target, safe='/')}", status_code=303)


def one_form(path: str) -> str:
    """Return the one form of an address that has several.

    Examples
    --------
    >>> one_form("/REST/archive/projects"), one_form("/data/archive/projects"), one_form("/xapi/schemas")
    ('/data/projects', '/data/projects', '/xapi/schemas')
    """
    if path == "/REST" or path.startswith("/REST/"):
        path = "/data" + path.removeprefix("/REST")
    if path.startswith("/data/archive/"):
        path = "/data/" + path.removeprefix("/data/archive/")
    return path


def expiration_cookie(idle_s: int) -> str:
    """Return the cookie that tells a client when to call again; the quotes are part of its value."""
    return f'SESSION_EXPIRATION_TIME="{int(time.time() * 1000)},{idle_s * 1000}"; Path=/; SameSite=Lax'


def read_basic(authorization: str) -> tuple[str, str]:
    """Return user and password of a Basic header.

    Raises
    ------
    LoginFailed
        If it is none.
    """
    kind, _, value = authorization.partition(" ")
    try:
        decoded = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise LoginFailed from error
    username, separator, password = decoded.partition(":")
    if kind.lower() != "basic" or not separator:
        raise LoginFailed
    return username, password


def _comes_from_elsewhere(request: Request) -> bool:
    """Tell whether a browser sends a change for a page of another origin."""
    if request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return True
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")


def _looks_like_browser(request: Request) -> bool:
    agent = request.headers.get("user-agent", "")
    return agent.startswith(("Mozilla/", "Opera/")) or "sec-fetch-mode" in request.headers


async def _csrf_parameter(request: Request, receive: Receive) -> tuple[Receive, str | None]:
    """Return the parameter from the address, a header or a small form, and what the app then receives."""
    found = request.query_params.get(CSRF_PARAMETER) or request.headers.get("x-xnat-csrf")
    length = request.headers.get("content-length", "")
    is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if found or not is_form or not (length.isascii() and length.isdigit()) or int(length[:12]) > MAX_FORM_BYTES:
        return receive, found
    body = b""
    while len(body) < int(length):
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    values = parse_qs(body.decode("utf-8", "replace")).get(CSRF_PARAMETER)
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return pending.pop() if pending else await receive()

    return receive_again, values[0] if values else None


def _refusal(error: ServiceError) -> Response:
    status = status_of(error)
    if status != 401:
        return problem(status, error.title, error.detail)
    body = f"<html><body><h3>{error.detail}</h3></body></html>"
    return Response(body, 401, {"WWW-Authenticate": 'Basic realm="XNAT Protected Area"'}, media_type="text/html")


def login_failed_answer(error: ServiceError) -> Response:
    """Return the answer to a failed login: the sentence in the form clients look for."""
    response = _refusal(error)
    if "www-authenticate" in response.headers:
        del response.headers["www-authenticate"]
    return response


def plain(text: str, status: int = 200) -> Response:
    """Return a plain text answer."""
    return PlainTextResponse(text, status)
