"""Whose turn it is to write rows of several arrivals. May import SQLAlchemy."""

from sqlalchemy import text

from service_kit.database import UnitOfWork

#: Key of PostgreSQL's advisory lock.
_WRITING = 0x434F484F5254


def take_turn(uow: UnitOfWork) -> None:
    """Wait until no other transaction writes rows of several arrivals, or an arrival together with its instances.

    Such a transaction locks rows in the order in which objects come; two at a time could wait for each other for ever.
    It asks for its turn before it locks anything. One that locks the row of a single arrival, and no instance, needs no
    turn. SQLite lets one write at a time anyway.
    """
    connection = uow.session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _WRITING})
