"""Joins the accounts to an app: ``app.state.accounts`` for the guards, and the pages."""

from fastapi import FastAPI
from starlette.requests import Request

from service_kit.accounts.credentials import csrf_token_of
from service_kit.accounts.guards import SESSION_COOKIE, is_still_welcome, principal_if_any
from service_kit.accounts.service import Accounts
from service_kit.accounts.web.pages import router
from service_kit.routes import add_routes
from service_kit.web.viewer import ViewerLookup


def install(app: FastAPI, accounts: Accounts, *, secure_cookies: bool = False) -> None:
    """Add /login, /logout and /account to an app and let its guards know the accounts.

    Parameters
    ----------
    secure_cookies
        Whether the site is served by HTTPS; then the cookies travel by HTTPS only.
    """
    app.state.accounts = accounts
    app.state.secure_cookies = secure_cookies
    app.state.viewer_lookup = ViewerLookup(
        viewer=principal_if_any, csrf_token=page_csrf_token, is_still_welcome=is_still_welcome
    )
    add_routes(app, router)


def page_csrf_token(request: Request) -> str:
    """Return the token that the forms of a page carry; empty without a session."""
    cookie = request.cookies.get(SESSION_COOKIE)
    return "" if cookie is None else csrf_token_of(cookie)
