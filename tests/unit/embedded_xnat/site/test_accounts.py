"""Accounts that administrators make and change, and passwords that expire."""

import json
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from service_kit.accounts.db.tables import UserRow
from service_kit.accounts.guards import SESSION_COOKIE
from service_kit.tables import utc_now

PASSWORD = "another good battery"
NEW = {"username": "Dora", "password": PASSWORD, "firstName": "Dora", "lastName": "van Dijk", "email": "d@lab.org"}


@pytest.fixture
def logs_in(server):
    def attempt(username: str, password: str) -> bool:
        return TestClient(server.app).get("/data/auth", auth=(username, password)).status_code == 200

    return attempt


def aged(server, username: str, *, days: int) -> None:
    with server.app.state.accounts.database.write() as uow:
        user = uow.session.get(UserRow, username)
        user.password_set_at = utc_now() - timedelta(days=days)
        uow.session.add(user)


def test_an_administrator_makes_an_account_that_can_log_in(admin, logs_in) -> None:
    made = admin.post("/xapi/users", json={**NEW, "enabled": True, "verified": True})
    assert made.status_code == 201
    expected = {"username": "dora", "firstName": "Dora", "lastName": "van Dijk", "email": "d@lab.org", "enabled": True}
    assert {key: made.json()[key] for key in expected} == expected
    assert PASSWORD not in made.text
    assert made.json() == admin.get("/xapi/users/dora").json()
    assert logs_in("dora", PASSWORD)
    assert admin.post("/xapi/users", json=NEW).status_code == 409
    closed = admin.post("/xapi/users", json={"username": "ed", "password": PASSWORD, "enabled": False})
    assert (closed.status_code, closed.json()["enabled"], logs_in("ed", PASSWORD)) == (201, False, False)


SENSELESS = [
    ({"username": None}, "username"),
    ({"username": "a b"}, "user name"),
    ({"username": "guest"}, "guest"),
    ({"username": "\ud800\ud800"}, "half a character"),
    ({"password": None}, "password"),
    ({"password": "short"}, "at least"),
    ({"password": "\ud800" * 12}, "half a character"),
    ({"password": 5}, "password"),
    ({"firstName": "x" * 100}, "firstName"),
    ({"lastName": "a\0"}, "lastName"),
    ({"email": "no address"}, "email"),
    ({"enabled": "maybe"}, "enabled"),
    ({"verified": False}, "verified"),
]


def test_profiles_are_read_at_every_address_that_xnat_has(admin, as_user) -> None:
    zoe = as_user("zoe")
    assert admin.get("/xapi/users/profile").json()["username"] == "admin"
    mine = zoe.get("/xapi/users/profile").json()
    assert mine == zoe.get("/xapi/users/profile/zoe").json() == admin.get("/xapi/users/zoe").json()
    assert zoe.get("/xapi/users/profile/admin").status_code == 403
    assert (zoe.get("/xapi/users/current").status_code, len(admin.get("/xapi/users/current").json())) == (403, 5)
    admin.put("/xapi/users/zoe/enabled/false")
    assert "zoe" not in [each["username"] for each in admin.get("/xapi/users/current").json()]


