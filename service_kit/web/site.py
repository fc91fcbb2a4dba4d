"""Where the services of one site are, as links. May import Starlette only.

The services share one origin (governor at ``/``, supervisor at ``/tasks``, gateway at ``/gateway``), inside one
process or behind a proxy that sets the root path. A service that runs alone at its own root links to the others by
the site's full address.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from starlette.requests import Request

from service_kit.web.viewer import Viewer

MOUNTS: dict[str, str] = {"study_governor": "", "task_supervisor": "/tasks", "gateway": "/gateway"}
"""At which path of the site each service lives."""


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """One entry of the navigation, as the template draws it."""

    label: str
    href: str
    is_current: bool = False
    is_external: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """The addresses that links on pages need.

    Parameters
    ----------
    site_url
        Where the site is reached, without a slash at the end.
    xnat_url, prefect_ui_url
        The archive and Prefect's own pages; left out of the navigation when `None`.
    entries
        ``entries(request)`` gives the navigation of a service that has an origin of its own and is no part of the site's.
    """

    site_url: str = ""
    xnat_url: str | None = None
    prefect_ui_url: str | None = None
    entries: Callable[[Request], list[NavigationItem]] | None = None


_STAFF = ("coordinator",)
_EVERYONE = ("coordinator", "annotator")
_ENTRIES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Dashboard", "/", _STAFF),
    ("Sessions", "/sessions", _STAFF),
    ("Arrivals", "/gateway/", _STAFF),
    ("Tasks", "/tasks/", _EVERYONE),
    ("Workflows", "/workflows", _STAFF),
)


def own_url(request: Request, path: str) -> str:
    """Return the link to a path of the service that answers, wherever it is mounted."""
    return _root_path(request) + path


def site_url(request: Request, path: str) -> str:
    """Return the link to a path of the whole site, for links from one service to another."""
    root_path = _root_path(request)
    mount = _mount_of(request)
    if root_path.endswith(mount):
        return root_path[: len(root_path) - len(mount)] + path
    return site_of(request).site_url.rstrip("/") + path


def shared_url(request: Request, path: str) -> str:
    """Return the link to what every service has, such as the log-in page: the site's, or its own when it runs alone."""
    is_alone = not _root_path(request).endswith(_mount_of(request))
    return own_url(request, path) if is_alone else site_url(request, path)


def navigation(request: Request, viewer: Viewer | None) -> list[NavigationItem]:
    """Return the entries that the viewer may open, the current one marked."""
    own = site_of(request).entries
    if own is not None:
        return own(request)
    if viewer is None:
        return []
    base = site_url(request, "")
    here = request.scope["path"]
    if not here.startswith(_root_path(request)):
        here = _root_path(request) + here
    visible = [(label, base + path) for label, path, roles in _ENTRIES if viewer.may(roles)]
    current = _current(here, [href for _, href in visible])
    items = [NavigationItem(label, href, is_current=href == current) for label, href in visible]
    if viewer.may(_STAFF):
        site = site_of(request)
        outside = (("Archive", site.xnat_url), ("Flows", site.prefect_ui_url))
        items += [NavigationItem(label, href, is_external=True) for label, href in outside if href]
    return items


def _current(path: str, hrefs: Iterable[str]) -> str | None:
    """Return the entry whose address covers most of the path; the root only covers itself.

    Examples
    --------
    >>> _current("/sessions/3", ["/", "/sessions"])
    '/sessions'
    """
    fitting = [href for href in hrefs if path == href or (path + "/").startswith(href.rstrip("/") + "/")]
    fitting = [href for href in fitting if href.count("/") > 1 or href.strip("/") or path == href]
    return max(fitting, key=len, default=None)


def site_of(request: Request) -> Site:
    """Return the site's addresses as the app was given them."""
    site = getattr(request.app.state, "site", None)
    return site if isinstance(site, Site) else Site()


def _mount_of(request: Request) -> str:
    return MOUNTS.get(getattr(request.app.state, "service", ""), "")


def _root_path(request: Request) -> str:
    root_path = request.scope.get("root_path", "")
    assert isinstance(root_path, str)
    return root_path.rstrip("/")
