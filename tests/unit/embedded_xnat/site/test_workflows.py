"""Records of what pipelines and scripts did to an object."""

import pytest
from lxml import etree
from sqlalchemy import event

from tests.unit.embedded_xnat.imports.conftest import make_dicom

E1 = "CF_E00001"


def asked(**fields: str) -> dict[str, str]:
    return {f"wrk:workflowData/{name}": value for name, value in fields.items()}


def made(client, **fields: str) -> str:
    answer = client.put("/data/workflows", params=asked(**{"ID": E1, "pipeline_name": "/p/Free.xml", **fields}))
    assert answer.status_code == 201, answer.text
    return answer.text


def listed(client, path: str, **params: str) -> list[dict[str, str]]:
    answer = client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["ResultSet"]["Result"]


def of_scripts(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the records that are not of the server itself."""
    return [row for row in rows if not row.get("category")]


def test_a_record_is_made_changed_and_read(admin) -> None:
    number = made(admin, status="Running", data_type="xnat:mrSessionData")
    uri = f"/data/workflows/{number}"
    fields = admin.get(uri).json()["items"][0]["data_fields"]
    assert (fields["ID"], fields["externalID"], fields["status"], fields["create_user"]) == (
        E1,
        "P",
        "Running",
        "admin",
    )
    form = asked(status="Complete", percentageComplete="100.0")
    assert admin.put(uri, data=form).text == number
    root = etree.fromstring(admin.get(uri, params={"format": "xml"}).content)
    assert (etree.QName(root).localname, root.get("status"), root.get("data_type")) == (
        "Workflow",
        "Complete",
        "xnat:mrSessionData",
    )
    assert admin.put(uri, params=asked(pipeline_name="other")).status_code == 400
    assert admin.put(uri, params=asked(ID=E1)).status_code == 200
    assert admin.get("/data/workflows/999").status_code == 404


def test_the_records_of_a_pipeline_are_listed_as_pyxnat_asks(admin) -> None:
    first, second = made(admin, status="Failed"), made(admin, status="Complete")
    made(admin, pipeline_name="FreeView")
    params = {"project": "P", "experiment": E1, "display": "ALL", "format": "json"}
    rows = listed(admin, "/data/services/workflows/Free", **params)
    assert [(row["wrk_workflowData_id"], row["status"]) for row in rows] == [(first, "Failed"), (second, "Complete")]
    (last,) = listed(admin, "/data/services/workflows/Free", display="LATEST")
    assert (last["wrk_workflowData_id"], last["pipeline_name"]) == (second, "/p/Free.xml")
    assert [row["status"] for row in listed(admin, f"/data/services/workflows/{first}")] == ["Failed"]
    assert len(of_scripts(listed(admin, "/data/workflows"))) == 3
    assert listed(admin, "/data/services/workflows/Free", project="Q") == []
    assert listed(admin, "/data/services/workflows/F%") == []


def test_records_are_for_whoever_may_read_the_object_and_written_by_whoever_may_change_it(admin, as_user) -> None:
    numbers = [made(admin), made(admin, ID="CF_S00001"), made(admin, ID="P")]
    admin.put("/data/projects/P/users/Collaborators/carl")
    admin.put("/data/projects/P/users/Members/mary")
    for number in numbers:
        uri = f"/data/workflows/{number}"
        assert [as_user(name).get(uri).status_code for name in ("carl", "mary", "zoe")] == [200, 200, 404]
        assert as_user("carl").put(uri, params=asked(status="x")).status_code == 403
        assert as_user("zoe").put(uri, params=asked(status="x")).status_code == 404
    assert as_user("mary").put(f"/data/workflows/{numbers[0]}", params=asked(status="x")).status_code == 200
    assert len(of_scripts(listed(as_user("carl"), "/data/workflows"))) == 3
    assert listed(as_user("zoe"), "/data/workflows") == []
    wanted = asked(ID=E1, pipeline_name="p")
    assert [as_user(n).put("/data/workflows", params=wanted).status_code for n in ("carl", "mary", "zoe")] == [
        403,
        201,
        404,
    ]


def test_what_a_shared_session_went_through_is_read_where_it_shows(admin, as_user, session_uri) -> None:
    number = made(admin)
    admin.put("/data/projects/Q")
    admin.put("/data/projects/Q/users/Collaborators/zoe")
    admin.put(f"{session_uri}/projects/Q")
    assert as_user("zoe").get(f"/data/workflows/{number}").status_code == 200
    assert as_user("zoe").put(f"/data/workflows/{number}", params=asked(status="x")).status_code == 403


SENSELESS = [
    ({"ID": ""}, 400),
    ({"pipeline_name": ""}, 400),
    ({"ID": "nothing"}, 404),
    ({"nonsense": "x"}, 400),
    ({"status": "\0"}, 400),
    ({"status": "x" * 201}, 400),
    ({"details": "x" * 10_001}, 400),
]


def test_a_record_that_makes_no_sense_is_refused(admin) -> None:
    for fields, status in SENSELESS:
        wanted = asked(**{"ID": E1, "pipeline_name": "p", **fields})
        assert admin.post("/data/workflows", data=wanted).status_code == status, fields
    assert of_scripts(listed(admin, "/data/workflows")) == []


def own(client, **params: str) -> list[tuple[str, str]]:
    """Return object and action of the records of the server itself."""
    rows = listed(client, "/data/workflows", **params)
    assert all(row["status"] == "Complete" for row in rows if row.get("category"))
    return [(row["ID"], row["pipeline_name"]) for row in rows if row.get("category")]


@pytest.fixture
def since(admin):
    """Return what gives the records that came since it was last called."""
    seen = [len(own(admin))]

    def new(client=admin) -> list[tuple[str, str]]:
        found = own(client)[seen[0] :]
        seen[0] += len(found)
        return found

    return new


def test_what_is_done_to_objects_is_noted_with_who_did_it_and_why(admin, as_user, session_uri, since) -> None:
    assert own(admin) == [
        ("P", "Added Project"),
        ("CF_S00001", "Added Subject"),
        (E1, "Added MR Session"),
        (E1, "Added MR Scan"),
    ]
    admin.put("/data/projects/P/users/Members/mary")
    mary = as_user("mary")
    mary.put(session_uri, params={"xnat:mrSessionData/note": "x", "event_reason": "it was asked for"})
    record = listed(admin, "/data/workflows", experiment=E1)[-1]
    assert (record["create_user"], record["justification"], record["externalID"], record["data_type"]) == (
        "mary",
        "it was asked for",
        "P",
        "xnat:mrSessionData",
    )
    admin.put(session_uri, params={"label": "NEW"})
    admin.put("/data/projects/Q")
    new = "/data/projects/P/experiments/NEW"
    admin.put(f"{new}/projects/Q")
    admin.put(f"{new}/assessors/QC1", params={"xsiType": "xnat:qcManualAssessorData"})
    admin.put(f"{new}/projects/Q", params={"primary": "true"})
    admin.delete("/data/projects/P/users/Members/mary")
    assert since() == [
        ("P", "Added user to project"),
        (E1, "Modified MR Session"),
        (E1, "Renamed"),
        ("Q", "Added Project"),
        (E1, "Configured project sharing"),
        ("CF_E00002", "Added Manual QC"),
        (E1, "Modified project"),
        ("P", "Removed user from project"),
    ]


def test_files_are_noted_once_for_many_in_a_row(admin, as_user, session_uri, since) -> None:
    uri = f"{session_uri}/scans/3/resources/R"
    admin.put(uri)
    for name in ("a", "b", "c"):
        admin.put(f"{uri}/files/{name}", content=b"x")
    admin.put("/data/projects/P/users/Owners/olive")
    as_user("olive").put(f"{uri}/files/d", content=b"x")
    admin.delete(f"{uri}/files/a")
    admin.put(f"{session_uri}/resources/OTHER/files/e", content=b"x")
    admin.delete(uri)
    admin.put("/data/projects/P/resources/DOCS/files/f", content=b"x")
    names = [action for owner, action in since() if owner == E1]
    assert names == [
        "Created resource",
        "Uploaded File",
        "Uploaded File",
        "Removed File",
        "Uploaded File",
        "Removed Resource Catalog",
    ]
    assert own(admin)[-1] == ("P", "Uploaded File")
    assert admin.put(session_uri).status_code == 200
    assert since()[-1:] == [], "what changes nothing is not noted"


def test_imports_are_noted_as_what_they_are(admin, session_uri, since) -> None:
    body = make_dicom()
    assert admin.post("/data/services/import", params={"project": "P"}, content=body).status_code == 200
    assert since() == [("CF_S00002", "Auto-created for experiment"), ("CF_E00002", "Transferred")]
    sent = admin.post("/data/services/import", params={"dest": "/prearchive/projects/P", "session": "E2"}, content=body)
    assert since() == []
    assert admin.post("/data/services/archive", params={"src": sent.text.strip()}).status_code == 200
    assert since() == [("CF_E00003", "Transferred")]
    admin.put("/data/experiments/CF_E00003", params={"xnat:mrSessionData/UID": "NULL"})
    admin.put("/data/experiments/CF_E00003", params={"pullDataFromHeaders": "true"})
    assert since() == [("CF_E00003", "Modified MR Session"), ("CF_E00003", "Pulled Data from DICOM")]


def test_files_that_come_one_by_one_are_one_transfer(admin, since) -> None:
    params = {"project": "P", "import-handler": "gradual-DICOM", "Direct-Archive": "true"}
    for number in range(3):
        body = make_dicom(SOPInstanceUID=f"1.2.{number}")
        assert admin.post("/data/services/import", params=params, content=body).status_code == 200
    assert since() == [("CF_S00002", "Auto-created for experiment"), ("CF_E00002", "Transferred")]
    record = listed(admin, "/data/workflows", experiment="CF_E00002")[0]
    assert record["current_step_launch_time"] >= record["launch_time"]


def test_a_deletion_is_noted_once_and_its_record_stays(admin, as_user, session_uri, since) -> None:
    admin.put(f"{session_uri}/assessors/QC1", params={"xsiType": "xnat:qcManualAssessorData"})
    admin.put("/data/projects/P/users/Collaborators/carl")
    since()
    assert admin.delete(session_uri, params={"removeFiles": "true"}).status_code == 200
    assert since(as_user("carl")) == [(E1, "Removed MR Session")]
    assert own(as_user("zoe")) == []
    assert admin.delete("/data/projects/P/subjects/S1").status_code == 200
    assert since() == [("CF_S00001", "Removed Subject")]
    assert admin.delete("/data/projects/P").status_code == 200
    assert since() == [("P", "Removed Project")]


def test_the_records_of_the_server_stay_as_they_are(admin) -> None:
    number = listed(admin, "/data/workflows", experiment=E1)[0]["wrk_workflowData_id"]
    assert admin.put(f"/data/workflows/{number}", params=asked(status="Failed")).status_code == 400
    assert admin.get(f"/data/workflows/{number}").json()["items"][0]["data_fields"]["status"] == "Complete"


def test_what_fails_is_not_noted(admin, session_uri, since) -> None:
    admin.put("/data/projects/P/subjects/S1/experiments/OTHER")
    since()
    assert admin.put(session_uri, params={"label": "OTHER"}).status_code == 409
    assert since() == []


@pytest.mark.parametrize("params", [{"experiment": E1}, {"project": "P"}, {}])
def test_the_records_of_an_object_are_found_without_reading_all(server, admin, params) -> None:
    engine, asked = server.app.state.archive.database.engine, []

    def note(_connection, _cursor, statement, parameters, *_more) -> None:
        if "FROM workflow" in statement:
            asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    listed(admin, "/data/workflows", **params)
    event.remove(engine, "before_cursor_execute", note)
    (question,) = asked
    with engine.connect() as connection:
        plan = [step[3] for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {question[0]}", question[1])]
    by_number = {"SCAN workflow"} if not params else set()  # backwards, to the thousandth
    assert {step for step in plan if "SCAN" in step} == by_number, plan
