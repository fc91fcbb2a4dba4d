"""Database and unit of work: one request or task is one transaction. The only place that commits.

SQLite (default) runs in WAL mode with ``synchronous=FULL``: what is committed survives a power cut. PostgreSQL by URL
``postgresql+psycopg://…``. Sync by choice: endpoints are plain functions in the server's thread pool.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import Session, create_engine

from service_kit.errors import OutOfSpace, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Engine, ExceptionContext

BUSY_TIMEOUT_S = 30


class UnitOfWork:
    """One transaction. Collects what shall happen after a successful commit.

    Attributes
    ----------
    session : sqlmodel.Session
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._after_commit: list[Callable[[], None]] = []

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call ``action`` once the transaction is durable; never when it is rolled back. It must not raise."""
        self._after_commit.append(action)

    def _run_after_commit(self) -> None:
        for action in self._after_commit:
            action()


class Database:
    """A database by URL, with its pool.

    Parameters
    ----------
    url
        ``sqlite:////absolute/path.db``, ``sqlite://`` (in memory, one connection) or ``postgresql+psycopg://…``.

    Examples
    --------
    >>> database = Database("sqlite://")
    >>> with database.read() as uow:
    ...     uow.session.connection().scalar(text("select 40 + 2"))
    42
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine: Engine = _engine(url)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[UnitOfWork]:
        """Open a transaction that only reads; it ends with a rollback. What was read stays readable afterwards.

        Raises
        ------
        Unavailable
            If the database does not answer.
        """
        with _outages(), Session(self.engine, expire_on_commit=False) as session:
            if self.is_sqlite:
                session.connection().exec_driver_sql("BEGIN DEFERRED")
            yield UnitOfWork(session)
            session.expunge_all()
            session.rollback()

    @contextmanager
    def write(self) -> Iterator[UnitOfWork]:
        """Open a transaction that writes: commit at a clean exit, rollback on an exception.

        On SQLite the write lock is taken at once (``BEGIN IMMEDIATE``), so that a later statement cannot fail for it.

        Raises
        ------
        Unavailable
            If the write lock is not free within `BUSY_TIMEOUT_S`, or the database does not answer.
        """
        with _outages(), Session(self.engine, expire_on_commit=False) as session:
            if self.is_sqlite:
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            uow = UnitOfWork(session)
            yield uow
            session.commit()
        uow._run_after_commit()  # noqa: SLF001 - the pair belongs together

    def ping(self) -> None:
        """Raise `Unavailable` when the database does not answer."""
        with self.read() as uow:
            uow.session.connection().scalar(text("select 1"))

    def wait_until_ready(self, *, timeout_s: float = 30.0) -> None:
        """Wait until the database answers; a PostgreSQL beside us may still be starting."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self.ping()
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def dispose(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()


#: What SQLite and PostgreSQL say when their disk is full.
_FULL = ("disk is full", "No space left on device")


@contextmanager
def _outages() -> Iterator[None]:
    """Turn a lost, busy or full database, or a used-up pool, into `Unavailable`: the same request may succeed later."""
    try:
        yield
    except (OperationalError, PoolTimeoutError) as error:
        if any(words in str(error) for words in _FULL):
            raise OutOfSpace("The disk of the database is full; free some space and try again.") from error
        raise Unavailable("The database does not answer at the moment; try again.") from error


def _engine(url: str) -> Engine:
    """Return the engine of a URL. What fails is told without the values of the statement: any of them may name a person."""
    if not url.startswith("sqlite"):
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=10, max_overflow=20)
        event.listen(engine, "handle_error", _keep_first_line)
        return engine
    in_memory = url in {"sqlite://", "sqlite:///:memory:"}
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False, "timeout": BUSY_TIMEOUT_S}}
    if in_memory:
        from sqlalchemy.pool import StaticPool  # noqa: PLC0415 - only tests and examples come here

        options["poolclass"] = StaticPool
    else:
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, hide_parameters=True, **options)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves; the driver's own begins too late
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
        cursor.close()

    return engine


def _keep_first_line(context: ExceptionContext) -> None:
    """Cut a driver's message after its sentence: the DETAIL that PostgreSQL adds quotes the row that it refused."""
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None and error.args:
            error.args = (str(error.args[0]).partition("\n")[0], *error.args[1:])
