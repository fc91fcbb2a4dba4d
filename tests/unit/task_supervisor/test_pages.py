"""Queue and task page as the server writes them: who sees what, and that a reader stays blind."""

import json
import re

import pytest
from starlette.testclient import TestClient

from service_kit.accounts import Role

from .test_leases_and_answers import claim, submit


def browser(house, name: str) -> TestClient:
    client = TestClient(house.app, headers={"Accept": "text/html"}, follow_redirects=False)
    client.cookies.set("cohortflow_session", house.accounts.start_session(name))
    return client


def script_data(html: str) -> dict:
    found = re.search(r'<script type="application/json" id="task-data">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found.group(1))


def test_a_stranger_is_led_to_the_log_in(house):
    answer = TestClient(house.app, headers={"Accept": "text/html"}, follow_redirects=False).get("/")
    assert answer.status_code in {302, 303, 307}
    assert "/login" in answer.headers["location"]


def test_an_empty_queue_says_so(house):
    page = browser(house, "ada").get("/")
    assert page.status_code == 200
    assert "Nothing waits for you" in page.text


def test_the_queue_lists_what_is_open_and_pages_on(house):
    for _ in range(52):
        house.make_task()
    page = browser(house, "ada").get("/").text
    assert page.count("Open task ") == 50
    assert "50 of 52 tasks" in page
    following = re.search(r'href="([^"]+)" rel="next"', page)
    assert following
    assert "2 of 52 tasks" in browser(house, "ada").get(following.group(1).replace("&amp;", "&")).text


def test_the_lists_follow_the_task(house):
    task_id = house.make_task()["id"]
    ada = browser(house, "ada")
    token = claim(house.as_("ada"), task_id)
    assert f"/{task_id}" in ada.get("/?tab=mine").text
    assert "Nothing waits" in ada.get("/?tab=open").text
    assert "taken" in browser(house, "coco").get("/?tab=claimed").text
    submit(house.as_("ada"), task_id, token)
    assert f"/{task_id}" in ada.get("/?tab=done").text
    assert f'href="/{task_id}"' not in browser(house, "bea").get("/?tab=done").text
    assert f'href="/{task_id}"' in browser(house, "coco").get("/?tab=done").text


def test_claiming_the_next_task_leads_to_its_page(house):
    task_id = house.make_task()["id"]
    ada = browser(house, "ada")
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', ada.get("/").text)
    assert csrf
    answer = ada.post("/next", data={"csrf_token": csrf.group(1), "project": ""})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/{task_id}")
    assert ada.post("/next", data={"csrf_token": csrf.group(1)}).headers["location"] == "/?tab=open"
    assert ada.post("/next", data={}).status_code == 403


def test_the_sessions_page_is_linked_only_for_those_to_whom_it_opens(house):
    """It belongs to coordinators of the study and site; of no site to those with a right for all."""
    house.add("ams", Role.coordinator, study="brain", site="ams")
    session = {"session": {"label": "S1_MR", "url": "http://site.test/sessions/7"}}
    of_site = house.make_task(content=session, site="ams")["id"]
    of_none = house.make_task(content=session)["id"]
    link = 'href="http://site.test/sessions/7"'
    seen = {name: browser(house, name).get(f"/{of_site}").text for name in ("ada", "coco", "ams")}
    assert {name: link in page for name, page in seen.items()} == {"ada": False, "coco": True, "ams": True}
    assert "S1_MR" in seen["ada"]
    assert link not in browser(house, "ams").get(f"/{of_none}").text


def test_the_page_of_a_task_shows_what_template_and_content_name_and_nothing_else(house):
    content = {
        "volumes": [
            {"name": "T1w", "role": "image", "uri": "/data/experiments/XNAT_E1/resources/R/files/SUBJECT_01.nii.gz"}
        ],
        "measurements": [{"name": "brain_volume", "value": 1432.618, "unit": "mL"}],
        "hidden": "SECRET_GROUP",
    }
    task_id = house.make_task(content=content)["id"]
    page = browser(house, "ada").get(f"/{task_id}").text
    assert "1432.6 mL" in page
    assert "Is the brain mask good enough" in page
    for word in ("SUBJECT_01", "XNAT_E1", "SECRET_GROUP", "s3cret", "governor.test"):
        assert word not in page
    assert script_data(page)["volumes"] == [{"name": "T1w", "role": "image", "url": f"/api/v1/tasks/{task_id}/files/0"}]


def test_a_coordinator_sees_what_happened_and_a_reader_does_not(house):
    task_id = house.make_task()["id"]
    claim(house.as_("ada"), task_id)
    assert "What happened" in browser(house, "coco").get(f"/{task_id}").text
    assert "What happened" not in browser(house, "bea").get(f"/{task_id}").text
    assert "ada" not in browser(house, "bea").get(f"/{task_id}").text


def test_a_coordinator_aborts_a_task_and_sends_a_lost_answer_again_from_the_page(house):
    lost, open_task = house.make_task()["id"], house.make_task()["id"]
    ada = house.as_("ada")
    submit(ada, lost, claim(ada, lost))
    house.governor.answers = [422]
    house.deliver()
    coco = browser(house, "coco")
    page = coco.get(f"/{lost}").text
    assert "the receiver answered 422" in page
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', page).group(1)
    assert coco.post(f"/{lost}/resend", data={"csrf_token": csrf}).status_code == 303
    house.deliver()
    assert "Callback: delivered" in coco.get(f"/{lost}").text
    answer = coco.post(f"/{open_task}/abort", data={"csrf_token": csrf, "reason": "wrong scan"})
    assert answer.headers["location"] == f"/{open_task}"
    assert "wrong scan" in coco.get(f"/{open_task}").text
    assert f"/{open_task}" in coco.get("/?tab=aborted").text
    assert browser(house, "ada").post(f"/{lost}/resend", data={}).status_code == 403


def test_the_holder_gets_the_token_and_the_draft_back(house):
    task_id = house.make_task()["id"]
    ada = house.as_("ada")
    token = claim(ada, task_id)
    ada.put(f"/api/v1/tasks/{task_id}/draft", json={"answer": {"decision": "reject", "comment": "half"}})
    data = script_data(browser(house, "ada").get(f"/{task_id}").text)
    assert data["lease"]["token"] == token
    assert data["values"] == {"decision": "reject", "comment": "half"}
    other = script_data(browser(house, "bea").get(f"/{task_id}").text)
    assert (other["lease"]["token"], other["values"]) == (None, None)


@pytest.mark.parametrize("value", ["</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_nothing_that_was_posted_becomes_markup(house, value):
    content = {"session": {"label": value}, "measurements": [{"name": value, "value": value}]}
    task_id = house.make_task(content=content, tags=[value[:60]])["id"]
    ada = house.as_("ada")
    ada.put(f"/api/v1/tasks/{task_id}/draft", json={"answer": {"comment": value}})
    for path in ("/", f"/{task_id}"):
        page = browser(house, "ada").get(path).text
        assert value not in page
        assert "<img src=x" not in page


def test_pages_carry_the_strict_policy(house):
    answer = browser(house, "ada").get("/")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*(src=|application/json))|\son\w+=|style=", answer.text)


def test_a_task_of_another_study_is_no_page(house):
    house.add("dan", Role.annotator, study="chest")
    task_id = house.make_task()["id"]
    assert browser(house, "dan").get(f"/{task_id}").status_code == 404


def test_links_follow_the_mount(house):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    task_id = house.make_task()["id"]
    client = TestClient(Starlette(routes=[Mount("/tasks", app=house.app)]), headers={"Accept": "text/html"})
    client.cookies.set("cohortflow_session", house.accounts.start_session("ada"))
    assert f'href="/tasks/{task_id}"' in client.get("/tasks/").text
    assert script_data(client.get(f"/tasks/{task_id}").text)["api"] == f"/tasks/api/v1/tasks/{task_id}"
