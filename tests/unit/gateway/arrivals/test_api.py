"""REST interface and client together, over real HTTP requests inside the process."""

from __future__ import annotations

import tarfile
from io import BytesIO

import httpx
import pytest
from fastapi.testclient import TestClient

from gateway.client import GatewayClient, GatewayRejected, GatewayUnavailable
from gateway.contract.ids import ArrivalId


@pytest.fixture
def http(app):
    with TestClient(app) as client:
        yield client


@pytest.fixture
def client(http, token):
    return GatewayClient("http://testserver", token, http=http)


@pytest.fixture
def one_complete(receive, client):
    received = [receive(), receive(), receive(unreadable="It is broken.")]
    client.complete(1)
    return received


def test_the_client_reads_arrivals_and_instances(client, one_complete):
    assert client.arrival(1).instance_count == 2
    assert [one.id for one in client.arrivals(states=["complete"])] == [1]
    assert {one.sha256 for one in client.instances(1)} == {one.sha256 for one in one_complete[:2]}


def test_a_download_has_every_file_that_is_not_in_the_quarantine(client, one_complete, tmp_path, spool):
    paths = client.download(1, tmp_path / "in")
    assert sorted(path.name for path in paths) == sorted(
        f"{one.sop_instance_uid}_{one.sha256}.dcm" for one in one_complete[:2]
    )
    assert paths[0].read_bytes() == (spool.root / one_complete[0].path).read_bytes()


def test_a_repeated_download_writes_nothing_again(client, one_complete, tmp_path):
    (first, _) = client.download(1, tmp_path)
    inode = first.stat().st_ino
    assert first in client.download(1, tmp_path)
    assert first.stat().st_ino == inode


def test_the_tar_is_one_that_other_programs_read_and_as_long_as_announced(http, token, one_complete):
    response = http.get("/api/v1/arrivals/1/instances.tar", headers={"Authorization": f"Bearer {token}"})
    assert int(response.headers["content-length"]) == len(response.content)
    with tarfile.open(fileobj=BytesIO(response.content)) as tar:
        assert len(tar.getnames()) == 2


def test_a_download_that_breaks_off_is_worth_a_retry_and_leaves_no_half_file(one_complete, http, token, tmp_path):
    whole = http.get("/api/v1/arrivals/1/instances.tar", headers={"Authorization": f"Bearer {token}"})
    cut = httpx.MockTransport(
        lambda _: httpx.Response(200, content=whole.content[:1030], headers={"Cohortflow-Instance-Count": "2"})
    )
    client = GatewayClient("http://testserver", token, http=httpx.Client(transport=cut))
    with pytest.raises(GatewayUnavailable):
        client.download(1, tmp_path / "in")
    assert list((tmp_path / "in").glob("*.part")) == []


def test_a_changed_file_in_the_spool_is_noticed(client, one_complete, tmp_path, spool):
    path = spool.root / one_complete[0].path
    path.write_bytes(bytes(len(path.read_bytes())))
    with pytest.raises(GatewayUnavailable):
        client.download(1, tmp_path)


