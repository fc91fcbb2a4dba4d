"""What is deleted with an object, and what keeps it from being deleted."""

import pytest
from starlette.testclient import TestClient

from embedded_xnat.db.tables import PrearchiveRow

SUBJECT = "/data/projects/P/subjects/S1"


def labels(client: TestClient, uri: str) -> set[str]:
    answer = client.get(uri)
    assert answer.status_code == 200, answer.text
    return {row["label"] for row in answer.json()["ResultSet"]["Result"]}


@pytest.fixture
def two_owners(admin: TestClient, as_user, session_uri: str) -> tuple[TestClient, TestClient]:
    """Olive owns P with the subject S1; mary owns Q, with two sessions of that subject."""
    admin.put("/data/projects/Q")
    admin.put("/data/projects/P/users/Owners/olive")
    admin.put("/data/projects/Q/users/Owners/mary")
    assert admin.put(f"{SUBJECT}/projects/Q").status_code == 200
    made = admin.put("/data/projects/Q/subjects/S1/experiments/E_Q", params={"xsiType": "xnat:mrSessionData"})
    assert made.status_code == 201
    assert admin.put(f"{SUBJECT}/experiments/E_M", params={"xsiType": "xnat:mrSessionData"}).status_code == 201
    assert admin.put("/data/projects/P/experiments/E_M/projects/Q", params={"primary": "true"}).status_code == 200
    assert admin.put("/data/projects/Q/experiments/E_M/resources/R/files/a", content=b"x").status_code == 200
    return as_user("olive"), as_user("mary")


@pytest.mark.parametrize("uri", [SUBJECT, "/data/projects/P"])
def test_sessions_that_another_project_owns_keep_their_subject(two_owners, session_uri: str, uri: str) -> None:
    olive, mary = two_owners
    answer = olive.delete(uri, params={"removeFiles": "true"})
    assert answer.status_code == 409
    assert "subject_ID" in answer.json()["detail"]
    assert labels(mary, "/data/projects/Q/experiments") == {"E_Q", "E_M"}
    assert mary.get("/data/projects/Q/experiments/E_M/resources/R/files/a").content == b"x"
    assert olive.get(session_uri).status_code == 200


def test_a_subject_can_go_when_the_other_project_has_given_its_sessions_to_another(two_owners) -> None:
    olive, mary = two_owners
    assert mary.put("/data/projects/Q/subjects/OWN").status_code == 201
    for label in ("E_Q", "E_M"):
        given = mary.put(
            f"/data/projects/Q/experiments/{label}",
            params={"xsiType": "xnat:mrSessionData", "xnat:mrSessionData/subject_ID": "OWN"},
        )
        assert given.status_code == 200, given.text
    assert olive.delete(SUBJECT).status_code == 200
    assert labels(mary, "/data/projects/Q/experiments") == {"E_Q", "E_M"}


def test_a_session_is_not_read_through_its_subject_in_another_project(two_owners, session_uri: str) -> None:
    olive, mary = two_owners
    theirs = mary.get("/data/projects/Q/experiments").json()["ResultSet"]["Result"]
    for row in theirs:
        uri = f"/data/subjects/CF_S00001/experiments/{row['ID']}"
        assert mary.get(uri).status_code == 200
        assert olive.get(uri).status_code == 404
        assert olive.get(f"{uri}/resources/R/files/a").status_code == 404
    assert olive.get("/data/subjects/CF_S00001/experiments/CF_E00001").status_code == 200
    assert mary.get("/data/subjects/CF_S00001/experiments/CF_E00001").status_code == 404


def test_the_page_of_a_subject_shows_the_sessions_of_the_project_alone(two_owners, admin) -> None:
    olive, mary = two_owners
    html = {"accept": "text/html"}
    seen = olive.get("/projects/P/subjects/S1", headers=html).text
    assert "S1_MR1" in seen
    assert "E_Q" not in seen
    assert "E_M" not in seen
    assert "E_Q" not in olive.get("/subjects/CF_S00001", headers=html).text
    seen = mary.get("/projects/Q/subjects/S1", headers=html).text
    assert "E_Q" in seen
    assert "S1_MR1" not in seen


def test_a_project_with_sessions_in_the_prearchive_is_not_deleted(admin, session_uri: str) -> None:
    names = {"folder": "X", "subject_label": "S1", "session_label": "X", "uploaded_by": "admin"}
    row = PrearchiveRow(project_id="P", stamp="20260203_091500123", **names)
    with admin.app.state.archive.change() as change:
        change.session.add(row)
    answer = admin.delete("/data/projects/P", params={"removeFiles": "true"})
    assert answer.status_code == 409
    assert "prearchive" in answer.json()["detail"]
    assert admin.get(session_uri).status_code == 200
