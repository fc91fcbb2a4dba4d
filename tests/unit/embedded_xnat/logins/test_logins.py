"""Logins: sessions, tokens, guests, and what a browser has to send."""

import re
from datetime import timedelta

import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from embedded_xnat.db.tables import LoginRow
from service_kit.accounts import Role
from service_kit.accounts.service import Accounts

PASSWORD = "correct horse battery"
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}


@pytest.fixture
def accounts(server: TestClient) -> Accounts:
    return server.app.state.accounts


def change_settings(admin: TestClient, **values: object) -> None:
    assert admin.post("/xapi/siteConfig", json=values).status_code == 200


def test_a_session_id_is_what_clients_expect_and_opens_the_archive(server) -> None:
    answer = server.post("/data/JSESSION", auth=("admin", PASSWORD))
    assert re.fullmatch(r"[0-9A-F]{32}", answer.text)
    other = TestClient(server.app, cookies={"JSESSIONID": answer.text})
    assert other.get("/data/JSESSION").text == answer.text
    assert other.get("/data/auth").text == "User 'admin' is logged in"


@pytest.mark.parametrize("path", ["/data/projects", "/data/JSESSION", "/xapi/schemas"])
def test_basic_is_honoured_on_every_path(server, path: str) -> None:
    assert server.get(path, auth=("admin", PASSWORD)).status_code == 200
    assert TestClient(server.app).get(path, auth=("admin", "wrong password")).status_code == 401


UNKNOWN = ["nobody", "guest", "admin\r\nX-Evil: 1", "ä" * 300, "a" * 5000, "\0"]


@pytest.mark.parametrize(("username", "status"), [("", 400), *((name, 401) for name in UNKNOWN)])
def test_unknown_users_are_refused(server, username: str, status: int) -> None:
    answer = server.put("/data/services/auth", data={"username": username, "password": PASSWORD})
    assert answer.status_code == status
    assert "x-evil" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert username[:20] not in answer.text or not username


def test_a_closed_account_opens_nothing(server, accounts) -> None:
    accounts.create_user("dora", PASSWORD)
    assert server.get("/data/auth", auth=("dora", PASSWORD)).status_code == 200
    accounts.deactivate("dora")
    assert TestClient(server.app).get("/data/auth", auth=("dora", PASSWORD)).status_code == 401


def test_logins_and_tokens_end_with_the_password_wherever_it_is_set_anew(server, accounts) -> None:
    """The account pages and the command line are parts of other services."""
    accounts.create_user("dora", PASSWORD)
    dora = TestClient(server.app)
    dora.post("/data/JSESSION", auth=("dora", PASSWORD))
    token = dora.get("/data/services/tokens/issue").json()
    accounts.set_password("dora", "a newer battery")
    server.app.state.logins._live.clear()  # twenty seconds later
    assert dora.get("/data/auth").status_code == 401
    assert TestClient(server.app).get("/data/auth", auth=(token["alias"], token["secret"])).status_code == 401
    uri = f"/data/services/tokens/validate/{token['alias']}/{token['secret']}"
    assert server.get(uri, auth=("admin", PASSWORD)).json() == {}


def test_who_sets_the_own_password_anew_keeps_this_login_and_no_other(server) -> None:
    here, elsewhere = TestClient(server.app), TestClient(server.app)
    for client in (here, elsewhere):
        client.post("/data/JSESSION", auth=("admin", PASSWORD))
    assert here.put("/xapi/users/admin", json={"password": "a newer battery"}).status_code == 200
    server.app.state.logins._live.clear()
    assert (here.get("/data/auth").status_code, elsewhere.get("/data/auth").status_code) == (200, 401)


@pytest.mark.parametrize("value", ["Basic", "Basic !!!", "Basic Og==", "Bearer abc", "Basic " + "A" * 20_000])
def test_a_broken_authorization_is_a_failed_login(server, value: str) -> None:
    assert server.get("/data/auth", headers={"Authorization": value}).status_code == 401


def test_an_idle_login_ends(admin, server, monkeypatch) -> None:
    change_settings(admin, sessionTimeout="60 seconds")
    assert ',60000"' in admin.get("/data/auth").headers["set-cookie"]
    logins = server.app.state.logins
    now = __import__("time").time()
    monkeypatch.setattr("embedded_xnat.logins.service.time.time", lambda: now + 61)
    assert admin.get("/data/auth").status_code == 401
    assert logins.visitor_of(admin.cookies["JSESSIONID"]) is None


