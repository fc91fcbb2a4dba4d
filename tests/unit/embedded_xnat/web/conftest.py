"""A browser without a window: it asks as browsers do, and is signed in at the pages."""

import re

import pytest
from starlette.testclient import TestClient

from service_kit.accounts import Role
from service_kit.accounts.guards import SESSION_COOKIE

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
def stranger(server: TestClient) -> TestClient:
    return TestClient(server.app, headers={"accept": ACCEPT}, follow_redirects=False)


@pytest.fixture
def browser_of(server: TestClient):
    def make(username: str) -> TestClient:
        client = TestClient(server.app, headers={"accept": ACCEPT}, follow_redirects=False)
        client.cookies.set(SESSION_COOKIE, server.app.state.accounts.start_session(username))
        return client

    return make


@pytest.fixture
def browser(browser_of) -> TestClient:
    """The administrator's."""
    return browser_of("admin")


@pytest.fixture
def coordinator(server: TestClient):
    """Make somebody who coordinates a study."""

    def make(username: str, **grant) -> str:
        server.app.state.accounts.create_user(username, None)
        server.app.state.accounts.grant(username, Role.coordinator, **grant)
        return username

    return make


def token_of(page: str) -> str:
    found = re.search(r'name="csrf-token" content="([^"]*)"', page)
    assert found is not None
    return found[1]
