"""Listings and searches on a real PostgreSQL: the same answers as on SQLite, and the tables that the code means."""

import runpy
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient

import embedded_xnat
from embedded_xnat.app import create_app
from embedded_xnat.settings import EmbeddedXnatSettings
from service_kit.accounts import Role
from service_kit.accounts.service import Accounts

pytestmark = pytest.mark.integration

MIGRATION = Path(embedded_xnat.__file__).parent / "db" / "migrations" / "versions" / "0008_label_parts.py"
PASSWORD = "correct horse battery"
ARM = "xnat:mrSessionData/fields/field[name=arm]/field"
BUNDLE = (
    '<x:bundle xmlns:x="http://nrg.wustl.edu/security"><x:root_element_name>{root}</x:root_element_name>{fields}'
    '<x:search_where method="AND">{where}</x:search_where></x:bundle>'
)
FIELD = "<x:search_field><x:element_name>{0}</x:element_name><x:field_ID>{1}</x:field_ID></x:search_field>"
WHERE = (
    "<x:criteria><x:schema_field>{0}</x:schema_field><x:comparison_type>{1}</x:comparison_type>"
    "<x:value>{2}</x:value></x:criteria>"
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('xnat')}/xnat.db"
    server = request.getfixturevalue("postgres_url")
    name = f"xnat_{uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
    engine.dispose()
    return str(create_engine(server).url.set(database=name).render_as_string(hide_password=False))


@pytest.fixture(scope="module")
def admin(database_url: str, tmp_path_factory: pytest.TempPathFactory):
    """Give a client of an archive with two projects; the tests only read."""
    home = tmp_path_factory.mktemp("home")
    accounts_url = f"sqlite:///{home}/accounts.db"
    accounts = Accounts.open(accounts_url)
    accounts.create_user("admin", PASSWORD)
    accounts.grant("admin", Role.admin)
    accounts.database.dispose()
    settings = EmbeddedXnatSettings(
        data_dir=home / "data", database_url=database_url, accounts_database_url=accounts_url
    )
    with TestClient(create_app(settings)) as client:
        client.put("/data/services/auth", data={"username": "admin", "password": PASSWORD}).raise_for_status()
        fill(client)
        yield client


def fill(client: TestClient) -> None:
    client.put("/data/projects/P", params={"xnat:projectData/aliases/alias[1]/alias": "ALIAS"}).raise_for_status()
    client.put("/data/projects/Q").raise_for_status()
    client.put("/data/projects/P/subjects/S", params={"gender": "female", "yob": "1980"}).raise_for_status()
    for number in range(3):
        uri = f"/data/projects/P/subjects/S/experiments/E{number}"
        params = {"xsiType": "xnat:mrSessionData", "date": f"2026-02-0{number + 1}", ARM: "ab"[number % 2]}
        client.put(uri, params={**params, "xnat:mrSessionData/age": str(40 + number)}).raise_for_status()
        client.put(
            f"{uri}/scans/1", params={"xsiType": "xnat:mrScanData", "type": "T1", "frames": "7"}
        ).raise_for_status()
        client.put(f"{uri}/scans/1/resources/DICOM").raise_for_status()
    client.put("/data/projects/P/experiments/E1/projects/Q", params={"label": "SHOWN"}).raise_for_status()


def rows(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return answer.json()["ResultSet"]["Result"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"label": "E*"}, ["E0", "E1", "E2"]),
        ({"label": "E[02]"}, ["E0", "E2"]),
        ({"date": "02/02/2026-02/04/2026"}, ["E1", "E2"]),
        ({"xnat:mrSessionData/age": ">40"}, ["E1", "E2"]),
        ({ARM: "a"}, ["E0", "E2"]),
        ({"insert_date": ">2020-01-01", "limit": "1", "offset": "1"}, ["E1"]),
        ({"sortBy": "xnat:mrSessionData/age", "sortOrder": "desc", "limit": "2"}, ["E2", "E1"]),
        ({"xnat:imagesessiondata/sharing/share/project": "Q"}, ["E1"]),
        ({"xnat:subjectData/demographics/yob": "1980", "limit": "2"}, ["E0", "E1"]),
    ],
)
def test_listings_filter_sort_and_page(admin, params, expected) -> None:
    assert [row["label"] for row in rows(admin.get("/data/experiments", params=params))] == expected
    assert [row["label"] for row in rows(admin.get("/data/projects/Q/experiments"))] == ["SHOWN"]


