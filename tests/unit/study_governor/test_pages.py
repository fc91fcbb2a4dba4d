"""The pages, through a browser's requests: what a coordinator reads, what rights hide, what a move needs."""

from __future__ import annotations

import json
import re

import pytest
from fastapi.testclient import TestClient

from service_kit.accounts.credentials import csrf_token_of
from study_governor.cohorts.service import put_cohort
from study_governor.contract.schemas import ArtifactPut, MeasurementPut
from study_governor.engine.steps import set_variables
from study_governor.measurements.service import put_artifact, put_measurement
from study_governor.reach import EVERYTHING
from study_governor.web.session_view import view_session
from tests.unit.study_governor.house import BADLY, House


class Browser:
    """A signed-in browser."""

    def __init__(self, client, cookie):
        self.client = client
        self.cookie = cookie
        self.headers = {"Cookie": f"cohortflow_session={cookie}", "Accept": "text/html"}

    def get(self, path, status=200):
        response = self.client.get(path, headers=self.headers, follow_redirects=False)
        assert response.status_code == status, response.text[:500]
        return " ".join(re.sub(r"<[^>]+>", " ", response.text).split()) if status == 200 else response

    def html(self, path):
        return self.client.get(path, headers=self.headers).text

    def post(self, path, **form):
        data = {"csrf_token": csrf_token_of(self.cookie), **form}
        return self.client.post(path, data=data, headers=self.headers, follow_redirects=False)


@pytest.fixture
def http(app):
    return TestClient(app)  # without its lifespan: no threads


@pytest.fixture
def browse(http, accounts):
    return lambda name: Browser(http, accounts.start_session(name))


@pytest.fixture
def anna(browse):
    return browse("anna")


def test_a_stranger_is_led_to_the_log_in(http):
    for path in ("/", "/sessions", "/sessions/1", "/workflows"):
        response = http.get(path, headers={"Accept": "text/html"}, follow_redirects=False)
        assert response.status_code in {302, 303, 307}
        assert "/login" in response.headers["location"]


def test_the_empty_dashboard_says_how_to_begin(anna, database):
    assert "No study yet" in anna.get("/")
    assert "cohortflow study apply" in anna.get("/")
    with database.write() as uow:
        put_cohort(uow.session, "brain", description="Brain volumes")
    text = anna.get("/")
    assert "Ready for the first scan" in text
    assert "COHORTFLOW" in text
    assert "11112" in text
    assert "No session yet" in anna.get("/sessions")
    assert "No workflow yet" in anna.get("/workflows")


def test_the_dashboard_shows_where_sessions_are_and_what_waits_and_why(anna, house):
    house.new_session(label="s1")
    house.in_review(label="s2")
    for label in ("s3", "s4"):
        failed = house.new_session(label=label)
        house.answer(house.execution(failed), result=BADLY, reason="no T1-weighted scan")
    text = anna.get("/")
    assert "4 sessions, 2 need attention" in text
    assert "1 extracting" in text
    assert "1 review" in text
    assert "2 failed" in text
    assert "2 sessions brain failed The measurement failed: no T1-weighted scan" in text
    assert "In the last 14 days 4 sessions came in and 0 came to an end" in anna.html("/")


def test_the_dashboard_says_how_many_wait_for_a_reader(anna, house):
    house.new_session(label="s1")
    house.in_review(label="s2")
    assert "No session needs attention. 1 waits for a reader under Tasks" in anna.get("/")


def test_the_dashboard_leaves_room_for_what_the_gateway_holds_back(anna, app, house):
    asks = 'data-live="/gateway/parts/held" data-events="/gateway/events"'
    assert asks in anna.html("/")  # before the first session too: all of them may be held back
    house.new_session()
    html = anna.html("/")
    assert asks in html
    assert 'data-live="/gateway/parts/held-count"' in html
    app.state.settings = app.state.settings.model_copy(update={"gateway_url": None})
    assert "/gateway/parts" not in anna.html("/")


def release(releases, *rows):
    """Write a release as the flow does."""
    rows = [{"session": session, "subject": subject, "value": value} for subject, session, value in rows]
    folder = releases / "brain"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "brain.json").write_text(json.dumps(rows, indent=1) + "\n")
    lines = ["session,subject,value", *(f"{row['session']},{row['subject']},{row['value']}" for row in rows)]
    (folder / "brain.csv").write_text("\n".join(lines) + "\n")
    return folder / "brain.csv"


