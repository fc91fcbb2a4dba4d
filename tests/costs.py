"""What tests need not pay again and again; a plug-in of `tests/conftest.py`, in every test process.

Each part here changes what something costs, none what it does.
"""

from __future__ import annotations

import functools
import gc
import ssl
from collections.abc import Iterator

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache
from xdist import is_xdist_controller

gc.disable()  # until all tests are collected: modules are no garbage


def pytest_sessionstart(session: pytest.Session) -> None:
    """Look for garbage in the process that hands out tests to others: it collects none itself."""
    if is_xdist_controller(session):
        gc.enable()


def pytest_collection_finish() -> None:
    """Look for garbage again, among what comes now, and less often than by default."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Look once at all there is; what then is left is no garbage, and pytest and Python look at it six times more."""
    gc.collect()
    gc.freeze()


def cheap_hasher() -> PasswordHash:
    """Return a hasher of little cost: a quarter of a second for each password is argon2's purpose and no test's."""
    return PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Let whoever takes the recommended hasher have the cheap one."""
    cheap = cheap_hasher()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PasswordHash, "recommended", lambda: cheap)
        yield


@pytest.fixture(scope="session", autouse=True)
def _certificates_read_once() -> Iterator[None]:
    """Read the trusted certificates once: httpx reads them for each client, which takes longer than its requests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        yield


@pytest.fixture(scope="session", autouse=True)
def _statements_compiled_once() -> Iterator[None]:
    """Let all engines share what SQLAlchemy compiled: each test has databases of its own and would compile all anew.

    A statement is kept under its dialect; those of two SQLite engines are alike, but only by identity equal.
    """
    compiled: LRUCache[object, object] = LRUCache(5000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "_compiled_cache", property(lambda _: compiled, lambda _, __: None), raising=False)
        patch.setattr(SQLiteDialect_pysqlite, "__eq__", lambda one, other: type(one) is type(other))
        patch.setattr(SQLiteDialect_pysqlite, "__hash__", lambda one: hash(type(one)))
        yield
