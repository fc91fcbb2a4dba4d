"""Who comes to a page: browsers are led to the log-in and back, programs are answered as ever."""

import pytest

from tests.unit.embedded_xnat.conftest import PASSWORD
from tests.unit.embedded_xnat.web.conftest import token_of

PROGRAMS = {
    "requests": "*/*",
    "Java": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "JSON": "application/json",
}


@pytest.mark.parametrize("accept", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_that_knocks_is_answered_at_once(stranger, accept):
    answer = stranger.get("/", headers={"accept": accept})
    assert answer.status_code == 200
    assert stranger.head("/", headers={"accept": accept}).status_code == 200


@pytest.mark.parametrize("accept", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("path", ["/data/projects", "/data/experiments/CF_E00001", "/data/auth", "/xapi/schemas"])
def test_a_program_without_a_login_gets_a_401(stranger, path, accept):
    answer = stranger.get(path, headers={"accept": accept})
    assert answer.status_code == 401
    assert "<h3>" in answer.text


def test_the_knock_of_a_program_says_who_is_logged_in(admin):
    assert '<span id="user_info">Logged in as: &nbsp;<a href="/">admin</a>' in admin.get("/").text


@pytest.mark.parametrize("path", ["/", "/projects/P", "/prearchive", "/data/experiments/CF_E00001", "/search?q=a"])
def test_a_stranger_is_led_to_the_log_in_and_back(stranger, path):
    answer = stranger.get(path)
    assert answer.status_code == 303
    login = stranger.get(answer.headers["location"])
    assert login.status_code == 200
    form = {"username": "admin", "password": PASSWORD, "next": path, "csrf_token": form_token(login.text)}
    after = stranger.post("/login", data=form)
    assert (after.status_code, after.headers["location"]) == (303, path)
    page = stranger.get(path, follow_redirects=True)
    assert page.status_code == 200
    assert "Administrator" in page.text or "admin" in page.text


def form_token(page: str) -> str:
    return page.split('name="csrf_token" value="')[1].split('"', maxsplit=1)[0]


def test_a_wrong_password_opens_nothing(stranger):
    login = stranger.get("/login")
    form = {"username": "admin", "password": "not the password", "csrf_token": form_token(login.text)}
    assert stranger.post("/login", data=form).status_code == 401
    assert stranger.get("/").status_code == 303


def test_who_signs_out_sees_no_page(browser):
    token = token_of(browser.get("/").text)
    assert browser.post("/logout", data={"csrf_token": token}).status_code == 303
    assert browser.get("/projects/P").status_code == 303


def test_styles_and_scripts_are_open_and_nothing_beside_them(stranger):
    assert stranger.get("/static/mark.svg").status_code == 200
    assert stranger.get("/static/../projects/P").status_code == 303


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/data/experiments/CF_E00001", "/experiments/CF_E00001"),
        ("/data/archive/projects/P/subjects/S1", "/projects/P/subjects/S1"),
        ("/REST/projects/P/experiments", "/projects/P"),
        ("/data/projects", "/"),
        ("/data/experiments/CF_E00001/scans/3", "/experiments/CF_E00001/scans/3"),
        ("/app/action/DisplayItemAction/search_element/xnat:mrSessionData/search_value/CF_E1", "/experiments/CF_E1"),
        ("/app/template/Index.vm", "/"),
    ],
)
def test_a_link_into_the_rest_tree_opens_the_page_for_a_browser(browser, address, page):
    answer = browser.get(address)
    assert (answer.status_code, answer.headers["location"]) == (303, page)


def test_a_link_with_format_html_opens_the_page_whoever_asks(admin):
    answer = admin.get("/data/experiments/CF_E00001?format=html", follow_redirects=False)
    assert answer.headers["location"] == "/experiments/CF_E00001"
    assert admin.get("/data/experiments/CF_E00001").headers["content-type"] == "application/json"
    assert admin.get("/data/experiments/CF_E00001?format=json").status_code == 200


def test_a_browser_gets_json_where_it_asks_for_it(browser):
    answer = browser.get("/data/projects/P/experiments?format=json")
    assert answer.json()["ResultSet"]["Result"][0]["label"] == "S1_MR1"


@pytest.mark.parametrize("method", ["put", "post", "delete"])
def test_a_change_from_a_page_needs_the_token_of_the_page(browser, method):
    assert getattr(browser, method)("/data/projects/NEW").status_code == 403
    wrong = getattr(browser, method)("/data/projects/NEW", headers={"X-CSRF-Token": "wrong"})
    assert wrong.status_code == 403
    assert browser.get("/projects/NEW").status_code == 404


def test_with_the_token_of_the_page_a_change_is_made(browser):
    token = token_of(browser.get("/").text)
    assert browser.put("/data/projects/NEW", headers={"X-CSRF-Token": token}).status_code == 200
    assert browser.get("/projects/NEW").status_code == 200


def test_a_page_opened_by_a_login_of_xnats_own_kind_carries_that_logins_token(admin):
    headers = {"accept": "text/html,application/xhtml+xml", "user-agent": "Mozilla/5.0"}
    token = token_of(admin.get("/", headers=headers).text)
    assert admin.put("/data/projects/NEW", headers=headers).status_code == 403
    assert admin.put("/data/projects/NEW", headers={**headers, "X-XNAT-CSRF": token}).status_code == 200


def test_pages_let_nothing_from_elsewhere_in(browser):
    policy = browser.get("/projects/P").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_search_does_not_tell_which_ids_there_are(browser, browser_of):
    assert browser.get("/search?q=CF_E00001").headers["location"] == "/experiments/CF_E00001"
    zoe = browser_of("zoe")
    there, nowhere = (zoe.get(f"/search?q={experiment}") for experiment in ("CF_E00001", "CF_E00009"))
    assert (there.status_code, nowhere.status_code) == (200, 200)


def test_the_script_of_a_page_is_refused_without_a_challenge_that_makes_the_browser_ask(stranger):
    for headers, is_challenged in (({"X-CSRF-Token": "of a session that ended"}, False), ({}, True)):
        answer = stranger.post("/data/services/import", headers=headers)
        assert (answer.status_code, "www-authenticate" in answer.headers) == (401, is_challenged)
