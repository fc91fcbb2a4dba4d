"""Who may ask for what: dependencies of the governor's endpoints. May import FastAPI and `service_kit.accounts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import Depends, Request

from service_kit.accounts.domain import Principal
from service_kit.accounts.errors import ScopeMissing
from service_kit.accounts.guards import SESSION_COOKIE, current_principal, require_scope, submitted_csrf
from study_governor.reach import EXECUTE, READ, WRITE, Reach, reach_of

if TYPE_CHECKING:
    from service_kit.database import Database


class Parts(Protocol):
    """What every endpoint asks of the running governor; a noun's endpoints add the services that they ask for."""

    database: Database

    def changed(self, experiment_id: int) -> None:
        """Tell the open pages that a session changed."""


def parts_of(request: Request) -> Any:
    """Return the parts of the app that answers a request: `study_governor.services.Services`, which knows every noun."""
    return request.app.state.governor


Reader = Annotated[Principal, Depends(require_scope(READ))]
Writer = Annotated[Principal, Depends(require_scope(WRITE))]
Governor = Annotated[Parts, Depends(parts_of)]


def anybody(request: Request, csrf: Annotated[str | None, Depends(submitted_csrf)]) -> Principal | None:
    """Return who is asking, or None when no credentials came: an execution's secret may stand in for them."""
    if "authorization" not in request.headers and SESSION_COOKIE not in request.cookies:
        return None
    return current_principal(request, csrf)


Anybody = Annotated[Principal | None, Depends(anybody)]


def need_scope(principal: Principal, scope: str, *, study: str, site: str | None = None) -> None:
    """Check that a scope is held for a study and site.

    Raises
    ------
    ScopeMissing
    """
    if not principal.has_scope(scope, study=study, site=site):
        raise ScopeMissing(scope=scope, study=study)


def need_everywhere(principal: Principal, scope: str) -> None:
    """Check that a scope is held for every study: for what belongs to no study, such as workflows.

    Raises
    ------
    ScopeMissing
    """
    if (None, None) not in reach_of(principal).pairs or not principal.has_scope(scope):
        raise ScopeMissing(scope=scope)


def may_execute(principal: Principal | None, *, study: str, site: str | None) -> bool:
    """Tell whether somebody may answer executions of a study and see their secrets."""
    return principal is not None and principal.has_scope(EXECUTE, study=study, site=site)


def reach(principal: Reader) -> Reach:
    """Return which sessions the reader may see."""
    return reach_of(principal)


Within = Annotated[Reach, Depends(reach)]
