"""Requests that mean harm: entities in XML, forged headers, names and numbers beyond all measure."""

import pytest
from starlette.testclient import TestClient

BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>
"""
FILE_ENTITY = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
REMOTE = '<?xml version="1.0"?><!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">'
BUNDLE = (
    '<xdat:bundle xmlns:xdat="http://nrg.wustl.edu/security"><xdat:root_element_name>{0}</xdat:root_element_name>'
    "<xdat:search_field><xdat:element_name>xnat:mrSessionData</xdat:element_name><xdat:field_ID>{0}</xdat:field_ID>"
    "</xdat:search_field></xdat:bundle>"
)
PROJECT = '<xnat:Project xmlns:xnat="http://nrg.wustl.edu/xnat" ID="EVIL"><xnat:name>{0}</xnat:name></xnat:Project>'


@pytest.mark.parametrize("prologue", [BOMB, FILE_ENTITY, REMOTE])
@pytest.mark.parametrize("entity", ["&d;", "&e;", "plain"])
def test_entities_in_xml_are_refused(admin, prologue: str, entity: str) -> None:
    headers = {"Content-Type": "text/xml"}
    for method, path, body in (
        ("POST", "/data/search?format=json", BUNDLE),
        ("PUT", "/data/search/saved/evil", BUNDLE),
        ("PUT", "/data/projects/EVIL", PROJECT),
    ):
        answer = admin.request(method, path, content=(prologue + body.format(entity)).encode(), headers=headers)
        assert answer.status_code == 400, (path, answer.text[:300])
        assert "root:" not in answer.text
        assert "aaaaaaaaaa" not in answer.text
    assert admin.get("/data/projects/EVIL").status_code == 404
    assert admin.get("/data/search/saved/evil").status_code == 404


@pytest.mark.parametrize("body", [b"", b"<", b"<a/>", b"\xff\xfe", b"<a>" * 100_000, b"not xml at all"])
def test_xml_that_is_none_is_refused(admin, body: bytes) -> None:
    answer = admin.post("/data/search", content=body, headers={"Content-Type": "text/xml"})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "path", ["/data/projects/a%0d%0aSet-Cookie:%20x=1", "/data/JSESSION%0d%0aX-Evil:1", "/%0d%0aX-Evil:1"]
)
def test_no_header_comes_from_an_address(admin, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = admin.request(method, path)
        assert answer.status_code == (417 if (method, path[:14]) == ("PUT", "/data/projects") else 404)
        assert "x-evil" not in answer.headers
        assert "x=1" not in answer.headers.get("set-cookie", "")


def test_no_header_comes_from_a_file_name(admin, session_uri) -> None:
    uri = f"{session_uri}/resources/R/files/a%22%3B%20filename%3Devil.html"
    assert admin.put(uri, content=b"<script>").status_code == 200
    answer = admin.get(uri)
    assert "evil.html" not in answer.headers.get("content-disposition", "").replace("%", "").replace('\\"', "")[:20]
    assert answer.headers.get("x-content-type-options") == "nosniff"
    assert (
        "text/html" not in answer.headers.get("content-type", "")
        or "attachment" in answer.headers["content-disposition"]
    )


@pytest.mark.parametrize("cookie", ["", "x", "A" * 32, "A" * 8000, "../../etc/passwd", "\"'; DROP TABLE login; --"])
def test_a_made_up_session_opens_nothing(server: TestClient, cookie: str) -> None:
    answer = TestClient(server.app).get("/data/projects", headers={"Cookie": f"JSESSIONID={cookie}"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=99999999999999999999", 200),
        ("limit=-1", 200),
        ("offset=1e9", 200),
        ("sortBy='; DROP TABLE project; --", 400),
        ("columns=" + ",".join(f"c{number}" for number in range(2000)), 400),
        ("columns=xnat:mrSessionData/" + "a/" * 500, 200),
        ("label=" + "%25*" * 200, 200),
        ("label=" + "[" * 200, 200),
        ("xsiType=" + "x" * 5000, 200),
        ("&".join(f"p{number}=1" for number in range(3000)), 400),
        ("ID=%00", 400),
        ("format=exe", 200),
    ],
)
@pytest.mark.parametrize("path", ["/data/projects", "/data/experiments", "/data/projects/P/subjects"])
def test_queries_beyond_measure_are_answered_or_refused(admin, path: str, query: str, status: int) -> None:
    answer = admin.get(f"{path}?{query}")
    assert answer.status_code == status, answer.text[:300]
    assert admin.get("/data/projects/P").status_code == 200


@pytest.mark.parametrize("number", ["0", "-1", "2147483648", "9" * 40, "1.5", "x", "%00"])
@pytest.mark.parametrize(
    ("path", "is_number"),
    [
        ("/xapi/events/subscription/{}", True),
        ("/xapi/events/delivered/{}", True),
        ("/xapi/dicomscp/{}", True),
        ("/data/workflows/{}", True),
        ("/data/services/import/inbox/{}", True),
        ("/data/experiments/CF_E00001/resources/{}", False),
        ("/data/search/saved/{}", False),
    ],
)
def test_numbers_beyond_measure_are_of_nothing(admin, path: str, is_number: bool, number: str) -> None:
    """What is no number at all cannot be asked for, where only a number can stand."""
    status = 400 if is_number and number in {"1.5", "x", "%00"} else 404
    assert admin.get(path.format(number)).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/data/projects/P/resources/²", 404),
        ("DELETE", "/data/projects/P/resources/²", 404),
        ("PUT", "/data/projects/P/resources/²/files/x", 200),
        ("GET", "/data/services/dicomdump?src=/archive/projects/P/resources/²", 404),
        ("POST", "/data/services/refresh/catalog?resource=/archive/projects/P/resources/²", 404),
        ("GET", "/projects/P/resources/²", 404),
        ("PUT", "/data/projects/P?xnat:projectData/aliases/alias[²]/alias=x", 400),
        ("GET", "/data/experiments?insert_date=9999-12-31", 400),
        ("GET", "/data/experiments?insert_date=9999-12-31T23:59:59-12:00", 400),
        ("GET", "/data/experiments?insert_date=>=0001-01-01T00:00:00%2B14:00", 400),
    ],
)
def test_digits_and_days_that_are_none_are_no_fault(admin, method: str, path: str, status: int) -> None:
    """A superscript two is a digit to Python, and no number; after the last day there is no next."""
    assert admin.request(method, path).status_code == status


def test_half_a_character_is_no_fault(admin) -> None:
    assert [admin.get(f"/data/projects{end}").status_code for end in ("/%ff", "/%ed%a0%80", "?label=%ed%a0%80")] == [
        404,
        404,
        200,
    ]
    assert admin.put("/data/projects/P?xnat:projectData/name=%ed%a0%80").status_code == 200
    assert admin.put("/data/projects/P?xnat:projectData/name=%00").status_code == 400
