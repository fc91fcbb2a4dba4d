"""Making, listing and seeing tasks: once for each key, no more than one may see."""

import json

import pytest

from service_kit.accounts import Role

from .conftest import GOVERNOR, TEMPLATE


def test_a_task_is_made_with_everything_it_was_given(house):
    task = house.make_task("execution-7", tags=["second", "first"], site="rotterdam", application_name="ViewR")
    assert task["uri"] == f"/api/v1/tasks/{task['id']}"
    assert task["web_uri"] == f"http://site.test/tasks/{task['id']}"
    assert (task["status"], task["project"], task["template_version"]) == ("queued", "brain", 1)
    assert task["tags"] == ["first", "second"]
    assert json.loads(task["content"])["volumes"][0]["name"] == "T1w"


def test_the_same_key_again_is_the_same_task(house):
    first = house.make_task("execution-7")
    assert house.make_task("execution-7")["id"] == first["id"]
    assert house.make_task("execution-8")["id"] != first["id"]
    assert house.as_("flows").get("/api/v1/tasks").json()["total_tasks"] == 2


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"callback_url": "http://elsewhere.test/x"}, 400, "allow-list"),
        ({"callback_content": "no json"}, 400, "no JSON object"),
        ({"content": {"volumes": [{"uri": "http://evil.test/x"}]}}, 400, "beginning with /data/"),
        ({"content": {"pictures": [{"uri": "/data/JSESSION"}]}}, 400, "beginning with /data/"),
        ({"template": "nothing"}, 404, "no template 'nothing'"),
        ({"project": ""}, 400, "project"),
    ],
)
def test_a_wrong_task_is_refused_with_the_reason(house, changes, status, words):
    body = {"project": "brain", "template": "brain_mask_review", "content": {}} | changes
    answer = house.as_("flows").post("/api/v1/tasks", json=body)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert house.as_("flows").get("/api/v1/tasks").json()["total_tasks"] == 0


def test_a_reader_stays_blind_and_nobody_sees_the_secret(house):
    task_id = house.make_task()["id"]
    for name in ("ada", "coco", "flows"):
        assert "s3cret" not in house.as_(name).get(f"/api/v1/tasks/{task_id}").text
    seen = house.as_("ada").get(f"/api/v1/tasks/{task_id}")
    assert "SUBJECT_01" not in seen.text
    assert (seen.json()["generator_url"], seen.json()["callback_url"]) == (None, None)
    managed = house.as_("coco").get(f"/api/v1/tasks/{task_id}").json()
    assert managed["tracking_id"] == "SUBJECT_01_MR"
    assert json.loads(managed["callback_content"])["secret_key"] == "********"


def test_one_sees_the_tasks_of_ones_study_and_site_only(house):
    house.add("dan", Role.annotator, study="brain", site="leiden")
    here = house.make_task(site="leiden")["id"]
    nowhere = house.make_task()["id"]
    others = [house.make_task(site="rotterdam")["id"], house.make_task(project="chest", site="leiden")["id"]]
    dan = house.as_("dan")
    assert [task["id"] for task in dan.get("/api/v1/tasks").json()["tasks"]] == [here, nowhere]
    for task_id in others:
        assert dan.get(f"/api/v1/tasks/{task_id}").status_code == 404
        assert dan.post(f"/api/v1/tasks/{task_id}/claim").status_code == 404


def test_a_task_for_others_cannot_be_seen_or_claimed(house):
    task_id = house.make_task(users=["bea"])["id"]
    assert house.as_("ada").get(f"/api/v1/tasks/{task_id}").status_code == 404
    assert house.as_("ada").post("/api/v1/tasks/next").status_code == 404
    assert house.as_("bea").post(f"/api/v1/tasks/{task_id}/claim").status_code == 200


def test_a_coordinator_sees_but_does_not_answer(house):
    task_id = house.make_task()["id"]
    assert house.as_("coco").get(f"/api/v1/tasks/{task_id}").status_code == 200
    assert house.as_("coco").post(f"/api/v1/tasks/{task_id}/claim").status_code == 403


def test_an_annotator_makes_no_tasks(house):
    body = {"project": "brain", "template": "brain_mask_review", "content": {}}
    assert house.as_("ada").post("/api/v1/tasks", json=body).status_code == 403


