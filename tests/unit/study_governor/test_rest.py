"""The REST interface through its own client, as the flows and other services use it."""

from __future__ import annotations

import json
import shutil
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi.testclient import TestClient

from service_kit.accounts.errors import ScopesRefused
from service_kit.database import Database
from service_kit.paging import encode_cursor
from study_governor.client import GovernorClient, GovernorRejected, GovernorUnavailable
from study_governor.cohorts.service import put_cohort
from tests.unit.study_governor.house import WORKFLOW, House

SCANNED = datetime(2024, 5, 1, 9, 30, tzinfo=UTC)
ALL = ["governor:read", "governor:write", "governor:execute"]


@pytest.fixture
def http(app):
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="module")
def migrated(migrated, tmp_path_factory):
    """A database that holds a workflow and a cohort; each test has a copy."""
    path = shutil.copy(migrated, tmp_path_factory.mktemp("furnished"))
    database = Database(f"sqlite:///{path}")
    House(database)
    with database.write() as uow:
        put_cohort(uow.session, "brain", description="Brain volumes")
    database.dispose()
    return path


@pytest.fixture(scope="module")
def token(accounts):
    return accounts.issue_token("flows", "flows", ALL)


@pytest.fixture
def client(http, token):
    return GovernorClient("http://testserver", token, http=http)


def as_user(http, accounts, name, scopes):
    return GovernorClient("http://testserver", accounts.issue_token(name, "t", scopes), http=http)


def new_session(client, label="sub1_MR_20240501", cohort="brain", **said):
    return client.put_experiment(cohort, "sub1", label, scandate=SCANNED, workflow_label="brain_v1", **said)


def ordered(flows, count):
    """Wait for the dispatcher's thread."""
    deadline = time.monotonic() + 10
    while len(flows.ordered) < count:
        assert time.monotonic() < deadline, flows.ordered
        time.sleep(0.01)
    return [parameters["execution_id"] for _deployment, parameters in flows.ordered.values()]


def test_a_session_goes_from_its_registration_to_its_release(client, flows):
    session = new_session(
        client, external_ids={"XNAT": "XNAT_E1"}, subject_external_ids={"XNAT": "XNAT_S1"}, site="ams"
    )
    assert (session.state, session.cohort.label, session.site) == ("extracting", "brain", "ams")
    assert session.web_uri == f"http://testserver/sessions/{session.id}"
    (execution_id,) = ordered(flows, 1)
    record = client.execution(execution_id)
    assert record.callback.callback_arguments == {"deployment": "extract-biomarkers/warm"}
    assert record.experiment.external_ids == {"XNAT": "XNAT_E1"}
    assert record.subject.external_ids == {"XNAT": "XNAT_S1"}
    assert record.api_uri == f"http://testserver/api/v2/callback_executions/{execution_id}"
    assert len(record.secret_key) == 256
    client.answer(execution_id, status="running", flow_run_id="f-1")
    client.put_measurement(
        session.id, "brain_tiv", name="brain_tiv", value=1432.5, unit="mL", model="deepbet", version="1.0",
        pedigree={"inputs": [{"uid": "1.2", "sha256": "ab"}]},
    )  # fmt: skip
    client.put_artifact(
        session.id,
        "preview",
        kind="preview",
        title="T1w",
        uri="/data/experiments/XNAT_E1/resources/R/files/a.png",
        media_type="image/png",
    )
    answered = client.answer(execution_id, status="finished", result="success", result_values={"outcome": "measured"})
    assert answered.experiment.state == "review"
    assert answered.secret_key is None
    review = ordered(flows, 2)[1]
    secret = client.execution(review).secret_key
    client.answer(review, status="waiting", result_values={"task_uri": "http://testserver/tasks/1"})
    response = client._http.put(
        f"/api/v2/callback_executions/{review}",
        json={
            "status": "finished", "result": "success", "secret_key": secret,
            "result_values": {"decision": "accept", "answered_by": "mia"},
        },
    )  # fmt: skip
    assert response.status_code == 200, response.text
    assert client.experiment(session.id).state == "released"
    assert [one.actor for one in client.actions(session.id)] == ["flows", "flows", "mia"]
    (measured,) = client.measurements(cohort="brain")
    assert (measured.session, measured.subject, measured.value, measured.unit) == (
        "sub1_MR_20240501",
        "sub1",
        1432.5,
        "mL",
    )
    assert measured.pedigree == {"inputs": [{"uid": "1.2", "sha256": "ab"}]}
    assert [(one.state, one.count) for one in client.counts(cohort="brain")] == [("released", 1)]


