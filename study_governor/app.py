"""Builds the governor's web application from its settings: REST, pages, and the threads behind them.

The one place where adapters meet the service.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from service_kit import migrations
from service_kit.accounts.service import Accounts
from service_kit.accounts.web import install as install_accounts
from service_kit.app import new_app
from service_kit.archive_files import ArchiveFiles
from service_kit.database import Database
from service_kit.events import Broadcast
from service_kit.flow_orders import FlowOrders, PrefectFlowOrders
from service_kit.routes import add_routes
from study_governor.addresses import Addresses
from study_governor.cohorts.endpoints import router as cohorts_router
from study_governor.executions.endpoints import router as executions_router
from study_governor.experiments.endpoints import router as experiments_router
from study_governor.measurements.endpoints import router as measurements_router
from study_governor.releases.endpoints import router as releases_router
from study_governor.services import join_services
from study_governor.web.pages import router as pages_router
from study_governor.workflows.endpoints import router as workflows_router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from study_governor.settings import StudyGovernorSettings


def create_app(
    settings: StudyGovernorSettings,
    *,
    flow_orders: FlowOrders | None = None,
    accounts: Accounts | None = None,
    archive: ArchiveFiles | None = None,
) -> FastAPI:
    """Return the application. Its lifespan starts and ends the threads.

    Parameters
    ----------
    flow_orders
        Where flows are ordered; the Prefect server of the settings when None.
    accounts
        Users, roles and tokens; opened from the settings when None.
    archive
        Where pictures come from; the XNAT of the settings when None.
    """
    migrations.upgrade(settings.governor_database_url, package="study_governor")
    database = Database(settings.governor_database_url)
    broadcast = Broadcast()
    governor = join_services(
        database,
        flow_orders=flow_orders or PrefectFlowOrders(settings.prefect_api_url),
        broadcast=broadcast,
        addresses=Addresses(settings.site_url, settings.governor_url or settings.site_url),
        archive=archive or _archive(settings),
        flow_pages_url=settings.prefect_ui_url,
        queue_timeout_s=settings.queue_timeout_s,
    )
    watches = governor.watches(reconcile_every_s=settings.reconcile_every_s, timeouts_every_s=settings.timeouts_every_s)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        governor.dispatcher.start()
        for watch in watches:
            watch.start()
        try:
            yield
        finally:
            broadcast.close()
            for watch in watches:
                watch.stop()
            governor.dispatcher.stop()
            database.dispose()

    app = new_app(
        "Cohortflow study governor",
        settings,
        service="study_governor",
        checks={"database": database.ping},
        lifespan=lifespan,
    )
    app.state.governor = governor
    app.state.settings = settings
    install_accounts(
        app, accounts or Accounts.open(settings.accounts_database_url), secure_cookies=settings.secure_cookies
    )
    add_routes(app, cohorts_router, experiments_router, executions_router, measurements_router, workflows_router)
    add_routes(app, releases_router)
    add_routes(app, pages_router)
    return app


def _archive(settings: StudyGovernorSettings) -> ArchiveFiles | None:
    if settings.xnat_url is None or settings.xnat_user is None or settings.xnat_password is None:
        return None
    return ArchiveFiles(settings.xnat_url, settings.xnat_user, settings.xnat_password.get_secret_value())