def test_administrators_give_roles_and_groups_and_take_them(admin, as_user) -> None:
    zoe, user = as_user("zoe"), "/xapi/users/zoe"

    def reads(expected: int) -> bool:
        return zoe.get("/data/projects/P").status_code == expected

    assert reads(404)
    assert admin.put(f"{user}/groups/P_collaborator").status_code == 200
    assert reads(200)
    assert zoe.put("/data/projects/P/subjects/NEW").status_code == 403
    assert admin.put(f"{user}/groups/P_member").status_code == 200
    assert zoe.put("/data/projects/P/subjects/NEW").status_code == 201
    assert admin.get(f"{user}/groups").json() == ["P_member"]
    assert (
        admin.delete(f"{user}/groups/P_owner").status_code,
        admin.delete(f"{user}/groups/P_member").status_code,
    ) == (
        404,
        200,
    )
    assert reads(404)
    admin.put(f"{user}/groups/ALL_DATA_ACCESS")
    assert reads(200)
    assert admin.get(f"{user}/groups").json() == ["ALL_DATA_ACCESS"]
    assert zoe.put("/data/projects/P/subjects/NEWER").status_code == 403
    admin.put(f"{user}/groups/ALL_DATA_ADMIN")
    assert zoe.put("/data/projects/P/subjects/NEWER").status_code == 201
    for name in ("ALL_DATA_ADMIN", "ALL_DATA_ACCESS"):
        admin.delete(f"{user}/groups/{name}")
    assert reads(404), "at once, though the login stays"
    assert admin.put(f"{user}/roles/Administrator").status_code == 200
    assert admin.get(f"{user}/roles").json() == ["Administrator"]
    assert zoe.get("/xapi/siteConfig").status_code == 200
    assert zoe.delete("/xapi/users/admin/roles/Administrator").status_code == 200
    assert admin.get("/xapi/siteConfig").status_code == 403
    refused = zoe.delete(f"{user}/roles/Administrator")
    assert (refused.status_code, "another administrator" in refused.text) == (400, True)


def test_nobody_raises_themselves(admin, as_user) -> None:
    admin.put("/data/projects/P/users/Owners/olive")
    admin.put("/data/projects/P/users/Members/mary")
    for name in ("olive", "mary", "zoe"):
        for place in ("roles/Administrator", "groups/ALL_DATA_ADMIN", "groups/ALL_DATA_ACCESS"):
            assert as_user(name).put(f"/xapi/users/{name}/{place}").status_code == 403, (name, place)
            assert as_user(name).delete(f"/xapi/users/admin/{place}").status_code == 403, (name, place)
    assert as_user("mary").put("/xapi/users/mary/groups/P_owner").status_code == 403
    assert as_user("zoe").put("/xapi/users/zoe/groups/P_member").status_code == 404
    assert as_user("olive").put("/xapi/users/zoe/groups/P_member").status_code == 200
    missing = ["roles/King", "groups/P_king", "groups/NONE_owner", "groups/x", "groups/_owner"]
    assert [admin.put(f"/xapi/users/zoe/{place}").status_code for place in missing] == [400, 404, 404, 404, 404]
    assert admin.put("/xapi/users/nobody/groups/P_member").status_code == 404
    assert admin.put("/xapi/users/nobody/roles/Administrator").status_code == 404


def test_an_account_that_makes_no_sense_is_refused(admin) -> None:
    before = admin.get("/xapi/users").json()
    for wanted, word in SENSELESS:
        answer = admin.post("/xapi/users", content=json.dumps({**NEW, **wanted}))
        assert (answer.status_code, word in answer.json()["detail"]) == (400, True), (wanted, answer.text)
    assert admin.get("/xapi/users").json() == before


def test_an_account_is_changed_and_its_logins_end_with_its_password(admin, server, logs_in) -> None:
    admin.post("/xapi/users", json=NEW)
    dora = TestClient(server.app)
    dora.post("/data/JSESSION", auth=("dora", PASSWORD))
    changed = admin.put("/xapi/users/dora", json={"lastName": "Smit", "email": ""}).json()
    assert (changed["firstName"], changed["lastName"], changed["email"]) == ("Dora", "Smit", "")
    assert dora.get("/data/auth").status_code == 200
    assert admin.put("/xapi/users/dora", json={"password": "a newer battery"}).status_code == 200
    assert dora.get("/data/auth").status_code == 401
    assert (logs_in("dora", PASSWORD), logs_in("dora", "a newer battery")) == (False, True)
    assert admin.put("/xapi/users/dora/enabled/false").json()["enabled"] is False
    assert not logs_in("dora", "a newer battery")
    assert admin.put("/xapi/users/dora", json={"enabled": True}).status_code == 200
    assert logs_in("dora", "a newer battery")
    assert admin.put("/xapi/users/dora", json={"username": "eve"}).status_code == 400
    assert admin.put("/xapi/users/nobody", json={}).status_code == 404
    assert admin.put("/xapi/users/admin/enabled/false").status_code == 400


