"""Queries over the accounts database, within the caller's unit of work. Never commits. May import SQLModel."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, or_, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from service_kit.accounts.db.tables import GrantRow, LoginFailureRow, SessionRow, TokenRow, UserRow
from service_kit.accounts.domain import Grant, Principal, Role, TokenRecord, UserRecord
from service_kit.accounts.throttle import Failures


@dataclass(frozen=True, slots=True)
class Token:
    """A token and whose it is."""

    principal: Principal
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A signed-in browser and whose it is."""

    principal: Principal
    expires_at: datetime
    last_seen_at: datetime


def _of_active_users(*columns: Any) -> Select[Any]:
    """Ask for users with all they are granted, a row for each grant: every request begins with this question."""
    user = (col(UserRow.username), col(UserRow.display_name), col(UserRow.password_hash))
    grant = (col(GrantRow.role), col(GrantRow.study), col(GrantRow.site))
    is_theirs = col(GrantRow.username) == col(UserRow.username)
    return (
        select_columns(*user, *grant, *columns)
        .outerjoin_from(UserRow, GrantRow, is_theirs)
        .where(col(UserRow.is_active))
    )


_BY_NAME = _of_active_users().where(col(UserRow.username) == bindparam("username"))
_BY_TOKEN = (
    _of_active_users(
        col(TokenRow.scopes), col(TokenRow.expires_at), col(TokenRow.last_used_at), col(TokenRow.revoked_at)
    )
    .join(TokenRow, col(TokenRow.username) == col(UserRow.username))
    .where(col(TokenRow.token_sha256) == bindparam("digest"))
)
_BY_SESSION = (
    _of_active_users(col(SessionRow.expires_at), col(SessionRow.last_seen_at))
    .join(SessionRow, col(SessionRow.username) == col(UserRow.username))
    .where(col(SessionRow.token_sha256) == bindparam("digest"))
)


def _principal(rows: Sequence[Row[Any]], *, scopes: frozenset[str] | None = None) -> Principal:
    user = rows[0]
    return Principal(user.username, user.display_name, _grants([row for row in rows if row.role is not None]), scopes)


def active_user(session: Session, username: str) -> tuple[Principal, str | None] | None:
    """Return the user and the hash of the password, unless the account is unknown or closed."""
    rows = session.connection().execute(_BY_NAME, {"username": username}).all()
    return (_principal(rows), rows[0].password_hash) if rows else None


def token(session: Session, digest: str) -> Token | None:
    """Return the token with this digest, in whatever state it is, unless its user is unknown or closed."""
    rows = session.connection().execute(_BY_TOKEN, {"digest": digest}).all()
    if not rows:
        return None
    first = rows[0]
    principal = _principal(rows, scopes=frozenset(first.scopes))
    return Token(principal, first.expires_at, first.last_used_at, first.revoked_at)


def browser_session(session: Session, digest: str) -> BrowserSession | None:
    """Return the signed-in browser with this digest, unless its user is unknown or closed."""
    rows = session.connection().execute(_BY_SESSION, {"digest": digest}).all()
    return BrowserSession(_principal(rows), rows[0].expires_at, rows[0].last_seen_at) if rows else None


def grants_of(session: Session, username: str) -> frozenset[Grant]:
    """Return a user's grants; a role this version does not know gives nothing."""
    return _grants(session.exec(select(GrantRow).where(GrantRow.username == username)).all())


def _grants(rows: Sequence[GrantRow] | Sequence[Row[Any]]) -> frozenset[Grant]:
    known = set(Role)
    return frozenset(
        Grant(Role(row.role), study=row.study or None, site=row.site or None) for row in rows if row.role in known
    )


def principal_of(session: Session, user: UserRow) -> Principal:
    """Build the principal of a user row, with its grants as they are now."""
    return Principal(user.username, user.display_name, grants_of(session, user.username))


def user_record(session: Session, user: UserRow) -> UserRecord:
    """Build what pages and the command line show of a user."""
    return _user_record(user, grants_of(session, user.username))


