"""Signing in and out, tokens and passwords, as a browser does it, by HTTP."""

import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service_kit.accounts import Role
from service_kit.accounts import web as accounts_web
from service_kit.accounts.guards import CurrentPrincipal
from service_kit.app import new_app
from service_kit.settings import ServiceSettings

PASSWORD = "correct horse battery"
HTML = {"accept": "text/html,application/xhtml+xml"}


def build(accounts, service: str, *, site_url: str = "http://testserver") -> FastAPI:
    settings = ServiceSettings(accounts_database_url=accounts.database.url, site_url=site_url)
    app = new_app(service, settings, service=service)
    accounts_web.install(app, accounts, secure_cookies=settings.secure_cookies)

    @app.get("/page")
    def page(principal: CurrentPrincipal) -> dict[str, str]:
        return {"username": principal.username}

    return app


@pytest.fixture
def site(accounts):
    accounts.create_user("anna", PASSWORD, display_name="Anna <b>L</b>")
    accounts.grant("anna", Role.coordinator)
    app = build(accounts, "study_governor")
    app.mount("/tasks", build(accounts, "task_supervisor"))
    return app


@pytest.fixture
def browser(site):
    with TestClient(site, headers=HTML) as client:
        yield client


def csrf_of(html: str) -> str:
    return re.search(r'name="csrf_token" value="([0-9a-f]+)"', html)[1]


def sign_in(browser, *, password=PASSWORD, next_="", **options):
    token = csrf_of(browser.get("/login").text)
    form = {"username": "anna", "password": password, "next": next_, "csrf_token": token}
    return browser.post("/login", data=form, **options)


def test_a_stranger_is_led_to_the_log_in_and_back(browser):
    response = browser.get("/tasks/page?filter=mine", follow_redirects=False)
    assert response.status_code == 303
    assert response.headers["location"] == "/login?next=/tasks/page%3Ffilter%3Dmine"
    assert sign_in(browser, next_="/tasks/page?filter=mine").url.path == "/tasks/page"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser):
    response = sign_in(browser, follow_redirects=False)
    cookie = next(c for c in response.headers.get_list("set-cookie") if c.startswith("cohortflow_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/;" in cookie
    assert "Secure" not in cookie


def test_behind_https_the_cookie_travels_by_https_only(accounts, site):
    app = build(accounts, "study_governor", site_url="https://cohort.example.org")
    with TestClient(app, headers=HTML, base_url="https://testserver") as browser:
        cookies = sign_in(browser, follow_redirects=False).headers.get_list("set-cookie")
        assert all("Secure" in cookie for cookie in cookies if not cookie.startswith('cohortflow_login=""'))
        assert "max-age" in browser.get("/login").headers["strict-transport-security"]


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)"]
)
def test_the_log_in_never_leads_to_another_site(browser, target):
    response = sign_in(browser, next_=target, follow_redirects=False)
    assert response.headers["location"] == "/"


def test_a_wrong_password_keeps_the_name_and_says_one_sentence(browser):
    response = sign_in(browser, password="wrong")
    assert response.status_code == 401
    assert "The user name or the password is not right." in response.text
    assert 'value="anna"' in response.text
    assert "wrong" not in response.text
    assert "cohortflow_session" not in browser.cookies


def test_after_too_many_attempts_the_page_says_how_long_to_wait(browser):
    responses = [sign_in(browser, password="wrong") for _ in range(4)]
    assert [response.status_code for response in responses] == [401, 401, 401, 429]
    assert "Please wait a minute and try again." in responses[-1].text
    assert int(responses[-1].headers["retry-after"]) > 0


def test_a_log_in_form_from_elsewhere_is_refused(browser):
    response = browser.post("/login", data={"username": "anna", "password": PASSWORD, "csrf_token": "made up"})
    assert response.status_code == 403
    assert "sign in again" in response.text


def test_signing_out_ends_the_session_on_the_server(browser, accounts):
    sign_in(browser)
    cookie = browser.cookies["cohortflow_session"]
    token = csrf_of(browser.get("/account").text)
    assert browser.post("/logout", data={"csrf_token": token}).url.path == "/login"
    assert accounts.principal_of_session(cookie) is None


def test_nobody_is_signed_out_by_a_link_or_a_foreign_form(browser):
    sign_in(browser)
    assert browser.get("/logout").status_code == 405
    assert browser.post("/logout").status_code == 403
    assert browser.get("/page").json() == {"username": "anna"}


