"""Who looks at a page, as far as the shell must know. May import Starlette only.

The accounts give an app a `ViewerLookup`, so that the shell needs no import of them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request


class Viewer(Protocol):
    """A signed-in person or program; `service_kit.accounts.Principal` is one."""

    @property
    def username(self) -> str:
        """The account's name."""

    @property
    def display_name(self) -> str:
        """The person's name."""

    def may(self, roles: str | Iterable[str], *, study: str | None = None, site: str | None = None) -> bool:
        """Tell whether one of the roles is held."""


@dataclass(frozen=True, slots=True)
class ViewerLookup:
    """How an app finds who looks, the CSRF token that goes into the forms of the page, and whether who asked may go on."""

    viewer: Callable[[Request], Viewer | None]
    csrf_token: Callable[[Request], str]
    is_still_welcome: Callable[[Request], bool] = lambda _: True


def viewer_of(request: Request) -> Viewer | None:
    """Return who looks at the page, or None for a stranger."""
    lookup = getattr(request.app.state, "viewer_lookup", None)
    return lookup.viewer(request) if isinstance(lookup, ViewerLookup) else None


def csrf_token_of(request: Request) -> str:
    """Return the CSRF token for the forms of the page; empty for a stranger."""
    lookup = getattr(request.app.state, "viewer_lookup", None)
    return lookup.csrf_token(request) if isinstance(lookup, ViewerLookup) else ""


def is_still_welcome(request: Request) -> bool:
    """Tell whether who asked may still hear the answer, for one that lasts; asks the accounts, so not on the event loop."""
    lookup = getattr(request.app.state, "viewer_lookup", None)
    return lookup.is_still_welcome(request) if isinstance(lookup, ViewerLookup) else True
