"""Who is asking: FastAPI dependencies that find the principal and check roles, scopes and CSRF.

May import FastAPI. The app's accounts are at ``app.state.accounts`` (set by `service_kit.accounts.web.install`).

Credentials, in this order: ``Authorization: Bearer`` token, ``Authorization: Basic`` user and password or user and
token, the session cookie. A change asked for with the cookie must carry the page's CSRF token in the header
``X-CSRF-Token`` (htmx and scripts) or in the form field ``csrf_token``.

Examples
--------
Inside a service::

    @router.get("/api/v1/things")
    def list_things(principal: Annotated[Principal, Depends(require_scope("gateway:read"))]) -> ...

    @router.post("/things/{id}/retry", dependencies=[Depends(require_role(Role.coordinator))])
"""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from service_kit.accounts.credentials import csrf_matches
from service_kit.accounts.domain import Principal, Role
from service_kit.accounts.errors import CsrfRefused, NotSignedIn, RoleMissing, ScopeMissing, WrongCredentials
from service_kit.accounts.service import Accounts
from service_kit.errors import Unauthenticated, Unavailable

SESSION_COOKIE = "cohortflow_session"
CSRF_FIELD = "csrf_token"
CSRF_HEADER = "X-CSRF-Token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


def accounts_of(request: Request) -> Accounts:
    """Return the accounts of the app that answers the request."""
    accounts = request.app.state.accounts
    assert isinstance(accounts, Accounts)
    return accounts


async def submitted_csrf(request: Request) -> str | None:
    """Return the CSRF token that came with a change by cookie: from the header, else from the form."""
    if request.method in _SAFE_METHODS or "authorization" in request.headers:
        return None
    header = request.headers.get(CSRF_HEADER)
    if header is not None:
        return header
    if request.headers.get("content-type", "").startswith(_FORM_TYPES):
        value = (await request.form()).get(CSRF_FIELD)
        return value if isinstance(value, str) else None
    return None


def current_principal(request: Request, csrf: Annotated[str | None, Depends(submitted_csrf)]) -> Principal:
    """Return who is asking.

    Raises
    ------
    NotSignedIn, WrongCredentials, TokenRefused, TooManyAttempts, CsrfRefused
    """
    accounts = accounts_of(request)
    authorization = request.headers.get("authorization")
    if authorization is not None:
        principal = _principal_of_header(accounts, authorization, address=address_of(request))
    else:
        principal = _principal_of_cookie(accounts, request)
        cookie = request.cookies.get(SESSION_COOKIE, "")
        if request.method not in _SAFE_METHODS and not csrf_matches(cookie, csrf):
            raise CsrfRefused
    request.state.principal = principal
    return principal


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


def require_scope(scope: str) -> Callable[[Principal], Principal]:
    """Return a dependency that lets pass whoever has the scope in some study; use it inside `Depends`.

    Check again with ``principal.has_scope(scope, study=…)`` once the object's study is known.
    """

    def check_scope(principal: CurrentPrincipal) -> Principal:
        if not principal.has_scope(scope):
            raise ScopeMissing(scope=scope)
        return principal

    return check_scope


def require_role(*roles: Role) -> Callable[[Principal], Principal]:
    """Return a dependency that lets pass whoever holds one of the roles in some study; use it inside `Depends`.

    A token passes only with every scope of the role: pages are for people. Check again with ``principal.may(role, study=…)`` once the
    object's study is known.
    """

    def check_role(principal: CurrentPrincipal) -> Principal:
        if not principal.acts_as(roles):
            raise RoleMissing(roles=roles)
        return principal

    return check_role


def address_of(request: Request) -> str:
    """Return the address a request comes from; behind a proxy the server must be told to trust it."""
    return request.client.host if request.client is not None else ""


def principal_if_any(request: Request) -> Principal | None:
    """Return who is signed in at the browser, or None; for pages that anyone may see, such as error pages.

    What an earlier step found, or gave up finding (None), stands.
    """
    if hasattr(request.state, "principal"):
        known = request.state.principal
        return known if isinstance(known, Principal) else None
    accounts = getattr(request.app.state, "accounts", None)
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie is None or not isinstance(accounts, Accounts):
        return None
    return accounts.principal_of_session(cookie)


def is_still_welcome(request: Request) -> bool:
    """Tell whether the session or token of a request still gives the rights that it gave, for an answer that lasts.

    A password is not asked for again, since a changed one would count as failed log-ins. While the accounts cannot
    be asked, what they said stands.
    """
    authorization = request.headers.get("authorization")
    if authorization is not None and not authorization.lower().startswith("bearer "):
        return True
    accounts = accounts_of(request)
    try:
        if authorization is None:
            principal = _principal_of_cookie(accounts, request, is_visit=False)
        else:
            principal = _principal_of_header(accounts, authorization, address="")
    except Unauthenticated:
        return False
    except Unavailable:
        return True
    admitted: Principal = request.state.principal
    return principal == admitted


def _principal_of_cookie(accounts: Accounts, request: Request, *, is_visit: bool = True) -> Principal:
    cookie = request.cookies.get(SESSION_COOKIE)
    principal = None if cookie is None else accounts.principal_of_session(cookie, is_visit=is_visit)
    if principal is None:
        raise NotSignedIn
    return principal


def _principal_of_header(accounts: Accounts, authorization: str, *, address: str) -> Principal:
    kind, _, value = authorization.partition(" ")
    if kind.lower() == "bearer":
        return accounts.principal_of_token(value.strip())
    if kind.lower() != "basic":
        raise WrongCredentials
    try:
        username, separator, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise WrongCredentials from error
    if not separator:
        raise WrongCredentials
    return accounts.principal_of_basic(username, secret, address=address)