def test_a_user_has_no_more_logins_than_the_site_allows(admin, server, accounts) -> None:
    accounts.create_user("dora", PASSWORD)
    change_settings(admin, concurrentMaxSessions=3)
    ids = [TestClient(server.app).post("/data/JSESSION", auth=("dora", PASSWORD)).text for _ in range(3)]
    refused = TestClient(server.app).post("/data/JSESSION", auth=("dora", PASSWORD))
    assert (refused.status_code, "Maximum sessions of 3" in refused.text) == (401, True)
    TestClient(server.app, cookies={"JSESSIONID": ids[0]}).delete("/data/JSESSION")
    assert TestClient(server.app).post("/data/JSESSION", auth=("dora", PASSWORD)).status_code == 200


def test_a_thousand_logins_of_one_user_stand_side_by_side(server) -> None:
    logins = server.app.state.logins
    visitor = logins.known("zoe")
    database = server.app.state.archive.database
    from embedded_xnat.db.tables import LoginRow

    with database.write() as uow:
        uow.session.add_all([LoginRow(digest=f"{number:064d}", username="zoe") for number in range(999)])
    last = logins.open(visitor)
    assert logins.visitor_of(last) == visitor
    with pytest.raises(Exception, match="1,000"):
        logins.open(visitor)


def test_tokens_are_listed_without_their_secret_and_end_when_told(admin, server) -> None:
    token = admin.get("/data/services/tokens/issue").json()
    listed = admin.get("/data/services/tokens/show").json()
    assert [row["alias"] for row in listed] == [token["alias"]]
    assert token["secret"] not in str(listed)
    pair = f"{token['alias']}/{token['secret']}"
    assert admin.get(f"/data/services/tokens/validate/{pair}").json() == {"valid": "admin"}
    assert admin.get(f"/data/services/tokens/validate/{token['alias']}/wrong").json() == {}
    assert admin.get(f"/data/services/tokens/invalidate/{pair}").status_code == 200
    assert admin.get(f"/data/services/tokens/validate/{pair}").json() == {}
    assert TestClient(server.app).get("/", auth=(token["alias"], token["secret"])).status_code == 401


def test_an_alias_gets_a_session_at_the_front(server, admin) -> None:
    token = admin.get("/data/services/tokens/issue").json()
    client = TestClient(server.app)
    assert client.get("/", auth=(token["alias"], token["secret"])).cookies["JSESSIONID"]
    assert client.get("/data/auth").text == "User 'admin' is logged in"


def test_administrators_issue_tokens_for_others(admin, as_user, server) -> None:
    token = admin.get("/data/services/tokens/issue/user/zoe").json()
    answer = TestClient(server.app).get("/data/auth", auth=(token["alias"], token["secret"]))
    assert answer.text == "User 'zoe' is logged in"
    assert admin.get("/data/services/tokens/issue/user/nobody").status_code == 404
    assert as_user("zoe").get("/data/services/tokens/issue/user/admin").status_code == 403
    assert as_user("zoe").get("/data/services/tokens/issue/user/zoe").status_code == 200


def test_tokens_live_as_long_as_the_site_says(admin, server, monkeypatch) -> None:
    change_settings(admin, aliasTokenTimeout="1 hour")
    token = admin.get("/data/services/tokens/issue").json()
    from datetime import timedelta

    from service_kit.tables import utc_now

    logins = server.app.state.logins
    assert logins.validate_token(token["alias"], token["secret"]) == "admin"
    monkeypatch.setattr("embedded_xnat.logins.service.utc_now", lambda: utc_now() + timedelta(minutes=61))
    assert logins.validate_token(token["alias"], token["secret"]) is None


def test_a_guest_reads_what_is_public_and_changes_nothing(admin, server, session_uri: str) -> None:
    admin.put("/data/projects/P/accessibility/public")
    admin.put("/data/projects/CLOSED")
    guest = TestClient(server.app)
    assert guest.get("/data/projects").status_code == 401
    change_settings(admin, requireLogin=False)
    login_id = guest.get("/data/JSESSION").text
    assert re.fullmatch(r"[0-9A-F]{32}", login_id)
    assert '<span id="user_info">Logged in as: <span style="color:red;">Guest</span>' in guest.get("/").text
    assert [row["ID"] for row in guest.get("/data/projects").json()["ResultSet"]["Result"]] == ["P"]
    assert guest.get(session_uri).status_code == 200
    assert guest.get("/data/projects/CLOSED").status_code == 404
    for method, path in (("PUT", "/data/projects/NEW"), ("DELETE", session_uri), ("POST", "/data/services/import")):
        assert guest.request(method, path).status_code == 401
    assert guest.get("/data/services/tokens/issue").status_code == 401
    assert guest.get("/data/users").status_code == 403
    change_settings(admin, requireLogin=True)
    assert guest.get("/data/projects").status_code == 401


def test_no_login_means_no_guest_where_the_site_asks_for_one(server) -> None:
    assert "user_info" not in server.get("/").text
    assert server.get("/data/JSESSION").status_code == 401


