"""Queries over the accounts database, within the caller's unit of work. Never commits. May import SQLModel."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from service_kit.accounts.db.tables import GrantRow, LoginFailureRow, SessionRow, TokenRow, UserRow
from service_kit.accounts.domain import Grant, Principal, Role, TokenRecord, UserRecord
from service_kit.accounts.throttle import Failures


def grants_of(session: Session, username: str) -> frozenset[Grant]:
    """Return a user's grants; a role this version does not know gives nothing."""
    return _grants(session.exec(select(GrantRow).where(GrantRow.username == username)).all())


def _grants(rows: Sequence[GrantRow]) -> frozenset[Grant]:
    known = set(Role)
    return frozenset(
        Grant(Role(row.role), study=row.study or None, site=row.site or None) for row in rows if row.role in known
    )


def principal_of(session: Session, user: UserRow, *, scopes: frozenset[str] | None = None) -> Principal:
    """Build the principal of a user row, with its grants as they are now."""
    return Principal(user.username, user.display_name, grants_of(session, user.username), scopes)


def active_user(session: Session, username: str) -> UserRow | None:
    """Return the user unless the account is unknown or closed."""
    user = session.get(UserRow, username)
    return user if user is not None and user.is_active else None


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
    by_user = _failure_times(session, since, username_sha256=username_sha256)
    by_address = _failure_times(session, since, address=address)
    by_both = _failure_times(session, since, username_sha256=username_sha256, address=address)
    return Failures(by_user_and_address=by_both, by_address=by_address, by_user=by_user)


def _failure_times(
    session: Session, since: datetime, *, username_sha256: str | None = None, address: str | None = None
) -> Sequence[datetime]:
    query = select(LoginFailureRow.failed_at).where(col(LoginFailureRow.failed_at) > since)
    if username_sha256 is not None:
        query = query.where(LoginFailureRow.username_sha256 == username_sha256)
    if address is not None:
        query = query.where(LoginFailureRow.address == address)
    return session.exec(query.order_by(col(LoginFailureRow.failed_at))).all()


def forget_failures(session: Session, *, username_sha256: str, address: str | None = None) -> None:
    """Forget the failures of a name: at one address, after it signed in there, or at all, with its password."""
    forget = delete(LoginFailureRow).where(col(LoginFailureRow.username_sha256) == username_sha256)
    session.execute(forget if address is None else forget.where(col(LoginFailureRow.address) == address))
