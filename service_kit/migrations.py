"""Alembic migrations of a service, run at its start under a lock so that several processes may start at once.

``<package>/db/migrations/`` holds ``versions/`` and an ``env.py`` of two lines::

    from service_kit.migrations import run_env
    run_env(Base.metadata)
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from service_kit.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import MetaData


def upgrade(url: str, *, package: str) -> None:
    """Bring the database of ``package`` to its newest revision.

    Raises
    ------
    alembic.util.CommandError
        If the database was written by a newer version of the program.
    """
    from alembic import command  # noqa: PLC0415 - 0.2 s that a help page should not pay
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(files(package).joinpath("db", "migrations")))
    config.set_main_option("version_table", f"{package.replace('.', '_')}_version")
    database = Database(url)
    database.wait_until_ready()
    try:
        with _locked(database, package), database.engine.connect() as connection:
            config.attributes["connection"] = connection
            if database.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            command.upgrade(config, "head")
            connection.commit()
    finally:
        database.dispose()


def run_env(metadata: MetaData) -> None:
    """Run the migrations inside Alembic's environment; called by each service's ``env.py``."""
    from alembic import context  # noqa: PLC0415

    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table=context.config.get_main_option("version_table") or "alembic_version",
        render_as_batch=True,
        transactional_ddl=False,
    )
    context.run_migrations()


@contextmanager
def _locked(database: Database, package: str) -> Iterator[None]:
    """Hold the migration lock: a lock file beside a SQLite database, an advisory lock in PostgreSQL."""
    if not database.is_sqlite:
        key = int.from_bytes(package.encode()[:7], "big")
        with database.engine.connect() as connection:
            connection.execute(text("select pg_advisory_lock(:key)"), {"key": key})
            try:
                yield
            finally:
                connection.execute(text("select pg_advisory_unlock(:key)"), {"key": key})
        return
    path = Path(database.url.removeprefix("sqlite:///"))
    if database.url in {"sqlite://", "sqlite:///:memory:"}:
        raise ValueError("an in-memory database cannot be migrated; use a file")
    with path.with_suffix(".migration-lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
