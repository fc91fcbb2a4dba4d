"""How long from the order of a flow run to the flow's first line: our warm worker beside Prefect's process worker.

Both serve one server at the same time and poll it equally often, which favours the peer: it ships with 10 s, not 0.5 s.
Orders go in turn, one at a time, through the adapter that the services use. Python's byte code is cached for both.

    ./run bench dispatch_latency [--runs 50] [--peer-runs 50] [--json FILE]
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
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console
from rich.table import Table

from service_kit.flow_orders import PrefectFlowOrders

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
POLL_S = 0.5
START_S = 120.0
RUN_S = 120.0
SETTLE_S = 1.0


def main(arguments: Sequence[str] = ()) -> None:
    """Measure, print a table, write JSON."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="dispatch-") as folder:
        outcome = measure(Path(folder), runs=options.runs, peer_runs=options.peer_runs)
    _print(outcome)
    if options.json:
        options.json.write_text(json.dumps(outcome, indent=2) + "\n")


def measure(folder: Path, *, runs: int, peer_runs: int) -> dict[str, Any]:
    """Start everything, order in turn, and summarise the latencies in seconds."""
    api_url = f"http://127.0.0.1:{_free_port()}/api"
    environment = _environment(folder, api_url)
    with ExitStack() as stack:
        child = [sys.executable, "-m", "deployments.launcher.child"]
        stack.enter_context(_process([*child, "prefect"], environment=environment, log=folder / "server.log"))
        api = stack.enter_context(httpx.Client(base_url=api_url, timeout=30, trust_env=False))
        _wait(lambda: _answers(api), "the server")
        stack.enter_context(_process([*child, "worker"], environment=environment, log=folder / "warm.log"))
        peer = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "peer", "--type", "process"]
        stack.enter_context(_process(peer, environment=environment, log=folder / "peer.log"))
        _wait(lambda: _is_online(api, "warm"), "the warm worker")
        _wait(lambda: _is_online(api, "peer"), "the process worker")
        _deploy_peer(api)
        orders = PrefectFlowOrders(api_url)
        names = {"warm": ("first-line/warm", runs), "process": ("first-line/peer", peer_runs)}
        for name, (deployment, _) in names.items():
            _latency(orders, deployment, folder / f"{name}-first")  # neither is timed on its very first run
        latencies: dict[str, list[float]] = {name: [] for name in names}
        for number in range(max(runs, peer_runs)):
            for name, (deployment, count) in names.items():
                if number < count:
                    latencies[name].append(_latency(orders, deployment, folder / f"{name}-{number}"))
        orders.close()
    return _summary(latencies)


def _latency(orders: Any, deployment: str, stamp: Path) -> float:
    ordered = time.time()
    run = orders.order(deployment, parameters={"stamp": str(stamp)}, idempotency_key=str(stamp))
    _wait(stamp.exists, f"a run of {deployment}", timeout_s=RUN_S)
    # A process that winds up must not slow the next order, which shall meet another moment of the polling.
    _wait(lambda: (state := orders.state(run)) is not None and state.terminal, f"the end of {deployment}")
    time.sleep(SETTLE_S + (ordered * 7919 % POLL_S))
    return float(stamp.read_text()) - ordered


def _summary(latencies: dict[str, list[float]]) -> dict[str, Any]:
    rows = {}
    for name, values in latencies.items():
        ordered = sorted(values)
        rows[name] = {
            "runs": len(ordered),
            "p50_s": round(statistics.median(ordered), 3),
            "p95_s": round(ordered[max(0, -(-len(ordered) * 95 // 100) - 1)], 3),
            "max_s": round(ordered[-1], 3),
        }
    ratio = {key: round(rows["process"][key] / rows["warm"][key], 1) for key in ("p50_s", "p95_s")}
    load = round(os.getloadavg()[0], 1)
    return {"benchmark": "dispatch_latency", "poll_s": POLL_S, "workers": rows, "ratio": ratio, "load_average": load}


def _print(outcome: dict[str, Any]) -> None:
    table = Table(title="Order to first line of the flow, seconds")
    for column in ("worker", "runs", "p50", "p95", "max"):
        table.add_column(column, justify="left" if column == "worker" else "right")
    titles = {"warm": "warm worker", "process": "Prefect's process worker"}
    for name, row in outcome["workers"].items():
        table.add_row(titles[name], str(row["runs"]), *(f"{row[key]:.2f}" for key in ("p50_s", "p95_s", "max_s")))
    table.add_row("process / warm", "", f"{outcome['ratio']['p50_s']} x", f"{outcome['ratio']['p95_s']} x", "")
    Console().print(table)


def _environment(folder: Path, api_url: str) -> dict[str, str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(HERE)]),
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "COHORTFLOW_HOME": str(folder / "home"),
        "COHORTFLOW_PREFECT_API_URL": api_url,
        "COHORTFLOW_FLOWS_FILE": str(HERE / "_dispatch" / "prefect.yaml"),
        "PREFECT_API_URL": api_url,
        "PREFECT_HOME": str(folder / "peer"),
        "PREFECT_WORKER_QUERY_SECONDS": str(POLL_S),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _deploy_peer(api: httpx.Client) -> None:
    flow = api.post("/flows/", json={"name": "first-line"}).raise_for_status().json()["id"]
    steps = [{"prefect.deployments.steps.set_working_directory": {"directory": str(HERE)}}]
    body = {"name": "peer", "flow_id": flow, "work_pool_name": "peer", "pull_steps": steps, "path": str(HERE)}
    api.post("/deployments/", json={**body, "entrypoint": "_dispatch_flows.py:first_line"}).raise_for_status()


def _answers(api: httpx.Client) -> bool:
    try:
        return api.get("/health").is_success
    except httpx.TransportError:
        return False


def _is_online(api: httpx.Client, pool: str) -> bool:
    answer = api.post(f"/work_pools/{pool}/workers/filter", json={})
    return answer.is_success and any(worker["status"] == "ONLINE" for worker in answer.json())


def _wait(question: Any, what: str, *, timeout_s: float = START_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not question():
        if time.monotonic() > deadline:
            sys.exit(f"{what} did not come within {timeout_s:.0f} s")
        time.sleep(0.02)


@contextmanager
def _process(command: list[str], *, environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, cwd=log.parent, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50, help="orders to the warm worker")
    parser.add_argument("--peer-runs", type=int, default=None, help="orders to the process worker; default: as many")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args(arguments)
    options.peer_runs = options.runs if options.peer_runs is None else options.peer_runs
    return options


if __name__ == "__main__":
    main(sys.argv[1:])
