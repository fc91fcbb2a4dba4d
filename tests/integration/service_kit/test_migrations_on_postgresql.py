"""On a real PostgreSQL an empty database gets at once what all migrations come to."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import text

from service_kit.database import Database
from tests.schemas import PACKAGES, at_once, step_by_step

pytestmark = pytest.mark.integration


@pytest.fixture
def new_database(postgres_url):
    server = Database(postgres_url)

    def make() -> str:
        name = f"schema_{uuid4().hex[:8]}"
        with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"create database {name}"))
        base, _, query = postgres_url.partition("?")
        return base.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")

    yield make
    server.dispose()


@pytest.mark.parametrize("package", PACKAGES)
def test_an_empty_database_gets_at_once_what_all_migrations_come_to(package, new_database):
    assert at_once(new_database(), package) == step_by_step(new_database(), package)
