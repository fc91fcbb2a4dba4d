"""Accounts: users, grants, passwords, API tokens, browser sessions; one database for all services.

May import `service_kit` modules without a web framework. Endpoints and the command line call `Accounts`; each method
is one transaction. Nothing here writes a person's name or a secret into a log.
"""

import logging
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from pwdlib import PasswordHash

from service_kit import migrations
from service_kit.accounts.credentials import (
    MINIMUM_PASSWORD_LENGTH,
    TOKEN_PREFIX,
    PasswordVerifier,
    digest_of,
    new_session_secret,
    new_token,
)
from service_kit.accounts.db import repository
from service_kit.accounts.db.tables import GrantRow, LoginFailureRow, SessionRow, TokenRow, UserRow
from service_kit.accounts.domain import Grant, Principal, Role, Scope, TokenRecord, UserRecord
from service_kit.accounts.errors import (
    PasswordTooWeak,
    ScopesRefused,
    TokenRefused,
    TokenUnknown,
    TooManyAttempts,
    UsernameRefused,
    UsernameTaken,
    UserUnknown,
    WrongCredentials,
)
from service_kit.accounts.throttle import ThrottleRule, wait_s
from service_kit.database import Database, UnitOfWork
from service_kit.tables import utc_now

logger = logging.getLogger(__name__)

SESSION_LIFETIME = timedelta(days=7)
SESSION_IDLE = timedelta(hours=12)
_TOUCH_EVERY = timedelta(minutes=5)
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")