def test_fields_of_all_kinds_are_shown_and_searched(admin) -> None:
    columns = (
        f"ID,date,{ARM},xnat:mrSessionData/age,xnat:imagescandata/frames,xnat:imagescandata/file/label,last_modified"
    )
    params = {"columns": columns, "xsiType": "xnat:imageSessionData", "label": "E1"}
    row = rows(admin.get("/data/experiments", params=params))[0]
    assert (row["date"], row[ARM.lower()], row["xnat:mrsessiondata/age"]) == ("2026-02-02", "b", "41.0")
    assert (row["xnat:imagescandata/frames"], row["xnat:imagescandata/file/label"]) == ("7", "DICOM")
    assert [row["alias"] for row in rows(admin.get("/data/projects", params={"columns": "alias"}))] == ["ALIAS", ""]
    for root in ("xnat:mrSessionData", "xnat:subjectData", "xnat:projectData", "xnat:mrScanData"):
        names = [row["FIELD_ID"] for row in rows(admin.get(f"/data/search/elements/{root}"))]
        document = BUNDLE.format(root=root, fields="".join(FIELD.format(root, name) for name in names), where="")
        assert len(rows(admin.post("/data/search", params={"format": "json"}, content=document))) == {
            "xnat:subjectData": 1,
            "xnat:projectData": 2,
        }.get(root, 3)
    where = WHERE.format("xnat:mrSessionData/XNAT_MRSESSIONDATA_FIELD_MAP=arm", "=", "a")
    where += WHERE.format("xnat:mrSessionData/INSERT_DATE", "&gt;=", "01/01/2020")
    where += WHERE.format("xnat:subjectData/AGE", "IS", "NULL") + WHERE.format("xnat:mrScanData/frames", "&lt;", "7.5")
    document = BUNDLE.format(root="xnat:mrSessionData", fields=FIELD.format("xnat:mrSessionData", "LABEL"), where=where)
    assert [row["label"] for row in rows(admin.post("/data/search", params={"format": "json"}, content=document))] == [
        "E0",
        "E2",
    ]


def test_parts_of_labels_are_found(admin, database_url: str) -> None:
    admin.put("/data/projects/P/subjects/VOLUNTEER").raise_for_status()
    for label in ("VISIT_A", "VISIT_B"):
        uri = f"/data/projects/P/subjects/VOLUNTEER/experiments/{label}"
        admin.put(uri, params={"xsiType": "xnat:mrSessionData"}).raise_for_status()
    for part, found in (
        ("sit_b", {"VISIT_B"}),
        ("untee", {"VISIT_A", "VISIT_B"}),
        ("_A", {"VISIT_A"}),
        ("sit_c", set()),
    ):
        page = admin.get("/search", params={"q": part}).text
        assert {label for label in ("VISIT_A", "VISIT_B") if label in page} == found
    engine = create_engine(database_url)
    with engine.begin() as connection:
        written = set(connection.execute(text("select kind, part, number from label_part")))
        connection.execute(text("delete from label_part"))
        connection.execute(text(runpy.run_path(str(MIGRATION))["FILL"]))  # finds the same in what was there before
        assert set(connection.execute(text("select kind, part, number from label_part"))) == written
    engine.dispose()
    assert len(written) == 31  # 7 of VOLUNTEER and 5 of each session, which is found by its subject's, too
    admin.delete("/data/projects/P/subjects/VOLUNTEER").raise_for_status()


