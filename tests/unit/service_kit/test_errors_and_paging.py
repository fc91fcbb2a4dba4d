"""Every error has its answer; every cursor comes back as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from service_kit import errors, problems
from service_kit.errors import InvalidInput, ServiceError
from service_kit.paging import decode_cursor, decode_id_cursor, encode_cursor


def kinds() -> list[type[ServiceError]]:
    return [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, ServiceError)]


def test_every_kind_of_error_has_a_row_in_the_table() -> None:
    assert set(kinds()) == set(problems.STATUS)


@pytest.mark.parametrize("kind", kinds())
def test_an_error_is_answered_as_a_problem_with_its_own_sentence(kind: type[ServiceError]) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    def fail() -> None:
        raise kind("There is no session 7.")

    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "There is no session 7."
    assert answer.json()["status"] == answer.status_code == problems.STATUS[kind]


def test_a_bug_says_nothing_of_its_inside() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    def fail() -> None:
        raise RuntimeError("Jane Doe 1970-01-01")

    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert answer.status_code == 500
    assert "Jane" not in answer.text
    assert answer.json()["reference"] in answer.json()["detail"]


def test_a_bug_is_logged_without_the_paths_that_carry_names(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    def fail() -> None:
        try:
            Path("/nowhere/DOE_JANE").rename("/nowhere/DOE_JOHN")
        except OSError as error:
            raise RuntimeError("the archive cannot go on") from error

    assert TestClient(app, raise_server_exceptions=False).get("/").status_code == 500
    assert "FileNotFoundError: [Errno 2]" in caplog.text
    assert "/nowhere/DOE_J" not in caplog.text.replace('Path("/nowhere/DOE_JANE").rename("/nowhere/DOE_JOHN")', "")


@given(st.lists(st.one_of(st.integers(), st.text(), st.none()), min_size=1))
def test_a_cursor_comes_back_as_it_was(values: list[object]) -> None:
    assert decode_cursor(encode_cursor(*values)) == values


@pytest.mark.parametrize("text", ["%%%", "abc", "eyJhIjoxfQ", "é"])
def test_a_foreign_cursor_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(InvalidInput, match="start again"):
        decode_cursor(text)


@pytest.mark.parametrize("values", [[], ["a"], [True], [None], [1.5], [1, 2], [2**63], [-1], [[1]]])
def test_a_cursor_with_something_else_than_an_id_is_refused(values: list[object]) -> None:
    with pytest.raises(InvalidInput):
        decode_id_cursor(encode_cursor(*values))
