"""What is seen, and may be done, through a project into which something of another project is shared."""

import pytest
from starlette.testclient import TestClient

SUBJECT = "/data/projects/P/subjects/S1"
QC = {"xsiType": "xnat:qcManualAssessorData"}


def rows(client: TestClient, uri: str, **params: str) -> list[dict[str, str]]:
    answer = client.get(uri, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["ResultSet"]["Result"]


@pytest.fixture
def assessor(admin: TestClient, session_uri: str) -> str:
    """Id of an assessor with a file, on a session with a scan with a file; Q, which mary owns, has neither."""
    made = admin.put(f"{session_uri}/assessors/QC", params=QC)
    assert admin.put(f"{session_uri}/assessors/QC/resources/R/files/q.txt", content=b"judged").status_code == 200
    assert admin.put(f"{session_uri}/scans/3/resources/DICOM/files/1.dcm", content=b"pixels").status_code == 200
    admin.put("/data/projects/Q")
    admin.put("/data/projects/Q/users/Owners/mary")
    return made.text


@pytest.mark.parametrize(
    "rest",
    [
        "/scans",
        "/scans/3",
        "/scans/3/resources/DICOM/files/1.dcm",
        "/scans/ALL/files?format=zip",
        "/scans/*/resources/DICOM/files",
        "/reconstructions",
        "/assessors",
        "/assessors/QC",
    ],
)
def test_a_shared_assessor_does_not_open_its_session(admin, as_user, session_uri, assessor: str, rest: str) -> None:
    mary, shown = as_user("mary"), f"/data/projects/Q/experiments/{assessor}"
    assert admin.put(f"{session_uri}/assessors/QC/projects/Q").status_code == 200
    assert mary.get(f"{shown}/resources/R/files/q.txt").content == b"judged"
    for uri in (shown, f"/data/experiments/{assessor}", session_uri, "/data/experiments/CF_E00001"):
        assert mary.get(f"{uri}{rest}").status_code == 404
    assert mary.get(session_uri).status_code == 404


def test_all_files_of_a_shared_assessor_are_its_own(admin, as_user, session_uri: str, assessor: str) -> None:
    admin.put(f"{session_uri}/assessors/QC/projects/Q")
    mary = as_user("mary")
    for start in ("/data/projects/Q/experiments", "/data/experiments"):
        found = rows(mary, f"{start}/{assessor}/files", all="true")
        assert [mary.get(row["URI"]).content for row in found] == [b"judged"]
    source = mary.get("/data/services/dicomdump", params={"src": f"/archive/projects/Q/experiments/{assessor}/scans/3"})
    assert source.status_code == 404


def test_a_shared_assessor_is_taken_out_again(admin, as_user, session_uri: str, assessor: str) -> None:
    admin.put(f"{session_uri}/assessors/QC/projects/Q")
    shown = f"/data/projects/Q/experiments/{assessor}"
    assert {row["ID"] for row in rows(admin, f"{shown}/projects")} == {"P", "Q"}
    assert as_user("mary").delete(shown).status_code == 200
    assert as_user("mary").get(shown).status_code == 404
    assert admin.get(f"{session_uri}/assessors/QC").status_code == 200


def test_an_assessor_stays_in_the_project_of_its_session(admin, session_uri: str, assessor: str) -> None:
    for uri in (f"{session_uri}/assessors/QC", f"/data/projects/P/experiments/{assessor}"):
        answer = admin.put(f"{uri}/projects/Q", params={"primary": "true"})
        assert answer.status_code == 400
        assert "session" in answer.json()["detail"]
    assert admin.get(f"/data/experiments/{assessor}/resources/R/files/q.txt").content == b"judged"


def test_an_assessor_reached_as_an_experiment_is_renamed_with_its_files(admin, session_uri: str, assessor: str) -> None:
    assert admin.put(f"/data/experiments/{assessor}", params={**QC, "label": "QC2"}).status_code == 200
    assert admin.get(f"{session_uri}/assessors/QC2/resources/R/files/q.txt").content == b"judged"
    assert admin.get(f"/data/experiments/{assessor}/resources/R/files/q.txt").content == b"judged"


def test_every_address_that_is_listed_of_a_shared_session_can_be_read(admin, as_user, session_uri, assessor) -> None:
    admin.put(f"{session_uri}/projects/Q", params={"label": "SHOWN"})
    mary, shown = as_user("mary"), "/data/projects/Q/experiments/SHOWN"
    (row,) = rows(mary, "/data/experiments")
    assert mary.get(row["URI"]).status_code == 200
    listed = [*rows(mary, f"{shown}/files", all="true"), *rows(mary, f"{shown}/scans/3/resources/DICOM/files")]
    assert sorted(mary.get(each["URI"]).content for each in listed) == [b"judged", b"pixels", b"pixels"]
    (qc,) = rows(mary, f"{row['URI']}/assessors")
    assert mary.get(f"{row['URI']}/assessors/{qc['ID']}/resources/R/files/q.txt").content == b"judged"
    page = mary.get(f"/experiments/{row['ID']}", headers={"accept": "text/html"})
    assert (page.status_code, 'href="/projects/Q"' in page.text) == (200, True)


def test_what_is_shared_is_changed_in_its_own_project_only(admin, as_user, session_uri: str, assessor: str) -> None:
    admin.put(f"{session_uri}/projects/Q")
    admin.put(f"{SUBJECT}/projects/Q")
    mary = as_user("mary")
    for uri in ("/data/experiments/CF_E00001", "/data/subjects/CF_S00001", "/data/experiments/CF_E00001/scans/3"):
        assert mary.get(uri).status_code == 200
        assert mary.put(uri, params={"label": "MINE"}).status_code == 403
        assert mary.delete(uri, params={"removeFiles": "true"}).status_code == 403
    assert mary.put("/data/experiments/CF_E00001/resources/R/files/a", content=b"x").status_code == 403
    assert admin.get(f"{session_uri}/scans/3/resources/DICOM/files/1.dcm").content == b"pixels"


def test_a_shared_subject_opens_none_of_its_sessions(admin, as_user, session_uri: str, assessor: str) -> None:
    admin.put(f"{SUBJECT}/projects/Q")
    mary = as_user("mary")
    assert mary.get("/data/subjects/CF_S00001").status_code == 200
    assert rows(mary, "/data/subjects/CF_S00001/experiments") == []
    assert mary.get("/data/subjects/CF_S00001/experiments/CF_E00001").status_code == 404
    assert as_user("zoe").get("/data/subjects/CF_S00001").status_code == 404


def test_owners_on_both_sides_end_a_share_and_members_do_not(admin, as_user, session_uri: str) -> None:
    """By whatever address: what members may not delete they do not take out, either."""
    admin.put("/data/projects/Q")
    for user in ("P/users/Owners/olive", "P/users/Members/carl", "Q/users/Members/zoe", "Q/users/Owners/mary"):
        assert admin.put(f"/data/projects/{user}").status_code == 200
    by_id, through = "/data/experiments/CF_E00001/projects/Q", "/data/projects/Q/experiments/S1_MR1"
    for who, uri in (("olive", f"{session_uri}/projects/Q"), ("mary", by_id), ("mary", through)):
        assert admin.put(f"{session_uri}/projects/Q").status_code == 200
        addresses = (by_id, through, f"{session_uri}/projects/Q")
        for member, statuses in (("carl", [403, 404, 403]), ("zoe", [403, 403, 404])):
            assert [as_user(member).delete(address).status_code for address in addresses] == statuses
        assert as_user("zoe").get(through).status_code == 200
        assert as_user(who).delete(uri).status_code == 200, uri
        assert as_user("zoe").get(through).status_code == 404