def test_everything_may_happen_twice(client, flows):
    first = new_session(client, external_ids={"XNAT": "E1"})
    second = new_session(client, external_ids={"XNAT": "E1"})
    assert (first.id, first.version) == (second.id, second.version)
    assert client.import_workflow(WORKFLOW).is_new is False
    for _ in range(2):
        client.put_measurement(first.id, "k", name="n", value=1, unit="mL", model="m", version="1", pedigree={})
        client.put_artifact(
            first.id,
            "a",
            kind="mask",
            title="t",
            uri="/data/experiments/E1/resources/R/files/a.png",
            media_type="image/png",
        )
    assert len(list(client.measurements())) == 1
    assert len(client.artifacts(first.id)) == 1
    (execution,) = ordered(flows, 1)
    client.answer(execution, status="finished", result="success", result_values={"outcome": "measured"})
    with pytest.raises(GovernorRejected) as caught:
        client.answer(execution, status="finished", result="success", result_values={"outcome": "measured"})
    assert caught.value.is_conflict
    assert len(client.actions(first.id)) == 2


def test_a_workflow_with_mistakes_is_refused_with_file_line_and_reason(client):
    with pytest.raises(GovernorRejected) as caught:
        client.import_workflow("label: new_v1\nstates: []", file="studies/brain/workflow.yaml")
    assert caught.value.status == 400
    assert "studies/brain/workflow.yaml:2: 'states' needs at least two states" in str(caught.value)


def test_a_changed_workflow_needs_a_new_label(client):
    with pytest.raises(GovernorRejected) as caught:
        client.import_workflow(WORKFLOW.replace("A person looks", "Two persons look"))
    assert caught.value.status == 409
    assert client.import_workflow(WORKFLOW.replace("brain_v1", "brain_v2")).is_new


def test_a_move_that_is_not_drawn_is_refused_in_the_words_of_version_8(client, http, token):
    session = new_session(client)
    said = {"Authorization": f"Bearer {token}"}
    for body, status, error in (
        ({"state": "nowhere"}, 404, "StateNotFoundError"),
        ({"state_label": "released"}, 409, "NoValidTransitionError"),
        ({"state_label": "failed"}, 409, "ConditionNotMetError"),
        ({"state_label": "failed", "version": 99}, 409, "MovedMeanwhileError"),
    ):
        response = http.put(f"/api/v2/experiments/{session.id}/state", json=body, headers=said)
        if error == "ConditionNotMetError":  # the callback has not failed: its condition holds while it runs
            assert response.status_code in {200, 409}
            continue
        assert response.status_code == status, response.text
        assert response.json()["error"]["errorclass"] == error
        assert response.json()["success"] is False
        assert response.headers["content-type"].startswith("application/problem+json")


def test_listings_go_page_by_page_and_filter(client):
    for n in range(7):
        new_session(client, label=f"s{n}")
    page = client._request("GET", "/experiments", params={"limit": 3}).json()
    assert [one["label"] for one in page["experiments"]] == ["s6", "s5", "s4"]
    page = client._request("GET", "/experiments", params={"limit": 3, "cursor": page["next_cursor"]}).json()
    assert [one["label"] for one in page["experiments"]] == ["s3", "s2", "s1"]
    assert [one.label for one in client.experiments(text="S5")] == ["s5"]
    assert not list(client.experiments(state="released"))
    assert not list(client.experiments(attention="any"))
    assert len(list(client.experiments(cohort="brain", state="extracting"))) == 7


