"""Bodies beyond the limit are refused before they fill the memory, declared or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from service_kit import problems
from service_kit.body_limit import BodyLimit


@pytest.fixture
def client():
    app = FastAPI()
    problems.install(app)
    app.add_middleware(BodyLimit, max_bytes=1000)

    @app.post("/count")
    async def count(request: Request) -> int:
        return len(await request.body())

    with TestClient(app) as client:
        yield client


def undeclared(pieces: int) -> Iterator[bytes]:
    for _ in range(pieces):
        yield b"x" * 100


def test_what_fits_passes(client):
    assert client.post("/count", content=b"x" * 1000).json() == 1000
    assert client.post("/count", content=undeclared(10)).json() == 1000


@pytest.mark.parametrize("content", [b"x" * 1001, undeclared(11)], ids=["declared", "undeclared"])
def test_what_does_not_fit_is_one_clear_problem(client, content):
    answer = client.post("/count", content=content)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith("send less at once.")


def test_a_length_that_is_no_number_is_counted(client):
    """A superscript two is a digit to Python, and no number."""
    assert client.post("/count", content=undeclared(1), headers={b"Content-Length": b"\xb2"}).json() == 100
