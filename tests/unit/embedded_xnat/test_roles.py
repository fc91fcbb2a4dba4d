"""Who may do what: every kind of endpoint, asked by every role."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from embedded_xnat.app import create_app
from service_kit.accounts import Role
from service_kit.accounts.service import Accounts
from tests.unit.embedded_xnat.conftest import client_of, settings_in

pytestmark = pytest.mark.slow  # a whole archive

ROLES = ("nobody", "guest", "stranger", "collaborator", "member", "owner", "coordinator", "admin")

READ = (401, 404, 404, 200, 200, 200, 200, 200)
CREATE = (401, 401, 404, 403, 201, 201, 403, 201)
CREATE_PART = (401, 401, 404, 403, 200, 200, 403, 200)
UPDATE = (401, 401, 404, 403, 200, 200, 403, 200)
DELETE = (401, 401, 404, 403, 403, 200, 403, 200)
MANAGE = DELETE
READ_AS_OWNER = (401, 404, 404, 403, 403, 200, 403, 200)
SEE_PEOPLE = (401, 404, 404, 200, 200, 200, 403, 200)
ANYBODY = (401, 200, 200, 200, 200, 200, 200, 200)
LOGGED_IN = (401, 401, 200, 200, 200, 200, 200, 200)
SITE_READ = (401, 403, 403, 403, 403, 403, 403, 200)
SITE_CHANGE = (401, 401, 403, 403, 403, 403, 403, 200)

P = "/data/projects/P"
E = f"{P}/experiments/E_WHO"
#: Method, address (WHO is the role that asks), and the status for each role.
TABLE = [
    ("GET", P, READ),
    ("GET", f"{P}/subjects", READ),
    ("GET", f"{P}/subjects/S_WHO", READ),
    ("GET", f"{P}/experiments", READ),
    ("GET", E, READ),
    ("GET", f"{E}/scans", READ),
    ("GET", f"{E}/scans/1", READ),
    ("GET", f"{E}/assessors", READ),
    ("GET", f"{E}/assessors/QC_WHO", READ),
    ("GET", f"{E}/reconstructions", READ),
    ("GET", f"{E}/resources", READ),
    ("GET", f"{E}/resources/R", READ),
    ("GET", f"{E}/resources/R/files", READ),
    ("GET", f"{E}/resources/R/files/a.txt", READ),
    ("HEAD", f"{E}/resources/R/files/a.txt", READ),
    ("GET", f"{E}/resources/R/files?format=zip", READ),
    ("GET", f"{E}/scans/ALL/files?format=zip", READ),
    ("GET", f"{E}/status", READ),
    ("GET", f"{E}/XAR", READ),
    ("GET", f"{P}/scan_types", READ),
    ("GET", f"{P}/subjects/S_WHO/projects", READ),
    ("GET", f"{P}/accessibility", READ),
    ("GET", f"{P}/prearchive_code", READ),
    ("GET", "/xapi/custom-fields/projects/P/fields", READ),
    ("PUT", f"{P}/subjects/NEW_WHO", CREATE),
    ("PUT", f"{P}/subjects/S_WHO/experiments/NEW_WHO?xsiType=xnat:mrSessionData", CREATE),
    ("PUT", f"{E}/scans/2?xsiType=xnat:mrScanData", CREATE_PART),
    ("PUT", f"{E}/assessors/NEWQC_WHO?xsiType=xnat:qcManualAssessorData", CREATE),
    ("PUT", f"{E}/reconstructions/R1?xsiType=xnat:reconstructedImageData", CREATE_PART),
    ("PUT", f"{E}/resources/NEW", CREATE_PART),
    ("PUT", f"{E}/resources/R/files/new.txt", CREATE_PART),
    ("PUT", f"{E}/resources/OTHER/files/new.txt", CREATE_PART),
    ("PUT", f"{P}/subjects/S_WHO?xnat:subjectData/group=x", UPDATE),
    ("PUT", f"{E}?xnat:mrSessionData/note=x", UPDATE),
    ("PUT", f"{E}/scans/1?xnat:mrScanData/note=x", UPDATE),
    ("PUT", f"{E}?quarantine=true", UPDATE),
    ("PUT", f"{P}/experiments/REN_WHO?label=RENAMED_WHO", UPDATE),
    ("PUT", f"{E}?pullDataFromHeaders=true", UPDATE),
    ("PUT", f"{E}/resources/R/files/a.txt?overwrite=true", UPDATE),
    ("PUT", "/xapi/custom-fields/projects/P/fields", UPDATE),
    ("DELETE", f"{E}/scans/1", DELETE),
    ("DELETE", f"{E}/assessors/QC_WHO", DELETE),
    ("DELETE", f"{E}/resources/R/files/a.txt", DELETE),
    ("DELETE", f"{E}/resources/R", DELETE),
    ("DELETE", E, DELETE),
    ("DELETE", f"{P}/subjects/S_WHO", DELETE),
    ("GET", f"{P}/users", SEE_PEOPLE),
    ("PUT", f"{P}/users/Collaborators/extra", MANAGE),
    ("DELETE", f"{P}/users/Collaborators/extra", MANAGE),
    ("PUT", f"{P}?xnat:projectData/description=x", MANAGE),
    ("PUT", f"{P}?xnat:projectData/fields/field[name%3Dcohortflow_study]/field=x", MANAGE),
    ("PUT", f"{P}?xnat:projectData/aliases/alias[1]/alias=ALIAS_WHO", MANAGE),
    ("PUT", "/data/projects", MANAGE),
    ("PUT", f"{P}/accessibility/private", MANAGE),
    ("PUT", f"{P}/prearchive_code/4", MANAGE),
    ("GET", f"{P}/quarantine_code", READ),
    ("PUT", f"{P}/quarantine_code/0", MANAGE),
    ("GET", f"{P}/aliases", READ),
    ("GET", f"{P}/archive_spec", READ),
    ("GET", f"{P}/pipelines", READ),
    ("PUT", f"{P}/current_arc/arc001", MANAGE),
    ("PUT", "/data/workflows?wrk:workflowData/ID=P&wrk:workflowData/pipeline_name=WHO", CREATE),
    ("GET", "/data/prearchive/projects/P", READ),
    ("GET", "/xapi/anonymize/projects/P/enabled", READ),
    ("PUT", "/xapi/anonymize/projects/P", MANAGE),
    ("GET", f"{P}/pars", READ_AS_OWNER),
    ("GET", "/xapi/projects/P/events/subscriptions", READ_AS_OWNER),
    ("GET", "/xapi/projects/P/events/delivered", READ_AS_OWNER),
    ("GET", "/data/projects", ANYBODY),
    ("GET", "/data/subjects", ANYBODY),
    ("GET", "/data/experiments", ANYBODY),
    ("GET", "/data/prearchive/projects", ANYBODY),
    ("GET", "/data/search/elements", ANYBODY),
    ("GET", "/data/scan_types", ANYBODY),
    ("GET", "/data/auth", ANYBODY),
    ("GET", "/data/JSESSION", ANYBODY),
    ("GET", "/xapi/schemas", ANYBODY),
    ("GET", "/xapi/siteConfig/buildInfo", ANYBODY),
    ("GET", "/xapi/access/projects", ANYBODY),
    ("GET", "/xapi/events/events", ANYBODY),
    ("GET", "/xapi/customforms", ANYBODY),
    ("GET", "/data/services/tokens/issue", LOGGED_IN),
    ("GET", "/data/config/tool/path", LOGGED_IN),
    ("GET", f"{P}/config/tool/path", READ),
    ("PUT", f"{P}/config/tool/path", MANAGE),
    ("PUT", "/data/config/tool/path", SITE_CHANGE),
    ("GET", "/xapi/users/active", SITE_READ),
    ("PUT", "/xapi/users/extra/groups/P_collaborator", MANAGE),
    ("DELETE", "/xapi/users/extra/groups/P_collaborator", MANAGE),
    ("PUT", "/xapi/users/extra/groups/ALL_DATA_ACCESS", SITE_CHANGE),
    ("DELETE", "/xapi/users/extra/groups/ALL_DATA_ACCESS", SITE_CHANGE),
    ("PUT", "/xapi/users/extra/roles/Administrator", SITE_CHANGE),
    ("DELETE", "/xapi/users/extra/roles/Administrator", SITE_CHANGE),
    ("PUT", "/data/projects/NEW_WHO", LOGGED_IN),
    ("GET", "/data/users", SITE_READ),
    ("GET", "/xapi/users", SITE_READ),
    ("GET", "/xapi/users/extra", SITE_READ),
    ("GET", "/xapi/siteConfig", SITE_READ),
    ("GET", "/xapi/siteConfig/siteId", SITE_READ),
    ("GET", "/xapi/events/subscriptions", SITE_READ),
    ("GET", "/xapi/events/delivered", SITE_READ),
    ("GET", "/data/services/tokens/issue/user/extra", SITE_READ),
    ("GET", "/xapi/dicomscp", SITE_READ),
    ("GET", "/xapi/dicomscp/identifiers", SITE_READ),
    ("GET", "/xapi/users/profiles", SITE_READ),
    ("GET", "/xapi/users/extra/roles", SITE_READ),
    ("GET", "/xapi/users/extra/groups", SITE_READ),
    ("PUT", "/xapi/users/extra", SITE_CHANGE),
    ("PUT", "/xapi/users/extra/enabled/true", SITE_CHANGE),
    ("PUT", "/xapi/anonymize/site", SITE_CHANGE),
    ("PUT", "/xapi/siteConfig/siteId", SITE_CHANGE),
    ("PUT", "/xapi/events/prefs", SITE_CHANGE),
    ("PUT", "/xapi/customforms/save", SITE_CHANGE),
    ("GET", "/data/nonsense", (401, *[404] * 7)),
    ("GET", "/xapi/nonsense", (401, *[404] * 7)),
]
BODIES = {
    "/data/config/tool/path": b"text",
    "/data/projects/P/config/tool/path": b"text",
    "/data/projects": b'<xnat:Project xmlns:xnat="http://nrg.wustl.edu/xnat" ID="P"><xnat:name>P</xnat:name></xnat:Project>',
    "/xapi/custom-fields/projects/P/fields": b'{"a": 1}',
    "/xapi/events/prefs": b'{"enabled": true}',
    "/xapi/customforms/save": b"{}",
    "/xapi/users/extra": b"{}",
    "/xapi/anonymize/site": b'version "6.1"',
    "/xapi/anonymize/projects/P": b'version "6.1"',
}


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, TestClient]]:
    """A client for each role on an archive where a private project has them all."""
    home = tmp_path_factory.mktemp("roles")
    settings = settings_in(home)
    accounts = Accounts.open(settings.accounts_database_url)
    for name in (*ROLES[2:], "extra"):
        accounts.create_user(name, None)
    accounts.grant("admin", Role.admin)
    accounts.grant("coordinator", Role.coordinator)
    accounts.database.dispose()
    with TestClient(create_app(settings)) as server:
        admin = client_of(server, "admin")
        assert admin.put(P).is_success
        for role in ("Owner", "Member", "Collaborator"):
            assert admin.put(f"{P}/users/{role}s/{role.lower()}").is_success
        for place in ("/data", P):
            assert admin.put(f"{place}/config/tool/path", content=b"text").is_success
        for role in ROLES:
            make_targets(admin, role)
        found = {role: client_of(server, role) for role in ROLES[2:]}
        yield {"nobody": TestClient(server.app), "guest": TestClient(server.app), **found}


@pytest.mark.parametrize(("method", "uri", "expected"), TABLE, ids=[f"{row[0]} {row[1]}" for row in TABLE])
def test_each_role_may_do_what_it_may(clients: dict[str, TestClient], method: str, uri: str, expected: tuple) -> None:
    found = {}
    for role in ROLES:
        if role == "guest":
            clients["admin"].post("/xapi/siteConfig", json={"requireLogin": False})
        body = BODIES.get(uri, b"x" if "/files/" in uri else b"") if method == "PUT" else None
        found[role] = clients[role].request(method, uri.replace("WHO", role), content=body).status_code
        if role == "guest":
            clients["admin"].post("/xapi/siteConfig", json={"requireLogin": True})
        elif method == "DELETE" and found[role] == 200:
            make_targets(clients["admin"], role)
    assert found == dict(zip(ROLES, expected, strict=True))


def make_targets(admin: TestClient, role: str) -> None:
    """Make what the requests of a role may change or delete."""
    session = f"{P}/experiments/E_{role}"
    admin.put(f"{P}/users/Collaborators/extra")
    admin.put(f"{P}/subjects/S_{role}")
    for label in (f"E_{role}", f"REN_{role}"):
        admin.put(f"{P}/subjects/S_{role}/experiments/{label}", params={"xsiType": "xnat:mrSessionData"})
    admin.put(f"{session}/scans/1", params={"xsiType": "xnat:mrScanData"})
    admin.put(f"{session}/assessors/QC_{role}", params={"xsiType": "xnat:qcManualAssessorData"})
    admin.put(f"{session}/resources/R/files/a.txt", content=b"a")


CROSS = [
    "/data/projects/Q/subjects/S_admin",
    "/data/projects/Q/subjects/{subject}",
    "/data/projects/Q/experiments/E_admin",
    "/data/projects/Q/experiments/{session}",
    "/data/projects/Q/subjects/{subject}/experiments/{session}",
    "/data/projects/Q/experiments/{session}/scans/1",
    "/data/projects/Q/experiments/{session}/resources/R/files/a.txt",
    "/data/projects/Q/experiments/{assessor}",
    "/data/projects/Q/resources/{resource}/files/a.txt",
    "/data/experiments/{session}",
    "/data/experiments/{assessor}",
    "/data/experiments/{session}/resources/{resource}/files/a.txt",
    "/data/subjects/{subject}",
    "/data/subjects/{subject}/experiments",
    "/data/subjects/{subject}/experiments/{session}",
    "/xapi/custom-fields/experiments/{session}/fields",
    "/data/services/dicomdump?src=/archive/projects/P/experiments/{session}/scans/1",
    "/data/services/dicomdump?src=/archive/projects/Q/experiments/{session}/scans/1",
]


@pytest.mark.parametrize("uri", CROSS)
def test_nothing_is_read_through_another_project(clients: dict[str, TestClient], uri: str) -> None:
    """The stranger owns Q and knows the ids of what is in P."""
    admin, stranger = clients["admin"], clients["stranger"]
    assert stranger.put("/data/projects/Q").status_code == 200
    (row,) = admin.get(f"{P}/experiments?label=E_admin").json()["ResultSet"]["Result"]
    (qc,) = admin.get(f"{P}/experiments/E_admin/assessors").json()["ResultSet"]["Result"]
    resource = admin.get(f"{P}/experiments/E_admin/resources").json()["ResultSet"]["Result"][0]
    ids = {
        "session": row["ID"],
        "subject": row["subject_ID"],
        "assessor": qc["ID"],
        "resource": resource["xnat_abstractresource_id"],
    }
    answer = stranger.get(uri.format(**ids))
    assert answer.status_code == 404, answer.text


def test_a_member_cannot_become_an_owner(clients: dict[str, TestClient]) -> None:
    member = clients["member"]
    for uri in (
        f"{P}/users/Owners/member",
        f"{P}/users/P_owner/member",
        f"{P}/accessibility/public",
        "/data/projects/P/prearchive_code/5",
    ):
        assert member.put(uri).status_code == 403
    assert member.delete(f"{P}/users/Owners/owner").status_code == 403
    assert member.delete(P).status_code == 403
    assert member.put(f"{P}?accessibility=public&xnat:projectData/ID=Z").status_code == 403
    assert clients["admin"].get(f"{P}/accessibility").text == "private"
    assert {"ID": "P", "role": "Members"} in member.get("/xapi/access/projects").json()


def test_a_member_cannot_give_the_project_away(clients: dict[str, TestClient]) -> None:
    settings = {"xnat:projectData/fields/field[name=cohortflow_study]/field": "other-study", "alias": "ROUTE"}
    assert clients["member"].put(P, params=settings).status_code == 403
    assert "other-study" not in clients["owner"].get(P).text


def test_a_session_of_another_project_cannot_be_shared_into_ones_own(clients: dict[str, TestClient]) -> None:
    stranger = clients["stranger"]
    stranger.put("/data/projects/Q")
    (row,) = clients["admin"].get(f"{P}/experiments?label=E_admin").json()["ResultSet"]["Result"]
    for uri in (f"/data/experiments/{row['ID']}/projects/Q", f"{P}/experiments/E_admin/projects/Q"):
        assert stranger.put(uri).status_code == 404
    assert clients["collaborator"].put(f"{P}/experiments/E_admin/projects/Q").status_code == 403
    assert stranger.get("/data/projects/Q/experiments").json()["ResultSet"]["Result"] == []
