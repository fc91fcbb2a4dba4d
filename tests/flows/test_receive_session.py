"""An arrival becomes a session, or waits in the quarantine with a reason that names what to do."""

from __future__ import annotations

import itertools

import pytest

from flows.receive_session import OtherSite
from study_governor.client import GovernorClient

NUMBERS = itertools.count(1)


@pytest.fixture
def elements():
    """What makes one DICOM study of one subject."""
    number = next(NUMBERS)
    uid = f"1.2.826.0.1.3680043.10.7.{number}"
    return {"StudyInstanceUID": uid, "series": f"{uid}.1", "PatientID": f"BV-{number:03}", "StudyID": str(number)}


def test_an_arrival_becomes_a_session_that_the_governor_shows(house, run, elements):
    arrival = house.send("SITE_A", **elements)
    assert run("receive_session", arrival_id=arrival) == "accepted"
    settled = house.gateway.arrival(arrival)
    session = house.governor.find_experiment("brain-volumetry", elements["PatientID"], settled.session_label)
    assert (session.site, session.state) == ("site-a", "extracting")
    assert settled.session_url.endswith(f"/sessions/{session.id}")
    assert [one.kind for one in house.governor.artifacts(session.id)] == ["preview"]
    assert len(house.archive.files(f"/data/experiments/{session.external_ids['XNAT']}/scans/5", "DICOM")) == 4
    assert run("receive_session", arrival_id=arrival) == "accepted"


def test_images_of_one_dicom_study_from_another_site_are_held_back_before_anything_is_archived(house, run, elements):
    first = house.send("SITE_A", **elements)
    run("receive_session", arrival_id=first)
    uploads, label = list(house.archive.uploads), house.gateway.arrival(first).session_label
    before = house.governor.find_experiment("brain-volumetry", elements["PatientID"], label)
    second = house.send("SITE_B", **elements | {"series": elements["series"] + "9", "SeriesNumber": 9})
    assert run("receive_session", arrival_id=second) == "quarantined"
    held = house.gateway.arrival(second)
    assert held.state == "quarantined"
    assert "is a session of site site-a" in held.reason
    assert elements["PatientID"] not in held.reason
    assert house.archive.uploads == uploads
    after = house.governor.find_experiment("brain-volumetry", elements["PatientID"], label)
    assert (after.site, after.version) == (before.site, before.version)


def test_of_two_sites_at_the_same_moment_the_second_is_held_back_with_the_reason(house, run, elements, monkeypatch):
    """The governor learns of the first site's session after the second was asked for and before it is registered."""
    second = house.send("SITE_B", **elements)
    put = GovernorClient.put_experiment

    def put_after_the_other(self, *labels, **said):
        put(self, *labels, **said | {"site": "site-a"})
        return put(self, *labels, **said)

    monkeypatch.setattr(GovernorClient, "put_experiment", put_after_the_other)
    assert run("receive_session", arrival_id=second) == "quarantined"
    assert "is a session of site site-a" in house.gateway.arrival(second).reason


def test_the_reason_says_what_to_do():
    assert "Ask both sites whose it is" in OtherSite("1.2.3", site="site-a").reason