def test_a_release_is_downloaded_from_dashboard_and_session_page(anna, house, releases):
    session, execution = house.in_review(label="s1")
    assert "release.csv" not in anna.html("/")
    path = release(releases, ("sub1", "s1", 1505.336))
    house.answer(execution, decision="accept", release=str(path))
    link = 'href="/api/v2/cohorts/brain/release.csv"'
    assert link in anna.html("/")
    answer = anna.client.get("/api/v2/cohorts/brain/release.csv", headers=anna.headers)
    assert answer.content == path.read_bytes()
    assert answer.headers["content-disposition"] == 'attachment; filename="brain.csv"'
    answer = anna.client.get("/api/v2/cohorts/brain/release.json", headers=anna.headers)
    assert answer.json() == [{"session": "s1", "subject": "sub1", "value": 1505.336}]
    with house.database.write() as uow:
        set_variables(uow.session, session, {"release": str(path)})
    html = anna.html(f"/sessions/{session}")
    assert link in html
    assert str(path) not in html


def test_of_a_release_somebody_sees_the_rows_of_the_own_sites(browse, house, releases):
    house.new_session(label="s1", subject="a", site="ams")
    house.new_session(label="s1", subject="b", site="rtd")
    release(releases, ("a", "s1", 1.25), ("b", "s1", 2.5))
    ams, other = browse("ams"), browse("other")

    def download(browser, form):
        return browser.client.get(f"/api/v2/cohorts/brain/release.{form}", headers=browser.headers)

    assert download(ams, "csv").text == "session,subject,value\ns1,a,1.25\n"
    assert download(ams, "json").json() == [{"session": "s1", "subject": "a", "value": 1.25}]
    assert download(browse("bo"), "csv").text.count("\n") == 3
    assert download(other, "csv").status_code == 404
    assert download(browse("reader"), "csv").status_code == 403


def test_a_release_without_a_session_is_not_offered_but_told(anna, browse, house, releases):
    session, _ = house.in_review(label="s1", subject="b", site="rtd")
    house.new_session(label="s1", subject="a", site="ams")
    path = release(releases, ("b", "s1", 2.5))
    with house.database.write() as uow:
        set_variables(uow.session, session, {"release": str(path)})
    assert "No session of your sites is released now" in browse("ams").html("/")
    assert "released now" not in anna.html("/")
    release(releases)
    for page in ("/", f"/sessions/{session}"):
        html = anna.html(page)
        assert "No session is released now" in html
        assert "release.csv" not in html
        assert str(path) not in html
    answer = anna.client.get("/api/v2/cohorts/brain/release.json", headers=anna.headers)
    assert answer.json() == []


@pytest.mark.parametrize(
    "table",
    [None, b"session,subject\ns1,\xff\n", b"value\n1.5\n", b"session,subject\n" + b"s" * 200_000 + b",a\n"],
    ids=["a folder", "no text", "no columns", "a field without end"],
)
def test_a_release_that_cannot_be_read_is_told_and_takes_no_page_away(browse, house, releases, caplog, table):
    session = house.new_session(label="s1", subject="a", site="ams")
    path = release(releases, ("a", "s1", 1.25))
    path.unlink()
    path.mkdir() if table is None else path.write_bytes(table)
    with house.database.write() as uow:
        set_variables(uow.session, session, {"release": str(path)})
    ams = browse("ams")
    for page in ("/", f"/sessions/{session}"):
        assert "The released table cannot be read now" in ams.get(page)
        assert str(path) not in ams.html(page)
    answer = ams.client.get("/api/v2/cohorts/brain/release.csv", headers={**ams.headers, "Accept": "*/*"})
    assert answer.status_code == 503
    assert "cannot be read at the moment" in answer.json()["detail"]
    told = [record for record in caplog.records if record.name == "study_governor.releases.service"]
    assert {record.getMessage() for record in told} == {"a released table cannot be read"}
    assert str(releases) not in str([vars(record) for record in told])


def test_a_study_that_released_nothing_says_so(anna, house):
    house.new_session()
    answer = anna.client.get("/api/v2/cohorts/brain/release.csv", headers={**anna.headers, "Accept": "*/*"})
    assert answer.status_code == 404
    assert answer.json()["detail"] == "Nothing of the study brain has been released yet."


