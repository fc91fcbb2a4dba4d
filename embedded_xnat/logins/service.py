"""Logins: JSESSION, Basic and alias tokens over the accounts of all services. May import SQLModel.

A login is checked once and then known by the digest of its id, in memory and in the database, so that a request costs
no password hash and a restart of the server ends no login.
"""

import hashlib
import re
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import delete, func, update
from sqlmodel import Session, col, select

from embedded_xnat.contract.errors import LoginFailed, NoSuchObject, TooManyLogins
from embedded_xnat.db import repository
from embedded_xnat.db.tables import AliasTokenRow, LoginRow
from embedded_xnat.domain.roles import GUEST, Visitor
from embedded_xnat.site.config import SiteConfig
from service_kit.accounts import Principal, Role
from service_kit.accounts.errors import UserUnknown
from service_kit.accounts.service import Accounts
from service_kit.database import Database
from service_kit.errors import Unauthenticated
from service_kit.tables import utc_now

ALIAS = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
#: How long the rights of a login are taken as known.
RECHECK_S = 20.0
#: How far the stored time of last use may lag behind.
TOUCH_S = 60.0


@dataclass
class _Live:
    visitor: Visitor
    used_at: float
    checked_at: float
    stored_at: float


@dataclass(frozen=True)
class AliasToken:
    """An alias token, with the secret that is shown once."""

    alias: str
    secret: str


@dataclass(frozen=True)
class IssuedToken:
    """An alias token that is valid, as it is listed: without its secret, of which only a digest is kept."""

    alias: str
    username: str
    expires_at: datetime