class Accounts:
    """Every account, over one database.

    Parameters
    ----------
    database
        The accounts database, migrated (see `Accounts.open`).
    hasher
        How passwords are hashed; argon2id unless tests ask for a cheaper one.
    throttle
        When failed log-ins close the door for a while.
    """

    def __init__(
        self, database: Database, *, hasher: PasswordHash | None = None, throttle: ThrottleRule | None = None
    ) -> None:
        self.database = database
        self._passwords = PasswordVerifier(hasher=hasher)
        self._throttle = throttle or ThrottleRule()

    @classmethod
    def open(cls, database_url: str) -> "Accounts":
        """Migrate the database at the URL to its newest revision and open it."""
        migrations.upgrade(database_url, package="service_kit.accounts")
        return cls(Database(database_url))

    def create_user(
        self,
        username: str,
        password: str | None,
        *,
        display_name: str | None = None,
        email: str | None = None,
        is_active: bool = True,
    ) -> UserRecord:
        """Create an account; without a password it can only be used with tokens.

        Raises
        ------
        UsernameTaken, UsernameRefused, PasswordTooWeak
        """
        username = username.lower()
        if not _USERNAME.fullmatch(username):
            raise UsernameRefused
        password_hash = None if password is None else self._hash(password)
        with self.database.write() as uow:
            if uow.session.get(UserRow, username) is not None:
                raise UsernameTaken(username)
            user = UserRow(
                username=username,
                display_name=display_name or username,
                email=email,
                password_hash=password_hash,
                password_set_at=None if password_hash is None else utc_now(),
                is_active=is_active,
            )
            uow.session.add(user)
            uow.session.flush()
            return repository.user_record(uow.session, user)

    def set_password(self, username: str, password: str, *, revoke_tokens: bool = False) -> None:
        """Change a password and sign the user out everywhere; API tokens go on unless they are revoked too.

        Failed log-ins are forgotten: whoever was locked out may try the new one at once.

        Raises
        ------
        UserUnknown, PasswordTooWeak
        """
        password_hash = self._hash(password)
        with self.database.write() as uow:
            user, now = _user(uow, username), utc_now()
            user.password_hash, user.password_set_at = password_hash, now
            uow.session.add(user)
            repository.delete_sessions_of(uow.session, user.username)
            repository.forget_failures(uow.session, username_sha256=digest_of(user.username))
            if revoke_tokens:
                repository.revoke_tokens_of(uow.session, user.username, at=now)

    def describe(self, username: str, *, display_name: str | None = None, email: str | None = None) -> None:
        """Change what an account is called and its e-mail address; None leaves what is there.

        Raises
        ------
        UserUnknown
        """
        with self.database.write() as uow:
            user = _user(uow, username)
            user.display_name = user.display_name if display_name is None else display_name or user.username
            user.email = user.email if email is None else email or None
            uow.session.add(user)

    def grant(self, username: str, role: Role, study: str | None = None, site: str | None = None) -> None:
        """Give a role for one study or all, at one site or all; giving it twice changes nothing.

        Raises
        ------
        UserUnknown
        """
        grant = Grant(Role(role), study=study or None, site=site or None)
        with self.database.write() as uow:
            user = _user(uow, username)
            if repository.find_grant(uow.session, user.username, grant) is None:
                row = GrantRow(username=user.username, role=grant.role.value, study=study or "", site=site or "")
                uow.session.add(row)

    def revoke_grant(self, username: str, role: Role, study: str | None = None, site: str | None = None) -> None:
        """Take a role back; one that is not held changes nothing.

        Raises
        ------
        UserUnknown
        """
        grant = Grant(Role(role), study=study or None, site=site or None)
        with self.database.write() as uow:
            row = repository.find_grant(uow.session, _user(uow, username).username, grant)
            if row is not None:
                uow.session.delete(row)

    def users(self) -> list[UserRecord]:
        """Return every account by name."""
        with self.database.read() as uow:
            return repository.all_users(uow.session)

    def user(self, username: str) -> UserRecord:
        """Return one account.

        Raises
        ------
        UserUnknown
        """
        with self.database.read() as uow:
            return repository.user_record(uow.session, _user(uow, username))

    def principal(self, username: str) -> Principal:
        """Return the principal of an account, for work done in its name.

        Raises
        ------
        UserUnknown
        """
        with self.database.read() as uow:
            return repository.principal_of(uow.session, _user(uow, username))

    def set_active(self, username: str, *, is_active: bool) -> None:
        """Close or open an account; closing it ends its sessions and silences its tokens.

        Raises
        ------
        UserUnknown
        """
        with self.database.write() as uow:
            user = _user(uow, username)
            user.is_active = is_active
            uow.session.add(user)
            if not is_active:
                repository.delete_sessions_of(uow.session, user.username)

    def deactivate(self, username: str) -> None:
        """Close an account: its sessions end, its tokens and password open nothing."""
        self.set_active(username, is_active=False)

    def verify_password(self, username: str, password: str, *, address: str = "") -> Principal:
        """Return the principal if the password is right.

        Parameters
        ----------
        address
            Where the attempt comes from; counted together with the name.

        Raises
        ------
        WrongCredentials, TooManyAttempts
        """
        return self._verify(username, password, address=address, remember=False)

    def principal_of_basic(self, username: str, secret: str, *, address: str = "") -> Principal:
        """Return the principal of HTTP Basic credentials: a password, or a token of that user.

        A password that was right is remembered for a minute, since Basic sends it with every request.

        Raises
        ------
        WrongCredentials, TokenRefused, TooManyAttempts
        """
        if secret.startswith(TOKEN_PREFIX):
            principal = self.principal_of_token(secret)
            if principal.username != username.lower():
                raise TokenRefused
            return principal
        return self._verify(username, secret, address=address, remember=True)

    def issue_token(self, username: str, name: str, scopes: Iterable[str], expires_in_s: float | None = None) -> str:
        """Issue an API token and return it; only its digest is kept, so this is the one time it is seen.

        Raises
        ------
        UserUnknown
        ScopesRefused
            If a scope does not exist or reaches beyond the account's roles, or if there is none.
        """
        wanted = frozenset(str(scope) for scope in scopes)
        with self.database.write() as uow:
            user = _user(uow, username)
            allowed = repository.principal_of(uow.session, user).allowed_scopes()
            if not wanted or not wanted <= allowed or not wanted <= set(Scope):
                raise ScopesRefused(wanted - allowed)
            token = new_token()
            expires_at = None if expires_in_s is None else utc_now() + timedelta(seconds=expires_in_s)
            uow.session.add(
                TokenRow(
                    token_sha256=digest_of(token),
                    username=user.username,
                    name=name.strip()[:100] or "token",
                    hint=token[: len(TOKEN_PREFIX) + 4],
                    scopes=sorted(wanted),
                    expires_at=expires_at,
                )
            )
            return token

    def principal_of_token(self, token: str) -> Principal:
        """Return the principal of an API token, limited to its scopes.

        Raises
        ------
        TokenRefused
        """
        now = utc_now()
        with self.database.read() as uow:
            found = repository.token(uow.session, digest_of(token))
        if found is None or found.revoked_at is not None or (found.expires_at is not None and found.expires_at <= now):
            raise TokenRefused
        if found.last_used_at is None or now - found.last_used_at > _TOUCH_EVERY:
            self._touch_token(digest_of(token), now)
        return found.principal

    def tokens(self, username: str) -> list[TokenRecord]:
        """Return a user's tokens that are not revoked, newest first, without their secrets."""
        with self.database.read() as uow:
            return repository.tokens_of(uow.session, username.lower())

    def revoke_token(self, username: str, token_id: int) -> None:
        """End a token of a user; ending it twice changes nothing.

        Raises
        ------
        TokenUnknown
        """
        with self.database.write() as uow:
            row = uow.session.get(TokenRow, token_id)
            if row is None or row.username != username.lower():
                raise TokenUnknown(token_id)
            row.revoked_at = row.revoked_at or utc_now()
            uow.session.add(row)

    def start_session(self, username: str) -> str:
        """Sign a user in at a browser and return the cookie's value; only its digest is kept.

        Raises
        ------
        UserUnknown
        """
        secret = new_session_secret()
        now = utc_now()
        with self.database.write() as uow:
            user = _user(uow, username)
            repository.delete_expired(uow.session, now=now)
            uow.session.add(
                SessionRow(token_sha256=digest_of(secret), username=user.username, expires_at=now + SESSION_LIFETIME)
            )
        return secret

    def principal_of_session(self, secret: str, *, is_visit: bool = True) -> Principal | None:
        """Return the principal of a session cookie, or None when it ended or never was; a visit keeps it from idling."""
        now = utc_now()
        with self.database.read() as uow:
            found = repository.browser_session(uow.session, digest_of(secret))
        if found is None or found.expires_at <= now or found.last_seen_at + SESSION_IDLE <= now:
            return None
        if is_visit and now - found.last_seen_at > _TOUCH_EVERY:
            self._touch_session(digest_of(secret), now)
        return found.principal

    def end_session(self, secret: str) -> None:
        """Sign a browser out; a session that ended already changes nothing."""
        with self.database.write() as uow:
            row = uow.session.get(SessionRow, digest_of(secret))
            if row is not None:
                uow.session.delete(row)

    def _hash(self, password: str) -> str:
        if len(password) < MINIMUM_PASSWORD_LENGTH:
            raise PasswordTooWeak(minimum=MINIMUM_PASSWORD_LENGTH)
        return self._passwords.hash(password)

    def _verify(self, username: str, password: str, *, address: str, remember: bool) -> Principal:
        name = username.strip().lower()
        now = utc_now()
        name_sha256, address = digest_of(name), address[:64]
        with self.database.read() as uow:
            since = now - timedelta(seconds=self._throttle.window_s)
            failures = repository.failures(uow.session, username_sha256=name_sha256, address=address, since=since)
            principal, password_hash = repository.active_user(uow.session, name) or (None, None)
        if closed_for_s := wait_s(failures, self._throttle, now=now):
            logger.warning("log-in closed after failures", extra={"retry_after_s": closed_for_s})
            raise TooManyAttempts(retry_after_s=closed_for_s)
        check = self._passwords.verify_remembered if remember else self._passwords.verify
        right = check(password, password_hash)
        if not right or principal is None:
            with self.database.write() as uow:
                uow.session.add(LoginFailureRow(username_sha256=name_sha256, address=address))
            raise WrongCredentials
        if failures.by_user_and_address:
            with self.database.write() as uow:
                repository.forget_failures(uow.session, username_sha256=name_sha256, address=address)
        return principal

    def _touch_token(self, digest: str, now: datetime) -> None:
        with self.database.write() as uow:
            row = repository.token_by_digest(uow.session, digest)
            if row is not None:
                row.last_used_at = now
                uow.session.add(row)

    def _touch_session(self, digest: str, now: datetime) -> None:
        with self.database.write() as uow:
            row = uow.session.get(SessionRow, digest)
            if row is not None:
                row.last_seen_at = now
                uow.session.add(row)


def _user(uow: UnitOfWork, username: str) -> UserRow:
    user = uow.session.get(UserRow, username.lower())
    if user is None:
        raise UserUnknown(username.lower())
    return user
