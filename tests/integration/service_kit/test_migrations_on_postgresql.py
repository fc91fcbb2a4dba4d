"""On a real PostgreSQL an empty database gets at once what all migrations come to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service_kit import migrations
from service_kit.database import Database
from tests.schemas import PACKAGES, at_once, shape, step_by_step

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


def test_processes_that_start_together_make_an_empty_database_once(new_database):
    url = new_database()
    with ThreadPoolExecutor(4) as starts:
        list(starts.map(lambda _: migrations.upgrade(url, package="gateway"), range(4)))
    assert shape(url) == at_once(new_database(), "gateway")


def test_a_creation_that_is_cut_off_leaves_nothing_behind(new_database):
    url = new_database()
    database = Database(url)
    with database.engine.begin() as connection:
        connection.execute(text("create view outbox as select 1"))  # in the way of one of the tables
    with pytest.raises(DBAPIError):
        migrations.upgrade(url, package="gateway")
    assert shape(url) == {}
    with database.engine.begin() as connection:
        connection.execute(text("drop view outbox"))
    database.dispose()
    assert at_once(url, "gateway") == at_once(new_database(), "gateway")
