"""Searches: documents, comparisons, forms of the answer, rights, stored ones."""

import json

import pytest
from starlette.testclient import TestClient

SPACE = "http://nrg.wustl.edu/security"
MR = "xnat:mrSessionData"


def criterion(field: str, operator: str, value: str) -> str:
    operator = operator.replace("<", "&lt;").replace(">", "&gt;")
    return (
        f'<x:criteria override_value_formatting="0"><x:schema_field>{field}</x:schema_field>'
        f"<x:comparison_type>{operator}</x:comparison_type><x:value>{value}</x:value></x:criteria>"
    )


def child_set(method: str, *members: str) -> str:
    return f'<x:child_set method="{method}">{"".join(members)}</x:child_set>'


def bundle(*fields: str, where: str = "", root: str = MR, element: str | None = None) -> str:
    shown = "".join(
        f"<x:search_field><x:element_name>{element or root}</x:element_name><x:field_ID>{field}</x:field_ID>"
        f"<x:sequence>{place}</x:sequence><x:type>None</x:type><x:header>url</x:header></x:search_field>"
        for place, field in enumerate(fields)
    )
    return (
        f'<x:bundle xmlns:x="{SPACE}"><x:root_element_name>{root}</x:root_element_name>{shown}'
        f'<x:search_where method="AND">{where}</x:search_where></x:bundle>'
    )


def fill(admin: TestClient) -> None:
    admin.put(
        "/data/projects/P/subjects/S1",
        params={"gender": "female", "xnat:subjectData/fields/field[name=site]/field": "a"},
    )
    for number in range(3):
        params = {"xsiType": MR, f"{MR}/age": str(40 + number), "date": f"2026-02-0{number + 1}"}
        params[f"{MR}/fields/field[name=Arm]/field"] = "even" if number % 2 == 0 else "odd"
        admin.put(f"/data/projects/P/subjects/S1/experiments/P01_MR{number}", params=params)
    admin.put("/data/projects/P/subjects/S1/experiments/P01_CT", params={"xsiType": "xnat:ctSessionData"})


@pytest.fixture(scope="module")
def golden_home(home_with):
    return home_with(fill)


@pytest.fixture
def filled(admin):
    return admin


def found(client, document: str) -> list[dict[str, str]]:
    answer = client.post("/data/search", params={"format": "json"}, content=document)
    assert answer.status_code == 200, answer.text
    return answer.json()["ResultSet"]["Result"]


def labels(client, where: str, root: str = MR) -> list[str]:
    key = f"xnat_col_{root.partition(':')[2].lower()}label"
    return [row[key] for row in found(client, bundle(f"{root}/label", where=where, root=root))]


def test_answers_have_the_form_that_clients_read(filled) -> None:
    document = bundle("PROJECT", f"{MR}/label", where=criterion(f"{MR}/label", "=", "P01_MR1"))
    answer = filled.post("/data/search", params={"format": "csv"}, content=document)
    assert answer.text == "project,xnat_col_mrsessiondatalabel,quarantine_status\nP,P01_MR1,active\n"
    answer = filled.post("/data/search", params={"format": "json"}, content=document)
    assert answer.text == (
        '{"ResultSet":{"Columns":[{"key":"project","type":"string","xPATH":"xnat:mrSessionData.PROJECT",'
        '"element_name":"xnat:mrSessionData","header":"url","id":"PROJECT"},{"key":"xnat_col_mrsessiondatalabel",'
        '"type":"string","xPATH":"xnat:mrSessionData.XNAT_COL_MRSESSIONDATALABEL","element_name":"xnat:mrSessionData",'
        '"header":"url","id":"XNAT_COL_MRSESSIONDATALABEL"},{"key":"quarantine_status"}],"Result":[{"quarantine_status":'
        '"active","project":"P","xnat_col_mrsessiondatalabel":"P01_MR1"}], "rootElementName": "xnat:mrSessionData",'
        '"totalRecords": "1"}}'
    )


