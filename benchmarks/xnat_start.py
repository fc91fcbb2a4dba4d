"""How long from the command to a ready archive, and how long a client takes to connect to it.

The start stands beside the smallest FastAPI server there is, started in turn on the same machine. `xnat.connect()` stands
beside its own requests, sent again by a plain client: what is left is what the client makes of the answers.

    ./run bench xnat_start [--runs 10] [--json FILE]
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
import xnat
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPOSITORY = Path(__file__).resolve().parent.parent
READY_S = 60.0
PASSWORD = "a password for a measurement"
BARE = """
import sys, fastapi, uvicorn
app = fastapi.FastAPI()
app.add_api_route("/readyz", lambda: "ok")
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
"""


def main(arguments: Sequence[str] = ()) -> None:
    """Measure, print a table, write JSON."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="xnat-start-") as folder:
        outcome = measure(Path(folder), runs=options.runs)
    _print(outcome)
    if options.json:
        options.json.write_text(json.dumps(outcome, indent=2) + "\n")


def measure(folder: Path, *, runs: int) -> dict[str, Any]:
    """Start archive and bare server in turn, then connect; return seconds."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COHORTFLOW_XNAT_ADMIN_PASSWORD": PASSWORD}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    seconds: dict[str, list[float]] = {"bare": [], "first": [], "again": []}
    for number in range(runs + 1):
        for name, data in (("bare", None), ("first", folder / f"new-{number}"), ("again", folder / "kept")):
            with _server(data, folder=folder, environment=environment) as (took, _):
                if number > 0:  # the first of each compiles the byte code
                    seconds[name].append(took)
    with _server(folder / "kept", folder=folder, environment=environment) as (_, url):
        connects = _connect_seconds(url, runs=runs)
    rows = {name: _summary(values) for name, values in {**seconds, **connects}.items()}
    return {
        "benchmark": "xnat_start",
        "seconds": rows,
        "ratio": {
            "start / bare FastAPI": round(rows["again"]["p50_s"] / rows["bare"]["p50_s"], 1),
            "connect / its requests alone": round(rows["connect"]["p50_s"] / rows["requests"]["p50_s"], 1),
        },
        "load_average": round(os.getloadavg()[0], 1),
    }


def _connect_seconds(url: str, *, runs: int) -> dict[str, list[float]]:
    connects: list[float] = []
    sent: list[tuple[str, str]] = []
    for number in range(runs + 1):
        began = time.perf_counter()
        with xnat.connect(url, user="admin", password=PASSWORD, loglevel="ERROR") as connection:
            took = time.perf_counter() - began
            if number == 0:
                names = [row["ELEMENT_NAME"] for row in _rows(connection.get_json("/data/search/elements"))]
                schemas = connection.get_json("/xapi/schemas")
                sent = [("GET", "/"), ("GET", "/data/auth"), ("GET", "/data/JSESSION"), ("GET", "/data/version")]
                sent += [("GET", "/xapi/siteConfig/buildInfo"), ("GET", "/xapi/schemas")]
                sent += [("GET", f"/xapi/schemas/{name}") for name in schemas] + [("GET", "/data/search/elements")]
                sent += [("GET", f"/data/search/elements/{name}") for name in names]
            else:
                connects.append(took)
    alone: list[float] = []
    for _ in range(runs):
        with httpx.Client(base_url=url, trust_env=False) as client:
            began = time.perf_counter()
            client.put("/data/services/auth", data={"username": "admin", "password": PASSWORD}).raise_for_status()
            for method, path in sent:
                client.request(method, path)
            alone.append(time.perf_counter() - began)
    return {"connect": connects, "requests": alone}


def _rows(document: Any) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = document["ResultSet"]["Result"]
    return rows


@contextmanager
def _server(data: Path | None, *, folder: Path, environment: dict[str, str]) -> Iterator[tuple[float, str]]:
    """Start a server on a free port and wait until it is ready; give the seconds and its address."""
    port = _free_port()
    command = [sys.executable, "-c", BARE, str(port)]
    if data is not None:
        command = [sys.executable, "-m", "deployments.cli", "serve", "embedded-xnat"]
        command += ["--data", str(data), "--port", str(port)]
    began = time.perf_counter()
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        while not _answers(url):
            if process.poll() is not None or time.perf_counter() - began > READY_S:
                sys.exit(f"The server did not come up: {(folder / 'server.log').read_text()[-500:]}")
            time.sleep(0.005)
        yield time.perf_counter() - began, url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _summary(values: list[float]) -> dict[str, Any]:
    ordered = sorted(values)
    return {
        "runs": len(ordered),
        "p50_s": round(statistics.median(ordered), 3),
        "max_s": round(ordered[-1], 3),
        "min_s": round(ordered[0], 3),
    }


def _print(outcome: dict[str, Any]) -> None:
    table = Table(title="The archive alone: start and connect, seconds")
    for column in ("what", "runs", "min", "p50", "max"):
        table.add_column(column, justify="left" if column == "what" else "right")
    titles = {
        "bare": "a FastAPI server with one route, to ready",
        "first": "the archive in a new folder, to ready",
        "again": "the archive in a folder it knows, to ready",
        "connect": "xnat.connect()",
        "requests": "the requests of it, by a plain client",
    }
    for name, row in outcome["seconds"].items():
        figures = (f"{row[key]:.2f}" for key in ("min_s", "p50_s", "max_s"))
        table.add_row(titles[name], str(row["runs"]), *figures)
    for name, ratio in outcome["ratio"].items():
        table.add_row(name, "", "", f"{ratio} x", "")
    Console().print(table)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="starts and connects of each kind")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
