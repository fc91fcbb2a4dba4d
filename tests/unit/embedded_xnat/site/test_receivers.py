"""DICOM receivers as administrators define them, and what is applied of that."""

import json

from tests.unit.embedded_xnat.imports.conftest import make_dicom

ROOT = "/xapi/dicomscp"
TO_P = {"aeTitle": "A", "routingExpressionsEnabled": True, "projectRoutingExpression": "(0018,0015):(.*) t:.+ r:P"}


def made(admin, **values) -> dict:
    answer = admin.post(ROOT, json={"aeTitle": "A", **values})
    assert answer.status_code == 200, answer.text
    return answer.json()


def imported(admin, *, params=None, **values) -> str:
    answer = admin.post("/data/services/import", params=params, content=make_dicom(**values))
    assert answer.status_code == 200, answer.text
    return answer.text.strip()


def test_a_receiver_is_made_read_changed_and_deleted(admin) -> None:
    wanted = {
        "aeTitle": " XNAT ",
        "port": 8104,
        "enabled": False,
        "identifier": "dicomObjectIdentifier",
        "customProcessing": True,
        "directArchive": True,
        "anonymizationEnabled": False,
        "whitelistEnabled": True,
        "whitelist": ["SCANNER@10.0.0.1"],
        "routingExpressionsEnabled": True,
        "projectRoutingExpression": r"(0008,1030):Project:\s*(\w+)",
        "subjectRoutingExpression": None,
        "sessionRoutingExpression": "(0010,0020):(.*)",
        "fileNamer": "unknown",
    }
    first = made(admin, **wanted)
    expected = {**wanted, "aeTitle": "XNAT", "subjectRoutingExpression": ""}
    del expected["fileNamer"]
    assert {key: first[key] for key in expected} == expected
    assert (first["receives"], "gateway" in first["remark"]) == (False, True)
    uri = f"{ROOT}/{first['id']}"
    assert admin.get(uri).json() == first == admin.get(ROOT).json()[0]
    changed = admin.put(uri, json={"enabled": True, "id": 99}).json()
    assert changed == {**first, "enabled": True, "timestamp": changed["timestamp"]}
    assert admin.put(f"{uri}/enabled/false").json()["enabled"] is False
    assert "dicomObjectIdentifier" in admin.get(f"{ROOT}/identifiers").json()
    assert admin.delete(uri).status_code == 200
    assert (admin.get(uri).status_code, admin.put(uri, json={}).status_code, admin.delete(uri).status_code) == (
        404,
    ) * 3
    assert made(admin)["id"] > first["id"]


def test_title_and_port_are_there_once(admin) -> None:
    first, other = made(admin, port=104), made(admin, port=105)
    assert made(admin, aeTitle="B", port=104)
    taken = admin.post(ROOT, json={"aeTitle": " A", "port": 104})
    assert (taken.status_code, f"id is {first['id']}" in taken.text) == (409, True)
    assert admin.put(f"{ROOT}/{other['id']}", json={"port": 104}).status_code == 409
    assert admin.put(f"{ROOT}/{first['id']}", json={"port": 104, "aeTitle": "A"}).status_code == 200


SENSELESS = [
    ({"aeTitle": ""}, "aeTitle"),
    ({"aeTitle": None}, "aeTitle"),
    ({"aeTitle": "A" * 17}, "aeTitle"),
    ({"aeTitle": "A\\B"}, "backslash"),
    ({"aeTitle": "A\n"}, "control"),
    ({"port": 0}, "port"),
    ({"port": 10**40}, "port"),
    ({"identifier": "dqrObjectIdentifier"}, "dicomObjectIdentifier"),
    ({"enabled": "maybe"}, "enabled"),
    ({"whitelist": "x"}, "whitelist"),
    ({"whitelist": ["\n"]}, "whitelist"),
    ({"sessionRoutingExpression": "(0010,0020):(a+)+"}, "line 1: the pattern is too costly"),
    ({"projectRoutingExpression": "(0010,0020):(\ud800)"}, "half a character"),
    ({"subjectRoutingExpression": 5}, "subjectRoutingExpression"),
]