def test_ids_come_under_the_names_from_which_clients_make_addresses(filled) -> None:
    row = found(filled, bundle(f"{MR}/ID", f"{MR}/project", f"{MR}/subject_ID"))[0]
    assert row == {"quarantine_status": "active", "session_id": "CF_E00001", "project": "P", "subject_id": "CF_S00001"}
    row = found(filled, bundle(root="xnat:subjectData"))[0]
    assert (row["project"], row["subjectid"]) == ("P", "CF_S00001")
    assert found(filled, bundle(root="xnat:projectData"))[0]["id"] == "P"


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (criterion(f"{MR}/label", " LIKE ", "P01%"), "012"),
        (criterion(f"{MR}/label", "LIKE", "p01_mr_"), "012"),
        (criterion(f"{MR}/age", ">", "40"), "12"),
        (criterion(f"{MR}/age", ">=", "41"), "12"),
        (criterion(f"{MR}/age", "<", "41"), "0"),
        (criterion(f"{MR}/age", "=", "41"), "1"),
        (criterion(f"{MR}/age", "BETWEEN", "41 AND 42"), "12"),
        (criterion(f"{MR}/label", "IN", "(P01_MR0,P01_MR2)"), "02"),
        (criterion(f"{MR}/date", "<=", "02/02/2026"), "01"),
        (criterion(f"{MR}/INSERT_DATE", ">=", "01/01/2020") + criterion(f"{MR}/age", "<=", "42"), "012"),
        (criterion(f"{MR}/INSERT_DATE", "<", "01/01/2020"), ""),
        (criterion(f"{MR}/PROJECT", "=", "OTHER"), ""),
        (criterion(f"{MR}/XNAT_MRSESSIONDATA_FIELD_MAP=arm", "=", "odd"), "1"),
        (criterion(f"{MR}/fields/field[name=arm]/field", "=", "even"), "02"),
        (criterion("xnat:subjectData/GENDER_TEXT", "=", "female") + criterion(f"{MR}/AGE", ">", "41"), "2"),
        (
            child_set("OR", criterion(f"{MR}/age", "=", "40"), child_set("AND", criterion(f"{MR}/age", ">", "41"), criterion(f"{MR}/label", "LIKE", "P01%"))),
            "02",
        ),
    ],
)  # fmt: skip
def test_comparisons_find_what_they_say(filled, where: str, expected: str) -> None:
    assert [label[-1] for label in labels(filled, where) if label.startswith("P01")] == list(expected)


def test_an_abstract_type_finds_all_below_it(filled) -> None:
    root = "xnat:imageSessionData"
    assert labels(filled, criterion(f"{root}/label", "LIKE", "%"), root=root)[-1] == "P01_CT"


def test_a_row_comes_once_whatever_its_scans_meet(filled, session_uri: str) -> None:
    filled.put(f"{session_uri}/scans/4", params={"xsiType": "xnat:mrScanData", "type": "T1 b"})
    where = criterion("xnat:mrScanData/type", "LIKE", "T1%")
    assert labels(filled, where) == ["S1_MR1"]
    scans = found(filled, bundle("xnat:mrScanData/ID", root="xnat:mrScanData", where=where))
    assert [row["xnat_col_mrscandataid"] for row in scans] == ["3", "4"]


def test_a_condition_on_steps_of_a_provenance_holds_for_any_of_them(filled, session_uri: str) -> None:
    root = "xnat:reconstructedImageData"
    spaces = 'xmlns:xnat="http://nrg.wustl.edu/xnat" xmlns:prov="http://www.nbirn.net/prov"'
    steps = "".join(f"<prov:processStep><prov:program>p{n}</prov:program></prov:processStep>" for n in (1, 2))
    body = f"<xnat:ReconstructedImage {spaces}><xnat:provenance>{steps}</xnat:provenance></xnat:ReconstructedImage>"
    filled.put(f"{session_uri}/reconstructions/R1", content=body, headers={"Content-Type": "text/xml"})
    filled.put(f"{session_uri}/reconstructions/R2")
    program = f"{root}/provenance/processStep/program"
    for operator, value, ids in (
        ("=", "p2", ["R1"]),
        ("LIKE", "P2%", ["R1"]),
        ("IN", "p0,p2", ["R1"]),
        ("=", "p3", []),
        ("IS", "NULL", ["R2"]),
        ("IS NOT", "NULL", ["R1"]),
        ("LIKE", "%", ["R1", "R2"]),
    ):
        where = criterion(program, operator, value)
        rows = found(filled, bundle(f"{root}/ID", root=root, where=where))
        assert [row["xnat_col_reconstructedimagedataid"] for row in rows] == ids, (operator, value)


def test_what_is_not_allowed_is_not_found(filled, as_user, session_uri: str) -> None:
    for root in (MR, "xnat:subjectData", "xnat:projectData", "xnat:mrScanData"):
        assert found(as_user("zoe"), bundle(root=root)) == []
    filled.put("/data/projects/P/users/Collaborators/zoe")
    assert len(found(as_user("zoe"), bundle())) == 4
    filled.delete("/data/projects/P/users/Collaborators/zoe")
    filled.put("/data/projects/Q")
    filled.put("/data/projects/Q/users/Members/carl")
    filled.put(f"{session_uri}/projects/Q")
    assert [row["label"] for row in found(as_user("carl"), bundle("LABEL", f"{MR}/subject_ID"))] == ["S1_MR1"]
    leak = criterion("xnat:subjectData/GENDER_TEXT", "=", "female")
    assert found(as_user("carl"), bundle("LABEL", where=leak)) == []
    leak = criterion("xnat:subjectData/fields/field[name=site]/field", "=", "a")
    assert found(as_user("carl"), bundle("LABEL", where=leak)) == []