def test_settling_is_told_by_the_client_as_the_flow_means_it(client, one_complete):
    record = client.settle(
        1,
        outcome="accepted",
        session_label="S1",
        study="brain",
        session_url="http://127.0.0.1/sessions/1",
        rejected=[{"sop_instance_uid": None, "sha256": one_complete[0].sha256, "reason": "It is cut off."}],
    )
    assert (record.state, record.quarantined_count) == ("accepted", 1)
    assert {entry.arrival.id for entry in client.quarantine()} == {1, 2}


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.example", "data:text/html,x"])
def test_a_session_url_that_is_no_page_of_ours_is_refused(http, token, one_complete, url):
    response = http.post(
        "/api/v1/arrivals/1/settle",
        json={"outcome": "accepted", "session_url": url},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert response.status_code == 400


def test_a_refusal_carries_the_problem(client):
    with pytest.raises(GatewayRejected, match="There is no arrival 99") as refused:
        client.arrival(99)
    assert (refused.value.status, refused.value.problem["title"]) == (404, "Not found")


def test_without_a_token_nothing_is_told(http):
    assert http.get("/api/v1/arrivals").status_code == 401


def test_a_token_that_only_reads_changes_nothing(http, accounts, receive, app):
    receive()
    reading = accounts.issue_token("flows", "reader", ["gateway:read"])
    with pytest.raises(GatewayRejected) as refused:
        GatewayClient("http://testserver", reading, http=http).complete(1)
    assert refused.value.status == 403
    assert app.state.arrivals.get(ArrivalId(1)).state == "receiving"


def test_no_answer_is_worth_a_retry(token):
    def refuse(request):
        raise httpx.ConnectError("refused", request=request)

    client = GatewayClient("http://gateway", token, http=httpx.Client(transport=httpx.MockTransport(refuse)))
    with pytest.raises(GatewayUnavailable):
        client.arrival(1)


def test_the_app_is_ready_and_completes_quiet_arrivals_by_itself(http, client, receive):
    assert http.get("/readyz").json()["status"] == "ready"
    from datetime import UTC, datetime, timedelta
    from time import monotonic, sleep

    receive(at=datetime.now(UTC) - timedelta(minutes=5))
    deadline = monotonic() + 10
    while client.arrival(1).flow_run_id is None and monotonic() < deadline:
        sleep(0.05)
    assert client.arrival(1).flow_run_id == "run-arrival-1"


@pytest.mark.parametrize(
    "address", ["/api/v1/arrivals/99999999999999999999", "/api/v1/arrivals?cursor=Wzk5OTk5OTk5OTk5OTk5OTk5OTk5XQ"]
)
def test_a_number_that_no_row_can_have_is_no_fault_of_ours(http, token, address):
    assert http.get(address, headers={"Authorization": f"Bearer {token}"}).status_code in {400, 404}


def test_only_the_flows_download_and_settle(http, accounts, one_complete, tmp_path):
    token = accounts.issue_token("flows", "coordinator", ["gateway:read", "gateway:write"])
    reader = GatewayClient("http://testserver", token, http=http)
    assert reader.arrival(1).id == 1
    for ask in (lambda: reader.download(1, tmp_path), lambda: reader.settle(1, outcome="accepted")):
        with pytest.raises(GatewayRejected, match="gateway:execute"):
            ask()


def test_what_is_held_back_is_set_aside_and_brought_back(client, one_complete, accounts, http):
    client.settle(1, outcome="quarantined", reason="No study fits.")
    record = client.dismiss(1, reason=" A phantom. ")
    assert (record.dismissed_by, record.dismissed_reason) == ("flows", "A phantom.")
    assert record.dismissed_at is not None
    assert [entry.arrival.id for entry in client.quarantine()] == [2]
    assert [entry.arrival for entry in client.quarantine(dismissed=True)] == [record]
    reading = GatewayClient("http://testserver", accounts.issue_token("flows", "r", ["gateway:read"]), http=http)
    for act in (lambda: reading.dismiss(1, reason="x"), lambda: reading.reopen(1)):
        with pytest.raises(GatewayRejected) as refused:
            act()
        assert refused.value.status == 403
    assert client.reopen(1).dismissed_at is None
    assert list(client.quarantine(dismissed=True)) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [({"reason": " "}, 400), ({"reason": "a\0"}, 400), ({"reason": "x" * 501}, 400), ({}, 400), ({"reason": "x"}, 409)],
)
def test_setting_aside_without_a_reason_or_without_anything_held_back_is_refused(
    http, token, client, one_complete, body, status
):
    client.settle(1, outcome="accepted", study="brain")
    answer = http.post("/api/v1/arrivals/1/dismiss", json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status
    assert ("reason" if status == 400 else "holds nothing back") in answer.json()["detail"]