def test_a_browser_needs_the_parameter_and_other_clients_do_not(admin) -> None:
    assert admin.put("/data/projects/A").status_code == 200
    refused = admin.put("/data/projects/B", headers=BROWSER)
    assert (refused.status_code, "XNAT_CSRF" in refused.text) == (403, True)
    assert admin.put("/data/projects/B?XNAT_CSRF=wrong", headers=BROWSER).status_code == 403
    login_id, _, pair = admin.get("/data/JSESSION?CSRF=true").text.partition(";")
    assert admin.put(f"/data/projects/B?{pair}", headers=BROWSER).status_code == 200
    assert admin.get("/data/auth?CSRF=true").text == f"User 'admin' is logged in; {pair}"
    form = {"XNAT_CSRF": pair.partition("=")[2], "xnat:projectData/name": "Name"}
    assert admin.post("/data/projects/C", data=form, headers=BROWSER).status_code == 200
    assert admin.get("/data/projects/C?format=json").json()["items"][0]["data_fields"]["name"] == "Name"
    assert admin.delete("/data/projects/C", headers=BROWSER).status_code == 403
    assert admin.get("/data/projects/C", headers=BROWSER).status_code == 200
    assert login_id == admin.cookies["JSESSIONID"]


def test_a_site_can_do_without_the_parameter(admin) -> None:
    change_settings(admin, enableCsrfToken=False)
    assert admin.put("/data/projects/B", headers=BROWSER).status_code == 200


def test_the_parameter_of_one_login_is_of_no_use_to_another(admin, as_user) -> None:
    pair = as_user("zoe").get("/data/JSESSION?CSRF=true").text.partition(";")[2]
    assert admin.put(f"/data/projects/B?{pair}", headers=BROWSER).status_code == 403


def test_roles_for_one_study_or_one_site_mean_nothing_in_the_archive(server, accounts, as_user, session_uri) -> None:
    accounts.create_user("eve", None)
    accounts.grant("eve", Role.engineer, site="ams")
    accounts.grant("eve", Role.coordinator, study="brain")
    assert as_user("eve").get(session_uri).status_code == 404
    accounts.create_user("fred", None)
    accounts.grant("fred", Role.engineer)
    assert as_user("fred").delete(session_uri).status_code == 200


def test_a_huge_login_form_is_refused(server) -> None:
    answer = server.put(
        "/data/services/auth",
        content=b"username=a&password=" + b"x" * 20_000_000,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 413


FOREIGN = [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_page_of_another_site_changes_nothing_whatever_the_login(server, admin, session_uri, headers) -> None:
    for client, auth in ((TestClient(server.app), ("admin", PASSWORD)), (admin, None)):
        refused = client.delete(f"{session_uri}/scans/3", auth=auth, headers={**BROWSER, **headers})
        assert (refused.status_code, "another site" in refused.text) == (403, True)
        assert client.put("/data/services/auth", data={"username": "zoe"}, headers=headers).status_code == 403
    assert admin.get(f"{session_uri}/scans/3").status_code == 200
    same = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
    assert server.put("/data/projects/A", auth=("admin", PASSWORD), headers={**BROWSER, **same}).status_code == 200


def test_administrators_see_who_is_logged_in_without_being_able_to_be_them(server, admin, as_user) -> None:
    zoe, again = as_user("zoe"), as_user("zoe")
    found = admin.get("/xapi/users/active").json()
    assert (set(found), found["zoe"]["count"]) == ({"admin", "zoe"}, 2)
    ids = found["zoe"]["sessions"]
    assert [bool(re.fullmatch("[0-9A-F]{32}", each)) for each in ids] == [True, True]
    assert TestClient(server.app, cookies={"JSESSIONID": ids[0]}).get("/data/projects").status_code == 401
    assert zoe.get("/xapi/users/active").status_code == 403
    assert zoe.get("/xapi/users/active/admin").status_code == 403
    assert zoe.delete("/xapi/users/active/admin").status_code == 403
    assert zoe.get("/xapi/users/active/zoe").json() == admin.get("/xapi/users/active/zoe").json() == ids
    assert len(zoe.delete("/xapi/users/active/zoe").json()) == 1
    assert [client.get("/data/projects").status_code for client in (zoe, again)] == [200, 401]
    assert admin.delete("/xapi/users/active/zoe").status_code == 200
    assert zoe.get("/data/projects").status_code == 401
    assert admin.get("/xapi/users/active/zoe").status_code == 404
    assert admin.delete("/xapi/users/active/zoe").status_code == 404


def test_an_idle_login_is_not_listed_as_one(server, admin, as_user) -> None:
    as_user("zoe")
    with server.app.state.archive.change() as change:
        for row in change.session.exec(select(LoginRow).where(LoginRow.username == "zoe")):
            row.last_used_at -= timedelta(hours=1)
            change.session.add(row)
    server.app.state.logins._live.clear()
    assert list(admin.get("/xapi/users/active").json()) == ["admin"]