def test_rights_are_per_study(client, http, accounts):
    brain = new_session(client)
    chest = new_session(client, cohort="chest")
    bo = as_user(http, accounts, "bo", ["governor:read", "governor:write"])
    assert [one.cohort for one in bo.experiments()] == ["brain"]
    assert bo.experiment(brain.id).id == brain.id
    for refused in (
        lambda: bo.experiment(chest.id),
        lambda: bo.set_state(chest.id, "failed"),
        lambda: new_session(bo, cohort="chest"),
        lambda: bo.put_measurement(chest.id, "k", name="n", value=1, unit="mL", model="m", version="1", pedigree={}),
        lambda: bo.import_workflow(WORKFLOW.replace("brain_v1", "own_v1")),
        lambda: bo.actions(chest.id),
    ):
        with pytest.raises(GovernorRejected) as caught:
            refused()
        assert caught.value.status in {403, 404}
    assert [one.cohort for one in bo.counts()] == ["brain"]


def test_only_flows_see_secrets_and_answer_without_them(client, http, accounts, flows):
    new_session(client)
    (execution,) = ordered(flows, 1)
    anna = as_user(http, accounts, "anna", ["governor:read", "governor:write"])
    assert anna.execution(execution).secret_key is None
    for asked in (
        {"json": {"status": "running"}, "headers": anna._headers},
        {"json": {"status": "running", "secret_key": "0" * 256}},
        {"json": {"status": "running"}},
    ):
        assert http.put(f"/api/v2/callback_executions/{execution}", **asked).status_code == 403
    assert http.get(f"/api/v2/callback_executions/{execution}").status_code == 401
    secret = client.execution(execution).secret_key
    seen = http.get(f"/api/v2/callback_executions/{execution}", params={"secret_key": secret})
    assert seen.json()["secret_key"] is None


def test_annotators_and_strangers_read_nothing(client, http, accounts):
    new_session(client)
    assert http.get("/api/v2/experiments").status_code == 401
    with pytest.raises(ScopesRefused):
        as_user(http, accounts, "reader", ["governor:read"])


def test_scan_dates_keep_their_moment(client):
    later = datetime.fromisoformat("2024-05-01T01:30:00+02:00")
    session = client.put_experiment("brain", "sub1", "s9", scandate=later, workflow_label="brain_v1")
    assert session.scandate == later


@pytest.mark.parametrize("label", ["a b", "../x", ".hidden", "x" * 101, "ü", "a/b"])
def test_labels_that_addresses_cannot_carry_are_refused(client, label):
    with pytest.raises(GovernorRejected) as caught:
        new_session(client, label=label)
    assert caught.value.status in {400, 404}


def test_what_nobody_knows_is_404_and_wrong_input_400(client):
    for path, status in (
        ("/experiments/99", 404),
        ("/callback_executions/99", 404),
        ("/cohorts/none", 404),
        ("/subjects/99", 404),
        ("/actions/99", 404),
        ("/workflows/99", 404),
        ("/workflows/none/states", 404),
        ("/experiments?cursor=x!", 400),
        ("/experiments?limit=0", 400),
    ):
        with pytest.raises(GovernorRejected) as caught:
            client._request("GET", path)
        assert caught.value.status == status, path