def test_listings_page_by_cursor_and_filter(house):
    ids = [house.make_task(tags=["odd"] if number % 2 else [])["id"] for number in range(7)]
    ada = house.as_("ada")
    first = ada.get("/api/v1/tasks?limit=3").json()
    second = ada.get("/api/v1/tasks", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    third = ada.get("/api/v1/tasks", params={"limit": 3, "cursor": second["next_cursor"]}).json()
    assert [task["id"] for page in (first, second, third) for task in page["tasks"]] == ids
    assert third["next_cursor"] is None
    assert first["total_tasks"] == 7
    assert ada.get("/api/v1/tasks?tag=odd").json()["total_tasks"] == 3
    for nothing in ("tag=never", "user=nobody", "template=none", "project=x", "status=done"):
        assert ada.get(f"/api/v1/tasks?{nothing}").json()["tasks"] == []
    assert ada.get("/api/v1/tasks?cursor=!!").status_code == 400
    assert ada.get("/api/v1/tasks?status=perhaps").status_code == 400


def test_status_filters_see_a_lease_that_ended_as_open(house):
    from .test_leases_and_answers import claim, let_lease_end

    task_id = house.make_task()["id"]
    ada = house.as_("ada")
    claim(ada, task_id)
    assert ada.get("/api/v1/tasks?status=claimed").json()["total_tasks"] == 1
    let_lease_end(house, task_id)
    assert ada.get("/api/v1/tasks?status=claimed").json()["total_tasks"] == 0
    assert ada.get("/api/v1/tasks?status=queued").json()["total_tasks"] == 1


def test_the_same_template_again_changes_nothing_and_another_text_is_a_new_version(house):
    flows = house.as_("flows")
    old = house.make_task()["id"]
    again = flows.post("/api/v1/task_templates", json={"label": "brain_mask_review", "content": TEMPLATE})
    assert (again.status_code, again.json()["version"]) == (200, 1)
    changed = TEMPLATE.replace("accept, reject", "accept, reject, unsure")
    new = flows.post("/api/v1/task_templates", json={"label": "brain_mask_review", "content": changed})
    assert (new.status_code, new.json()["version"]) == (201, 2)
    assert house.make_task()["template_version"] == 2
    assert flows.get(f"/api/v1/tasks/{old}").json()["template_version"] == 1
    assert flows.get("/api/v1/task_templates/brain_mask_review").json()["content"] == changed


def test_a_task_keeps_the_form_it_was_made_with(house):
    from .test_leases_and_answers import claim, submit

    old = house.make_task()["id"]
    changed = TEMPLATE.replace("options: [accept, reject]", "options: [yes please]")
    house.as_("flows").post("/api/v1/task_templates", json={"label": "brain_mask_review", "content": changed})
    ada = house.as_("ada")
    assert submit(ada, old, claim(ada, old)).status_code == 200


def test_a_text_that_is_no_template_is_refused_with_every_mistake(house):
    answer = house.as_("flows").post("/api/v1/task_templates", json={"label": "x", "content": "a: 1"})
    assert answer.status_code == 400
    assert "sop" in answer.json()["detail"]
    assert "viewports is missing" in answer.json()["detail"]


def test_files_are_for_people_who_may_see_the_task(house):
    task_id = house.make_task(users=["bea"])["id"]
    assert house.as_("ada").get(f"/api/v1/tasks/{task_id}/files/0").status_code == 404
    assert house.as_("bea").get(f"/api/v1/tasks/{task_id}/files/9").status_code == 404
    assert house.as_("bea").get(f"/api/v1/tasks/{task_id}/files/0").status_code == 503  # no archive is set up here


def test_nobody_gets_in_without_a_token(house):
    from starlette.testclient import TestClient

    assert TestClient(house.app).get("/api/v1/tasks").status_code == 401
    assert GOVERNOR not in TestClient(house.app).get("/api/v1/tasks").text


def test_a_known_key_shows_nobody_the_task_of_another_study(house):
    house.make_task(key="k")
    house.add("chest", Role.coordinator, study="chest")
    body = {"project": "chest", "template": "brain_mask_review", "content": {}}
    for name in ("chest", "flows"):
        answer = house.as_(name).post("/api/v1/tasks", json=body, headers={"Idempotency-Key": "k"})
        assert (answer.status_code, "SUBJECT_01" in answer.text) == (409, False)
    house.add("elsewhere", Role.coordinator, study="brain", site="B")
    house.make_task(key="at-a", site="A")
    body = {"project": "brain", "site": "B", "template": "brain_mask_review", "content": {}}
    answer = house.as_("elsewhere").post("/api/v1/tasks", json=body, headers={"Idempotency-Key": "at-a"})
    assert answer.status_code == 409


def test_a_template_is_written_by_those_who_may_write_in_every_study(house):
    house.add("chest", Role.coordinator, study="chest")
    body = {"label": "brain_mask_review", "content": TEMPLATE}
    refused = house.as_("chest").post("/api/v1/task_templates", json=body)
    assert (refused.status_code, "every study" in refused.text) == (403, True)
    assert house.as_("coco").post("/api/v1/task_templates", json=body).status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/tasks/99999999999999999999",
        "/tasks/99999999999999999999",
        "/api/v1/tasks?offset=99999999999999999999",
        "/api/v1/tasks?cursor=WyJhIl0",
        "/api/v1/tasks?cursor=W10",
    ],
)
def test_a_number_that_no_row_can_have_is_no_fault_of_ours(house, address):
    assert house.as_("coco").get(address).status_code in {400, 404}


@pytest.mark.parametrize(
    "files", [{"volumes": [{"uri": "{}"}]}, {"pictures": [{"uri": "{}"}]}, '{"volumes": [{"uri": "{}"}]}']
)
def test_a_task_that_shows_files_of_the_archive_takes_a_right_in_every_study(house, files):
    """A file's address does not say whose it is: who may write for one study must not read another's through a task."""
    foreign = "/data/experiments/XNAT_CHEST/scans/1/resources/DICOM/files/a.dcm"
    content = json.loads(json.dumps(files).replace("{}", foreign))
    body = {"project": "brain", "template": "brain_mask_review", "content": content}
    house.add("eve", Role.engineer, study="brain")
    for name in ("coco", "eve"):
        refused = house.as_(name).post("/api/v1/tasks", json=body)
        assert (refused.status_code, "supervisor:execute in every study" in refused.text) == (403, True)
    assert house.as_("flows").get("/api/v1/tasks").json()["total_tasks"] == 0
    assert house.as_("coco").post("/api/v1/tasks", json=body | {"content": {}}).status_code == 201
    assert house.as_("flows").post("/api/v1/tasks", json=body).status_code == 201
