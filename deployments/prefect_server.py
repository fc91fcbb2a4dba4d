"""The Prefect server as one process of Cohortflow: SQLite under the home, loopback only, no telemetry, own UI.

Prefect is imported in `main` only, after the environment is set, because it reads its settings at import. Migrating an
empty database takes 10 s of CPU; `prepare_template` (``python -m deployments.prefect_server``, part of the set-up) does it
once per installation, and each new home gets a copy.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
from pydantic_settings import BaseSettings, SettingsConfigDict

from deployments.loading import loading
from deployments.order_news import SLOT_WAIT_S, OrderNewsApp
from deployments.worker.errors import PrefectServerSilent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 75
"""Far above the 5 s after which a client drops an idle connection: were both equal, a request would now and then meet
a connection just closed, and Prefect's client waits 2 s before it tries again."""

STOP_S = 2
"""How long open requests and background services may still take after SIGTERM."""

_DATABASE = "prefect.db"
#: Beside a database: whose block types it came with.
_BLOCKS = "blocks-of-prefect"
_FOREIGN = ("PREFECT_PROFILE", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_EPHEMERAL_ENABLED")
"""Variables of the user's own Prefect that would lead ours elsewhere."""


class PrefectServerSettings(BaseSettings):
    """Where the server keeps its data and listens. Each value comes from ``COHORTFLOW_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="COHORTFLOW_", frozen=True, extra="ignore")

    home: Path
    """The home folder; the server writes in ``prefect`` below it."""
    prefect_api_url: str
    """Address of the API to serve, for example ``http://127.0.0.1:4200/api``; the UI is served beside it."""
    prefect_database_url: str | None = None
    """SQLAlchemy address of another database than SQLite in the home, for example ``postgresql+asyncpg://…``."""

    @property
    def prefect_home(self) -> Path:
        """Folder of everything Prefect writes."""
        return self.home / "prefect"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        parts = urlsplit(self.prefect_api_url)
        return parts.hostname or "127.0.0.1", parts.port or 4200


def server_environment(settings: PrefectServerSettings) -> dict[str, str]:
    """Give Prefect's own settings as environment variables.

    Nothing that a user would miss is switched off: schedules, automations, late runs, worker states and the vacuum
    stay. What goes is telemetry and the news of the user interface. Leases of concurrency limits are kept in files, so
    that a server killed in the middle does not forget who holds a slot.
    """
    host, port = settings.address
    site = f"http://{host}:{port}"
    environment = {
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(settings.prefect_home),
        "PREFECT_API_URL": settings.prefect_api_url,
        "PREFECT_SERVER_API_HOST": host,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "true",
        "PREFECT_SERVER_UI_API_URL": settings.prefect_api_url,
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": f"{site},http://localhost:{port}",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": f"{SLOT_WAIT_S:g}",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_COLORS": "false",
    }
    environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = (
        settings.prefect_database_url or f"sqlite+aiosqlite:///{settings.prefect_home / _DATABASE}"
    )
    if not os.access(_ui_folder(), os.W_OK):
        environment["PREFECT_UI_STATIC_DIRECTORY"] = str(settings.prefect_home / "ui")
    return environment


def template_folder() -> Path:
    """Say where this installation keeps the migrated, empty database of its Prefect version."""
    return Path(sys.prefix) / "share" / "cohortflow" / f"prefect-{importlib.metadata.version('prefect')}"


def prepare_template(folder: Path | None = None) -> Path:
    """Make the database that new homes start from, unless it is there with all block types. Part of the set-up; safe to repeat.

    Returns
    -------
    Path
        The database. Concurrent calls each make one; the last wins, and they are the same.
    """
    target = (folder or template_folder()) / _DATABASE
    if target.exists() and _has_all_blocks(target.parent):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        settings = PrefectServerSettings(home=Path(scratch), prefect_api_url="http://127.0.0.1:4200/api")
        settings.prefect_home.mkdir(parents=True)
        _enter(server_environment(settings))
        asyncio.run(_migrate())
        finished = Path(scratch) / _DATABASE
        with closing(sqlite3.connect(settings.prefect_home / _DATABASE)) as database:
            database.execute("VACUUM INTO ?", (str(finished),))
        finished.replace(target)
    target.with_name(_BLOCKS).write_text(_all_blocks())
    return target


def provide_database(prefect_home: Path, *, template: Path | None = None) -> bool:
    """Give a new home its database by copying the template.

    Returns
    -------
    bool
        Whether a copy was made. False when the home has a database already or there is no template: then the server
        migrates at its start.
    """
    database = prefect_home / _DATABASE
    template = template or template_folder() / _DATABASE
    prefect_home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if database.exists():
        return False
    (prefect_home / _BLOCKS).unlink(missing_ok=True)
    if not template.exists():
        return False
    partial = database.with_suffix(f".{os.getpid()}.partial")
    shutil.copyfile(template, partial)
    partial.chmod(0o600)
    partial.replace(database)
    if (note := template.with_name(_BLOCKS)).exists():
        shutil.copyfile(note, prefect_home / _BLOCKS)
    return True


def block_environment(prefect_home: Path) -> dict[str, str]:
    """Let the server not look which block types are new, where its database came with all that are installed.

    Prefect compares all it knows with what is stored, at every start: a fifth of what a start takes.
    """
    if not _has_all_blocks(prefect_home):
        return {}
    return {
        "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
        "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    }


def _has_all_blocks(folder: Path) -> bool:
    note = folder / _BLOCKS
    return note.exists() and note.read_text() == _all_blocks()


def _all_blocks() -> str:
    """Name what brings block types: Prefect and the collections beside it, each with its version."""
    collections = importlib.metadata.entry_points(group="prefect.collections")
    brought = {f"{one.dist.name} {one.dist.version}" for one in collections if one.dist is not None}
    return "\n".join(["prefect " + importlib.metadata.version("prefect"), *sorted(brought)])


def wait_until_answering(
    api_url: str, *, timeout_s: float | None = None, poll_s: float = 0.2, stopped: Callable[[], bool] = lambda: False
) -> None:
    """Wait until the server answers.

    Parameters
    ----------
    timeout_s
        None waits for ever: the launcher brings the server back.
    stopped
        Asked between two tries; True ends the waiting.

    Raises
    ------
    PrefectServerSilent
        If it has not answered in time.
    """
    begin = time.monotonic()
    with httpx.Client(timeout=2.0, trust_env=False) as client:
        while not stopped():
            try:
                if client.get(f"{api_url.rstrip('/')}/health").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            if timeout_s is not None and time.monotonic() - begin > timeout_s:
                raise PrefectServerSilent(api_url, timeout_s=timeout_s)
            time.sleep(poll_s)


def queue_writers() -> None:
    """Let SQLite's writers wait for each other instead of failing.

    Prefect begins its transactions DEFERRED: two that read and then write at one moment end with SQLITE_BUSY_SNAPSHOT for
    one of them, at once and whatever the busy time-out. The request is answered 503, Prefect's client sleeps two seconds
    before it tries again, and a worker's heart-beat is lost. Begun IMMEDIATE, as Prefect itself does where it locks rows,
    they queue for some milliseconds.
    """
    from prefect.server.database.configurations import AioSqliteConfiguration

    begin_deferred = AioSqliteConfiguration.begin_transaction

    def begin_immediate(
        self: AioSqliteConfiguration,
        session: AsyncSession,
        with_for_update: bool = False,  # noqa: ARG001
    ) -> AbstractAsyncContextManager[AsyncSessionTransaction]:
        return begin_deferred(self, session, with_for_update=True)

    AioSqliteConfiguration.begin_transaction = begin_immediate  # type: ignore[method-assign, assignment]


def main() -> None:
    """Serve the API and the UI until SIGTERM."""
    settings = PrefectServerSettings()
    environment = server_environment(settings)
    if settings.prefect_database_url is None:
        provide_database(settings.prefect_home)
        environment |= block_environment(settings.prefect_home)
    settings.prefect_home.mkdir(parents=True, exist_ok=True, mode=0o700)
    _enter(environment)

    with loading():
        import uvicorn
        from prefect.server.api.server import create_app

        queue_writers()
        app = OrderNewsApp(create_app(final=True), api_url=settings.prefect_api_url)

    class Server(uvicorn.Server):
        """Ends for certain: Prefect's services may sleep through a cancellation."""

        async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
            guard = threading.Timer(2 * STOP_S, os._exit, args=(0,))
            guard.daemon = True
            guard.start()
            app.close()
            await super().shutdown(sockets)  # type: ignore[arg-type]

    host, port = settings.address
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_S,
    )
    Server(config).run()


def _enter(environment: Mapping[str, str]) -> None:
    for name in _FOREIGN:
        os.environ.pop(name, None)
    os.environ.update(environment)


async def _migrate() -> None:
    from prefect.plugins import load_prefect_collections
    from prefect.server.database import provide_database_interface
    from prefect.server.models.block_registration import run_block_auto_registration

    load_prefect_collections()
    database = provide_database_interface()
    await database.create_db()
    session = await database.session()
    async with session:
        await run_block_auto_registration(session=session)
    engine = await database.engine()
    await engine.dispose()


def _ui_folder() -> Path:
    """Where Prefect unpacks its pages, once for all homes."""
    spec = importlib.metadata.distribution("prefect")
    return Path(str(spec.locate_file("prefect/server")))


if __name__ == "__main__":
    prepare_template()