def test_a_definition_that_makes_no_sense_is_refused_and_leaves_nothing(admin) -> None:
    for wanted, word in SENSELESS:
        answer = admin.post(ROOT, content=json.dumps({"aeTitle": "A", **wanted}))
        assert (answer.status_code, word in answer.json()["detail"]) == (400, True), (wanted, answer.text)
    assert admin.get(ROOT).json() == []


def test_receivers_are_for_administrators(admin, as_user) -> None:
    uri = f"{ROOT}/{made(admin)['id']}"
    zoe = as_user("zoe")
    asked = [("GET", ROOT), ("GET", uri), ("POST", ROOT), ("PUT", uri), ("PUT", f"{uri}/enabled/true"), ("DELETE", uri)]
    for method, path in asked:
        assert zoe.request(method, path, json={}).status_code == 403


def test_rules_find_project_subject_and_session_each_by_itself(admin) -> None:
    rules = {
        "projectRoutingExpression": "(0008,1030):(.)_.*",
        "subjectRoutingExpression": "(0018,0015):(HEAD)\n(0010,4000):.*code=(\\w+)",
        "sessionRoutingExpression": "(0020,0010):(.*) t:^ r:V",
    }
    made(admin, routingExpressionsEnabled=True, **rules)
    values = {"StudyDescription": "P_x", "PatientComments": "Subject:S8 Session:E8 code=K7", "StudyID": "3"}
    assert imported(admin, **values) == "/data/archive/projects/P/subjects/K7/experiments/V3"
    values["PatientComments"] = "Subject:S8 Session:E8"
    assert imported(admin, StudyDescription="P_x", PatientComments=values["PatientComments"]).endswith(
        "S8/experiments/E8"
    )


def test_what_the_request_says_counts_more_than_rules_and_rules_more_than_comments(admin) -> None:
    admin.put("/data/projects/Q")
    rules = dict.fromkeys(("projectRoutingExpression", "subjectRoutingExpression", "sessionRoutingExpression"))
    rules = {name: f"(0018,0015):(.*) t:.+ r:{value}" for name, value in zip(rules, ("P", "S6", "E6"), strict=True)}
    made(admin, routingExpressionsEnabled=True, **rules)
    values = {"BodyPartExamined": "HEAD", "PatientComments": "Project:Q Subject:S8 Session:E8"}
    assert imported(admin, **values) == "/data/archive/projects/P/subjects/S6/experiments/E6"
    asked = {"project": "Q", "subject": "S9", "session": "E9"}
    assert imported(admin, params=asked, **values) == "/data/archive/projects/Q/subjects/S9/experiments/E9"


def test_a_rule_opens_no_project_to_somebody_who_may_not_write_there(admin, as_user) -> None:
    made(admin, **TO_P)
    assert imported(as_user("zoe"), BodyPartExamined="HEAD").startswith("/data/prearchive/projects/Unassigned/")


def test_rules_that_are_switched_off_or_find_nothing_change_nothing(admin) -> None:
    unassigned = "/data/prearchive/projects/Unassigned/"
    uri = f"{ROOT}/{made(admin, **TO_P)['id']}"
    assert imported(admin).startswith(unassigned)  # the element is not there
    admin.put(uri, json={"projectRoutingExpression": "(0018,0015):(.*) t:.+ r:NOWHERE"})
    assert imported(admin, BodyPartExamined="HEAD").startswith(unassigned)
    admin.put(uri, json=TO_P | {"enabled": False})
    assert imported(admin, BodyPartExamined="HEAD").startswith(unassigned)
    admin.put(uri, json=TO_P | {"enabled": True, "routingExpressionsEnabled": False})
    assert imported(admin, BodyPartExamined="HEAD").startswith(unassigned)
    admin.put(uri, json=TO_P)
    assert imported(admin, BodyPartExamined="HEAD").startswith("/data/archive/projects/P/")
