"""Builds the task supervisor's app from its settings: the only place where its parts meet."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
from fastapi import FastAPI

from service_kit import migrations
from service_kit.accounts.service import Accounts
from service_kit.accounts.web import install as install_accounts
from service_kit.app import new_app
from service_kit.archive_files import ArchiveFiles
from service_kit.database import Database
from service_kit.events import Broadcast
from service_kit.outbox import Dispatcher
from service_kit.routes import add_routes
from task_supervisor.answers import endpoints as answer_endpoints
from task_supervisor.answers.service import Answers
from task_supervisor.callbacks import endpoints as callback_endpoints
from task_supervisor.callbacks.service import Callbacks
from task_supervisor.db.tables import OutboxRow
from task_supervisor.leases import endpoints as lease_endpoints
from task_supervisor.leases.service import Leases
from task_supervisor.settings import TaskSupervisorSettings
from task_supervisor.tasks import endpoints as task_endpoints
from task_supervisor.tasks.service import CALLBACK_KIND, Context, Tasks
from task_supervisor.templates import endpoints as template_endpoints
from task_supervisor.templates.service import Templates
from task_supervisor.web import pages

logger = logging.getLogger(__name__)

#: A callback is tried for about a week before a coordinator is asked to look.
_MAX_ATTEMPTS = 10_000
_MAX_BACKOFF_S = 60.0


def create_app(settings: TaskSupervisorSettings, *, client: httpx.Client | None = None) -> FastAPI:
    """Build the app. Its database is migrated here; its dispatcher runs for the app's lifespan.

    Parameters
    ----------
    client
        HTTP client for callbacks; made here by default.
    """
    migrations.upgrade(settings.supervisor_database_url, package="task_supervisor")
    database = Database(settings.supervisor_database_url)
    broadcast = Broadcast()
    http = client or httpx.Client(timeout=httpx.Timeout(30.0, connect=5.0), follow_redirects=False)
    context = Context(
        database=database,
        web_url=settings.supervisor_url.rstrip("/"),
        callback_allow=settings.allowed_callbacks,
        changed=lambda task_id: broadcast.publish("task", str(task_id)),
        wake=lambda: dispatcher.wake(),  # noqa: PLW0108 - the dispatcher is made below, from this context
    )
    callbacks = Callbacks(context, http)
    dispatcher = Dispatcher(
        database,
        OutboxRow,
        handlers={CALLBACK_KIND: callbacks.send},
        on_delivered=lambda order, result: callbacks.settled(order, outcome=str(result.get("outcome", "accepted"))),
        on_dead=lambda order, error: callbacks.settled(order, outcome=f"given up: {error}"),
        on_settled=callbacks.announce,
        max_attempts=_MAX_ATTEMPTS,
        max_backoff_s=_MAX_BACKOFF_S,
    )
    archive = _archive(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        dispatcher.start()
        try:
            yield
        finally:
            broadcast.close()
            dispatcher.stop()
            http.close()
            if archive is not None:
                archive.close()
            database.dispose()

    app = new_app(
        "Task supervisor", settings, service="task_supervisor", checks={"database": database.ping}, lifespan=lifespan
    )
    accounts = Accounts.open(settings.accounts_database_url)
    install_accounts(app, accounts, secure_cookies=settings.secure_cookies)
    app.state.tasks = Tasks(context)
    app.state.leases = Leases(context, lease=timedelta(seconds=settings.lease_s))
    app.state.answers = Answers(context)
    app.state.callbacks = callbacks
    app.state.templates = Templates(database)
    app.state.dispatcher = dispatcher
    app.state.broadcast = broadcast
    app.state.archive = archive
    for module in (template_endpoints, lease_endpoints, answer_endpoints, callback_endpoints, task_endpoints, pages):
        add_routes(app, module.router)
    return app


def _archive(settings: TaskSupervisorSettings) -> ArchiveFiles | None:
    if settings.xnat_url is None or settings.xnat_user is None or settings.xnat_password is None:
        return None
    return ArchiveFiles(settings.xnat_url, settings.xnat_user, settings.xnat_password.get_secret_value())