def test_people_change_their_own_name_and_nothing_more(as_user) -> None:
    zoe = as_user("zoe")
    assert zoe.put("/xapi/users/zoe", json={"firstName": "Zoe", "lastName": "Z"}).json()["lastName"] == "Z"
    for path, body in (
        ("/xapi/users/zoe", {"password": PASSWORD}),
        ("/xapi/users/zoe", {"enabled": False}),
        ("/xapi/users/mary", {"firstName": "M"}),
        ("/xapi/users/nobody", {}),
        ("/xapi/users/mary/enabled/false", None),
    ):
        assert zoe.put(path, json=body).status_code == 403
    assert zoe.post("/xapi/users", json=NEW).status_code == 403


@pytest.mark.parametrize(
    "rule",
    [
        {"passwordExpirationType": "Interval", "passwordExpirationInterval": "30 days"},
        {"passwordExpirationType": "date", "passwordExpirationDate": "01/01/2026"},
    ],
)
def test_an_expired_password_opens_nothing_but_its_own_change(admin, server, rule) -> None:
    admin.post("/xapi/users", json=NEW)
    aged(server, "dora", days=10 * 365)
    dora = TestClient(server.app)
    assert dora.put("/data/services/auth", data={"username": "dora", "password": PASSWORD}).status_code == 200
    assert admin.post("/xapi/siteConfig", json=rule).status_code == 200
    server.app.state.logins._live.clear()
    assert "Your password has expired" in dora.get("/data/auth").text
    refused = dora.get("/data/projects")
    assert (refused.status_code, "Your password has expired" in refused.text) == (401, True)
    assert dora.put("/data/projects/X").status_code == 401
    assert dora.get("/xapi/schemas", auth=("dora", PASSWORD)).status_code == 401
    assert admin.put("/xapi/users/dora", json={"password": "a newer battery"}).status_code == 200
    again = TestClient(server.app).get("/data/auth", auth=("dora", "a newer battery"))
    assert again.text == "User 'dora' is logged in"
    assert admin.get("/data/auth").text == "User 'admin' is logged in"


def test_a_browser_is_led_to_the_change_of_the_password(admin, server) -> None:
    accounts = server.app.state.accounts
    admin.post("/xapi/users", json=NEW)
    admin.post("/xapi/siteConfig", json={"passwordExpirationType": "Interval"})
    aged(server, "dora", days=400)
    page = TestClient(server.app, cookies={SESSION_COOKIE: accounts.start_session("dora")})
    shown = page.get("/", headers={"Accept": "text/html,application/xhtml+xml"})
    assert (shown.status_code, "/account" in shown.text, "Your password has expired" in shown.text) == (403, True, True)
    account = page.get("/account", headers={"Accept": "text/html,application/xhtml+xml"})
    assert account.status_code == 200
    token = account.text.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"csrf_token": token, "current": PASSWORD, "new": "a newer battery", "again": "a newer battery"}
    assert page.post("/account/password", data=form, follow_redirects=False).status_code == 303
    assert page.get("/", headers={"Accept": "text/html,application/xhtml+xml"}).status_code == 200


def test_passwords_do_not_expire_until_the_site_says_so_nor_before_its_day(admin, server) -> None:
    aged(server, "admin", days=4000)
    assert admin.get("/data/projects").status_code == 200
    future = (utc_now() + timedelta(days=3)).strftime("%m/%d/%Y")
    admin.post("/xapi/siteConfig", json={"passwordExpirationType": "Date", "passwordExpirationDate": future})
    server.app.state.logins._live.clear()
    assert admin.get("/data/projects").status_code == 200


def test_a_rule_for_passwords_without_sense_is_refused(admin) -> None:
    for values in (
        {"passwordExpirationType": "Never"},
        {"passwordExpirationDate": "2026-01-01"},
        {"passwordExpirationInterval": "999999 years"},
    ):
        assert admin.post("/xapi/siteConfig", json=values).status_code == 400, values
