"""Rows of the accounts database. May import SQLModel and `service_kit.tables`.

An empty `study` or `site` of a grant stands for all of them, so that the unique key holds (SQL's NULLs differ from
each other). Secrets are stored as digests only.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Column, ForeignKey, UniqueConstraint
from sqlmodel import Field, SQLModel

from service_kit.tables import Json, UtcDateTime, service_base, utc_now

if TYPE_CHECKING:  # mypy takes no class made at run time for a base
    Base = SQLModel
else:
    Base = service_base()


class UserRow(Base, table=True):
    """A person or a program with an account."""

    __tablename__ = "user_account"

    username: str = Field(primary_key=True, max_length=64)
    display_name: str = Field(max_length=200)
    email: str | None = Field(default=None, max_length=320)
    password_hash: str | None = Field(default=None, max_length=500)
    password_set_at: datetime | None = Field(default=None, sa_type=UtcDateTime, nullable=True)
    is_active: bool = True
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class GrantRow(Base, table=True):
    """A role of a user, for one study or all, at one site or all."""

    __tablename__ = "role_grant"
    __table_args__ = (UniqueConstraint("username", "role", "study", "site"),)

    id: int | None = Field(default=None, primary_key=True)
    username: str = Field(sa_column=Column(ForeignKey("user_account.username"), nullable=False, index=True))
    role: str = Field(max_length=32)
    study: str = Field(default="", max_length=100)
    site: str = Field(default="", max_length=100)


class SessionRow(Base, table=True):
    """A signed-in browser, by the digest of its cookie."""

    __tablename__ = "browser_session"

    token_sha256: str = Field(primary_key=True, max_length=64)
    username: str = Field(sa_column=Column(ForeignKey("user_account.username"), nullable=False, index=True))
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    last_seen_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class TokenRow(Base, table=True):
    """An API token, by its digest; `hint` is its first letters, to tell tokens apart."""

    __tablename__ = "api_token"

    id: int | None = Field(default=None, primary_key=True)
    token_sha256: str = Field(unique=True, max_length=64)
    username: str = Field(sa_column=Column(ForeignKey("user_account.username"), nullable=False, index=True))
    name: str = Field(max_length=100)
    hint: str = Field(max_length=16)
    scopes: list[str] = Field(sa_column=Column(Json, nullable=False))
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class LoginFailureRow(Base, table=True):
    """A log-in that went wrong; the name as a digest, for people type passwords into the wrong field."""

    __tablename__ = "login_failure"

    id: int | None = Field(default=None, primary_key=True)
    username_sha256: str = Field(max_length=64, index=True)
    address: str = Field(max_length=64, index=True)
    failed_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime, index=True)