def test_the_resources_of_version_8_answer(client):
    session = new_session(client)
    for path, key in (
        ("/cohorts", "cohorts"),
        ("/cohorts/by-label/brain", "label"),
        ("/cohorts/brain/subjects", "subjects"),
        ("/cohorts/brain/subjects/sub1", "external_ids"),
        ("/cohorts/brain/subjects/sub1/experiments", "experiments"),
        ("/cohorts/brain/subjects/sub1/experiments/sub1_MR_20240501", "state"),
        ("/subjects?cohort_label=brain", "subjects"),
        (f"/experiments/{session.id}/state", "state"),
        (f"/experiments/{session.id}/external_ids", "external_ids"),
        ("/workflows", "workflows"),
        ("/workflows/by-label/brain_v1", "states"),
        ("/workflows/brain_v1/states/review", "destinations"),
        ("/external_systems", "external_systems"),
    ):
        assert key in client._request("GET", path).json(), path
    subject = client._request("POST", "/subjects", json={"label": "sub2", "cohort_label": "brain"}).json()
    body = {"label": "v8", "scandate": "2024-01-01T00:00:00", "subject_id": subject["id"], "workflow": "brain_v1"}
    assert client._request("POST", "/experiments", json=body).json()["state"] == "extracting"
    with pytest.raises(GovernorRejected) as caught:
        client._request("POST", "/experiments", json=body)
    assert caught.value.status == 409
    client.put_external_system("XNAT", "http://127.0.0.1:8080")
    assert client._request("POST", "/service/check_timeouts").json() == {"run_timeouts": 0, "wait_timeouts": 0}


def test_a_governor_that_is_away_is_worth_a_retry():
    def away(_request):
        raise httpx.ConnectError("refused")

    for transport in (httpx.MockTransport(away), httpx.MockTransport(lambda _: httpx.Response(503))):
        with pytest.raises(GovernorUnavailable):
            GovernorClient("http://away", "t", http=httpx.Client(transport=transport)).counts()


def test_the_dispatcher_looks_at_once_after_a_commit(client, flows):
    began = time.monotonic()
    for n in range(10):
        new_session(client, label=f"quick{n}")
        ordered(flows, n + 1)
    assert time.monotonic() - began < 10


def test_a_session_whose_images_changed_begins_again_and_old_answers_move_nothing(client, flows):
    session = new_session(client, content_sha256="a" * 64)
    (first,) = ordered(flows, 1)
    assert new_session(client, content_sha256="a" * 64).version == session.version
    again = new_session(client, content_sha256="b" * 64)
    assert (again.id, again.state) == (session.id, "extracting")
    (_, second) = ordered(flows, 2)
    with pytest.raises(GovernorRejected) as late:
        client.answer(first, status="finished", result="success", result_values={"outcome": "measured"})
    assert late.value.is_conflict
    assert client.execution(second).is_current
    assert [(a.trigger, a.source_state) for a in client.actions(session.id)] == [
        ("created", "arrived"),
        ("restarted", "arrived"),
    ]
    assert "images" in client.actions(session.id)[-1].freetext


def test_a_session_has_the_date_of_images_that_came_later_and_keeps_it(client):
    day = datetime(2024, 7, 1, tzinfo=UTC)

    def put(scandate, **said):
        return client.put_experiment("brain", "sub1", "s1", scandate=scandate, workflow_label="brain_v1", **said)

    assert put(day, scandate_is_arrival=True).scandate_is_arrival
    assert put(day + timedelta(days=1), scandate_is_arrival=True).scandate == day, "of the first arrival"
    dated = put(SCANNED)
    assert (dated.scandate, dated.scandate_is_arrival) == (SCANNED, False)
    (listed,) = client.experiments(cohort="brain")
    assert not listed.scandate_is_arrival
    assert put(day, scandate_is_arrival=True).scandate == put(day).scandate == SCANNED


def test_a_session_at_rest_begins_again_when_more_images_arrive(client, flows):
    session = new_session(client, content_sha256="a" * 64)
    (first,) = ordered(flows, 1)
    client.answer(first, status="finished", result="failed")
    assert client.experiment(session.id).state == "failed"
    assert new_session(client, content_sha256="b" * 64).state == "extracting"


