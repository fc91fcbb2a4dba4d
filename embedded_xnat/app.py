"""Builds the ASGI app of the embedded XNAT from its settings. May import FastAPI."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from sqlalchemy.exc import DataError, IntegrityError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from embedded_xnat import openapi, tree
from embedded_xnat.anonymize import endpoints as anonymize_endpoints
from embedded_xnat.contract.errors import BadName, TooLarge
from embedded_xnat.dicomdump import endpoints as dump_endpoints
from embedded_xnat.domain.networks import read_networks
from embedded_xnat.events import endpoints as event_endpoints
from embedded_xnat.events.actions import Actions
from embedded_xnat.events.recorder import Recorder
from embedded_xnat.heads import HeadAsGet
from embedded_xnat.imports import endpoints as import_endpoints
from embedded_xnat.imports import prearchive_endpoints
from embedded_xnat.imports.wiring import start_imports
from embedded_xnat.limits import SmallBodies
from embedded_xnat.logins import active_endpoints, standing
from embedded_xnat.logins import endpoints as login_endpoints
from embedded_xnat.logins.gate import LoginGate
from embedded_xnat.logins.service import Logins
from embedded_xnat.resources import refresh_endpoints
from embedded_xnat.search import endpoints as search_endpoints
from embedded_xnat.settings import EmbeddedXnatSettings
from embedded_xnat.site import (
    access_requests,
    config_endpoints,
    configuration_endpoints,
    custom_forms,
    journal,
    other_parts,
    people,
    receivers,
    workflows,
)
from embedded_xnat.site import endpoints as site_endpoints
from embedded_xnat.site.config import SiteConfig
from embedded_xnat.storage.archive import Archive, together
from embedded_xnat.storage.files import FileStore
from embedded_xnat.storage.holding import Holding
from embedded_xnat.web import install as install_pages
from service_kit import health, migrations, problems
from service_kit.accounts.service import Accounts
from service_kit.database import Database
from service_kit.errors import InvalidInput, ServiceError
from service_kit.problems import problem
from service_kit.routes import add_routes

logger = logging.getLogger(__name__)


def create_app(settings: EmbeddedXnatSettings) -> FastAPI:
    """Return the app; databases are migrated and opened when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(_open, app, settings)
        logger.info("archive is ready")
        try:
            yield
        finally:
            await run_in_threadpool(_close, app)

    app = FastAPI(
        title="Cohortflow embedded XNAT",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.service = "embedded_xnat"
    problems.install(app, page=install_pages.render_error)
    app.add_exception_handler(BadName, _on_bad_name)
    app.add_exception_handler(TooLarge, _on_too_large)
    app.add_exception_handler(IntegrityError, _on_conflict)
    app.add_exception_handler(DataError, _on_impossible_value)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    install_pages.install(app, settings)
    add_routes(
        app,
        login_endpoints.router,
        site_endpoints.router,
        config_endpoints.router,
        active_endpoints.router,
        people.router,
        standing.router,
        access_requests.router,
        custom_forms.router,
        event_endpoints.router,
        other_parts.router,
        receivers.router,
        workflows.router,
        anonymize_endpoints.router,
        configuration_endpoints.router,
        import_endpoints.router,
        search_endpoints.router,
        prearchive_endpoints.router,
        refresh_endpoints.router,
        dump_endpoints.router,
        tree.router,
    )
    app.add_middleware(HeadAsGet)
    openapi.install(app)
    app.add_middleware(SmallBodies)
    app.add_middleware(LoginGate, logins=lambda: app.state.logins)

    def ask_database() -> None:
        app.state.archive.database.ping()

    health.install(app, {"database": ask_database})
    return app


def _open(app: FastAPI, settings: EmbeddedXnatSettings) -> None:
    holding = Holding(settings.data_dir)
    try:
        migrations.upgrade(settings.database_url, package="embedded_xnat")
        database = Database(settings.database_url)
        accounts = Accounts.open(settings.accounts_database_url)
        archive = Archive(database, FileStore(settings.data_dir))
        archive.recover()
    except BaseException:
        holding.release()
        raise
    app.state.holding = holding
    app.state.archive = archive
    app.state.accounts = accounts
    app.state.site_config = SiteConfig(
        database,
        defaults={"sessionTimeout": f"{settings.login_idle_s} seconds", "requireLogin": settings.require_login},
    )
    app.state.logins = Logins(database, accounts, config=app.state.site_config)
    app.state.actions = Actions(
        database, visitor_named=app.state.logins.known, allowed=read_networks(settings.webhook_networks)
    )
    recorder = Recorder(app.state.site_config, wake=app.state.actions.dispatcher.wake)
    archive.watch = together(recorder.watch, journal.watch)
    app.state.actions.start()
    start_imports(app, settings, archive)


def _close(app: FastAPI) -> None:
    app.state.import_worker.stop()
    app.state.actions.stop()
    try:
        app.state.archive.flush()
    except ServiceError:
        logger.warning("the database does not answer; the next start finishes")
    app.state.archive.database.dispose()
    app.state.accounts.database.dispose()
    app.state.holding.release()


async def _on_bad_name(request: Request, error: Exception) -> Response:
    assert isinstance(error, BadName)
    return problem(417, error.title, error.detail, instance=request.url.path)


async def _on_too_large(request: Request, error: Exception) -> Response:
    assert isinstance(error, TooLarge)
    return problem(413, error.title, error.detail, instance=request.url.path)


async def _on_disconnect(_request: Request, _error: Exception) -> Response:
    """End a request whose sender gave up, as a cancelled upload does; nobody reads the answer."""
    logger.info("a sender gave up")
    return Response(status_code=400)


async def _on_conflict(request: Request, error: Exception) -> Response:
    logger.info("two changes met", extra={"error": type(error).__name__})
    return problem(409, "Conflict", "Another request changed the same object; try again.", instance=request.url.path)


async def _on_impossible_value(request: Request, _error: Exception) -> Response:
    """Answer for a text or number that PostgreSQL knows no such thing as; SQLite keeps them all."""
    logger.info("the database refused a value")
    detail = "A value of the request has a zero character, or is longer or larger than the database can hold."
    return problem(400, InvalidInput.title, detail, instance=request.url.path)