class Logins:
    """All logins of the archive.

    Parameters
    ----------
    config
        Says after how much idle time a login ends, how many a user may have, how long tokens live.
    """

    def __init__(self, database: Database, accounts: Accounts, *, config: SiteConfig) -> None:
        self.config = config
        self._database = database
        self._accounts = accounts
        self._live: dict[str, _Live] = {}
        self._lock = threading.Lock()

    @property
    def idle_s(self) -> int:
        """After how many idle seconds a login ends."""
        return self.config.duration_s("sessionTimeout")

    def guest(self) -> Visitor | None:
        """Return the visitor that anybody is who does not log in; None where the site asks for a login."""
        return None if self.config.flag("requireLogin") else Visitor(GUEST, is_guest=True)

    def log_in(self, username: str, password: str, *, address: str) -> tuple[str, Visitor]:
        """Check user and password (or alias and secret) and open a login; return its id.

        Raises
        ------
        Unauthenticated, TooManyRequests
        """
        visitor = self.check(username, password, address=address)
        return self.open(visitor), visitor

    def check(self, username: str, password: str, *, address: str) -> Visitor:
        """Return who user and password belong to; a pair that was right a moment ago is remembered.

        Raises
        ------
        Unauthenticated, TooManyRequests
        """
        if ALIAS.fullmatch(username):
            visitor = self._of_token(username, password)
            if visitor is None:
                raise LoginFailed
            return visitor
        if username.lower() == GUEST:  # never somebody's account: who is a guest does not log in
            raise LoginFailed
        try:
            principal = self._accounts.principal_of_basic(username, password, address=address)
        except Unauthenticated as error:
            raise LoginFailed from error
        if principal.scopes is not None:  # tokens of the other services are for those
            raise LoginFailed
        return self._visitor(principal)

    def open(self, visitor: Visitor) -> str:
        """Open a login for somebody already known; return its id. A guest's is not kept: it opens nothing more.

        Raises
        ------
        TooManyLogins
        """
        login_id = secrets.token_hex(16).upper()
        if visitor.is_guest:
            return login_id
        digest, idle_s = _digest(login_id), self.idle_s
        horizon = utc_now() - timedelta(seconds=idle_s)
        with self._database.write() as uow:
            uow.session.connection().execute(delete(LoginRow).where(col(LoginRow.last_used_at) < horizon))
            self._refuse_too_many(uow.session, visitor)
            uow.session.add(LoginRow(digest=digest, username=visitor.username))
        now = time.time()
        with self._lock:
            self._live = {key: live for key, live in self._live.items() if now - live.used_at < idle_s}
            self._live[digest] = _Live(visitor, now, now, now)
        return login_id

    def _refuse_too_many(self, session: Session, visitor: Visitor) -> None:
        limit = self.config.count("concurrentMaxSessions")
        mine = select(func.count()).select_from(LoginRow).where(LoginRow.username == visitor.username)
        if session.exec(mine).one() >= limit:
            raise TooManyLogins(limit)

    def visitor_of(self, login_id: str) -> Visitor | None:
        """Return whose login this is and note its use; None when there is none or it has ended."""
        digest, now = _digest(login_id), time.time()
        live = self._live.get(digest)
        if live is not None and now - live.used_at < self.idle_s and now - live.checked_at < RECHECK_S:
            live.used_at = now
            return live.visitor
        return self._reload(digest, live, now)

    def of_page(self, cookie: str) -> tuple[Principal, Visitor] | None:
        """Return who is signed in at the pages by the cookie of all services; None when nobody is."""
        principal = self._accounts.principal_of_session(cookie)
        return None if principal is None else (principal, self._visitor(principal))

    def end(self, login_id: str) -> None:
        """End a login; its id answers nothing any more."""
        digest = _digest(login_id)
        with self._database.write() as uow:
            uow.session.connection().execute(delete(LoginRow).where(col(LoginRow.digest) == digest))
        with self._lock:
            self._live.pop(digest, None)

    def end_all(self, username: str, *, but: str | None = None) -> None:
        """End the alias tokens of a user, and every login but the one given, which counts as opened now."""
        self.end_logins(username, but=but)
        with self._database.write() as uow:
            connection = uow.session.connection()
            connection.execute(delete(AliasTokenRow).where(col(AliasTokenRow.username) == username))
            if but is not None:
                kept = col(LoginRow.digest) == _digest(but)
                connection.execute(update(LoginRow).where(kept).values(opened_at=utc_now()))

    def active(self) -> dict[str, list[str]]:
        """Return the logins that are open, by user: something that stands for each, with which nobody can log in."""
        horizon = utc_now() - timedelta(seconds=self.idle_s)
        with self._database.read() as uow:
            rows = uow.session.exec(select(LoginRow).order_by(col(LoginRow.username), col(LoginRow.digest)))
            logins = [(row.username, row.digest, row.last_used_at) for row in rows]
        found: dict[str, list[str]] = {}
        for username, digest, stored_at in logins:
            live = self._live.get(digest)
            used_at = stored_at if live is None else max(stored_at, datetime.fromtimestamp(live.used_at, UTC))
            if used_at > horizon:
                found.setdefault(username, []).append(_shown(digest))
        return found

    def end_logins(self, username: str, *, but: str | None = None) -> list[str]:
        """End the logins of a user, but not one of them; return what stood for each in `active`."""
        kept = None if but is None else _digest(but)
        with self._database.write() as uow:
            rows = uow.session.exec(select(LoginRow).where(LoginRow.username == username)).all()
            ended = [row.digest for row in rows if row.digest != kept]
            uow.session.connection().execute(delete(LoginRow).where(col(LoginRow.digest).in_(ended)))
        with self._lock:
            for digest in ended:
                self._live.pop(digest, None)
        return [_shown(digest) for digest in sorted(ended)]

    def look_again(self, username: str) -> None:
        """Look up the rights of a user anew with the next request of each login."""
        with self._lock:
            self._live = {key: live for key, live in self._live.items() if live.visitor.username != username}

    def issue_token(self, username: str) -> AliasToken:
        """Issue an alias token for a user.

        Raises
        ------
        NoSuchObject
            If there is no such user.
        """
        if self.known(username) is None:
            raise NoSuchObject("user")
        token = AliasToken(str(uuid4()), secrets.token_urlsafe(32))
        expires_at = utc_now() + timedelta(seconds=self.config.duration_s("aliasTokenTimeout"))
        with self._database.write() as uow:
            uow.session.connection().execute(delete(AliasTokenRow).where(col(AliasTokenRow.expires_at) < utc_now()))
            uow.session.add(
                AliasTokenRow(
                    alias=token.alias,
                    secret_sha256=_digest(token.secret),
                    username=username.lower(),
                    expires_at=expires_at,
                )
            )
        return token

    def tokens(self, username: str) -> list[IssuedToken]:
        """Return the valid alias tokens of a user, the one that ends first in front."""
        statement = (
            select(AliasTokenRow)
            .where(AliasTokenRow.username == username, col(AliasTokenRow.expires_at) > utc_now())
            .order_by(col(AliasTokenRow.expires_at))
        )
        with self._database.read() as uow:
            return [IssuedToken(row.alias, row.username, row.expires_at) for row in uow.session.exec(statement)]

    def validate_token(self, alias: str, secret: str) -> str | None:
        """Return the user of an alias token; None when it is not valid."""
        visitor = self._of_token(alias, secret)
        return None if visitor is None else visitor.username

    def invalidate_token(self, alias: str, secret: str) -> bool:
        """End an alias token; False when it was not valid."""
        if self.validate_token(alias, secret) is None:
            return False
        with self._database.write() as uow:
            uow.session.connection().execute(delete(AliasTokenRow).where(col(AliasTokenRow.alias) == alias.lower()))
        return True

    def _of_token(self, alias: str, secret: str) -> Visitor | None:
        if not ALIAS.fullmatch(alias):
            return None
        with self._database.read() as uow:
            row = uow.session.get(AliasTokenRow, alias.lower())
            uow.session.expunge_all()
        if row is None or row.expires_at < utc_now() or not secrets.compare_digest(row.secret_sha256, _digest(secret)):
            return None
        return self.known(row.username, since=row.issued_at)

    def _reload(self, digest: str, live: _Live | None, now: float) -> Visitor | None:
        with self._database.read() as uow:
            row = uow.session.get(LoginRow, digest)
            uow.session.expunge_all()
        if row is None:
            with self._lock:
                self._live.pop(digest, None)
            return None
        used_at = max(row.last_used_at.timestamp(), live.used_at if live is not None else 0.0)
        if now - used_at >= self.idle_s:
            return None
        visitor = self.known(row.username, since=row.opened_at)
        if visitor is None:
            return None
        stored_at = row.last_used_at.timestamp()
        if now - stored_at > min(TOUCH_S, self.idle_s / 4):
            with self._database.write() as uow:
                found = uow.session.get(LoginRow, digest)
                if found is None:
                    return None
                found.last_used_at = utc_now()
                uow.session.add(found)
        with self._lock:
            self._live[digest] = _Live(visitor, now, now, now)
        return visitor

    def known(self, username: str, *, since: datetime | None = None) -> Visitor | None:
        """Return whom a user name stands for; None for nobody who may log in.

        Parameters
        ----------
        since
            When the login or token was made: a password that was set after that ends it, whoever set it and where.
        """
        if username == GUEST:
            return None
        try:
            user = self._accounts.user(username)
            set_at = user.password_set_at
            if not user.is_active or (since is not None and set_at is not None and since < set_at):
                return None
            return self._visitor(self._accounts.principal(username))
        except UserUnknown:
            return None

    def _visitor(self, principal: Principal) -> Visitor:
        """Return what the roles of an account mean in the archive.

        A coordinator of a whole study reads the projects that name it. Roles for one site open nothing here: sessions
        of all sites lie in one project, and nothing that any client may not change says of which site each is.
        """

        def is_everywhere(role: Role) -> bool:
            return (None, None) in principal.reach(role)

        reach = principal.reach(Role.coordinator)
        studies = {study for study, site in reach if study is not None and site is None}
        collaborates: frozenset[str] = frozenset()
        if studies:
            with self._database.read() as uow:
                collaborates = repository.projects_of_studies(uow.session, studies)
        return Visitor(
            principal.username,
            everything=is_everywhere(Role.engineer),  # which an administrator is, too
            reads_everything=is_everywhere(Role.coordinator),
            is_admin=is_everywhere(Role.admin),
            collaborates=collaborates,
            is_of_sites=any(site is not None for _, site in reach),
            is_expired=self._is_expired(principal.username),
        )

    def _is_expired(self, username: str) -> bool:
        """Tell whether a password is older than the site allows; an account without one has nothing to renew."""
        oldest = self.config.oldest_password(utc_now())
        set_at = None if oldest is None else self._accounts.user(username).password_set_at
        return oldest is not None and set_at is not None and set_at < oldest


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _shown(digest: str) -> str:
    """Return what stands for a login in a list; it looks like the id of one."""
    return digest[:32].upper()