def test_a_digest_that_comes_later_is_noted_and_moves_nothing(client, flows):
    session = new_session(client)
    assert new_session(client, content_sha256="a" * 64).version == session.version


def test_a_session_of_one_site_cannot_be_taken_by_another(http, accounts, client):
    session = new_session(client, site="rtd", external_ids={"XNAT": "XNAT_E1"})
    accounts.create_user("site_anna", "correct horse battery", display_name="Anna")
    accounts.grant("site_anna", "coordinator", study="brain", site="ams")
    anna = as_user(http, accounts, "site_anna", ["governor:read", "governor:write"])
    for said in ({"site": "ams"}, {"site": None}, {"site": "rtd"}):
        with pytest.raises(GovernorRejected):
            new_session(anna, **said)
    with pytest.raises(GovernorRejected) as differs:
        new_session(client, site="ams")
    assert differs.value.is_conflict
    kept = client.experiment(session.id)
    assert (kept.site, kept.external_ids) == ("rtd", {"XNAT": "XNAT_E1"})


@pytest.mark.parametrize(
    "uri",
    [
        "/data/services/tokens/issue",
        "/data/JSESSION",
        "/data/experiments/XNAT_E2/scans/1/resources/DICOM/files/a.dcm",
        "/data/experiments/XNAT_E1",
    ],
)
def test_a_page_shows_files_of_its_own_session_only(client, uri):
    session = new_session(client, external_ids={"XNAT": "XNAT_E1"})
    with pytest.raises(GovernorRejected):
        client.put_artifact(session.id, "x", kind="preview", title="x", uri=uri, media_type="image/png")
    own = "/data/experiments/XNAT_E1/scans/1/resources/SNAPSHOTS/files/scan_1.png"
    client.put_artifact(session.id, "x", kind="preview", title="x", uri=own, media_type="image/png")


def test_subjects_of_another_site_are_not_listed(http, accounts, client):
    new_session(client, site="ams")
    client.put_experiment("brain", "sub2", "sub2_MR", scandate=SCANNED, workflow_label="brain_v1", site="rtd")
    accounts.create_user("rita", None)
    accounts.grant("rita", "coordinator", study="brain", site="rtd")
    headers = {"Authorization": f"Bearer {accounts.issue_token('rita', 't', ['governor:read'])}"}
    for path in ("/api/v2/subjects", "/api/v2/cohorts/brain/subjects"):
        found = http.get(path, headers=headers).json()
        assert ([one["label"] for one in found["subjects"]], found["count"]) == (["sub2"], 1)
    assert http.get("/api/v2/cohorts/brain/subjects/sub1", headers=headers).status_code == 404
    assert http.get("/api/v2/subjects/1", headers=headers).status_code == 404
    assert http.get("/api/v2/subjects/2", headers=headers).json()["label"] == "sub2"


def test_subjects_are_counted_in_all_and_shown_by_the_page(http, token, client):
    new_session(client)
    for number in (2, 3):
        client.put_experiment(
            "brain", f"sub{number}", f"s{number}", scandate=SCANNED, workflow_label="brain_v1",
            subject_external_ids={"XNAT": f"S{number}"},
        )  # fmt: skip
    found = http.get("/api/v2/subjects?offset=1&limit=1", headers={"Authorization": f"Bearer {token}"}).json()
    assert found["count"] == 3
    assert [(one["label"], one["external_ids"]) for one in found["subjects"]] == [("sub2", {"XNAT": "S2"})]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/experiments/99999999999999999999",
        "/api/v2/subjects/-1",
        "/api/v2/callback_executions/99999999999999999999",
        "/api/v2/workflows/99999999999999999999",
        f"/api/v2/measurements?cursor={encode_cursor('a')}",
        f"/api/v2/experiments?cursor={encode_cursor(2**70)}",
        "/api/v2/subjects?offset=99999999999999999999",
    ],
)
def test_numbers_that_no_database_holds_are_400(http, token, client, path):
    assert http.get(path, headers={"Authorization": f"Bearer {token}"}).status_code == 400


