"""Who asks, and which archive answers: what every endpoint reads from its request. May import Starlette."""

from starlette.requests import Request

from embedded_xnat.contract.errors import LoginFailed
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.storage.archive import Archive


def visitor_of(request: Request) -> Visitor:
    """Return who asks; the gate lets nobody else come here."""
    visitor = request.scope["state"]["visitor"]
    if not isinstance(visitor, Visitor):
        raise LoginFailed
    return visitor


def archive_of(request: Request) -> Archive:
    """Return the archive of the app."""
    archive = request.app.state.archive
    assert isinstance(archive, Archive)
    return archive
