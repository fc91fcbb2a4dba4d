"""Coordinators read the projects of their studies, and change nothing there."""

import pytest

FIELD = "xnat:projectData/fields/field[name=cohortflow_study]/field"


@pytest.fixture
def of_study(admin):
    """Project P belongs to the study brain."""
    assert admin.put("/data/projects/P", params={FIELD: "brain"}).status_code == 200


def test_a_coordinator_reads_the_project_of_the_study(of_study, coordinator, browser_of, as_user):
    name = coordinator("anna", study="brain")
    assert "S1_MR1" in browser_of(name).get("/projects/P").text
    assert browser_of(name).get("/experiments/CF_E00001").status_code == 200
    client = as_user(name)
    assert client.get("/data/experiments/CF_E00001").status_code == 200
    rows = client.get("/data/projects").json()["ResultSet"]["Result"]
    assert [row["ID"] for row in rows] == ["P"]
    assert client.get("/data/experiments").json()["ResultSet"]["totalRecords"] == "1"


def test_a_coordinator_changes_nothing(of_study, coordinator, browser_of, as_user):
    client = as_user(coordinator("anna", study="brain"))
    assert client.put("/data/projects/P/subjects/NEW").status_code == 403
    assert client.put("/data/experiments/CF_E00001/resources/R/files/a", content=b"a").status_code == 403
    assert client.delete("/data/experiments/CF_E00001").status_code == 403
    assert "/upload" not in browser_of("anna").get("/projects/P").text


def test_a_coordinator_of_everything_reads_everything(coordinator, browser_of):
    assert browser_of(coordinator("vera")).get("/projects/P").status_code == 200


@pytest.mark.parametrize("grant", [{"study": "chest"}, {"study": "brain", "site": "leiden"}])
def test_other_studies_and_single_sites_open_nothing(of_study, coordinator, browser_of, grant):
    assert browser_of(coordinator("otto", **grant)).get("/projects/P").status_code == 404


def test_a_coordinator_of_one_site_is_told_why_nothing_is_here_and_whom_to_ask(
    of_study, coordinator, browser_of, admin
):
    browser = browser_of(coordinator("otto", study="brain", site="leiden"))
    for path in ("/", "/projects/P", "/experiments/CF_E00001"):
        page = browser.get(path).text
        assert "Your role is for a single site" in page, path
        assert "ask an administrator" in page, path
        assert "S1_MR1" not in page, path
    admin.put("/data/projects/P/users/Collaborators/otto").raise_for_status()
    assert "S1_MR1" in browser_of("otto").get("/projects/P").text
    assert "Your role is for a single site" not in browser_of(coordinator("olga", study="chest")).get("/").text


def test_the_right_ends_with_the_role(of_study, coordinator, browser_of, server):
    browser = browser_of(coordinator("anna", study="brain"))
    assert browser.get("/projects/P").status_code == 200
    server.app.state.accounts.revoke_grant("anna", "coordinator", study="brain")
    assert browser.get("/projects/P").status_code == 404


def test_who_uploads_past_the_intake_of_a_study_is_told(of_study, browser_of, admin):
    admin.put("/data/projects/P/users/Members/mary")
    admin.put("/data/projects/FREE")
    admin.put("/data/projects/FREE/users/Members/mary")
    page = browser_of("mary").get("/projects/P/upload").text
    assert "This project holds the study brain." in page
    assert "nobody looks whether it is de-identified" in page
    assert "past-the-intake" not in browser_of("mary").get("/projects/P/upload?kind=files").text
    assert "past-the-intake" not in browser_of("mary").get("/projects/FREE/upload").text