def test_the_migrations_make_the_tables_of_the_code(admin, database_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from embedded_xnat.db.tables import Base

    engine = create_engine(database_url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
    assert [each for each in differences if "embedded_xnat_version" not in str(each)] == []


def test_each_step_of_a_provenance_is_a_row(admin) -> None:
    uri = "/data/projects/P/experiments/E1/assessors/QC"
    spaces = 'xmlns:xnat="http://nrg.wustl.edu/xnat" xmlns:prov="http://www.nbirn.net/prov"'
    steps = "".join(f"<prov:processStep><prov:program>p{n}</prov:program></prov:processStep>" for n in (1, 2))
    body = f"<xnat:QCManualAssessment {spaces}><xnat:provenance>{steps}</xnat:provenance></xnat:QCManualAssessment>"
    admin.put(uri, content=body, headers={"Content-Type": "text/xml"}).raise_for_status()
    admin.put(f"{uri}/projects/Q", params={"label": "QC_SHOWN"}).raise_for_status()
    column = "xnat:qcManualAssessorData/provenance/processStep/program"
    params = {"xsiType": "xnat:qcManualAssessorData", "columns": column}
    for address in ("/data/projects/Q/experiments", "/data/experiments"):
        assert [row[column.lower()] for row in rows(admin.get(address, params=params))] == ["p1", "p2"]
        for program, count in (("p2", 2), ("p[2]", 2), ("p3", 0), ("", 0)):
            assert len(rows(admin.get(address, params={**params, column: program}))) == count, program


ZERO = [
    ("GET", "/search?q=a%00b"),
    ("GET", "/?after=%00"),
    ("GET", "/projects/P?q=%00abc"),
    ("GET", "/projects/P/subjects?q=%00"),
    ("GET", "/projects/%00"),
    ("GET", "/prearchive?project=%00"),
    ("GET", "/data/projects/%00"),
    ("GET", "/data/projects/P/subjects/%00"),
    ("GET", "/data/experiments/%00/scans/%00"),
    ("GET", "/data/projects/P/resources/%00/files/%00"),
    ("PUT", "/data/projects/P/subjects/S/resources/R?description=a%00b"),
    ("PUT", "/data/projects/P/subjects/S/resources/R2/files/a.txt?content=%00&tags=%00"),
    ("PUT", "/data/projects/P/users/Members/%00"),
    ("GET", "/data/projects/P/experiments?sortBy=%00"),
    ("GET", "/data/projects/P/experiments?xsiType=%00"),
    ("GET", "/data/search/saved/%00"),
    ("GET", "/data/services/tokens/validate/%00/x"),
    ("GET", "/data/services/tokens/issue/user/%00"),
    ("GET", "/xapi/users/%00"),
    ("GET", "/xapi/customforms/%00"),
    ("DELETE", "/xapi/customforms/%00"),
    ("GET", "/xapi/custom-fields/projects/P/fields/%00"),
    ("GET", "/xapi/anonymize/projects/%00"),
    ("GET", "/xapi/siteConfig/%00"),
    ("GET", "/data/config/%00/a"),
    ("GET", "/data/workflows?experiment=%00"),
    ("GET", "/data/prearchive/projects/%00"),
    ("GET", "/data/services/dicomdump?src=/archive/projects/%00/experiments/E"),
    ("POST", "/data/services/archive?src=/prearchive/projects/P/%00/S"),
    ("POST", "/data/services/import?project=%00&dest=/archive"),
]


@pytest.mark.parametrize(("method", "uri"), ZERO)
def test_a_zero_character_is_no_fault_of_the_server(admin: TestClient, method: str, uri: str) -> None:
    """PostgreSQL knows no text with one; SQLite does."""
    page = {"Accept": "text/html,application/xhtml+xml"} if not uri.startswith(("/data", "/xapi")) else {}
    quiet = TestClient(admin.app, raise_server_exceptions=False, cookies=admin.cookies)
    quiet.portal = admin.portal
    assert quiet.request(method, uri, headers=page).status_code < 500