def test_an_answer_of_an_earlier_attempt_is_too_late(client, flows):
    new_session(client)
    (execution,) = ordered(flows, 1)
    with pytest.raises(GovernorRejected) as caught:
        client.answer(execution, status="finished", result="success", attempt=7)
    assert caught.value.status == 409
    assert client.execution(execution).status == "queued"
    client.answer(execution, status="running", attempt=1)


def test_somebody_of_one_site_creates_sessions_there_and_nowhere_else(http, accounts, client):
    subject = client._request("POST", "/subjects", json={"label": "sub2", "cohort_label": "brain"}).json()["id"]
    accounts.create_user("sam", None)
    accounts.grant("sam", "coordinator", study="brain", site="ams")
    sam = as_user(http, accounts, "sam", ["governor:read", "governor:write"])
    body = {"label": "e1", "scandate": SCANNED.isoformat(), "subject_id": subject, "workflow": "brain_v1"}
    for site in ({}, {"site": "rtd"}):
        with pytest.raises(GovernorRejected) as caught:
            sam._request("POST", "/experiments", json=body | site)
        assert caught.value.status == 403
    assert list(client.experiments()) == []
    created = sam._request("POST", "/experiments", json=body | {"site": "ams"}).json()
    assert (created["site"], created["state"]) == ("ams", "extracting")


