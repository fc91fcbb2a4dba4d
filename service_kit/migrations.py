"""Alembic migrations of a service, run at its start under a lock so that several processes may start at once.

``<package>.db`` names all tables as ``METADATA``; ``<package>/db/migrations/`` holds ``versions/`` and an ``env.py`` of two
lines::

    from service_kit.migrations import run_env
    run_env(METADATA)
"""

from __future__ import annotations

import fcntl
import re
from contextlib import contextmanager
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, column, inspect, select, table, text

from service_kit.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_REVISION = re.compile(r'^revision(?:: str)? = "([^"]+)"', re.MULTILINE)
_FOLLOWS = re.compile(r'^down_revision(?:: [^=]+)? = "([^"]+)"', re.MULTILINE)


def upgrade(url: str, *, package: str) -> None:
    """Bring the database of ``package`` to its newest revision; one that is there costs a question, not Alembic.

    An empty database gets the tables of ``<package>.db.METADATA`` in one step, which is what all revisions come to.

    Raises
    ------
    alembic.util.CommandError
        If the database was written by a newer version of the program.
    """
    folder = Path(str(files(package).joinpath("db", "migrations")))
    version_table = f"{package.replace('.', '_')}_version"
    newest = _newest(folder / "versions")
    database = Database(url)
    database.wait_until_ready()
    try:
        with database.engine.connect() as connection:
            if _revision_in(connection, version_table) == newest:
                return
        with _locked(database, package), database.engine.connect() as connection:
            if database.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            metadata = import_module(f"{package}.db").METADATA
            if not {version_table, *metadata.tables}.intersection(inspect(connection).get_table_names()):
                _create(connection, metadata, version_table=version_table, revision=newest)
            else:
                _run_alembic(connection, folder=folder, version_table=version_table)
            connection.commit()
    finally:
        database.dispose()


def _create(connection: Connection, metadata: MetaData, *, version_table: str, revision: str) -> None:
    metadata.create_all(connection, checkfirst=False)
    number = Column("version_num", String(32), nullable=False)  # as Alembic makes it
    versions = Table(version_table, MetaData(), number, PrimaryKeyConstraint(number, name=f"{version_table}_pkc"))
    versions.create(connection)
    connection.execute(versions.insert().values(version_num=revision))


def _run_alembic(connection: Connection, *, folder: Path, version_table: str) -> None:
    from alembic import command  # noqa: PLC0415 - 0.2 s that a start without news should not pay
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("version_table", version_table)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision_in(connection: Connection, version_table: str) -> str | None:
    """Return the revision of a database; None for one that was never migrated."""
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
