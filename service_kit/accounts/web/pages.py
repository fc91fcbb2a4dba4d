"""Endpoints of the account pages. May import FastAPI."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from service_kit.accounts.credentials import csrf_matches, csrf_token_of, new_session_secret
from service_kit.accounts.domain import SCOPE_MEANINGS, Principal, Scope
from service_kit.accounts.errors import (
    CsrfRefused,
    PasswordTooWeak,
    ScopesRefused,
    TooManyAttempts,
    WrongCredentials,
)
from service_kit.accounts.guards import (
    SESSION_COOKIE,
    CurrentPrincipal,
    accounts_of,
    address_of,
    principal_if_any,
)
from service_kit.accounts.service import SESSION_LIFETIME
from service_kit.web.pages import Pages

LOGIN_COOKIE = "cohortflow_login"
DAY_S = 86400

router = APIRouter(include_in_schema=False)
pages = Pages(service="accounts", package="service_kit.accounts")


@router.get("/login")
def show_login(request: Request, target: Annotated[str, Query(alias="next")] = "") -> Response:
    """Show the log-in form, or go on when the browser is signed in already."""
    if principal_if_any(request) is not None:
        return RedirectResponse(_target(request, target), status_code=303)
    return _login_page(request, target=target)


@router.post("/login")
def log_in(
    request: Request,
    *,
    username: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    target: Annotated[str, Form(alias="next")] = "",
    csrf_token: Annotated[str, Form()] = "",
) -> Response:
    """Check name and password and start a session."""
    accounts = accounts_of(request)
    if not csrf_matches(request.cookies.get(LOGIN_COOKIE, ""), csrf_token):
        detail = "The page was open for too long. Please sign in again."
        return _login_page(request, target=target, username=username, error=detail, status=403)
    try:
        principal = accounts.verify_password(username, password, address=address_of(request))
    except WrongCredentials as error:
        return _login_page(request, target=target, username=username, error=error.detail, status=401)
    except TooManyAttempts as error:
        response = _login_page(request, target=target, username=username, error=error.detail, status=429)
        response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    response = _signed_in(request, principal.username, to=_target(request, target))
    response.delete_cookie(LOGIN_COOKIE, path="/")
    return response


@router.post("/logout")
def log_out(request: Request, principal: CurrentPrincipal) -> Response:  # noqa: ARG001 - checks CSRF
    """End the session of this browser."""
    accounts_of(request).end_session(request.cookies.get(SESSION_COOKIE, ""))
    response = RedirectResponse(pages.site_url(request, "/login"), status_code=303)
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


@router.get("/account")
def show_account(request: Request, principal: CurrentPrincipal) -> Response:
    """Show who one is, what one may do, and one's API tokens."""
    return _account_page(request, principal)


@router.post("/account/tokens")
def issue_token(
    request: Request,
    principal: CurrentPrincipal,
    *,
    name: Annotated[str, Form()] = "",
    scopes: Annotated[tuple[str, ...], Form()] = (),
    days: Annotated[int, Form(ge=0, le=3650)] = 90,
) -> Response:
    """Issue an API token and show it once."""
    _people_only(principal)
    try:
        token = accounts_of(request).issue_token(
            principal.username, name, scopes, expires_in_s=days * DAY_S if days else None
        )
    except ScopesRefused as error:
        detail = error.detail if scopes else "Choose at least one thing that the token may do."
        return _account_page(request, principal, token_error=detail, status=400)
    return _account_page(request, principal, new_token=token, new_token_name=name, status=201)


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(request: Request, principal: CurrentPrincipal, token_id: int) -> Response:
    """End one of one's API tokens."""
    _people_only(principal)
    accounts_of(request).revoke_token(principal.username, token_id)
    return RedirectResponse(pages.own_url(request, "/account"), status_code=303)


@router.post("/account/password")
def change_password(
    request: Request,
    principal: CurrentPrincipal,
    *,
    current: Annotated[str, Form()] = "",
    new: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Change one's password; every browser is signed out, this one in again."""
    _people_only(principal)
    accounts = accounts_of(request)
    try:
        accounts.verify_password(principal.username, current, address=address_of(request))
        if new != again:
            return _account_page(
                request,
                principal,
                refusal="The two new passwords differ.",
                status=400,
            )
        accounts.set_password(principal.username, new)
    except WrongCredentials:
        return _account_page(request, principal, refusal="The current password is not right.", status=400)
    except PasswordTooWeak as error:
        return _account_page(request, principal, refusal=error.detail, status=400)
    except TooManyAttempts as error:
        response = _account_page(request, principal, refusal=error.detail, status=429)
        response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    return _signed_in(request, principal.username, to=pages.own_url(request, "/account"))


def _signed_in(request: Request, username: str, *, to: str) -> Response:
    response = RedirectResponse(to, status_code=303)
    response.set_cookie(
        SESSION_COOKIE,
        accounts_of(request).start_session(username),
        max_age=int(SESSION_LIFETIME.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.app.state.secure_cookies,
        path="/",
    )
    return response


def _people_only(principal: Principal) -> None:
    """Keep tokens from issuing tokens or changing the password."""
    if principal.scopes is not None:
        raise CsrfRefused


def _target(request: Request, target: str) -> str:
    """Return where to go after the log-in: a path of this site, never another site."""
    parts = urlsplit(target)
    is_own = target.startswith("/") and not target.startswith("//") and not parts.netloc and "\\" not in target
    return target if is_own else pages.site_url(request, "/")


def _login_page(
    request: Request, *, target: str, username: str = "", error: str | None = None, status: int = 200
) -> Response:
    secret = request.cookies.get(LOGIN_COOKIE) or new_session_secret()
    context = {"next": target, "username": username, "error": error, "csrf_token": csrf_token_of(secret)}
    response = pages.render(request, "login.html", context, status=status)
    response.set_cookie(
        LOGIN_COOKIE,
        secret,
        max_age=3600,
        httponly=True,
        samesite="lax",
        secure=request.app.state.secure_cookies,
        path="/",
    )
    return response


def _account_page(request: Request, principal: Principal, *, status: int = 200, **context: str) -> Response:
    accounts = accounts_of(request)
    allowed = principal.allowed_scopes()
    return pages.render(
        request,
        "account.html",
        {
            "user": accounts.user(principal.username),
            "tokens": accounts.tokens(principal.username),
            "scopes": [(scope.value, SCOPE_MEANINGS[scope]) for scope in Scope if scope in allowed],
            **context,
        },
        status=status,
    )
