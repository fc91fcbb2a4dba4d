"""Listings: columns, joined rows, filters, order and pages."""

import csv
import io

import pytest
from starlette.testclient import TestClient


def rows(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    found = answer.json()["ResultSet"]["Result"]
    assert all(isinstance(value, str) for row in found for value in row.values())
    return found


def fill(admin: TestClient) -> None:
    """Add five sessions of another subject, one of them with two scans that have resources."""
    admin.put(
        "/data/projects/P/subjects/S2",
        params={"xnat:subjectData/demographics[@xsi:type=xnat:demographicData]/gender": "female", "group": "b"},
    )
    for number in range(5):
        uri = f"/data/projects/P/subjects/S2/experiments/S2_MR{number}"
        params = {"xsiType": "xnat:mrSessionData", "date": f"2026-02-0{number + 1}"}
        assert admin.put(uri, params={**params, "xnat:mrSessionData/age": str(40 + number)}).status_code == 201
    for scan in ("1", "2"):
        admin.put(f"{uri}/scans/{scan}", params={"xsiType": "xnat:mrScanData", "xnat:mrScanData/type": f"T{scan}"})
        admin.put(f"{uri}/scans/{scan}/resources/DICOM")
    admin.put(f"{uri}/scans/2/resources/NIFTI")


@pytest.fixture(scope="module")
def golden_home(home_with):
    return home_with(fill)


@pytest.fixture
def filled(admin):
    return admin


def labels(answer) -> list[str]:
    return [row["label"] for row in rows(answer)]


def test_a_row_comes_for_every_scan_whose_columns_are_asked_for(filled) -> None:
    columns = "ID,label,subject_label,xnat:imagesessiondata/subject_id,xnat:imagescandata/id,xnat:imagescandata/type"
    params = {"project": "P", "xsiType": "xnat:imageSessionData", "columns": columns}
    found = rows(filled.get("/REST/archive/experiments", params={**params, "label": "S2_MR4"}))
    assert [(row["xnat:imagescandata/id"], row["xnat:imagescandata/type"]) for row in found] == [
        ("1", "T1"),
        ("2", "T2"),
    ]
    assert found[0]["xnat:imagesessiondata/subject_id"] == "CF_S00002"
    columns += ",xnat:imagescandata/file/label"
    found = rows(filled.get("/REST/archive/experiments", params={**params, "columns": columns, "label": "S2_MR4"}))
    assert [row["xnat:imagescandata/file/label"] for row in found] == ["DICOM", "DICOM", "NIFTI"]


def test_a_session_without_scans_keeps_its_row(filled) -> None:
    params = {"project": "P", "xsiType": "xnat:imageSessionData", "columns": "ID,xnat:imagescandata/id"}
    found = rows(filled.get("/data/experiments", params={**params, "label": "S2_MR0"}))
    assert [row["xnat:imagescandata/id"] for row in found] == [""]


def test_assessors_are_listed_by_their_type_with_their_session(filled, session_uri: str) -> None:
    filled.put(
        f"{session_uri}/assessors/A1", params={"xsiType": "proc:genProcData", "proc:genProcData/procstatus": "DONE"}
    )
    columns = "ID,label,xnat:imagesessiondata/label,xnat:imagesessiondata/subject_id,proc:genProcData/procstatus"
    params = {"project": "P", "xsiType": "proc:genProcData", "columns": columns}
    row = rows(filled.get("/REST/archive/experiments", params=params))[0]
    assert (row["label"], row["session_label"], row["subject_label"]) == ("A1", "S1_MR1", "S1")
    assert row["xnat:imagesessiondata/label"] == "S1_MR1"
    assert row["proc:genprocdata/procstatus"] == "DONE"
    assert "A1" not in labels(filled.get("/data/projects/P/experiments"))


def test_projects_are_listed_by_the_role_of_whoever_asks(admin, as_user) -> None:
    roles = {"OWN": "Owners", "MEM": "Members", "COL": "Collaborators"}
    for project, role in roles.items():
        admin.put(f"/data/projects/{project}")
        admin.put(f"/data/projects/{project}/users/{role}/zoe")
    for project, accessibility in (("PUB", "public"), ("PRO", "protected")):
        admin.put(f"/data/projects/{project}")
        admin.put(f"/data/projects/{project}/accessibility/{accessibility}")

    def listed(client, **params: str) -> list[str]:
        return [row["ID"] for row in rows(client.get("/data/projects", params=params))]

    zoe = as_user("zoe")
    assert listed(zoe) == [*roles, "PUB", "PRO"]
    assert listed(zoe, accessible="true") == [*roles]
    assert listed(zoe, accessible="false") == [*roles, "PUB", "PRO"]
    found = [listed(zoe, **{role: "true"}) for role in ("owner", "member", "collaborator")]
    assert found == [["OWN"], ["MEM"], ["COL"]]
    assert listed(zoe, owner="true", member="true") == ["OWN", "MEM"]
    assert listed(admin, accessible="true") == listed(admin)
    assert listed(zoe, activeSince="2020-01-01") == [*roles, "PUB"], "when a closed one was changed is not told"
    assert listed(zoe, activeSince="2120-01-01") == []
    assert zoe.get("/data/projects", params={"activeSince": "yesterday"}).status_code == 400


def test_a_project_tells_the_types_of_its_scans_and_its_scanners(admin, as_user, session_uri) -> None:
    admin.put(session_uri, params={"xnat:mrSessionData/scanner": "M7"})
    assert [row["type"] for row in rows(admin.get("/data/projects/P/scan_types"))] == ["T1", "T1 w", "T2"]
    assert {"scanner": "M7"} in rows(admin.get("/data/projects/P/scanners"))
    admin.put("/data/projects/Q")
    assert rows(admin.get("/data/projects/Q/scan_types")) == []
    assert as_user("zoe").get("/data/projects/P/scan_types").status_code == 404
    assert admin.get("/data/projects/P/subjects/S1/scan_types").status_code == 404


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"label": "S2_*"}, 5),
        ({"label": "S2_MR[12]"}, 2),
        ({"label": "S2_MR1,S2_MR2,NONE"}, 2),
        ({"label": "s2_*"}, 0),
        ({"date": "2026-02-03"}, 1),
        ({"date": "02/02/2026-02/04/2026"}, 3),
        ({"date": ">=2026-02-04"}, 2),
        ({"xnat:mrSessionData/age": ">42"}, 2),
        ({"subject_label": "S2", "xsiType": "xnat:ctSessionData"}, 0),
        ({"xnat:subjectData/demographics/gender": "female"}, 5),
        ({"xnat:subjectData/group": "b"}, 5),
        ({"project": "NONE"}, 0),
        ({"no_such_thing": "x"}, 6),
    ],
)
def test_filters_name_any_field(filled, params, expected: int) -> None:
    assert len(rows(filled.get("/data/experiments", params=params))) == expected


