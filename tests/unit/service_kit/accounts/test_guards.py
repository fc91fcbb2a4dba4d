"""Who passes the guards, by every kind of credentials, by HTTP."""

from datetime import timedelta
from typing import Annotated

import pytest
from fastapi import Depends, Form, Request
from fastapi.testclient import TestClient
from sqlmodel import select

from service_kit.accounts import Principal, Role
from service_kit.accounts import web as accounts_web
from service_kit.accounts.credentials import csrf_token_of
from service_kit.accounts.db.tables import SessionRow
from service_kit.accounts.guards import CurrentPrincipal, require_role, require_scope
from service_kit.app import new_app
from service_kit.settings import ServiceSettings
from service_kit.web.viewer import is_still_welcome

PASSWORD = "correct horse battery"


@pytest.fixture
def client(accounts):
    accounts.create_user("carl", PASSWORD)
    accounts.grant("carl", Role.coordinator, study="brain")
    accounts.create_user("mia", PASSWORD)
    accounts.grant("mia", Role.annotator)
    app = new_app("Guarded", ServiceSettings(accounts_database_url=accounts.database.url), service="study_governor")
    accounts_web.install(app, accounts)

    @app.get("/me")
    def me(principal: CurrentPrincipal) -> dict[str, str]:
        return {"username": principal.username}

    @app.get("/lasting")
    def lasting(request: Request, principal: CurrentPrincipal) -> None:
        app.state.lasting = request

    @app.post("/write")
    def write(principal: Annotated[Principal, Depends(require_scope("governor:write"))]) -> dict[str, str]:
        return {"username": principal.username}

    @app.post("/form")
    def form(principal: CurrentPrincipal, reason: Annotated[str, Form()]) -> dict[str, str]:
        return {"reason": reason}

    @app.post("/coordinate", dependencies=[Depends(require_role(Role.coordinator))])
    def coordinate() -> dict[str, bool]:
        return {"done": True}

    with TestClient(app) as client:
        yield client


def bearer(accounts, username, *scopes):
    return {"Authorization": f"Bearer {accounts.issue_token(username, 'test', scopes)}"}


def test_a_bearer_token_passes(client, accounts):
    assert client.get("/me", headers=bearer(accounts, "carl", "governor:read")).json() == {"username": "carl"}


def test_basic_passes_with_password_and_with_token(client, accounts):
    assert client.get("/me", auth=("carl", PASSWORD)).json() == {"username": "carl"}
    token = accounts.issue_token("carl", "test", ["governor:read"])
    assert client.get("/me", auth=("carl", token)).json() == {"username": "carl"}


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer nope", "Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Digest x", "Basic Y2FybDp3cm9uZw=="],
)
def test_anything_else_is_one_clear_problem(client, authorization):
    response = client.get("/me", headers={"Authorization": authorization})
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"].endswith(".")


def test_nobody_is_told_to_sign_in(client):
    response = client.get("/me")
    assert response.status_code == 401
    detail = "Please sign in first: people at /login in a browser, programs with a token (Authorization: Bearer …)."
    assert response.json()["detail"] == detail
    assert response.headers["www-authenticate"].startswith("Basic")


def test_a_script_of_a_page_never_makes_the_browser_ask_for_a_password(client):
    assert "www-authenticate" not in client.get("/me", headers={"Sec-Fetch-Mode": "cors"}).headers


def test_the_scope_decides(client, accounts):
    assert client.post("/write", headers=bearer(accounts, "carl", "governor:write")).status_code == 200
    response = client.post("/write", headers=bearer(accounts, "carl", "governor:read"))
    assert response.status_code == 403
    assert "governor:write" in response.json()["detail"]
    assert client.post("/write", auth=("mia", PASSWORD)).status_code == 403


def test_the_role_decides_and_a_reading_token_changes_nothing(client, accounts):
    assert client.post("/coordinate", auth=("carl", PASSWORD)).status_code == 200
    assert client.post("/coordinate", auth=("mia", PASSWORD)).status_code == 403
    assert client.post("/coordinate", headers=bearer(accounts, "carl", "governor:read")).status_code == 403


