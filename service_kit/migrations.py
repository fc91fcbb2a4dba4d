"""Alembic migrations of a service, run at its start under a lock so that several processes may start at once.

``<package>/db/migrations/`` holds ``versions/`` and an ``env.py`` of two lines::

    from service_kit.migrations import run_env
    run_env(Base.metadata)
"""

from __future__ import annotations

import fcntl
import re
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import String, column, inspect, select, table, text

from service_kit.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import MetaData

_REVISION = re.compile(r'^revision(?:: str)? = "([^"]+)"', re.MULTILINE)
_FOLLOWS = re.compile(r'^down_revision(?:: [^=]+)? = "([^"]+)"', re.MULTILINE)


def upgrade(url: str, *, package: str) -> None:
    """Bring the database of ``package`` to its newest revision; one that is there costs a question, not Alembic.

    Raises
    ------
    alembic.util.CommandError
        If the database was written by a newer version of the program.
    """
    folder = Path(str(files(package).joinpath("db", "migrations")))
    version_table = f"{package.replace('.', '_')}_version"
    database = Database(url)
    database.wait_until_ready()
    try:
        if _revision_in(database, version_table) != _newest(folder / "versions"):
            _run_alembic(database, package, folder=folder, version_table=version_table)
    finally:
        database.dispose()


def _run_alembic(database: Database, package: str, *, folder: Path, version_table: str) -> None:
    from alembic import command  # noqa: PLC0415 - 0.2 s that a start without news should not pay
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("version_table", version_table)
    with _locked(database, package), database.engine.connect() as connection:
        config.attributes["connection"] = connection
        if database.is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        command.upgrade(config, "head")
        connection.commit()


def _revision_in(database: Database, version_table: str) -> str | None:
    """Return the revision of a database; None for one that was never migrated."""
    with database.engine.connect() as connection:
        if not inspect(connection).has_table(version_table):
            return None
        statement = select(column("version_num", String)).select_from(table(version_table))
        found = list(connection.scalars(statement))
    return found[0] if len(found) == 1 else None


def _newest(versions: Path) -> str:
    """Return the revision that no other follows, read from the files; empty when they form no single line."""
    texts = [path.read_text(encoding="utf-8") for path in versions.glob("*.py")]
    revisions = {name for text in texts for name in _REVISION.findall(text)}
    followed = {name for text in texts for name in _FOLLOWS.findall(text)}
    newest = revisions - followed
    return newest.pop() if len(newest) == 1 else ""


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
