"""The commands of xnatctl, as PyPI has it, against a server."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service_kit.accounts.service import Accounts
from tests.contract.xnat_clients.clients import ClientEnvironment, Console, client_environment
from tests.contract.xnat_clients.conftest import PASSWORD, USER, Server
from tests.contract.xnat_clients.images import series

pytestmark = pytest.mark.integration

xnatctl = client_environment("xnatctl", "0.6.0")

Run = Callable[..., str]
LOG_ACTION = ":".join(["org.nrg.xnat.eventservice.actions.EventServiceLoggingAction"] * 2)


@pytest.fixture(scope="module")
def console(xnatctl: ClientEnvironment) -> Iterator[Console]:
    with xnatctl.console("xnatctl") as console:
        yield console


@pytest.fixture
def run(console: Console, server: Server, tmp_path: Path) -> Run:
    """Run a command as an administrator."""

    def command(*words: str) -> str:
        environment = {"XNAT_URL": server.url, "XNAT_USER": USER, "XNAT_PASS": PASSWORD, "HOME": str(tmp_path)}
        return console("xnatctl", *words, folder=tmp_path, **environment)

    return command


def table(run: Run, *words: str) -> list[dict[str, object]]:
    found = json.loads(run(*words, "-o", "json"))
    assert isinstance(found, list)
    return found


def test_it_logs_in_and_finds_a_healthy_server(run: Run, server: Server) -> None:
    assert f"User: {USER}" in run("auth", "test")
    assert json.loads(run("whoami", "-o", "json"))["username"] == USER
    assert json.loads(run("health", "ping", "-o", "json"))["version"] == "1.9.2"
    assert "1.9.2" in run("admin", "version")


def test_projects_and_their_people(run: Run, server: Server) -> None:
    accounts = Accounts.open(f"sqlite:///{server.home}/accounts.db")
    accounts.create_user("jane", PASSWORD)
    accounts.database.dispose()
    run("project", "create", "CTL")
    assert "CTL" in {row["id"] for row in table(run, "project", "list")}
    run("project", "grant", "CTL", "jane", "--role", "member", "--yes")
    assert {row["username"]: row["role"] for row in table(run, "project", "users", "CTL")}["jane"] == "member"
    run("project", "access", "CTL", "--set", "protected", "--yes")
    assert "protected" in run("project", "access", "CTL")
    assert table(run, "project", "requests", "CTL") == []
    run("project", "revoke", "CTL", "jane", "--yes")
    assert len(table(run, "project", "users", "CTL")) == 1
    assert {row["username"] for row in table(run, "admin", "user", "list")} >= {USER, "jane"}
    run("admin", "site-config", "set", "siteDescription", "A lab", "--yes")
    assert "A lab" in run("admin", "site-config", "get", "siteDescription")


def test_sessions_and_their_files(run: Run, tmp_path: Path) -> None:
    run("project", "create", "CTL2")
    series(tmp_path / "images", count=4)
    run("session", "upload", str(tmp_path / "images"), "-P", "CTL2", "-S", "S1", "-E", "E1")
    (row,) = table(run, "session", "list", "-P", "CTL2")
    assert (row["label"], row["modality"]) == ("E1", "MR")
    assert [row["type"] for row in table(run, "scan", "list", "-E", "E1", "-P", "CTL2")] == ["t1 mprage"]
    (tmp_path / "note.txt").write_text("hello")
    run("resource", "upload", "E1", "NOTES", str(tmp_path / "note.txt"), "-P", "CTL2")
    assert "NOTES" in {each["label"] for each in table(run, "resource", "list", str(row["id"]))}
    run("session", "download", "-E", "E1", "-P", "CTL2", "--out", str(tmp_path / "down"))
    found = list((tmp_path / "down").rglob("*"))
    assert any(path.suffix == ".zip" for path in found) or sum(path.suffix == ".dcm" for path in found) == 4
    assert [row["label"] for row in table(run, "subject", "list", "-P", "CTL2")] == ["S1"]
    assert table(run, "prearchive", "list", "--project", "CTL2") == []


def test_subscriptions_to_events(run: Run, tmp_path: Path) -> None:
    types = {row["type"] for row in table(run, "event", "types")}
    session_event = "org.nrg.xnat.eventservice.events.SessionEvent"
    assert session_event in types
    assert LOG_ACTION in {row["action-key"] for row in table(run, "event", "actions")}
    document = {
        "name": "new sessions",
        "active": True,
        "event-filter": {"event-type": session_event, "status": "CREATED"},
        "action-key": LOG_ACTION,
        "attributes": {},
        "act-as-event-user": False,
    }
    (tmp_path / "subscription.json").write_text(json.dumps(document))
    number = json.loads(run("event", "create", str(tmp_path / "subscription.json"), "--yes", "-o", "json"))["id"]
    run("event", "disable", str(number), "--yes")
    assert json.loads(run("event", "show", str(number), "-o", "json"))["active"] is False
    run("event", "enable", str(number), "--yes")
    assert [row["id"] for row in table(run, "event", "list")] == [number]
    run("event", "delete", str(number), "--yes")
    assert table(run, "event", "list") == []


def test_what_is_not_there_is_an_empty_list(run: Run) -> None:
    for words in (("scp", "list"), ("command", "list"), ("container", "list"), ("admin", "plugins")):
        assert table(run, *words) == []


def test_dicom_receivers(run: Run) -> None:
    run("scp", "create", "--ae-title", "CTL", "--port", "8105", "--yes")
    (row,) = table(run, "scp", "list")
    assert row["aeTitle"] == "CTL"
    number = str(row["id"])
    run("scp", "disable", number, "--yes")
    assert json.loads(run("scp", "show", number, "-o", "json"))["enabled"] is False
    run("scp", "enable", number, "--yes")
    run("scp", "delete", number, "--yes")
    assert table(run, "scp", "list") == []
