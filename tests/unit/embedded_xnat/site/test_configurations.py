"""Texts that tools are configured by; the site's rules for where images belong are applied."""

import pytest

from tests.unit.embedded_xnat.imports.conftest import make_dicom

RULES = "/data/config/dicom/projectRules"
TO_P = "(0018,0015):(.*) t:.+ r:P"
TEXT = {"Content-Type": "text/plain"}


def put(client, uri: str, text: str, **params: str) -> int:
    return client.put(uri, content=text, params=params, headers=TEXT).status_code


def rows(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return answer.json()["ResultSet"]["Result"]


def imported(client, **values) -> str:
    answer = client.post("/data/services/import", content=make_dicom(BodyPartExamined="HEAD", **values))
    assert answer.status_code == 200, answer.text
    return answer.text.strip()


@pytest.mark.parametrize("base", ["/data/config", "/data/projects/P/config"])
def test_a_text_is_kept_in_versions_and_switched_on_and_off(admin, base) -> None:
    uri = f"{base}/scan-quality/labels/mine"
    assert (admin.get(base).status_code, admin.get(f"{base}/scan-quality").status_code) == (404, 404)
    assert (admin.get(uri).status_code, admin.get(uri, params={"accept-not-found": "true"}).status_code) == (404, 204)
    assert admin.put(uri, params={"status": "disabled"}).status_code == 400
    assert [put(admin, uri, text) for text in ("good,bad", "good,bad", "good")] == [201, 200, 200]
    (found,) = rows(admin.get(uri))
    owner = "P" if "projects" in base else ""
    assert {name: found[name] for name in ("tool", "path", "project", "user", "contents", "version", "status")} == {
        "tool": "scan-quality",
        "path": "labels/mine",
        "project": owner,
        "user": "admin",
        "contents": "good",
        "version": "2",
        "status": "enabled",
    }
    assert admin.get(uri, params={"contents": "true"}).text == "good"
    assert rows(admin.get(uri, params={"meta": "true"}))[0]["contents"] == ""
    assert [row["contents"] for row in rows(admin.get(uri, params={"action": "getHistory"}))] == ["good,bad", "good"]
    assert rows(admin.get(uri, params={"version": "1"}))[0]["contents"] == "good,bad"
    assert admin.put(uri, params={"status": "disabled"}).status_code == 200
    assert admin.get(uri, params={"contents": "true"}).status_code == 404
    assert rows(admin.get(f"{base}/scan-quality"))[0]["status"] == "disabled"
    again = {"contents": "fine", "status": "enabled", "reason": "asked for"}
    assert admin.put(uri, json=again).status_code == 200
    (found,) = rows(admin.get(uri))
    assert (found["contents"], found["status"], found["reason"]) == ("fine", "enabled", "asked for")
    assert admin.delete(uri).status_code == 200
    assert [row["tool"] for row in rows(admin.get(base))] == ["scan-quality"]
    assert admin.get(base, params={"format": "csv"}).text.splitlines()[0] == "tool"


def test_a_project_falls_back_to_the_site_when_asked_to(admin) -> None:
    uri = "/data/projects/P/config/scan-quality/labels"
    put(admin, "/data/config/scan-quality/labels", "of the site")
    assert admin.get(uri).status_code == 404
    wanted = {"defaultToSiteWide": "true", "contents": "true"}
    assert admin.get(uri, params=wanted).text == "of the site"
    put(admin, uri, "of the project")
    assert admin.get(uri, params=wanted).text == "of the project"


def test_administrators_change_the_site_and_owners_their_project(admin, as_user) -> None:
    put(admin, RULES, TO_P)
    for name, role in (("olive", "Owners"), ("mary", "Members"), ("carl", "Collaborators")):
        admin.put(f"/data/projects/P/users/{role}/{name}")
    people = [as_user(name) for name in ("olive", "mary", "carl", "zoe")]
    assert [each.get(RULES).status_code for each in people] == [200] * 4
    assert [put(each, RULES, "x") for each in people] == [403] * 4
    assert [each.delete(RULES).status_code for each in people] == [403] * 4
    uri = "/data/projects/P/config/tool/path"
    assert [put(each, uri, "x") for each in people] == [201, 403, 403, 404]
    assert [each.get(uri).status_code for each in people] == [200, 200, 200, 404]


SENSELESS = [
    (RULES, "no rule", "line 1"),
    (RULES, "(0010,0020):(a+)+", "too costly"),
    (RULES, " ", "Send the text"),
    ("/data/config/dicom/subjectRules", "(0010,0020)", "line 1"),
    ("/data/config/a b/c", "x", "tool"),
    (f"/data/config/a/{'p' * 501}", "x", "path"),
    ("/data/config/a/b", "x" * 300_000, "longer"),
    ("/data/config/a/b", "x\0", "character"),
    ("/data/config/anon/script", "(0010,0010) := subject", "/xapi/anonymize"),
    ("/data/projects/P/config/anon/script", "x", "/xapi/anonymize"),
    ("/data/config/edit/image/dicom/script", "x", "/xapi/anonymize"),
]


def test_what_cannot_be_kept_or_applied_is_refused(admin) -> None:
    for uri, text, says in SENSELESS:
        answer = admin.put(uri, content=text, headers=TEXT)
        assert (answer.status_code, says in answer.json()["detail"]) == (400, True), (uri, answer.text)
    assert admin.put("/data/config/a/b", json={"contents": 5}).status_code == 400
    assert admin.put("/data/config/a/b", params={"status": "maybe"}, content="x").status_code == 400
    assert admin.put("/data/config/a/b", content=b"\xff").status_code == 400
    assert admin.get("/data/config").status_code == 404


def test_rules_of_the_site_say_where_an_import_goes_while_they_are_in_force(admin) -> None:
    unassigned = "/data/prearchive/projects/Unassigned/"
    assert imported(admin).startswith(unassigned)
    put(admin, RULES, TO_P)
    put(admin, "/data/config/dicom/subjectRules", "(0010,0020):(.*)_MR")
    put(admin, "/data/config/dicom/sessionRules", "(0010,0020):SUBJ_(.*) t:^ r:V_")
    assert (
        imported(admin, PatientComments="Subject:S8 Session:E8")
        == "/data/archive/projects/P/subjects/SUBJ/experiments/V_MR"
    )
    admin.put(RULES, params={"status": "disabled"})
    assert imported(admin).startswith(unassigned)


def test_rules_of_a_receiver_come_before_those_of_the_site(admin) -> None:
    admin.put("/data/projects/Q")
    put(admin, RULES, TO_P)
    receiver = {
        "aeTitle": "A",
        "routingExpressionsEnabled": True,
        "projectRoutingExpression": "(0020,0010):(Q)",
    }
    assert admin.post("/xapi/dicomscp", json=receiver).status_code == 200
    assert imported(admin, StudyID="Q").startswith("/data/archive/projects/Q/")
    assert imported(admin, StudyID="R").startswith("/data/archive/projects/P/")
