"""Events: what is recorded with a change, which subscriptions it meets, what their actions do."""

import hashlib
import hmac
import http.server
import json
import logging
import threading
import time
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from embedded_xnat.app import create_app
from embedded_xnat.events.actions import LOG_ACTION, WEBHOOK_ACTION

SUBSCRIPTION = "/xapi/events/subscription"


class Receiver:
    """A server that takes webhooks; the statuses it answers are given."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.taken: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook?key=1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def settings(settings):
    """Webhooks of these tests may call this machine."""
    return settings.model_copy(update={"webhook_networks": "127.0.0.0/8"})


def subscription(event_type: str = "SessionEvent", **more: object) -> dict[str, object]:
    event_filter = {"event-type": event_type, **more.pop("event-filter", {})}
    return {"name": "n", "active": True, "event-filter": event_filter, "action-key": LOG_ACTION, **more}


def subscribe(client: TestClient, document: dict[str, object], path: str = SUBSCRIPTION) -> int:
    answer = client.post(path, json=document)
    assert answer.status_code == 201, answer.text
    return int(answer.text.rpartition(":")[2])


def settled(client: TestClient, path: str = "/xapi/events/delivered") -> list[dict[str, object]]:
    """Return the history, newest in front, once nothing waits in it."""
    deadline = time.monotonic() + 10
    while True:
        found = client.get(path).json()
        if all(row["status"] != "ACTION_CALLED" for row in found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def events(client: TestClient) -> list[tuple[str, str, str]]:
    """Return type, status and label of what was recorded, oldest in front."""
    rows = reversed(settled(client))
    return [(row["event-type"].rpartition(".")[2], row["event"]["status"], row["trigger"]["label"]) for row in rows]


def test_what_there_is_to_subscribe_to(admin, as_user) -> None:
    found = admin.get("/xapi/events/events").json()
    session = next(kind for kind in found if kind["type"].endswith("SessionEvent"))
    assert session["statuses"] == ["CREATED", "UPDATED", "ARCHIVED", "DELETED"]
    assert len(as_user("zoe").get("/xapi/projects/P/events/events").json()) == len(found) - 1
    actions = admin.get("/xapi/events/actions").json()
    assert [action["action-key"] for action in actions] == [LOG_ACTION, WEBHOOK_ACTION]
    assert actions[1]["attributes"]["url"]["required"] is True
    assert admin.get(f"/xapi/events/action?actionkey={LOG_ACTION}").json() == actions[0]
    assert admin.get("/xapi/events/action?actionkey=none").status_code == 404
    assert admin.get("/xapi/events/event?event-type=ScanEvent").json()["display-name"] == "Scan"


def test_objects_that_come_change_and_go_are_events(admin, session_uri) -> None:
    for kind in ("Project", "Subject", "Session", "SubjectAssessor", "ImageAssessor", "Scan", "Resource"):
        subscribe(admin, subscription(f"{kind}Event"))
    admin.put("/data/projects/Q")
    admin.put("/data/projects/Q/subjects/S")
    admin.put("/data/projects/Q/subjects/S/experiments/E", params={"xsiType": "xnat:ctSessionData"})
    admin.put("/data/projects/Q/experiments/E/scans/1", params={"xsiType": "xnat:ctScanData"})
    admin.put("/data/projects/Q/experiments/E/assessors/QC", params={"xsiType": "xnat:qcManualAssessorData"})
    admin.put("/data/projects/Q/experiments/E/resources/R/files/a.txt", content=b"a")
    admin.put("/data/projects/Q/experiments/E/resources/R/files/b.txt", content=b"b")
    admin.put("/data/projects/Q/experiments/E", params={"xnat:ctSessionData/note": "seen"})
    admin.put("/data/projects/Q/experiments/E", params={"xnat:ctSessionData/note": "seen"})
    admin.delete("/data/projects/Q/experiments/E/scans/1")
    admin.delete("/data/projects/Q/experiments/E/resources/R/files/a.txt")
    admin.delete("/data/projects/Q/experiments/E")
    admin.delete("/data/projects/Q")
    found = events(admin)
    assert found[:8] == [
        ("ProjectEvent", "CREATED", "Q"),
        ("SubjectEvent", "CREATED", "S"),
        ("SessionEvent", "CREATED", "E"),
        ("ScanEvent", "CREATED", "1"),
        ("ImageAssessorEvent", "CREATED", "QC"),
        ("ResourceEvent", "CREATED", "R"),
        ("ResourceEvent", "UPDATED", "R"),
        ("SessionEvent", "UPDATED", "E"),
    ]
    gone = [each for each in found if each[1] == "DELETED"]
    assert {("ScanEvent", "DELETED", "1"), ("SessionEvent", "DELETED", "E"), ("ProjectEvent", "DELETED", "Q")} <= set(
        gone
    )


def test_a_change_that_fails_is_no_event(admin, session_uri) -> None:
    subscribe(admin, subscription("SubjectEvent"))
    assert admin.put("/data/projects/P/subjects/-bad").status_code == 417
    assert admin.put("/data/projects/P/subjects/S2", params={"xnat:subjectData/nonsense": "x"}).status_code == 400
    assert events(admin) == []


def test_an_imported_session_is_archived(admin) -> None:
    from tests.unit.embedded_xnat.test_rest import dicom, zip_of

    subscribe(admin, subscription(**{"event-filter": {"status": "ARCHIVED"}}))
    sent = admin.post("/data/services/import", params={"project": "P"}, content=zip_of(a=dicom(), b=dicom()))
    assert sent.status_code == 200, sent.text
    (row,) = settled(admin)
    payload = row["trigger"]
    assert payload["label"] == "SUBJ_MR"
    assert (payload["project-id"], payload["modalities-in-study"]) == ("P", ["MR"])
    assert [scan["id"] for scan in payload["scans"]] == ["5"]
    assert payload["subject-id"].startswith("CF_S")


def test_a_filter_lets_through_what_it_means(admin, session_uri) -> None:
    predicate = "(@.xsiType == 'xnat:ctSessionData' && @.label =~ /C.*/)"
    subscribe(admin, subscription(**{"event-filter": {"status": "CREATED", "payload-filter": predicate}}))
    for label, xsi_type in (("C1", "ct"), ("D1", "ct"), ("C2", "mr")):
        admin.put(
            f"/data/projects/P/subjects/S1/experiments/{label}", params={"xsiType": f"xnat:{xsi_type}SessionData"}
        )
    assert events(admin) == [("SessionEvent", "CREATED", "C1")]


def test_a_resting_subscription_hears_nothing(admin) -> None:
    number = subscribe(admin, subscription("SubjectEvent"))
    assert admin.post(f"{SUBSCRIPTION}/{number}/deactivate").status_code == 200
    admin.put("/data/projects/P/subjects/S2")
    assert admin.post(f"{SUBSCRIPTION}/{number}/activate").status_code == 200
    admin.put("/data/projects/P/subjects/S3")
    assert events(admin) == [("SubjectEvent", "CREATED", "S3")]


def test_events_can_be_switched_off(admin, as_user) -> None:
    subscribe(admin, subscription("SubjectEvent"))
    assert as_user("zoe").put("/xapi/events/prefs", json={"enabled": False}).status_code == 403
    assert admin.put("/xapi/events/prefs", json={"enabled": False}).status_code == 200
    admin.put("/data/projects/P/subjects/S2")
    refused = admin.post(SUBSCRIPTION, json=subscription())
    assert (refused.status_code, refused.text) == (405, "Event Service disabled.")
    assert admin.get("/xapi/events/prefs").json() == {"enabled": False}
    assert events(admin) == []


def test_a_subscription_is_made_read_changed_and_deleted(admin) -> None:
    document = subscription(name="a:b", **{"event-filter": {"project-ids": ["P"], "status": "CREATED"}})
    number = subscribe(admin, document)
    found = admin.get(f"{SUBSCRIPTION}/{number}").json()
    assert (found["name"], found["active"], found["subscription-owner"]) == ("a:b", True, "admin")
    assert found["event-filter"]["event-type"] == "org.nrg.xnat.eventservice.events.SessionEvent"
    assert [row["id"] for row in admin.get("/xapi/events/subscriptions").json()] == [number]
    assert (
        admin.put(f"{SUBSCRIPTION}/{number}", json={"active": False, "event-filter": {"status": ""}}).status_code == 200
    )
    found = admin.get(f"{SUBSCRIPTION}/{number}").json()
    assert (found["active"], found["event-filter"]["status"], found["event-filter"]["project-ids"]) == (
        False,
        "",
        ["P"],
    )
    assert admin.delete(f"{SUBSCRIPTION}/{number}").status_code == 204
    assert admin.get(f"{SUBSCRIPTION}/{number}").status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"action-key": "none"},
        {"event-filter": {"event-type": "NoEvent"}},
        {"event-filter": {"event-type": "ScanEvent", "status": "ARCHIVED"}},
        {"event-filter": {"event-type": "ScanEvent", "payload-filter": "(@.a =~ /(x+)+/)"}},
        {"event-filter": {"event-type": "ScanEvent", "project-ids": "P"}},
        {"event-filter": []},
        {"name": 5},
        {"name": "\0"},
        {"attributes": {"unknown": "x"}},
        {"action-key": WEBHOOK_ACTION},
        {"action-key": WEBHOOK_ACTION, "attributes": {"url": "ftp://example.org"}},
        {"action-key": WEBHOOK_ACTION, "attributes": {"url": "http://user:pw@example.org"}},
        {"action-key": WEBHOOK_ACTION, "attributes": {"url": "http://169.254.169.254/latest/meta-data"}},
        {"action-key": WEBHOOK_ACTION, "attributes": {"url": "http://[::1]:1/"}},
        {"action-key": WEBHOOK_ACTION, "attributes": {"url": "http://10.0.0.1/"}},
        {"action-key": WEBHOOK_ACTION, "attributes": {"url": "http://"}},
        {"action-key": WEBHOOK_ACTION, "attributes": {"url": "x" * 3000}},
    ],
)
def test_a_subscription_without_sense_is_refused(admin, change: dict[str, object]) -> None:
    answer = admin.post(SUBSCRIPTION, json={**subscription(), **change})
    assert answer.status_code == 400, answer.text
    assert admin.get("/xapi/events/subscriptions").json() == []


def test_owners_manage_the_subscriptions_of_their_project_alone(admin, as_user) -> None:
    admin.put("/data/projects/P/users/Owners/olive")
    admin.put("/data/projects/P/users/Members/mary")
    admin.put("/data/projects/Q")
    path = "/xapi/projects/P/events/subscription"
    olive, mary, zoe = as_user("olive"), as_user("mary"), as_user("zoe")
    site_wide = subscribe(admin, subscription("SubjectEvent"))
    own = subscribe(olive, subscription("SubjectEvent"), path)
    assert olive.get(f"{path}/{own}").json()["event-filter"]["project-ids"] == ["P"]
    assert olive.post(path, json=subscription(**{"event-filter": {"project-ids": ["P", "Q"]}})).status_code == 403
    assert olive.put(f"{path}/{own}", json={"event-filter": {"project-ids": ["Q"]}}).status_code == 403
    assert olive.get(f"{path}/{site_wide}").status_code == 404
    assert olive.delete(f"{path}/{site_wide}").status_code == 404
    assert olive.get(SUBSCRIPTION + f"/{own}").status_code == 403
    assert olive.post("/xapi/projects/Q/events/subscription", json=subscription()).status_code == 404
    for who, status in ((mary, 403), (zoe, 404)):
        assert who.post(path, json=subscription()).status_code == status
        assert who.get("/xapi/projects/P/events/subscriptions").status_code == status
        assert who.get("/xapi/projects/P/events/delivered").status_code == status
        assert who.post(f"{path}/{own}/deactivate").status_code == status
    assert [row["id"] for row in olive.get("/xapi/projects/P/events/subscriptions").json()] == [own]
    admin.put("/data/projects/P/subjects/S2")
    admin.put("/data/projects/Q/subjects/S9")
    found = settled(olive, "/xapi/projects/P/events/delivered")
    assert {row["project-id"] for row in found} == {"P"}
    assert admin.get("/xapi/events/delivered/count").json() == 3


def test_the_log_has_the_event_and_no_label(admin, caplog) -> None:
    subscribe(admin, subscription("SubjectEvent"))
    with caplog.at_level(logging.INFO, logger="embedded_xnat.events.actions"):
        admin.put("/data/projects/P/subjects/DOE_JANE")
        settled(admin)
    (record,) = [each for each in caplog.records if each.message == "event"]
    assert (record.status, record.uri) == ("CREATED", "/data/subjects/CF_S00002")
    assert "DOE_JANE" not in str(record.__dict__)


def test_a_webhook_gets_the_event_signed(admin, receiver) -> None:
    hook = {"action-key": WEBHOOK_ACTION, "attributes": {"url": receiver.url, "secret": "s3cret"}}
    number = subscribe(admin, subscription("SubjectEvent", **hook))
    assert admin.get(f"{SUBSCRIPTION}/{number}").json()["attributes"]["secret"] == "*****"
    assert admin.put(f"{SUBSCRIPTION}/{number}", json=admin.get(f"{SUBSCRIPTION}/{number}").json()).status_code == 200
    admin.put("/data/projects/P/subjects/S2")
    (row,) = settled(admin)
    assert (row["status"], row["attempts"], row["error-state"]) == ("ACTION_COMPLETE", 1, False)
    ((headers, body),) = receiver.taken
    assert headers["x-cohortflow-signature"] == "sha256=" + hmac.digest(b"s3cret", body, hashlib.sha256).hex()
    assert headers["host"].startswith("127.0.0.1:")
    payload = json.loads(body)
    assert payload["event-status"] == "CREATED"
    assert (payload["label"], payload["project-id"], payload["uri"]) == ("S2", "P", f"/data/subjects/{payload['id']}")


def test_a_webhook_that_is_busy_is_called_again(admin, receiver) -> None:
    receiver.statuses = [503, 429, 204]
    subscribe(
        admin, subscription("SubjectEvent", **{"action-key": WEBHOOK_ACTION, "attributes": {"url": receiver.url}})
    )
    admin.put("/data/projects/P/subjects/S2")
    (row,) = settled(admin)
    assert (row["status"], row["attempts"]) == ("ACTION_COMPLETE", 3)
    assert len({body for _, body in receiver.taken}) == 1
    assert len({headers["x-cohortflow-delivery"] for headers, _ in receiver.taken}) == 1


@pytest.mark.parametrize("status", [302, 400, 404])
def test_a_webhook_that_says_no_is_not_called_again_nor_followed(admin, receiver, status: int) -> None:
    receiver.statuses = [status]
    subscribe(
        admin, subscription("SubjectEvent", **{"action-key": WEBHOOK_ACTION, "attributes": {"url": receiver.url}})
    )
    admin.put("/data/projects/P/subjects/S2")
    (row,) = settled(admin)
    assert (row["status"], row["attempts"], len(receiver.taken)) == ("ACTION_FAILED", 1, 1)
    assert str(status) in row["status-message"]


def test_what_was_ordered_outlives_the_server(settings, receiver) -> None:
    from tests.unit.embedded_xnat.conftest import client_of

    receiver.statuses = [503] * 3
    with TestClient(create_app(settings)) as server:
        hook = {"action-key": WEBHOOK_ACTION, "attributes": {"url": receiver.url}}
        admin = client_of(server, "admin")
        subscribe(admin, subscription("SubjectEvent", **hook))
        admin.put("/data/projects/P/subjects/S2")
    with TestClient(create_app(settings)) as server:
        (row,) = settled(client_of(server, "admin"))
        assert row["status"] == "ACTION_COMPLETE"


def test_a_name_that_leads_inside_is_not_called(receiver, tmp_path) -> None:
    from embedded_xnat.events.actions import Actions, WebhookRefused
    from service_kit.database import Database

    database = Database("sqlite://")
    port = int(receiver.url.split(":")[2].split("/")[0])
    inside = Actions(
        database, visitor_named=lambda name: None, resolver=lambda host, port: ["10.0.0.7", "127.0.0.1", "fe80::1%eth0"]
    )
    import httpx

    with pytest.raises(WebhookRefused, match="not a public one"):
        inside._address_of(httpx.URL(f"http://rebind.example:{port}/"))
    mixed = Actions(
        database, visitor_named=lambda name: None, resolver=lambda host, port: ["127.0.0.1", "93.184.215.14"]
    )
    assert mixed._address_of(httpx.URL("https://example.org/")) == "93.184.215.14"
    inside._client.close()
    mixed._client.close()


def test_the_history_of_a_deleted_subscription_stays(admin) -> None:
    number = subscribe(admin, subscription("SubjectEvent"))
    admin.put("/data/projects/P/subjects/S2")
    settled(admin)
    admin.delete(f"{SUBSCRIPTION}/{number}")
    (row,) = settled(admin, f"/xapi/events/delivered?subscription-id={number}")
    assert admin.get(f"/xapi/events/delivered/{row['id']}").json() == row
    assert admin.post("/xapi/events/delivered", json={"page": 2, "size": 5}).json() == []
    assert admin.post("/xapi/events/delivered/cleanup").status_code == 200
    assert admin.get(f"/xapi/events/delivered/{row['id']}").json()["trigger"] is None


def test_a_webhook_ends_with_the_rights_of_whoever_made_it(admin, as_user, receiver, server) -> None:
    for user in ("olive", "zoe"):
        admin.put(f"/data/projects/P/users/Owners/{user}")
    hook = {"action-key": WEBHOOK_ACTION, "attributes": {"url": receiver.url}}
    for user in ("olive", "zoe"):
        document = subscription("SubjectEvent", name=user, **hook)
        subscribe(as_user(user), document, "/xapi/projects/P/events/subscription")
    subscribe(admin, subscription("SubjectEvent", name="admin", **hook, **{"event-filter": {"project-ids": ["P"]}}))
    admin.delete("/data/projects/P/users/Owners/olive")
    admin.put("/data/projects/P/subjects/NEW")
    found = {row["subscription"]["name"]: row["status"] for row in settled(admin)}
    assert found == {"olive": "ACTION_FAILED", "zoe": "ACTION_COMPLETE", "admin": "ACTION_COMPLETE"}
    server.app.state.accounts.set_active("zoe", is_active=False)
    admin.put("/data/projects/P/subjects/NEWER")
    assert [row["status"] for row in settled(admin)].count("ACTION_FAILED") == 3
    assert len(receiver.taken) == 3
