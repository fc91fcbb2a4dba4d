"""Starts the whole house for tests as a user would, and speaks to it from outside: HTTP, DICOM, signals."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psutil
from pydicom import Dataset, dcmread
from pydicom.uid import UID
from pynetdicom import AE

KEPT = {
    "gateway": ("instance",),
    "governor": ("subject", "experiment", "measurement", "artifact"),
    "supervisor": ("task",),
    "xnat": ("experiment", "scan", "resource", "file"),
}
COMMAND = Path(sys.executable).with_name("cohortflow")


def free_port() -> int:
    """Return a port nobody listens on at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(what: str, probe: Callable[[], Any], *, timeout_s: float, every_s: float = 0.3) -> Any:
    """Ask ``probe`` until it returns something true."""
    deadline, trouble = time.monotonic() + timeout_s, None
    while time.monotonic() < deadline:
        try:
            if found := probe():
                return found
        except (httpx.TransportError, FileNotFoundError, json.JSONDecodeError) as error:
            trouble = error
        time.sleep(every_s)
    raise AssertionError(f"not within {timeout_s} s: {what} ({trouble})")


class House:
    """A `cohortflow demo` of its own that goes on until it is told to end.

    Attributes
    ----------
    endpoints : dict
        Content of ``endpoints.json``.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.dicom_port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.endpoints: dict[str, Any] = {}

    def start(self, *, timeout_s: float = 180) -> float:
        """Start and wait until ready; return the seconds it took."""
        began = time.monotonic()
        (self.home / "endpoints.json").unlink(missing_ok=True)
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "demo.log").open("ab") as log:
            self.process = subprocess.Popen(
                [COMMAND, "demo", "--home", self.home, "--port", str(self.port), "--dicom-port", str(self.dicom_port)],
                stdout=log,
                stderr=log,
                env={**os.environ, "COHORTFLOW_QUIET_PERIOD_S": "2"},
            )

        def ready() -> dict[str, Any] | None:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}: {self.log()[-3000:]}")
            return json.loads((self.home / "endpoints.json").read_text())

        self.endpoints = wait_for("endpoints.json", ready, timeout_s=timeout_s, every_s=0.1)
        return time.monotonic() - began

    def stop(self, *, timeout_s: float = 30) -> tuple[float, list[psutil.Process]]:
        """Send SIGTERM; return the seconds to the end and the processes that are left."""
        assert self.process is not None
        family = psutil.Process(self.process.pid).children(recursive=True)
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout_s)
        took_s = time.monotonic() - began
        left = [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        for process in left:
            process.kill()
        return took_s, left

    def log(self) -> str:
        """Return what the command itself printed."""
        return (self.home / "demo.log").read_text(errors="replace")

    def kill(self, name: str) -> int:
        """Kill -9 one process by the name of its pid file; return the id it had."""
        pid = int((self.home / "run" / f"{name}.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_restarted(self, name: str, *, old_pid: int, timeout_s: float = 60) -> None:
        """Wait until the launcher has started the process again."""

        def new() -> bool:
            pid = int((self.home / "run" / f"{name}.pid").read_text() or 0)
            return pid not in {0, old_pid} and psutil.pid_exists(pid)

        wait_for(f"{name} to come back", new, timeout_s=timeout_s)

    def kept(self) -> dict[str, int]:
        """Count in the databases what must never be doubled; the house need not run."""
        counts = {}
        for database, tables in KEPT.items():
            with closing(sqlite3.connect(f"file:{self.home}/databases/{database}.db?mode=ro", uri=True)) as connection:
                for table in tables:
                    (counts[f"{database} {table}"],) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return counts

    # ------------------------------------------------------------------ over HTTP, as a person's script would
    def login(self, role: str) -> tuple[str, str]:
        """Return user name and password of somebody with a role."""
        user = next(u for u in self.endpoints["users"] if role in str(u["roles"]))
        return user["username"], user["password"]

    def client(self, role: str = "engineer") -> httpx.Client:
        """Return a client of the site, logged in by Basic authentication."""
        return httpx.Client(base_url=self.endpoints["site_url"], auth=self.login(role), timeout=30)

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield all items of a listing."""
        with self.client() as client:
            cursor = None
            while True:
                answer = client.get(path, params={**query, **({"cursor": cursor} if cursor else {})})
                answer.raise_for_status()
                body = answer.json()
                yield from next(value for value in body.values() if isinstance(value, list))
                cursor = body.get("next_cursor")
                if not cursor:
                    return

    def sessions(self) -> list[dict[str, Any]]:
        """Return all sessions the governor knows."""
        return list(self.pages("/api/v2/experiments"))

    def session(self, subject: str) -> dict[str, Any] | None:
        """Return the session of a subject with all its details, None when there is none yet."""
        for row in self.sessions():
            if subject in row["label"]:
                with self.client() as client:
                    return client.get(f"/api/v2/experiments/{row['id']}").raise_for_status().json()
        return None

    def state_of(self, subject: str) -> str | None:
        """Return the label of the state a subject's session is in."""
        session = self.session(subject)
        if session is None:
            return None
        state = session["state"]
        return state["label"] if isinstance(state, dict) else state

    def wait_state(self, subject: str, state: str, *, timeout_s: float) -> None:
        """Wait until a subject's session is in a state; any failure state ends the wait."""

        def there() -> bool:
            now = self.state_of(subject)
            assert now is None or now == state or not now.endswith(("_failed", "overdue")), f"{subject} is in {now}"
            return now == state

        wait_for(f"{subject} in {state}", there, timeout_s=timeout_s, every_s=1.0)

    def states(self, subject: str) -> list[str]:
        """Return the states that a subject's session was in, first to last; each has an actor."""
        session = self.session(subject)
        assert session is not None
        with self.client() as client:
            actions = client.get(f"/api/v2/experiments/{session['id']}/actions").raise_for_status().json()["actions"]
        assert all(action["actor"] for action in actions)
        return [action["state"] for action in actions]

    def xnat_rows(self, path: str) -> list[dict[str, str]]:
        """Return the rows of one of the archive's tables."""
        xnat = self.endpoints["xnat"]
        answer = httpx.get(
            xnat["url"] + path, params={"format": "json"}, auth=(xnat["user"], xnat["password"]), timeout=30
        )
        return list(answer.raise_for_status().json()["ResultSet"]["Result"])

    def archived_files(self, subject: str) -> dict[str, list[str]]:
        """Return the names of all files in the archive of a subject's session, by their resource."""
        session = self.session(subject)
        assert session is not None
        base = f"/data/experiments/{session['external_ids']['XNAT']}"
        holders = [base, *(f"{base}/scans/{scan['ID']}" for scan in self.xnat_rows(f"{base}/scans"))]
        return {
            row["label"]: sorted(one["Name"] for one in self.xnat_rows(f"{holder}/resources/{row['label']}/files"))
            for holder in holders
            for row in self.xnat_rows(f"{holder}/resources")
        }

    def census(self) -> dict[str, int]:
        """Count everything that must never be doubled."""
        counts = {
            "sessions": len(self.sessions()),
            "tasks": len(list(self.pages("/tasks/api/v1/tasks", scope="all"))),
            "measurements": len(list(self.pages("/api/v2/measurements"))),
        }
        rows = self.xnat_rows
        experiments = rows("/data/experiments")
        counts["archive sessions"] = len(experiments)
        counts["archive scans"] = counts["archive files"] = 0
        for experiment in experiments:
            base = f"/data/experiments/{experiment['ID']}"
            scans = rows(f"{base}/scans")
            counts["archive scans"] += len(scans)
            for scan in scans:
                counts["archive files"] += len(rows(f"{base}/scans/{scan['ID']}/files"))
            counts["archive files"] += sum(int(r["file_count"] or 0) for r in rows(f"{base}/resources"))
        return counts

    def measurements(self, subject: str) -> list[dict[str, Any]]:
        """Return the measurements of a subject."""
        return [m for m in self.pages("/api/v2/measurements") if m["subject"] == subject]

    def open_task(self, subject: str) -> int | None:
        """Return the id of the open review task of a subject's session."""
        with self.client("annotator") as client:
            queued = client.get("/tasks/api/v1/tasks", params={"status": "queued"}).raise_for_status().json()["tasks"]
            for row in queued:
                task = client.get(f"/tasks/api/v1/tasks/{row['id']}").raise_for_status().json()
                content = task["content"] if isinstance(task["content"], dict) else json.loads(task["content"])
                if subject in content["session"]["label"]:
                    return int(row["id"])
        return None

    def accept(self, subject: str) -> None:
        """Answer the review of a subject's session through REST, as an annotator's script would."""
        task_id = wait_for(f"the task of {subject}", lambda: self.open_task(subject), timeout_s=20)
        task = f"/tasks/api/v1/tasks/{task_id}"
        with self.client("annotator") as client:
            claim = client.post(f"{task}/claim").raise_for_status().json()
            answer = {"token": claim["token"], "answer": {"decision": "accept", "comment": "whole brain"}}
            client.post(f"{task}/submit", json=answer).raise_for_status()

    def release(self) -> list[dict[str, str]]:
        """Return the rows of the study's release."""
        table = self.home / "releases" / "brain-volumetry" / "brain-volumetry.csv"
        return list(csv.DictReader(table.read_text().splitlines()))

    # ------------------------------------------------------------------ over DICOM
    def send(self, datasets: Iterable[Dataset | Path], *, calling: str = "SITE_A") -> list[int]:
        """C-STORE over one association, as a site would; return the status of each."""
        items = [dcmread(d) if isinstance(d, Path) else d for d in datasets]
        ae = AE(ae_title=calling)
        ae.dimse_timeout = 10.0
        for sop_class, syntax in sorted({(d.SOPClassUID, d.file_meta.TransferSyntaxUID) for d in items}):
            ae.add_requested_context(UID(sop_class), UID(syntax))
        dicom = self.endpoints["dicom"]
        assoc = ae.associate(dicom["host"], dicom["port"], ae_title=dicom["ae_title"])
        if not assoc.is_established:
            raise ConnectionError("the association was not accepted")
        connection = assoc.dul.socket.socket
        try:
            statuses = []
            for item in items:
                status = assoc.send_c_store(item)
                if "Status" not in status:
                    raise ConnectionError("the association was lost")
                statuses.append(int(status.Status))
            return statuses
        finally:
            if assoc.is_established:
                assoc.release()
            connection.close()  # pynetdicom lets go of a connection that was lost without closing it
