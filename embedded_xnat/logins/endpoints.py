"""Endpoints of logging in and out, and of alias tokens. May import FastAPI."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import JSONResponse, Response

from embedded_xnat.contract.errors import LoginFailed
from embedded_xnat.logins.gate import login_failed_answer, plain, visitor_of
from embedded_xnat.logins.service import Logins
from service_kit.errors import TooManyRequests, Unauthenticated

router = APIRouter()


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
def who_am_i(request: Request) -> Response:
    """Say who is logged in."""
    return plain(f"User '{visitor_of(request).username}' is logged in")


@router.get("/data/JSESSION")
@router.post("/data/JSESSION")
def login_id(request: Request) -> Response:
    """Return the id of this login; also the heart-beat."""
    found = request.scope["state"]["login_id"]
    if found is None:
        found = _logins(request).open(visitor_of(request))
        request.scope["state"]["new_login"] = found
    return plain(found)


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
    token = _logins(request).issue_token(visitor_of(request))
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
