"""Builds the app that a service starts from: errors, health, security headers, static files, request log.

May import FastAPI. A service's ``create_app(settings)`` calls `new_app`, then
`service_kit.accounts.web.install`, then `service_kit.routes.add_routes` with its own routers.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI

from service_kit import health, problems
from service_kit.body_limit import BodyLimit
from service_kit.health import Check
from service_kit.settings import ServiceSettings
from service_kit.web.assets import static_files
from service_kit.web.error_pages import render_error
from service_kit.web.security import SecurityHeaders
from service_kit.web.site import Site

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def new_app(
    title: str,
    settings: ServiceSettings,
    *,
    service: str,
    checks: Mapping[str, Check] | None = None,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Return an app with everything that all services share.

    Parameters
    ----------
    service
        The service's package name, such as ``study_governor``; says where on the site it lives.
    checks
        What ``/readyz`` asks, by name.
    lifespan
        What runs from start to stop; background threads begin and end here.
    """
    options: dict[str, Any] = {} if lifespan is None else {"lifespan": lifespan}
    app = FastAPI(
        title=title, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json", redirect_slashes=True, **options
    )
    app.state.service = service
    app.state.site = Site(
        site_url=settings.site_url, xnat_url=settings.xnat_url, prefect_ui_url=settings.prefect_ui_url
    )
    problems.install(app, page=render_error)
    health.install(app, checks)
    app.mount("/static", static_files(), name="static")
    app.add_middleware(BodyLimit)
    app.add_middleware(SecurityHeaders, https=settings.secure_cookies)
    return app
