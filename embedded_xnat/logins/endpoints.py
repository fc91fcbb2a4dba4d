"""Endpoints of logging in and out, and of alias tokens. May import FastAPI."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import JSONResponse, Response

from embedded_xnat.access import visitor_of
from embedded_xnat.contract.errors import LoginFailed, NotAllowed, PasswordExpired
from embedded_xnat.domain.values import truth
from embedded_xnat.logins.gate import CSRF_PARAMETER, login_failed_answer, plain
from embedded_xnat.logins.service import AliasToken, Logins
from service_kit.accounts.credentials import csrf_token_of
from service_kit.errors import TooManyRequests, Unauthenticated

router = APIRouter()

_Csrf = Annotated[str | None, Query(alias="CSRF")]


def _logins(request: Request) -> Logins:
    logins = request.app.state.logins
    assert isinstance(logins, Logins)
    return logins


@router.put("/data/services/auth")
@router.post("/data/services/auth")
def log_in(
    request: Request,
    username: Annotated[str, Form()],
    password: Annotated[str, Form()],
    provider: Annotated[str | None, Form()] = None,  # noqa: ARG001 - XNAT's clients may name one; there is but one
) -> Response:
    """Open a login; the body of the answer is its id."""
    address = request.client.host if request.client is not None else ""
    try:
        login_id, _ = _logins(request).log_in(username, password, address=address)
    except (Unauthenticated, TooManyRequests) as error:
        return login_failed_answer(error)
    request.scope["state"]["new_login"] = login_id
    return plain(login_id)


@router.get("/data/auth")
def who_am_i(request: Request, csrf: _Csrf = None) -> Response:
    """Say who is logged in; with ``CSRF=true`` also what a browser has to send with its changes."""
    visitor = visitor_of(request)
    if visitor.is_expired:
        return plain(PasswordExpired().detail)
    text = f"User '{visitor.username}' is logged in"
    return plain(_with_csrf(text, "; ", login_id=request.scope["state"]["login_id"], wanted=csrf))


@router.get("/data/JSESSION")
@router.post("/data/JSESSION")
def login_id(request: Request, csrf: _Csrf = None) -> Response:
    """Return the id of this login; also the heart-beat. With ``CSRF=true`` also what a browser has to send."""
    found = request.scope["state"]["login_id"]
    if found is None:
        found = _logins(request).open(visitor_of(request))
        request.scope["state"]["new_login"] = found
    return plain(_with_csrf(found, ";", login_id=found, wanted=csrf))


def _with_csrf(text: str, separator: str, *, login_id: str | None, wanted: str | None) -> str:
    if login_id is None or not truth(wanted, name="CSRF"):
        return text
    return f"{text}{separator}{CSRF_PARAMETER}={csrf_token_of(login_id)}"


@router.delete("/data/JSESSION")
def log_out(request: Request) -> Response:
    """End this login."""
    found = request.scope["state"]["login_id"]
    if found is not None:
        _logins(request).end(found)
    return plain("")


@router.get("/data/services/tokens/issue")
def issue_token(request: Request) -> Response:
    """Issue an alias token for whoever asks."""
    visitor = visitor_of(request)
    if visitor.is_guest:
        raise LoginFailed
    return _token_answer(_logins(request).issue_token(visitor.username))


@router.get("/data/services/tokens/issue/user/{username}")
def issue_token_for(request: Request, username: str) -> Response:
    """Issue an alias token for another user; for administrators."""
    visitor = visitor_of(request)
    if not visitor.is_admin and visitor.username != username.lower():
        raise NotAllowed("issue a token for somebody else")
    return _token_answer(_logins(request).issue_token(username))


@router.get("/data/services/tokens/show")
def show_tokens(request: Request) -> Response:
    """List the alias tokens of whoever asks; their secrets were shown once, when they were issued."""
    rows = [
        {
            "alias": token.alias,
            "xdatUserId": token.username,
            "singleUse": False,
            "estimatedExpirationTime": int(token.expires_at.timestamp() * 1000),
        }
        for token in _logins(request).tokens(visitor_of(request).username)
    ]
    return JSONResponse(rows)


def _token_answer(token: AliasToken) -> Response:
    return JSONResponse({"alias": token.alias, "secret": token.secret})


@router.get("/data/services/tokens/validate/{alias}/{secret}")
def validate_token(request: Request, alias: str, secret: str) -> Response:
    """Say whose alias token this is, if it is valid."""
    username = _logins(request).validate_token(alias, secret)
    answer: dict[str, Any] = {"valid": username} if username is not None else {}
    return JSONResponse(answer)


@router.get("/data/services/tokens/invalidate/{alias}/{secret}")
def invalidate_token(request: Request, alias: str, secret: str) -> Response:
    """End an alias token."""
    if not _logins(request).invalidate_token(alias, secret):
        raise LoginFailed
    return JSONResponse({"result": "invalidated"})
