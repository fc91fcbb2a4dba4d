"""Renders the pages of a service inside the common shell. May import Jinja and Starlette.

A service's templates lie in ``<package>/web/templates`` and begin with ``{% extends "shell.html" %}``; macros come
from ``{% import "macros.html" as ui %}``. Every template knows:

``url(path)``
    link to a path of the own service, wherever it is mounted
``site(path)``
    link to a path of the whole site, such as ``site("/tasks/7")``
``asset(name)``
    link to a built file, such as ``asset("task_page.js")``
``shared_asset(name)``
    the same link on the pages of all services of a site
``viewer``, ``csrf_token``, ``request``, ``navigation``
    who looks, the token for forms (``{{ ui.csrf(csrf_token) }}``), the request, the entries of the navigation
``xnat_url``, ``prefect_ui_url``
    where the archive and Prefect's own pages are, or None
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from service_kit.web import filters, site
from service_kit.web.assets import STATIC_DIR, Manifest
from service_kit.web.security import HEADERS
from service_kit.web.viewer import csrf_token_of, viewer_of

_MANIFEST = Manifest(STATIC_DIR / "dist" / "manifest.json")


class Pages:
    """Renders templates of one service.

    Parameters
    ----------
    service
        The service's name as in `service_kit.web.site.MOUNTS`.
    package
        The package with the folder ``web/templates``; by default the one named as the service.
    """

    def __init__(self, service: str, package: str | None = None) -> None:
        self.service = service
        self._package = package or service

    def render(
        self,
        request: Request,
        template: str,
        context: Mapping[str, Any] | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """Return a whole page, or a part of one for htmx."""
        html = self.render_text(request, template, context)
        # The page of an unforeseen error passes no middleware any more: pages carry the headers themselves.
        own = {**HEADERS, "Cache-Control": "no-store", **(headers or {})}
        return HTMLResponse(html, status_code=status, headers=own)

    def render_text(self, request: Request, template: str, context: Mapping[str, Any] | None = None) -> str:
        """Return the text of a template, for a part that goes out as an event."""
        shared = {**_shared_context(request), "service": self.service}
        return _environment(self._package).get_template(template).render({**shared, **(context or {})})

    @staticmethod
    def own_url(request: Request, path: str) -> str:
        """Return the link to a path of this service, wherever it is mounted."""
        return site.own_url(request, path)

    @staticmethod
    def site_url(request: Request, path: str) -> str:
        """Return the link to a path of the whole site."""
        return site.site_url(request, path)


def _shared_context(request: Request) -> dict[str, Any]:
    viewer = viewer_of(request)
    places = site.site_of(request)
    return {
        "request": request,
        "viewer": viewer,
        "csrf_token": csrf_token_of(request),
        "navigation": site.navigation(request, viewer),
        "url": lambda path: site.own_url(request, path),
        "site": lambda path: site.site_url(request, path),
        "asset": lambda name: site.own_url(request, "/static/" + _MANIFEST.path_of(name)),
        "shared_asset": lambda name: site.shared_url(request, "/static/" + _MANIFEST.path_of(name)),
        "has_asset": _MANIFEST.has,
        "xnat_url": places.xnat_url,
        "prefect_ui_url": places.prefect_ui_url,
    }


@lru_cache(maxsize=32)
def _environment(package: str) -> jinja2.Environment:
    """Return the Jinja environment of a package: its own templates first, then the shared ones."""
    shared = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    loaders: list[jinja2.BaseLoader] = [shared]
    if package != "service_kit":
        loaders.insert(0, jinja2.PackageLoader(package, "web/templates"))
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters.FILTERS)
    return environment