@pytest.mark.parametrize(
    "params",
    [
        {"xnat:mrSessionData/nonsense": "1"},
        {"xnat:mrSessionData/age": "old"},
        {"date": "yesterday"},
        {"label": "*a*b*c*d*e*"},
        {"label": "[z-a]"},
        {"sortBy": "nonsense"},
        {"label": "a\0*"},
        {"label": "x" * 5000},
        {"label": "," * 600},
        {"columns": ",".join(f"c{number}" for number in range(300))},
    ],
)
def test_filters_that_make_no_sense_are_refused(filled, params) -> None:
    answer = filled.get("/data/experiments", params=params)
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_pages_follow_each_other_in_a_stable_order(filled) -> None:
    every = labels(filled.get("/data/experiments"))
    paged = []
    for offset in range(0, 8, 2):
        paged += labels(filled.get("/data/experiments", params={"limit": 2, "offset": offset}))
    assert paged == every
    narrowed = filled.get("/data/experiments", params={"label": "S2*", "limit": 2, "offset": 1})
    assert labels(narrowed) == ["S2_MR1", "S2_MR2"]
    assert narrowed.json()["ResultSet"]["totalRecords"] == "2"


def test_rows_are_sorted_as_asked_for(filled) -> None:
    params = {"sortBy": "xnat:mrSessionData/age,label", "sortOrder": "desc", "label": "S2*"}
    assert labels(filled.get("/data/experiments", params=params)) == [f"S2_MR{number}" for number in (4, 3, 2, 1, 0)]