def _user_record(user: UserRow, grants: frozenset[Grant]) -> UserRecord:
    return UserRecord(
        username=user.username,
        display_name=user.display_name,
        email=user.email,
        is_active=user.is_active,
        has_password=user.password_hash is not None,
        grants=grants,
        created_at=user.created_at,
        password_set_at=user.password_set_at,
    )


def all_users(session: Session) -> list[UserRecord]:
    """Return all users by name."""
    rows: dict[str, list[GrantRow]] = {}
    for grant in session.exec(select(GrantRow)):
        rows.setdefault(grant.username, []).append(grant)
    users = session.exec(select(UserRow).order_by(col(UserRow.username)))
    return [_user_record(user, _grants(rows.get(user.username, []))) for user in users]


def find_grant(session: Session, username: str, grant: Grant) -> GrantRow | None:
    """Return the row of a grant, if the user has it."""
    return session.exec(
        select(GrantRow).where(
            GrantRow.username == username,
            GrantRow.role == grant.role.value,
            GrantRow.study == (grant.study or ""),
            GrantRow.site == (grant.site or ""),
        )
    ).first()


def token_by_digest(session: Session, digest: str) -> TokenRow | None:
    """Return the token with this digest, in whatever state it is."""
    return session.exec(select(TokenRow).where(TokenRow.token_sha256 == digest)).first()


def token_record(row: TokenRow) -> TokenRecord:
    """Build what pages show of a token."""
    assert row.id is not None
    return TokenRecord(
        id=row.id,
        username=row.username,
        name=row.name,
        hint=row.hint,
        scopes=frozenset(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def tokens_of(session: Session, username: str) -> list[TokenRecord]:
    """Return a user's tokens that are not revoked, newest first."""
    rows = session.exec(
        select(TokenRow)
        .where(TokenRow.username == username, col(TokenRow.revoked_at).is_(None))
        .order_by(col(TokenRow.id).desc())
    )
    return [token_record(row) for row in rows]


def delete_sessions_of(session: Session, username: str) -> None:
    """Sign a user out of every browser."""
    session.execute(delete(SessionRow).where(col(SessionRow.username) == username))


def revoke_tokens_of(session: Session, username: str, *, at: datetime) -> None:
    """End every API token of a user that has not ended yet."""
    is_open = (col(TokenRow.username) == username, col(TokenRow.revoked_at).is_(None))
    session.execute(update(TokenRow).where(*is_open).values(revoked_at=at))


def delete_expired(session: Session, *, now: datetime) -> None:
    """Forget sessions that ended and failures older than a day."""
    session.execute(delete(SessionRow).where(col(SessionRow.expires_at) < now))
    session.execute(delete(LoginFailureRow).where(col(LoginFailureRow.failed_at) < now - timedelta(days=1)))


def failures(session: Session, *, username_sha256: str, address: str, since: datetime) -> Failures:
    """Return the failed log-ins since a moment, oldest first, by name, by address and by both."""
    is_user, is_address = (
        col(LoginFailureRow.username_sha256) == username_sha256,
        col(LoginFailureRow.address) == address,
    )
    rows = session.exec(
        select(LoginFailureRow.failed_at, LoginFailureRow.username_sha256, LoginFailureRow.address)
        .where(col(LoginFailureRow.failed_at) > since, or_(is_user, is_address))
        .order_by(col(LoginFailureRow.failed_at))
    ).all()
    by_user = [at for at, user, _ in rows if user == username_sha256]
    by_address = [at for at, _, where in rows if where == address]
    by_both = [at for at, user, where in rows if user == username_sha256 and where == address]
    return Failures(by_user_and_address=by_both, by_address=by_address, by_user=by_user)


def forget_failures(session: Session, *, username_sha256: str, address: str | None = None) -> None:
    """Forget the failures of a name: at one address, after it signed in there, or at all, with its password."""
    forget = delete(LoginFailureRow).where(col(LoginFailureRow.username_sha256) == username_sha256)
    session.execute(forget if address is None else forget.where(col(LoginFailureRow.address) == address))
