"""Records of what pipelines and scripts did to an object."""

from lxml import etree

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
    assert len(listed(admin, "/data/workflows")) == 3
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
    assert (len(listed(as_user("carl"), "/data/workflows")), listed(as_user("zoe"), "/data/workflows")) == (3, [])
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
    assert as_user("zoe").put(f"/data/workflows/{number}", params=asked(status="x")).status_code in {403, 404}


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
    assert listed(admin, "/data/workflows") == []