def test_shared_sessions_come_in_order_with_their_label_there(filled, session_uri: str) -> None:
    filled.put("/data/projects/Q")
    filled.put("/data/projects/Q/subjects/Q1")
    filled.put("/data/projects/Q/subjects/Q1/experiments/OWN")
    filled.put(f"{session_uri}/projects/Q", params={"label": "SHOWN"})
    assert labels(filled.get("/data/projects/Q/experiments")) == ["SHOWN", "OWN"]
    assert labels(filled.get("/data/projects/Q/experiments", params={"limit": 1, "offset": 1})) == ["OWN"]
    shared = filled.get("/data/experiments", params={"xnat:imagesessiondata/sharing/share/project": "Q"})
    assert labels(shared) == ["S1_MR1"]


def test_a_shared_session_is_seen_by_those_who_see_the_other_project(filled, as_user, session_uri: str) -> None:
    filled.put("/data/projects/Q")
    filled.put(f"{session_uri}/projects/Q")
    filled.put("/data/projects/Q/users/Collaborators/carl")
    carl = as_user("carl")
    assert labels(carl.get("/data/experiments")) == ["S1_MR1"]
    filled.put("/data/projects/P/subjects/S1", params={"gender": "female"})
    params = {"columns": "ID,subject_label,xnat:subjectData/demographics/gender,xnat:projectData/description"}
    filled.put("/data/projects/P", params={"description": "secret"})
    row = rows(carl.get("/data/experiments", params=params))[0]
    assert (row["subject_label"], row["xnat:subjectdata/demographics/gender"]) == ("S1", "")
    assert row["xnat:projectdata/description"] == ""
    assert rows(filled.get("/data/experiments", params=params))[0]["xnat:subjectdata/demographics/gender"] == "female"


def test_custom_fields_are_columns_and_filters(filled, session_uri: str) -> None:
    path = "xnat:mrSessionData/fields/field[name=arm]/field"
    filled.put(session_uri, params={path: "a"})
    found = rows(filled.get("/data/experiments", params={"columns": f"ID,label,{path}", path: "a"}))
    assert [(row["label"], row[path.lower()]) for row in found] == [("S1_MR1", "a")]


def test_short_names_are_columns(filled) -> None:
    params = {"columns": "ID,label,gender,group,last_modified", "label": "S2"}
    row = rows(filled.get("/data/projects/P/subjects", params=params))[0]
    assert (row["gender"], row["group"]) == ("female", "b")
    assert row["last_modified"].startswith("20")


def test_reconstructions_are_listed_with_whole_numbers_as_such(filled, session_uri: str) -> None:
    uri = f"{session_uri}/reconstructions"
    assert filled.put(f"{uri}/R1", params={"xnat:reconstructedImageData/type": "seg"}).status_code == 200
    assert [(row["ID"], row["type"]) for row in rows(filled.get(uri))] == [("R1", "seg")]
    filled.put(f"{session_uri}/scans/3", params={"xnat:mrScanData/frames": "12"})
    assert rows(filled.get(f"{session_uri}/scans", params={"columns": "ID,frames"}))[0]["frames"] == "12"


@pytest.mark.parametrize(
    "path", ["/data/projects", "/data/subjects", "/data/experiments", "SESSION/scans", "SESSION/assessors"]
)
def test_every_listing_comes_as_csv_and_xml_and_answers_head(filled, session_uri: str, path: str) -> None:
    path = path.replace("SESSION", session_uri)
    table = rows(filled.get(path))
    text = filled.get(path, params={"format": "csv"}).text
    assert list(csv.DictReader(io.StringIO(text))) == table
    xml = filled.get(path, params={"format": "xml"})
    assert xml.text.count("<row>") == len(table)
    assert xml.headers["content-type"] == "application/xml"
    head = filled.head(path)
    assert (head.status_code, head.headers["content-type"]) == (200, "application/json")
