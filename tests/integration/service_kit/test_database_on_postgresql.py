"""What a real PostgreSQL says when it refuses a row, and what of it is told."""

from __future__ import annotations

import traceback

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError, IntegrityError

from service_kit.database import Database

pytestmark = pytest.mark.integration
TABLE = "create temporary table one (label text primary key, number integer check (number < 5)) on commit drop"


@pytest.fixture
def database(postgres_url):
    database = Database(postgres_url)
    yield database
    database.dispose()


@pytest.mark.parametrize(
    ("values", "kind", "told"),
    [
        (("Anna", 1), IntegrityError, "one_pkey"),
        (("Jansen", 9), IntegrityError, "one_number_check"),
        (("An\0na", 1), DataError, "NUL"),
    ],
)
def test_an_error_tells_what_is_wrong_and_no_value_of_the_row(database, values, kind, told):
    insert = text("insert into one values (:label, :number)")
    with pytest.raises(kind, match=told) as failed, database.write() as uow:
        connection = uow.session.connection()
        connection.execute(text(TABLE))
        for label, number in [("Anna", 1), values]:
            connection.execute(insert, {"label": label, "number": number})
    logged = "".join(traceback.format_exception(failed.value))
    assert told in logged
    assert not any(value in logged.replace(__file__, "") for value in ("(Anna", "(Jansen", "'An", "Jansen,"))
