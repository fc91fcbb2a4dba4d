"""What a page of a listing, an item and a search of the embedded XNAT cost, with 2,000 and with 20,000 sessions.

A page must cost what its rows cost, however many there are besides: the last column is the growth from the small archive to
the large one. The peer, in the same run, is the whole listing, from which a client without paging would take its 50 rows.
Times are those of a client with one connection to a server in a process of its own, median of the runs.

    ./run bench xnat_listing [--small 2000] [--large 20000] [--runs 30] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert, select
from sqlmodel import col

from embedded_xnat.db.labels import SESSIONS, SUBJECTS, LabelPartRow, parts
from embedded_xnat.db.tables import CounterRow, ExperimentRow, ProjectRow, ScanRow, SubjectRow
from service_kit import migrations
from service_kit.accounts import Role
from service_kit.accounts.service import Accounts
from service_kit.database import Database
from service_kit.tables import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

REPOSITORY = Path(__file__).resolve().parent.parent
USER, PASSWORD = "admin", "correct horse battery"
SESSIONS_A_SUBJECT = 4
SCANS = 5
PAGE = 50
START_S = 60.0
LIMIT_MS = 50.0
SERVE = """
import sys, uvicorn
from pathlib import Path
from embedded_xnat.app import create_app
from embedded_xnat.settings import EmbeddedXnatSettings
home = Path(sys.argv[1])
settings = EmbeddedXnatSettings(data_dir=home / "data", database_url=f"sqlite:///{home}/xnat.db",
                                accounts_database_url=f"sqlite:///{home}/accounts.db")
