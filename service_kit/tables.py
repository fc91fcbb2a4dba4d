"""Column types and base classes for the tables of a service. May import SQLModel; knows no service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, MetaData, String, types
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

if TYPE_CHECKING:
    from sqlalchemy import Dialect

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Json(types.TypeDecorator[Any]):
    """JSON on SQLite, JSONB on PostgreSQL (whose dialect is imported only where it is used)."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        """Choose the type of the database."""
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON())
        from sqlalchemy.dialects.postgresql import JSONB  # noqa: PLC0415

        return dialect.type_descriptor(JSONB())

    def coerce_compared_value(self, op: Any, value: Any) -> types.TypeEngine[Any]:
        """Compare what lies inside by its own type."""
        return self.impl_instance.coerce_compared_value(op, value)


class UtcDateTime(types.TypeDecorator[datetime]):
    """An aware moment. Stored in UTC, read back in UTC, on SQLite too; a naive value is refused."""

    impl = types.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Turn an aware value into UTC before it is stored."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored; use datetime.now(UTC)")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        """Give the stored value its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def utc_now() -> datetime:
    """Return this moment, aware, in UTC."""
    return datetime.now(UTC)


def service_base() -> type[SQLModel]:
    """Return a SQLModel base with a registry of its own.

    Each service derives its tables from one such base, so that two services may have tables of one name in one
    process.

    Examples
    --------
    >>> Base = service_base()
    >>> Base.metadata is service_base().metadata
    False
    """
    own = registry(metadata=MetaData(naming_convention=NAMING))

    class Base(SQLModel, registry=own):
        metadata = own.metadata
        model_config = {"defer_build": True}  # rows are not validated; a validator for each is time at every start

    return Base


__all__ = ["Json", "String", "UtcDateTime", "service_base", "utc_now"]