def test_a_token_is_issued_shown_once_used_and_revoked(browser, site):
    sign_in(browser)
    csrf = csrf_of(browser.get("/account").text)
    form = {"name": "nightly export", "scopes": ["governor:read"], "days": "30", "csrf_token": csrf}
    response = browser.post("/account/tokens", data=form)
    assert response.status_code == 201
    token = re.search(r"cft_[\w-]{40,}", response.text)[0]
    page = browser.get("/account").text
    assert "nightly export" in page
    assert token not in page
    with TestClient(site, headers={"Authorization": f"Bearer {token}"}) as script:
        assert script.get("/page").json() == {"username": "anna"}
        token_id = re.search(r"/account/tokens/(\d+)/revoke", page)[1]
        assert script.post(f"/account/tokens/{token_id}/revoke").status_code == 403, "tokens do not manage tokens"
        browser.post(f"/account/tokens/{token_id}/revoke", data={"csrf_token": csrf})
        assert script.get("/page").status_code == 401


def test_a_token_without_a_purpose_is_refused_with_a_sentence(browser):
    sign_in(browser)
    csrf = csrf_of(browser.get("/account").text)
    response = browser.post("/account/tokens", data={"name": "x", "days": "30", "csrf_token": csrf})
    assert response.status_code == 400
    assert "Choose at least one thing" in response.text
    response = browser.post("/account/tokens", data={"name": "x", "scopes": ["governor:execute"], "csrf_token": csrf})
    assert response.status_code == 400
    assert "do not allow a token with governor:execute" in response.text


def test_the_password_is_changed_only_with_the_current_one(browser):
    sign_in(browser)
    csrf = csrf_of(browser.get("/account").text)
    new = "an even longer one"
    change = {"csrf_token": csrf, "current": PASSWORD, "new": new, "again": new}
    assert "is not right" in browser.post("/account/password", data={**change, "current": "no"}).text
    assert "differ" in browser.post("/account/password", data={**change, "again": "other"}).text
    assert "at least 10" in browser.post("/account/password", data={**change, "new": "a", "again": "a"}).text
    assert browser.post("/account/password", data=change).url.path == "/account"
    assert browser.get("/page").status_code == 200, "this browser stays signed in"
    browser.cookies.clear()
    assert sign_in(browser, password=new, next_="/page").json() == {"username": "anna"}


def test_another_browser_is_signed_out_by_a_changed_password(browser, site):
    sign_in(browser)
    with TestClient(site, headers=HTML) as other:
        sign_in(other)
        assert other.get("/page").status_code == 200
        new = "an even longer one"
        change = {"csrf_token": csrf_of(browser.get("/account").text), "current": PASSWORD, "new": new, "again": new}
        browser.post("/account/password", data=change)
        assert other.get("/page").url.path == "/login"


def test_a_password_is_not_changed_from_elsewhere_nor_guessed_at(browser):
    sign_in(browser)
    new = "an even longer one"
    change = {"csrf_token": csrf_of(browser.get("/account").text), "current": PASSWORD, "new": new, "again": new}
    assert browser.post("/account/password", data={**change, "csrf_token": "made up"}).status_code == 403
    guesses = [browser.post("/account/password", data={**change, "current": "a guess"}) for _ in range(3)]
    assert [guess.status_code for guess in guesses] == [400, 400, 400]
    closed = browser.post("/account/password", data=change)
    assert closed.status_code == 429
    assert "Please wait a minute" in closed.text
    assert int(closed.headers["retry-after"]) > 0


def test_names_are_escaped(browser):
    sign_in(browser)
    page = browser.get("/account").text
    assert "Anna &lt;b&gt;L&lt;/b&gt;" in page
    assert "<b>L</b>" not in page


def test_who_is_signed_in_skips_the_log_in_page(browser):
    sign_in(browser)
    assert browser.get("/login?next=/page", follow_redirects=False).headers["location"] == "/page"


def test_a_service_alone_on_its_own_port_has_its_own_log_in(accounts, site):
    with TestClient(build(accounts, "task_supervisor"), headers=HTML) as browser:
        assert browser.get("/page", follow_redirects=False).headers["location"] == "/login?next=/page"
        assert sign_in(browser, next_="/page").json() == {"username": "anna"}


def test_when_the_accounts_are_out_of_reach_the_error_page_still_comes(accounts, site):
    with TestClient(site, headers=HTML, raise_server_exceptions=False) as browser:
        sign_in(browser)
        with accounts.database.engine.connect() as connection:
            connection.exec_driver_sql("drop table role_grant")
        response = browser.get("/page")
    assert response.status_code == 503
    assert "does not answer" in response.text
    assert "<h1" in response.text
