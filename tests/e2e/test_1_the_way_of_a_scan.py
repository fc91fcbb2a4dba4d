"""A real scan goes all the way, seen from outside: DICOM in, review in a browser, a release out, everything once."""

from __future__ import annotations

import html

import httpx
import pytest
from pydicom import Dataset

from gateway.web.views import told_reason
from tests.e2e.house import House, wait_for
from tests.e2e.scans import cut_off, text_object, unmarked

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

DEMO_ML = {"BV-001": 1505.3, "BV-002": 1650.6}
TOLERANCE = 0.01


def test_the_house_says_where_everything_is(house: House) -> None:
    endpoints = house.endpoints
    assert (house.home / "endpoints.json").stat().st_mode & 0o777 == 0o600
    assert {"site_url", "xnat", "prefect_api_url", "prefect_ui_url", "dask_dashboard_url", "dicom", "users"} <= set(
        endpoints
    )
    for url in (endpoints["site_url"] + "/readyz", endpoints["xnat"]["url"], endpoints["prefect_api_url"] + "/health"):
        assert httpx.get(url, follow_redirects=True, timeout=10).status_code == 200, url


def test_nobody_sees_anything_without_a_log_in(house: House) -> None:
    for path in ("/api/v2/experiments", "/tasks/api/v1/tasks", "/gateway/api/v1/arrivals"):
        assert httpx.get(house.endpoints["site_url"] + path).status_code == 401, path
    page = httpx.get(house.endpoints["site_url"] + "/", headers={"Accept": "text/html"}, follow_redirects=False)
    assert page.status_code in {302, 303, 307}
    assert "/login" in page.headers["location"]


@pytest.mark.parametrize(("subject", "volume_ml"), DEMO_ML.items())
def test_a_scan_is_received_archived_measured_and_waits_for_a_person(
    house: House, subject: str, volume_ml: float
) -> None:
    house.wait_state(subject, "review", timeout_s=400)
    wait_for("the review task", lambda: house.open_task(subject), timeout_s=60)
    found = house.measurements(subject)
    assert len(found) == 1
    assert found[0]["value"] == pytest.approx(volume_ml, rel=TOLERANCE)
    assert found[0]["unit"] == "mL"
    pedigree = found[0]["pedigree"]
    assert pedigree["input"]["instances"] >= 60
    assert pedigree["weights_sha256"]
    assert pedigree["device"]


def test_the_demonstration_says_where_a_person_goes_on(house: House) -> None:
    wait_for("the invitation", lambda: "Open reviews" in house.log(), timeout_s=60)
    said = house.log()
    assert all(user["password"] in said for user in house.endpoints["users"])
    assert house.session("BV-001")["web_uri"] in said


def test_what_cannot_go_on_is_quarantined_with_a_reason_and_the_rest_goes_on(
    house: House, few_slices: list[Dataset]
) -> None:
    damaged = cut_off(few_slices[0])
    damaged.SeriesInstanceUID = few_slices[0].SeriesInstanceUID + ".9"
    assert set(house.send([*few_slices[:3], damaged, text_object(few_slices[0])])) == {0}
    house.wait_state("BV-104", "not_relevant", timeout_s=120)
    assert len(house.archived_files("BV-104")["DICOM"]) == 3
    with house.client("coordinator") as client:
        page = client.get("/gateway/quarantine", headers={"Accept": "text/html"}).text
        entries = client.get("/gateway/api/v1/quarantine").raise_for_status().json()["items"]
    reasons = " ".join(r["reason"] for e in entries for r in e["reasons"]).lower()
    assert "bytes of pixel data and holds" in reasons
    assert "not an image" in reasons
    for entry in entries:
        assert all(told_reason(r["reason"]) in html.unescape(page) for r in entry["reasons"][:1])


def test_a_scan_not_marked_as_deidentified_goes_no_further_than_the_quarantine(
    house: House, few_slices: list[Dataset]
) -> None:
    before = house.census()
    house.send(unmarked(few_slices[:3]))

    def quarantined() -> bool:
        with house.client() as client:
            arrivals = client.get("/gateway/api/v1/arrivals", params={"state": "quarantined"}).json()["items"]
        return any("identi" in (a["reason"] or "").lower() for a in arrivals)

    wait_for("the quarantine", quarantined, timeout_s=60)
    assert house.census() == before


def test_a_ct_sent_to_the_brain_study_says_why_it_stops(house: House, chest_ct: list[Dataset]) -> None:
    house.send(chest_ct)

    def explained() -> bool:
        with house.client() as client:
            arrivals = client.get("/gateway/api/v1/arrivals").json()["items"]
        return any("CT" in (a["reason"] or "") for a in arrivals) or house.state_of("BV-103") == "not_relevant"

    wait_for("a reason", explained, timeout_s=90)


def test_images_that_come_late_and_from_another_sender_join_their_session(
    house: House, few_slices: list[Dataset]
) -> None:
    before = house.census()
    house.send(few_slices[2:4])
    house.send(few_slices[3:], calling="SITE_B")
    wait_for("all images", lambda: len(house.archived_files("BV-104")["DICOM"]) == len(few_slices), timeout_s=90)

    def looked_at_again() -> bool:
        states = house.states("BV-104")
        return states.count("extracting") >= 2 and states[-1] == "not_relevant"

    wait_for("a second look, with all its images", looked_at_again, timeout_s=90)
    after = house.census()
    assert after["sessions"] == before["sessions"]
    assert after["archive scans"] == before["archive scans"]
