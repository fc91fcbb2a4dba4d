"""Passwords, tokens and the short memory of verified passwords. May import pwdlib.

A password is stored as an argon2id hash, a token or a cookie as its SHA-256 (they are random, so no salt is needed).
"""

import hashlib
import hmac
import secrets
import threading
import time

from pwdlib import PasswordHash

TOKEN_PREFIX = "cft_"  # noqa: S105 - lets people and secret scanners know one when they see it
MINIMUM_PASSWORD_LENGTH = 10
_CACHE_SIZE = 1024


def new_token() -> str:
    """Return a new API token: a prefix and 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_session_secret() -> str:
    """Return the value of a new session cookie: 256 random bits."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a token, a cookie or a name, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_token_of(secret: str) -> str:
    """Return the CSRF token that belongs to a cookie: derived from it, and of no use to learn it."""
    return hashlib.sha256(b"csrf\0" + secret.encode()).hexdigest()


def csrf_matches(secret: str, submitted: str | None) -> bool:
    """Tell whether `submitted` is the CSRF token of the cookie `secret`, in constant time; no cookie has none."""
    if not secret or submitted is None:
        return False
    return hmac.compare_digest(csrf_token_of(secret).encode(), submitted.encode())


class PasswordVerifier:
    """Hashes and checks passwords; spends the same time on accounts that do not exist.

    Parameters
    ----------
    hasher
        How passwords are hashed; pwdlib's recommended argon2id unless tests ask for a cheaper one.
    remember_s
        How long a checked password need not be checked again (HTTP Basic sends it with every request).
    """

    def __init__(self, *, hasher: PasswordHash | None = None, remember_s: float = 60.0) -> None:
        self._hasher = hasher or PasswordHash.recommended()
        self._remember_s = remember_s
        self._key = secrets.token_bytes(32)
        self._verified: dict[bytes, float] = {}
        self._lock = threading.Lock()
        self._decoy: str | None = None

    def hash(self, password: str) -> str:
        """Return the argon2id hash of a password."""
        return self._hasher.hash(password)

    def verify(self, password: str, password_hash: str | None) -> bool:
        """Tell whether the password is the one of the hash; a missing hash costs the same time and is never right."""
        if password_hash is None:
            self._hasher.verify(password, self._decoy_hash())
            return False
        return self._hasher.verify(password, password_hash)

    def verify_remembered(self, password: str, password_hash: str | None) -> bool:
        """As `verify`, but a pair that was right a moment ago is known by a keyed digest.

        The memory ends with the password: its key covers the stored hash, so a changed password is checked anew.
        """
        if password_hash is None:
            return self.verify(password, None)
        key = hmac.digest(self._key, password_hash.encode() + b"\0" + password.encode(), "sha256")
        now = time.monotonic()
        with self._lock:
            if self._verified.get(key, 0.0) > now:
                return True
        if not self.verify(password, password_hash):
            return False
        with self._lock:
            if len(self._verified) >= _CACHE_SIZE:
                self._verified.clear()
            self._verified[key] = now + self._remember_s
        return True

    def _decoy_hash(self) -> str:
        if self._decoy is None:
            self._decoy = self._hasher.hash(secrets.token_urlsafe(16))
        return self._decoy