ENTITY = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>' + bundle(
    "LABEL", where=criterion("LABEL", "=", "&f;")
)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "no xml",
        ENTITY,
        "<bundle/>",
        f'<x:bundle xmlns:x="{SPACE}"/>',
        bundle(root="xnat:nonsense"),
        bundle(root="xnat:demographicData"),
        bundle("NONSENSE"),
        bundle("LABEL", element="xnat:nonsense"),
        bundle("LABEL", element="xnat:reconstructedImageData"),
        bundle(where=criterion(f"{MR}/nonsense", "=", "1")),
        bundle(where=criterion("", "=", "1")),
        bundle(where=criterion(f"{MR}/age", "=", "old")),
        bundle(where=criterion(f"{MR}/date", "=", "yesterday")),
        bundle(where=criterion(f"{MR}/age", "; DROP TABLE experiment", "1")),
        bundle(where=child_set("XOR", criterion(f"{MR}/age", "=", "1"))),
        bundle(where=criterion(f"{MR}/label", "=", "x") * 501),
    ],
)
def test_searches_that_make_no_sense_are_refused_with_a_sentence(filled, document: str) -> None:
    answer = filled.post("/data/search", content=document)
    assert answer.status_code == 400
    assert len(answer.json()["detail"]) > 10
    assert "passwd" not in answer.text


@pytest.mark.parametrize("value", ["' OR 1=1 --", "%", "a'b", '"', "\\", "é"])
def test_values_are_values(filled, value: str) -> None:
    assert labels(filled, criterion(f"{MR}/label", "=", value)) == []


def test_the_fields_that_are_listed_can_all_be_searched(filled) -> None:
    for root in (MR, "xnat:subjectData", "xnat:projectData", "proc:genProcData"):
        rows = filled.get(f"/data/search/elements/{root}").json()["ResultSet"]["Result"]
        answer = filled.post("/data/search", content=bundle(*(row["FIELD_ID"] for row in rows), root=root))
        assert answer.status_code == 200, answer.text
        assert {"INSERT_DATE", "INSERT_USER"} <= {row["FIELD_ID"] for row in rows}
    assert filled.get("/data/search/elements", params={"format": "csv"}).text.startswith("ELEMENT_NAME,")


def test_searches_are_stored_run_and_deleted(filled, as_user) -> None:
    document = bundle("LABEL", where=criterion(f"{MR}/label", "=", "P01_MR1")).replace(
        "<x:bundle ", '<x:bundle brief-description="mine" '
    )
    assert filled.put("/data/search/saved/S", params={"inbody": "true"}, content=document).status_code == 201
    assert filled.put("/data/search/saved/S", content=document).status_code == 200
    rows = filled.get("/data/search/saved").json()["ResultSet"]["Result"]
    assert [(row["id"], row["brief_description"], row["root_element_name"]) for row in rows] == [("S", "mine", MR)]
    assert filled.get("/data/search/saved/S").text == document
    results = filled.get("/data/search/saved/S/results", params={"format": "csv"})
    assert results.text == "label,quarantine_status\nP01_MR1,active\n"
    zoe = as_user("zoe")
    assert zoe.get("/data/search/saved/S/results", params={"format": "csv"}).text == "label,quarantine_status\n"
    assert zoe.put("/data/search/saved/S", content=document).status_code == 403
    assert zoe.delete("/data/search/saved/S").status_code == 403
    assert filled.put("/data/search/saved/T", content="<nonsense/>").status_code == 400
    assert filled.delete("/data/search/saved/S").status_code == 200
    assert filled.get("/data/search/saved/S").status_code == 404


def test_a_search_that_is_stored_for_some_is_seen_by_them_only(filled, as_user) -> None:
    document = bundle("LABEL").replace(
        "</x:bundle>", "<x:allowed_user><x:login>mary</x:login></x:allowed_user></x:bundle>"
    )
    filled.put("/data/search/saved/S", content=document)
    assert as_user("mary").get("/data/search/saved/S").status_code == 200
    assert as_user("zoe").get("/data/search/saved/S").status_code == 404
    assert as_user("zoe").get("/data/search/saved").json()["ResultSet"]["Result"] == []


@pytest.mark.parametrize(
    "path", ["/", "/data/search/elements", "/data/JSESSION", "/xapi/schemas", "/data/projects/P", "/data/projects"]
)
def test_head_answers_as_get_without_a_body(filled, path: str) -> None:
    got, head = filled.get(path), filled.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


def test_a_session_in_quarantine_says_so(filled, session_uri: str) -> None:
    filled.put(session_uri, params={"quarantine": "true"})
    row = json.loads(
        filled.post("/data/search", content=bundle("LABEL", where=criterion(f"{MR}/LABEL", "=", "S1_MR1"))).text
    )
    assert row["ResultSet"]["Result"][0]["quarantine_status"] == "quarantined"