uvicorn.run(create_app(settings), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
"""
SEARCH = (
    '<x:bundle xmlns:x="http://nrg.wustl.edu/security"><x:root_element_name>xnat:mrSessionData</x:root_element_name>'
    "<x:search_field><x:element_name>xnat:mrSessionData</x:element_name><x:field_ID>LABEL</x:field_ID></x:search_field>"
    '<x:search_where method="AND"><x:criteria><x:schema_field>xnat:mrSessionData/label</x:schema_field>'
    "<x:comparison_type>=</x:comparison_type><x:value>{label}</x:value></x:criteria></x:search_where></x:bundle>"
)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure, print a table, write JSON."""
    options = _options(arguments)
    figures = {}
    for count in (options.small, options.large):
        with tempfile.TemporaryDirectory(prefix="xnat-listing-") as folder:
            figures[count] = measure(Path(folder), sessions=count, runs=options.runs)
    outcome = _outcome(figures, small=options.small, large=options.large)
    _print(outcome)
    if options.json:
        options.json.write_text(json.dumps(outcome, indent=2) + "\n")


def measure(home: Path, *, sessions: int, runs: int) -> dict[str, float]:
    """Fill an archive, serve it, and return the median milliseconds of each request."""
    fill(home, sessions)
    last = f"S{sessions // SESSIONS_A_SUBJECT - 1}_{SESSIONS_A_SUBJECT - 1}"
    session = f"/data/projects/P/experiments/{last}"
    joined = "ID,label,subject_label,xnat:imagescandata/id,xnat:imagescandata/type"
    page = {"limit": PAGE}
    requests: dict[str, tuple[str, dict[str, Any]]] = {
        "page of a project": ("/data/projects/P/experiments", page),
        "last page of a project": ("/data/projects/P/experiments", {**page, "offset": sessions - PAGE}),
        "page of the site": ("/data/experiments", page),
        "page with fields": (
            "/data/experiments",
            {**page, "project": "P", "columns": "ID,label,xnat:mrSessionData/scanner/model,xnat:subjectData/group"},
        ),
        "page joined with scans": (
            "/data/experiments",
            {**page, "xsiType": "xnat:imageSessionData", "columns": joined},
        ),
        "page of subjects": ("/data/projects/P/subjects", page),
        "a session's item": (session, {}),
        "a session's scans": (f"{session}/scans", {}),
        "search by label": ("POST /data/search", {}),
        "page of those with a part": ("/search", {"q": f"{SESSIONS_A_SUBJECT * 100 - 1}_"}),
        "page that finds nothing": ("/search", {"q": "nowhere"}),
        "filtered page of a project": ("/projects/P", {"q": "9_3"}),
        "whole listing": ("/data/projects/P/experiments", {}),
    }
    with _server(home) as client:
        return {name: _median_ms(client, *request, label=last, runs=runs) for name, request in requests.items()}


def _median_ms(client: httpx.Client, path: str, params: dict[str, Any], *, label: str, runs: int) -> float:
    times = []
    for number in range(runs + 3):
        began = time.perf_counter()
        if path.startswith("POST "):
            answer = client.post(path.removeprefix("POST "), content=SEARCH.format(label=label))
        else:
            answer = client.get(path, params=params)
        took = time.perf_counter() - began
        answer.raise_for_status()
        if number >= 3:
            times.append(took * 1000)
    return round(statistics.median(times), 2)


def fill(home: Path, sessions: int) -> None:
    """Write a project with subjects, sessions and scans straight into the database: the way in is not what is measured."""
    accounts = Accounts.open(f"sqlite:///{home}/accounts.db")
    accounts.create_user(USER, PASSWORD)
    accounts.grant(USER, Role.admin)
    accounts.database.dispose()
    url = f"sqlite:///{home}/xnat.db"
    migrations.upgrade(url, package="embedded_xnat")
    database = Database(url)
    now = utc_now()
    common = {"lists": {}, "inserted_at": now, "inserted_by": USER, "modified_at": now}
    subjects = sessions // SESSIONS_A_SUBJECT
    labels = [(subject, f"S{subject}_{number}") for subject in range(subjects) for number in range(SESSIONS_A_SUBJECT)]
    with database.write() as uow:
        connection = uow.session.connection()
        project = {"id": "P", "xsi_type": "xnat:projectData", "data": {"name": "P"}, **common}
        settings = {"accessibility": "private", "prearchive_code": 4, "quarantine_code": 0, "protocols": []}
        connection.execute(insert(ProjectRow), [{**project, **settings, "is_deleted": False}])
        connection.execute(
            insert(SubjectRow),
            [
                {
                    "id": f"CF_S{subject:05d}",
                    "project_id": "P",
                    "label": f"S{subject}",
                    "xsi_type": "xnat:subjectData",
                    "data": {"group": "a", "demographics/gender": "female"},
                    **common,
                }
                for subject in range(subjects)
            ],
        )
        connection.execute(insert(ExperimentRow), [_session(subject, label, common) for subject, label in labels])
        connection.execute(insert(ScanRow), [scan for _, label in labels for scan in _scans(label, common)])
        connection.execute(insert(LabelPartRow), list(_parts(connection)))
        counters = [{"name": "subject", "value": subjects}, {"name": "experiment", "value": sessions}]
        connection.execute(insert(CounterRow), counters)
    database.dispose()


def _parts(connection: Connection) -> Iterator[dict[str, Any]]:
    for kind, table in ((SUBJECTS, SubjectRow), (SESSIONS, ExperimentRow)):
        for number, label in connection.execute(select(col(table.number), col(table.label))):
            yield from ({"kind": kind, "part": part, "number": number} for part in parts(label))


def _session(subject: int, label: str, common: dict[str, Any]) -> dict[str, Any]:
    data = {
        "date": "2026-02-03",
        "scanner": "S1",
        "scanner/manufacturer": "Vendor",
        "scanner/model": "X1",
        "UID": f"1.2.826.0.1.3680043.8.498.{subject}",
        "modality": "MR",
        "note": "as a session of a study has",
    }
    return {
        "id": f"CF_E_{label}",
        "project_id": "P",
        "subject_id": f"CF_S{subject:05d}",
        "session_id": None,
        "label": label,
        "status": "active",
        "xsi_type": "xnat:mrSessionData",
        "data": data,
        **common,
    }


def _scans(label: str, common: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number in range(1, SCANS + 1):
        data = {
            "type": f"T{number}",
            "quality": "usable",
            "frames": 176,
            "parameters/tr": 2300.0,
            "parameters/te": 2.98,
        }
        row = {"experiment_id": f"CF_E_{label}", "kind": "scans", "scan_id": str(number), "xsi_type": "xnat:mrScanData"}
        yield {**row, "data": data, **common}


@contextmanager
def _server(home: Path) -> Iterator[httpx.Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(home), str(port)], env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            deadline = time.monotonic() + START_S
            while not _is_ready(client):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit("the server did not start")
                time.sleep(0.05)
            client.put("/data/services/auth", data={"username": USER, "password": PASSWORD}).raise_for_status()
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


def _outcome(figures: dict[int, dict[str, float]], *, small: int, large: int) -> dict[str, Any]:
    rows = {
        name: {
            "small_ms": figures[small][name],
            "large_ms": figures[large][name],
            "growth": round(figures[large][name] / figures[small][name], 2),
            "whole_listing_over_this": round(figures[large]["whole listing"] / figures[large][name], 1),
        }
        for name in figures[small]
    }
    return {
        "benchmark": "xnat_listing",
        "sessions": {"small": small, "large": large},
        "page": PAGE,
        "requests": rows,
        "page_within_limit": rows["page of a project"]["large_ms"] <= LIMIT_MS,
        "load_average": round(os.getloadavg()[0], 1),
    }


def _print(outcome: dict[str, Any]) -> None:
    small, large = outcome["sessions"]["small"], outcome["sessions"]["large"]
    table = Table(title=f"Requests of one client, milliseconds (median); a page has {PAGE} rows")
    for column in ("request", f"{small:,} sessions", f"{large:,} sessions", "growth", "whole listing / this"):
        table.add_column(column, justify="left" if column == "request" else "right")
    for name, row in outcome["requests"].items():
        figures = (f"{row['small_ms']:.1f}", f"{row['large_ms']:.1f}", f"{row['growth']:.1f} x")
        table.add_row(name, *figures, f"{row['whole_listing_over_this']:.0f} x")
    Console().print(table)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=2_000, help="sessions of the small archive")
    parser.add_argument("--large", type=int, default=20_000, help="sessions of the large archive")
    parser.add_argument("--runs", type=int, default=30, help="how often each request is timed")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
