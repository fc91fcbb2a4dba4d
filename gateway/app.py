"""Builds the gateway's web application from its settings: REST, pages, and the threads behind them.

The one place where adapters meet the service. The DICOM receiver is a process of its own: `gateway.receiver`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from gateway.arrivals.endpoints import router as arrivals_router
from gateway.arrivals.monitor import Monitor
from gateway.arrivals.processing import Processing
from gateway.arrivals.service import FLOW, Arrivals
from gateway.db.tables import Outbox
from gateway.settings import GatewaySettings
from gateway.spool import Spool
from gateway.web.pages import router as pages_router
from service_kit import migrations
from service_kit.accounts.service import Accounts
from service_kit.accounts.web import install as install_accounts
from service_kit.app import new_app
from service_kit.database import Database
from service_kit.events import Broadcast
from service_kit.flow_orders import FlowOrders, PrefectFlowOrders
from service_kit.outbox import Dispatcher
from service_kit.routes import add_routes

#: An outage of the flow server over a long weekend shall put nothing into the quarantine.
_MAX_ATTEMPTS = 10_000


def create_app(
    settings: GatewaySettings, *, flow_orders: FlowOrders | None = None, accounts: Accounts | None = None
) -> FastAPI:
    """Return the application. Its lifespan starts and ends the threads.

    Parameters
    ----------
    flow_orders
        Where flows are ordered; the Prefect server of the settings when None.
    accounts
        Users, roles and tokens; opened from the settings when None.
    """
    migrations.upgrade(settings.gateway_database_url, package="gateway")
    database = Database(settings.gateway_database_url)
    orders = flow_orders or PrefectFlowOrders(settings.prefect_api_url)
    broadcast = Broadcast()
    arrivals = Arrivals(
        database,
        quiet_period_s=settings.quiet_period_s,
        on_order=lambda: dispatcher.wake(),  # noqa: PLW0108 - it is made below, for it needs what needs this
    )
    processing = Processing(database, arrivals, orders)
    dispatcher = Dispatcher(
        database,
        Outbox,
        handlers={FLOW: processing.order},
        on_dead=processing.give_up_order,
        max_attempts=_MAX_ATTEMPTS,
    )
    monitor = Monitor(database, arrivals, processing, broadcast, reconcile_every_s=settings.reconcile_every_s)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        dispatcher.start()
        monitor.start()
        try:
            yield
        finally:
            broadcast.close()
            monitor.stop()
            dispatcher.stop()
            database.dispose()

    app = new_app(
        "Cohortflow gateway", settings, service="gateway", checks={"database": database.ping}, lifespan=lifespan
    )
    app.state.settings = settings
    app.state.arrivals = arrivals
    app.state.spool = Spool(settings.gateway_spool_dir)
    app.state.broadcast = broadcast
    install_accounts(
        app, accounts or Accounts.open(settings.accounts_database_url), secure_cookies=settings.secure_cookies
    )
    add_routes(app, arrivals_router, pages_router)
    return app