def test_a_change_by_cookie_needs_the_token_of_the_page(client, accounts):
    cookie = accounts.start_session("carl")
    client.cookies.set("cohortflow_session", cookie)
    right, other = csrf_token_of(cookie), csrf_token_of(accounts.start_session("carl"))
    assert client.get("/me").status_code == 200
    assert client.post("/write").status_code == 403
    assert client.post("/write", json={"csrf_token": right}).status_code == 403, "JSON needs the header"
    assert client.post("/write", headers={"X-CSRF-Token": other}).status_code == 403
    assert client.post("/write", headers={"X-CSRF-Token": "ünicode".encode()}).status_code == 403
    assert client.post("/write", headers={"X-CSRF-Token": right}).status_code == 200


def test_a_form_carries_the_token_in_a_field_and_keeps_its_other_fields(client, accounts):
    cookie = accounts.start_session("carl")
    client.cookies.set("cohortflow_session", cookie)
    form = {"reason": "looks fine", "csrf_token": csrf_token_of(cookie)}
    assert client.post("/form", data=form).json() == {"reason": "looks fine"}
    assert client.post("/form", data={"reason": "x"}).status_code == 403
    files = {"attachment": ("a.txt", b"text")}
    assert client.post("/form", data=form, files=files).json() == {"reason": "looks fine"}


def test_a_program_with_a_token_needs_no_csrf_token_even_beside_a_cookie(client, accounts):
    client.cookies.set("cohortflow_session", accounts.start_session("mia"))
    assert client.post("/write", headers=bearer(accounts, "carl", "governor:write")).json() == {"username": "carl"}


def test_a_wrong_cookie_is_nobody(client):
    client.cookies.set("cohortflow_session", "made-up")
    assert client.get("/me").status_code == 401


def test_basic_is_checked_once_a_minute_not_with_every_request(client, accounts):
    class Counting:
        def __init__(self, inner):
            self.inner, self.count = inner, 0

        def verify(self, password, password_hash):
            self.count += 1
            return self.inner.verify(password, password_hash)

    hasher = accounts._passwords._hasher = Counting(accounts._passwords._hasher)
    for _ in range(5):
        assert client.get("/me", auth=("carl", PASSWORD)).status_code == 200
    assert hasher.count == 1
    assert client.get("/me", auth=("carl", "wrong")).status_code == 401
    assert hasher.count == 2


@pytest.mark.parametrize("end", ["sign out", "close", "take the role", "stay away"])
def test_an_answer_that_lasts_is_welcome_until_the_session_or_its_rights_end(client, accounts, end):
    cookie = accounts.start_session("carl")
    client.cookies.set("cohortflow_session", cookie)
    client.get("/lasting").raise_for_status()
    asked = client.app.state.lasting
    assert is_still_welcome(asked)
    if end == "sign out":
        accounts.end_session(cookie)
    elif end == "close":
        accounts.deactivate("carl")
    elif end == "take the role":
        accounts.revoke_grant("carl", Role.coordinator, study="brain")
    else:
        seen(accounts, before=timedelta(hours=11))
        assert is_still_welcome(asked)
        seen(accounts, before=timedelta(hours=1))
    assert not is_still_welcome(asked), "to go on listening is no sign of life"


def seen(accounts, *, before):
    """Let the only session be older by so much since its last visit."""
    with accounts.database.write() as uow:
        row = uow.session.exec(select(SessionRow)).one()
        row.last_seen_at -= before


def test_an_answer_that_lasts_ends_with_its_token_but_asks_no_password_again(client, accounts):
    token = accounts.issue_token("carl", "script", ["governor:read"])
    client.get("/lasting", headers={"Authorization": f"Bearer {token}"}).raise_for_status()
    by_token = client.app.state.lasting
    client.get("/lasting", auth=("carl", PASSWORD)).raise_for_status()
    by_password = client.app.state.lasting
    assert is_still_welcome(by_token)
    assert is_still_welcome(by_password)
    accounts.set_password("carl", "another battery staple", revoke_tokens=True)
    assert not is_still_welcome(by_token)
    assert is_still_welcome(by_password)


def test_what_the_accounts_said_stands_while_they_cannot_be_asked(client, accounts):
    client.cookies.set("cohortflow_session", accounts.start_session("carl"))
    client.get("/lasting").raise_for_status()
    with accounts.database.write() as uow:
        uow.session.connection().exec_driver_sql("ALTER TABLE browser_session RENAME TO away")
    assert is_still_welcome(client.app.state.lasting)