def test_the_list_says_what_its_dates_are_and_who_is_waited_for(anna, house):
    house.in_review(label="s1")
    house.new_session(label="s2", scandate_is_arrival=True)
    text = anna.get("/sessions")
    assert "waits for a reader 2024-05-01" in text
    assert "at work none arrived 2024-05-01" in text
    assert "arrived 2024-05-01, its images carry no date" in anna.get("/sessions/2")
    assert "scanned 2024-05-01" in anna.get("/sessions/1")


def test_a_token_for_one_thing_opens_no_page(http, accounts):
    token = accounts.issue_token("anna", "script", ["governor:read"])
    answer = http.get("/", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403


def test_studies_without_rights_are_not_shown(browse, house):
    session = house.new_session()
    assert "1 session" not in browse("other").get("/")
    assert "sub1" not in browse("other").get("/sessions")
    browse("other").get(f"/sessions/{session}", status=404)
    assert "brain" in browse("bo").get("/")
    assert "sub1_MR_20240501" in browse("bo").get(f"/sessions/{session}")
    browse("reader").get("/", status=303)


def test_the_page_of_a_session_says_what_happened_why_and_what_comes_next(anna, house, database):
    session, execution = house.in_review(external_ids={"XNAT": "XNAT_E1"})
    with database.write() as uow:
        said = MeasurementPut(
            name="brain_volume", value=1432.52, unit="mL", model="deepbet", version="1.0.2",
            pedigree={"inputs": [{"series_instance_uid": "1.2.3"}], "weights_sha256": "abc"},
        )  # fmt: skip
        put_measurement(uow.session, session, "tiv", said)
        for kind, name in (("preview", "a.png"), ("report_pdf", "r.pdf"), ("mask", "m.nii.gz")):
            put_artifact(
                uow.session, session, name,
                ArtifactPut(kind=kind, title=f"The {kind}", uri=f"/data/experiments/XNAT_E1/resources/R/files/{name}", media_type="image/png"),
            )  # fmt: skip
    house.answer(execution, result=BADLY, task_uri="http://site/tasks/api/v1/tasks/7")
    text = anna.get(f"/sessions/{session}")
    assert "brain_volume" not in text
    assert "brain volume 1432.5 mL deepbet 1.0.2" in text
    assert "inputs 1 / series instance uid 1.2.3" in text
    assert "flow reported the result" in text
    assert "intake registered the session" in text
    assert "Nothing more: the session is at its end." in text
    html = anna.html(f"/sessions/{session}")
    assert f'src="/sessions/{session}/artifacts/a.png"' in html
    assert 'href="http://testserver/tasks/7"' in html or 'href="/tasks/7"' in html
    assert "<script>" not in html
    assert " style=" not in html


def test_the_page_of_a_session_says_what_the_reader_answered(anna, house):
    session, execution = house.in_review()
    house.answer(execution, decision="accept", comment="The whole brain.", answered_by="ada", actor="ada")
    assert "accept: The whole brain." in anna.get(f"/sessions/{session}")


def test_a_session_that_began_again_has_not_passed_what_comes_after(house):
    session, execution = house.in_review(content_sha256="a" * 64)
    house.answer(execution, decision="accept", answered_by="ada")
    assert passed(house, session) == ["extracting", "review", "released"]
    house.new_session(content_sha256="b" * 64)
    assert passed(house, session) == ["extracting"]


def passed(house, session):
    with house.database.read() as uow:
        stops = view_session(house.governor, uow.session, session, reach=EVERYTHING).stops
    return [stop.state.label for stop in stops if stop.state.is_passed or stop.state.is_here]


def test_a_session_that_works_names_its_flow_run_and_where_it_may_go(anna, house):
    session = house.new_session()
    house.dispatch()
    html = anna.html(f"/sessions/{session}")
    assert f"http://127.0.0.1:4200/runs/flow-run/run-execution-{house.execution(session)}-1" in html
    text = anna.get(f"/sessions/{session}")
    assert "waits for a worker" in text
    assert "the first that holds: review callbacks[" in text


def test_an_order_that_waits_for_the_flow_server_says_so(anna, house):
    session = house.new_session()
    house.flows.available = False
    house.dispatch()
    assert "The flow server does not answer; the order will be sent again." in anna.get(f"/sessions/{session}")


def test_a_coordinator_moves_a_session_with_a_reason(anna, house):
    session = house.new_session()
    house.answer(house.execution(session), result=BADLY, reason="a <b>bold</b> cause")
    html = anna.html(f"/sessions/{session}")
    assert "A &lt;b&gt;bold&lt;/b&gt; cause" in html
    version = house.session(session).version
    path = f"/sessions/{session}/move"
    without = anna.post(path, destination="extracting", reason=" ", version=version)
    assert without.status_code == 409
    assert "Say in a few words why" in without.text
    moved = anna.post(path, destination="extracting", reason="sent again", version=version)
    assert (moved.status_code, moved.headers["location"]) == (303, f"/sessions/{session}")
    again = anna.post(path, destination="extracting", reason="sent again", version=version)
    assert again.status_code == 409
    assert "was moved meanwhile" in again.text
    action = house.actions(session)[-1]
    assert (action.actor, action.trigger, action.freetext) == ("anna", "manual", "sent again")


def test_a_move_from_elsewhere_is_refused(http, accounts, house):
    session = house.new_session()
    headers = {"Cookie": f"cohortflow_session={accounts.start_session('anna')}"}
    form = {"destination": "failed", "reason": "x", "version": 1}
    assert http.post(f"/sessions/{session}/move", data=form, headers=headers).status_code == 403
    assert house.state(session) == "extracting"


def test_the_list_filters_and_pages(anna, house):
    for n in range(60):
        house.new_session(label=f"s{n:02}", subject=f"sub{n}")
    text = anna.get("/sessions")
    assert "s59" in text
    assert "s09" not in text
    assert "Next page" in text
    follow = re.search(r'href="(/sessions\?cursor=[^"]+)" rel="next"', anna.html("/sessions")).group(1)
    assert "s09" in anna.get(follow)
    assert "s07" in anna.get("/sessions?q=sub7")
    assert "No session fits" in anna.get("/sessions?state=released")
    anna.get("/sessions?cursor=nonsense", status=400)


def test_the_parts_that_change_come_alone(anna, house):
    session = house.new_session()
    for path in ("/parts/dashboard", "/parts/sessions", f"/parts/sessions/{session}"):
        assert "<html" not in anna.html(path)


def test_a_workflow_is_drawn_with_its_conditions(anna, house):
    house.new_session()
    assert "brain_v1" in anna.get("/workflows")
    text = anna.get("/workflows/1")
    assert "asks a person" in text
    assert "waits for an answer up to 1 h" in text
    assert "callbacks['read'].result == 'timeout'" in anna.html("/workflows/1").replace("&#39;", "'")
    anna.get("/workflows/9", status=404)


def test_files_of_the_archive_need_the_sessions_rights(browse, anna, house, database):
    session = house.new_session(external_ids={"XNAT": "XNAT_E1"})
    with database.write() as uow:
        said = ArtifactPut(
            kind="preview", title="t", uri="/data/experiments/XNAT_E1/resources/R/files/a.png", media_type="image/png"
        )
        put_artifact(uow.session, session, "a.png", said)
    browse("other").get(f"/sessions/{session}/artifacts/a.png", status=404)
    anna.get(f"/sessions/{session}/artifacts/none", status=404)
    anna.get(f"/sessions/{session}/artifacts/a.png", status=503)  # no archive is set up here


@pytest.mark.slow
def test_the_dashboard_stays_quick_with_many_sessions(anna, database):
    house = House(database)
    with database.write() as uow:
        from study_governor.cohorts.service import ensure_subject
        from study_governor.db.tables import ExperimentRow
        from tests.unit.study_governor.house import SCANNED

        cohort, _ = put_cohort(uow.session, "brain", description=None)
        subject = ensure_subject(uow.session, cohort, "sub")
        stored = house.governor.workflows.by_label(uow.session, "brain_v1")
        uow.session.add_all(
            ExperimentRow(
                subject_id=subject.id, cohort_id=cohort.id, label=f"s{n}", scandate=SCANNED, workflow_id=stored.id,
                state_id=stored.state_ids["failed"], attention="operator", why=f"reason {n % 7}",
            )
            for n in range(5000)
        )  # fmt: skip
    import time

    anna.get("/")
    began = time.monotonic()
    assert "5000 sessions, 5000 need attention" in anna.get("/")
    assert time.monotonic() - began < 1.5
