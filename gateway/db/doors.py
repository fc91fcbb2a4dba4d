"""Which receivers are open: silence counts as quiet only while the door was open to hear it. May import SQLModel.

A receiver that was killed leaves its row; the quiet period then stands still until it is back, so that an arrival cut
off in the middle is not taken for a complete one. A receiver that ends in order takes its row away.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from gateway.db.tables import DOORS, Door

if TYPE_CHECKING:
    from service_kit.database import UnitOfWork

#: A door not heard of for so long is not coming back; its arrivals go on without it.
GIVEN_UP_AFTER_S = 900.0


def open_door(uow: UnitOfWork, name: str, *, now: datetime) -> None:
    """Note that a receiver listens from now on."""
    uow.session.merge(Door(name=name, opened_at=now, seen_at=now))


def keep_open(uow: UnitOfWork, name: str, *, now: datetime) -> None:
    """Note that it still listens."""
    connection: Any = uow.session.connection()
    connection.execute(DOORS.update().where(DOORS.c.name == name).values(seen_at=now))


def close_door(uow: UnitOfWork, name: str) -> None:
    """Note that a receiver ended in order."""
    uow.session.connection().execute(delete(DOORS).where(DOORS.c.name == name))


def quiet_since(uow: UnitOfWork, *, now: datetime, quiet_period_s: float) -> datetime | None:
    """Return the moment since which silence is proven to be quiet; None when none is.

    With every door open for the whole period and heard of after it, that is ``last heard - quiet period``. Without any
    door (objects come another way) the clock alone counts.
    """
    heard_after = now - timedelta(seconds=GIVEN_UP_AFTER_S)
    query = select(func.min(DOORS.c.seen_at), func.max(DOORS.c.opened_at)).where(DOORS.c.seen_at > heard_after)
    seen_at, opened_at = uow.session.connection().execute(query).one()
    since: datetime = min(now, seen_at or now) - timedelta(seconds=quiet_period_s)
    return None if opened_at is not None and opened_at > since else since
