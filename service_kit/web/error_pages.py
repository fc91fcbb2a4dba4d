"""The page that a browser gets instead of problem details; sends strangers to the log-in. May import Starlette."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service_kit.web import site
from service_kit.web.pages import Pages

_PAGES = Pages(service="service_kit")


def render_error(request: Request, status: int, title: str, detail: str) -> Response:
    """Return the error page, or the way to the log-in when nobody is signed in.

    A part of a page that htmx asked for is answered by an empty one with ``HX-Redirect``.
    """
    if status >= 500 and not hasattr(request.state, "principal"):
        request.state.principal = None  # asking who looks may need the very part that failed
    is_htmx = "hx-request" in request.headers
    if status != 401:
        if is_htmx:
            return _PAGES.render(request, "error_part.html", {"title": title, "detail": detail}, status=status)
        return _PAGES.render(request, "error.html", {"status": status, "title": title, "detail": detail}, status=status)
    target = _back_to(request, is_htmx=is_htmx)
    login = site.shared_url(request, "/login") + (f"?next={quote(target, safe='/')}" if target else "")
    if is_htmx:
        return Response(status_code=401, headers={"HX-Redirect": login})
    return RedirectResponse(login, status_code=303)


def _back_to(request: Request, *, is_htmx: bool) -> str:
    """Return the page to come back to after the log-in: this one, when it is a page that can be loaded again."""
    if is_htmx or request.method != "GET":
        return ""
    path = request.url.path
    return path if not request.url.query else f"{path}?{request.url.query}"
