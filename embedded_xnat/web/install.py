"""Joins the pages to the archive's app: log-in, styles, errors as pages, navigation. May import FastAPI."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from embedded_xnat.domain.roles import Visitor
from embedded_xnat.logins.gate import is_interface, is_navigation
from embedded_xnat.settings import EmbeddedXnatSettings
from embedded_xnat.web import pages, views
from service_kit.accounts import Principal
from service_kit.accounts.credentials import csrf_token_of
from service_kit.accounts.errors import UserUnknown
from service_kit.accounts.service import Accounts
from service_kit.accounts.web.install import page_csrf_token
from service_kit.accounts.web.pages import router as account_pages
from service_kit.routes import add_routes
from service_kit.web import error_pages
from service_kit.web.assets import static_files
from service_kit.web.security import SecurityHeaders
from service_kit.web.site import NavigationItem, Site
from service_kit.web.viewer import ViewerLookup


def install(app: FastAPI, settings: EmbeddedXnatSettings) -> None:
    """Add the pages to an app; the accounts come into its state when it starts."""
    app.state.site = Site(site_url=settings.site_url or "", entries=_entries)
    app.state.secure_cookies = settings.secure_cookies
    app.state.viewer_lookup = ViewerLookup(viewer=_viewer, csrf_token=_csrf_token)
    add_routes(app, account_pages, pages.router)
    app.mount("/static", static_files(), name="static")
    app.add_middleware(SecurityHeaders, https=settings.secure_cookies)


def render_error(request: Request, status: int, title: str, detail: str) -> Response | None:
    """Return the page of an error; None for programs, which get problem details."""
    if is_interface(request.url.path) and not is_navigation(request):
        return None
    visitor = getattr(request.state, "visitor", None)
    if status in {403, 404} and isinstance(visitor, Visitor) and visitor.is_of_sites:
        detail = f"{detail} {views.OF_SITES}"
    return error_pages.render_error(request, status, title, detail)


def _entries(request: Request) -> list[NavigationItem]:
    visitor = getattr(request.state, "visitor", None)
    if not isinstance(visitor, Visitor):
        return []
    path = request.scope["path"]
    in_prearchive = path.startswith("/prearchive")
    is_elsewhere = in_prearchive or path.startswith(("/account", "/search"))
    entries = [NavigationItem("Projects", "/", is_current=not is_elsewhere)]
    if visitor.is_guest:
        return [*entries, NavigationItem("Sign in", "/login")]
    entries.append(NavigationItem("Prearchive", "/prearchive", is_current=in_prearchive))
    site_url = request.app.state.site.site_url
    if site_url:
        entries.append(NavigationItem("Dashboard", f"{site_url}/", is_external=True))
    return entries


def _csrf_token(request: Request) -> str:
    """Return the token for the changes of a page, by whichever cookie opened it."""
    login_id = getattr(request.state, "login_id", None)
    return csrf_token_of(login_id) if isinstance(login_id, str) else page_csrf_token(request)


def _viewer(request: Request) -> Principal | None:
    """Return who looks, by whichever credential the gate found."""
    if hasattr(request.state, "principal"):
        known = request.state.principal
        return known if isinstance(known, Principal) else None
    visitor = getattr(request.state, "visitor", None)
    accounts = getattr(request.app.state, "accounts", None)
    if not isinstance(visitor, Visitor) or not isinstance(accounts, Accounts):
        return None
    try:
        request.state.principal = accounts.principal(visitor.username)
    except UserUnknown:
        request.state.principal = None
    return _viewer(request)
