"""Endpoints about who is logged in. May import FastAPI.

XNAT shows the ids of logins, which open the site to whoever reads them; of this archive's logins only digests are kept,
and a part of each stands for it here.
"""

from typing import Any

from fastapi import APIRouter, Request

from embedded_xnat.access import visitor_of
from embedded_xnat.contract.errors import NoSuchObject, NotAllowed
from embedded_xnat.logins.service import Logins

router = APIRouter()

ROOT = "/xapi/users/active"


@router.get(ROOT)
def active_users(request: Request) -> dict[str, dict[str, Any]]:
    """List who is logged in, and how often; for administrators."""
    if not visitor_of(request).is_admin:
        raise NotAllowed("see who is logged in")
    return {name: {"sessions": logins, "count": len(logins)} for name, logins in _logins(request).active().items()}


@router.get(f"{ROOT}/{{username}}")
def logins_of(request: Request, username: str) -> list[str]:
    """List one's own logins, or those of another user; the latter for administrators."""
    found = _logins(request).active().get(_name(request, username))
    if not found:
        raise NoSuchObject("login of this user")
    return found


@router.delete(f"{ROOT}/{{username}}")
def end_logins(request: Request, username: str) -> list[str]:
    """End one's own other logins, or all of another user; the latter for administrators. Tokens stay."""
    name = _name(request, username)
    is_own = name == visitor_of(request).username
    ended = _logins(request).end_logins(name, but=request.scope["state"]["login_id"] if is_own else None)
    if not ended and not is_own:
        raise NoSuchObject("login of this user")
    return ended


def _name(request: Request, username: str) -> str:
    visitor, name = visitor_of(request), username.lower()
    if name != visitor.username and not visitor.is_admin:
        raise NotAllowed("see or end the logins of others")
    return name if name.isprintable() else ""


def _logins(request: Request) -> Logins:
    logins = request.app.state.logins
    assert isinstance(logins, Logins)
    return logins
