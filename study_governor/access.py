"""Who may ask for what: dependencies of the governor's endpoints. May import FastAPI and `service_kit.accounts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import Depends, Request

from service_kit.accounts.domain import Principal
from service_kit.accounts.errors import EVERY_STUDY, ScopeMissing
from service_kit.accounts.guards import SESSION_COOKIE, current_principal, require_scope, submitted_csrf
from study_governor.contract.schemas import ARCHIVE
from study_governor.reach import EXECUTE, READ, WRITE, Reach, reach_of

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def need_scope(principal: Principal, scope: str, *, study: str, site: str | None) -> None:
    """Check that a scope is held for a thing of a study and site; what is of no site takes a right for all of them.

    Raises
    ------
    ScopeMissing
    """
    if not principal.holds(scope, study=study, site=site):
        raise ScopeMissing(scope=scope, study=study)


def need_everywhere(principal: Principal, scope: str) -> None:
    """Check that a scope is held for every study: for what belongs to no study, such as workflows.

    Raises
    ------
    ScopeMissing
    """
    if not principal.has_scope_everywhere(scope):
        raise ScopeMissing(scope=scope, study=EVERY_STUDY)


def need_naming(principal: Principal, systems: Iterable[str], *, study: str, site: str | None) -> None:
    """Check that a session may be given its ids in other systems.

    The id in the archive says whose files are shown, and the archive alone knows to which study they belong: it takes
    a right in every study.

    Raises
    ------
    ScopeMissing
    """
    for system in systems:
        need_scope(principal, EXECUTE, study=study, site=site)
        if system == ARCHIVE:
            need_everywhere(principal, EXECUTE)


def need_reach(principal: Principal, *, study: str, site: str | None) -> Reach:
    """Return what somebody may change, which must hold the sessions of a study at a site; no site stands for all.

    Raises
    ------
    ScopeMissing
    """
    within = reach_of(principal)
    if not within.covers(study, site):
        raise ScopeMissing(scope=WRITE, study=study)
    return within


def may_execute(principal: Principal | None, *, study: str, site: str | None) -> bool:
    """Tell whether somebody may answer executions of a study and see their secrets."""
    return principal is not None and principal.holds(EXECUTE, study=study, site=site)


def reach(principal: Reader) -> Reach:
    """Return which sessions the reader may see."""
    return reach_of(principal)


Within = Annotated[Reach, Depends(reach)]