def test_the_sessions_of_a_subject_are_found_however_many_others_are_newer(client):
    oldest = new_session(client, label="oldest")
    for number in range(3):
        client.put_experiment("brain", "other", f"n{number}", scandate=SCANNED, workflow_label="brain_v1")
    newest = new_session(client, label="newest")
    path = "/cohorts/brain/subjects/sub1/experiments"
    first = client._request("GET", path, params={"limit": 1}).json()
    second = client._request("GET", path, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [one["id"] for page in (first, second) for one in page["experiments"]] == [newest.id, oldest.id]
    assert second["next_cursor"] is None


def test_an_execution_is_read_with_the_governors_own_scope(client, http, accounts, flows):
    new_session(client, external_ids={"XNAT": "XNAT_E1"})
    (execution,) = ordered(flows, 1)
    seen = {}
    for name, scope in (("bo", "gateway:read"), ("bo", "governor:read"), ("other", "governor:read")):
        headers = {"Authorization": f"Bearer {accounts.issue_token(name, 't', [scope])}"}
        answer = http.get(f"/api/v2/callback_executions/{execution}", headers=headers)
        seen[name, scope] = (answer.status_code, "XNAT_E1" in answer.text)
    assert list(seen.values()) == [(403, False), (200, True), (404, False)]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (r"C:\u0000x", r"C:\u0000x"),
        ("a\x00b", "ab"),
        ("\ud800c", "c"),
        ([{"\x00k": ["\x00", 1, None]}], [{"k": ["", 1, None]}]),
    ],
)
def test_whatever_text_a_result_holds_is_kept_as_far_as_databases_can(client, http, token, flows, said, kept):
    new_session(client)
    (execution,) = ordered(flows, 1)
    body = json.dumps({"status": "running", "result_values": {"path": said}})
    answer = http.put(
        f"/api/v2/callback_executions/{execution}",
        content=body,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    assert client.execution(execution).result_values == {"path": kept}


@pytest.mark.parametrize("depth", [300, 900, 20_000])
def test_a_result_too_deep_to_be_shown_again_is_refused(http, token, client, flows, depth):
    new_session(client)
    (execution,) = ordered(flows, 1)
    address = f"/api/v2/callback_executions/{execution}"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = '{"status": "running", "result_values": {"deep": ' + "[" * depth + "]" * depth + "}}"
    assert http.put(address, content=body, headers=headers).status_code == 400
    assert http.get(address, headers=headers).json()["result_values"] == {}


def test_what_a_session_is_called_in_the_archive_is_said_by_those_with_a_right_in_every_study(http, accounts, client):
    """The id says whose files its page shows, and only the archive knows to which study they belong."""
    accounts.create_user("eve", None)
    accounts.grant("eve", "engineer", study="brain")
    accounts.grant("eve", "coordinator")
    eve = as_user(http, accounts, "eve", ALL)
    bo = as_user(http, accounts, "bo", ["governor:read", "governor:write"])
    session = new_session(client)
    path = f"/experiments/{session.id}/external_ids"
    for refused in (
        lambda: bo._request("PUT", f"{path}/XNAT", json={"external_id": "XNAT_CHEST"}),
        lambda: eve._request("PUT", f"{path}/XNAT", json={"external_id": "XNAT_CHEST"}),
        lambda: bo._request("PUT", f"{path}/CASTOR", json={"external_id": "7"}),
        lambda: new_session(eve, external_ids={"XNAT": "XNAT_CHEST"}),
        lambda: new_session(eve, subject_external_ids={"XNAT": "XNAT_S9"}),
    ):
        with pytest.raises(GovernorRejected) as caught:
            refused()
        assert caught.value.status == 403
    eve._request("PUT", f"{path}/CASTOR", json={"external_id": "7"})
    client._request("PUT", f"{path}/XNAT", json={"external_id": "XNAT_E1"})
    assert client.experiment(session.id).external_ids == {"CASTOR": "7", "XNAT": "XNAT_E1"}


def test_a_session_that_the_archive_is_not_known_to_hold_shows_no_file(client):
    session = new_session(client)
    with pytest.raises(GovernorRejected) as caught:
        client.put_artifact(
            session.id, "x", kind="preview", title="x", media_type="image/png",
            uri="/data/experiments/XNAT_CHEST/scans/1/resources/DICOM/files/a.dcm",
        )  # fmt: skip
    assert caught.value.is_conflict
    assert "has no id in the archive yet" in str(caught.value)
    assert client.artifacts(session.id) == []


def test_what_was_found_in_earlier_images_is_forgotten_when_the_images_change(client, flows):
    """An answer of the first pass must not decide the second, nor its numbers stand beside none of the second."""
    session = new_session(client, external_ids={"XNAT": "XNAT_E1"}, content_sha256="a" * 64)
    client.put_measurement(session.id, "tiv", name="tiv", value=1, unit="mL", model="m", version="1", pedigree={})
    for kind in ("preview", "mask"):
        uri = f"/data/experiments/XNAT_E1/resources/R/files/{kind}.png"
        client.put_artifact(session.id, kind, kind=kind, title=kind, uri=uri, media_type="image/png")
    client.answer(ordered(flows, 1)[-1], status="finished", result="success", result_values={"outcome": "measured"})
    client.answer(ordered(flows, 2)[-1], status="finished", result="success", result_values={"decision": "accept"})
    assert client.experiment(session.id).state == "released"
    again = new_session(client, content_sha256="b" * 64)
    assert (again.state, again.variable_map) == ("extracting", {})
    assert list(client.measurements(experiment_id=session.id)) == []
    assert [one.name for one in client.artifacts(session.id)] == ["preview"]


def test_an_engineer_of_one_site_neither_sees_secrets_nor_answers_for_sessions_of_no_site(
    client, http, accounts, flows
):
    new_session(client)
    (execution,) = ordered(flows, 1)
    accounts.create_user("dora", None)
    accounts.grant("dora", "engineer", study="brain", site="ams")
    accounts.grant("dora", "coordinator", study="brain")
    dora = as_user(http, accounts, "dora", ALL)
    assert dora.execution(execution).secret_key is None
    with pytest.raises(GovernorRejected) as caught:
        dora.answer(execution, status="finished", result="success", result_values={"outcome": "measured"})
    assert caught.value.status == 403
    assert client.execution(execution).status == "queued"
