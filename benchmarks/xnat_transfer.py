"""A whole session into the embedded archive and out again, beside what the same machine does with cp, zip and unzip.

In: one zip to the import service, until it answers (bytes and rows durable). Its peer copies the zip, unpacks it with
``unzip`` and flushes the file system. Out: all scans as one zip stream into a file. Its peer packs the same files with
``zip -0`` and copies the zip. Sizes go up, so that the growth shows; the server's memory is sampled all the while.

    ./run bench xnat_transfer [--sizes 0.25 0.5 1] [--large] [--json FILE]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from rich.console import Console
from rich.table import Table

from service_kit.accounts import Role
from service_kit.accounts.service import Accounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPOSITORY = Path(__file__).resolve().parent.parent
MATRIX = 512  # 16 bits a pixel: half a megabyte a file
FILES_PER_SCAN = 256
CHUNK = 1024 * 1024
USER = "bench"


def main(arguments: Sequence[str] = ()) -> None:
    """Measure, print a table, write JSON."""
    options = _options(arguments)
    sizes = [*options.sizes, *([2.0] if options.large else [])]
    with tempfile.TemporaryDirectory(prefix="xnat-transfer-", dir=options.dir) as folder:
        outcome = measure(Path(folder), sizes)
    _print(outcome)
    if options.json:
        options.json.write_text(json.dumps(outcome, indent=2) + "\n")


def measure(folder: Path, sizes: Sequence[float]) -> dict[str, Any]:
    """Send and fetch a session of each size, in GB."""
    rows = []
    with _server(folder) as (client, process):
        client.put("/data/projects/BENCH").raise_for_status()
        for number, size in enumerate(sizes):
            session = folder / f"S{number}"
            packed = make_session(session, size_gb=size, uid=f"1.2.826.0.1.3680043.8.498.{number + 1}")
            rows.append({"size_gb": size, "files": sum(1 for _ in session.rglob("*.dcm"))})
            rows[-1] |= _in(client, process, packed=packed, label=f"E{number}")
            rows[-1] |= _peer_in(folder, packed)
            packed.unlink()
            rows[-1] |= _out(client, process, folder=folder, label=f"E{number}", files=rows[-1]["files"])
            rows[-1] |= _peer_out(folder, session)
            shutil.rmtree(session)
    first, last = rows[0], rows[-1]
    growth = {
        "size": round(last["size_gb"] / first["size_gb"], 2),
        **{name: round(last[f"{name}_s"] / first[f"{name}_s"], 2) for name in ("in", "out")},
    }
    load = round(os.getloadavg()[0], 1)
    return {"benchmark": "xnat_transfer", "sessions": rows, "growth": growth, "load_average": load}


def make_session(folder: Path, *, size_gb: float, uid: str) -> Path:
    """Write MR images of random noise, a folder a scan, and a stored zip of them; return the zip."""
    count = max(1, round(size_gb * 1e9 / (MATRIX * MATRIX * 2)))
    packed = folder.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for number in range(count):
            scan = number // FILES_PER_SCAN + 1
            ds = Dataset()
            ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, f"{uid}.{scan}.{number + 1}"
            ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = uid, f"{uid}.{scan}", "MR"
            ds.PatientName, ds.PatientID = f"SUBJECT{uid[-1]}", f"SESSION{uid[-1]}"
            ds.SeriesNumber, ds.InstanceNumber, ds.SeriesDescription = scan, number + 1, f"noise {scan}"
            ds.Rows = ds.Columns = MATRIX
            ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
            ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
            ds.PixelData = os.urandom(MATRIX * MATRIX * 2)
            ds.file_meta = FileMetaDataset()
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            out = io.BytesIO()
            ds.save_as(out, enforce_file_format=True)
            path = folder / f"{scan}" / f"{number:06d}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(out.getvalue())
            archive.write(path, path.relative_to(folder.parent))
    os.sync()
    return packed


def _in(client: httpx.Client, process: psutil.Process, *, packed: Path, label: str) -> dict[str, float]:
    query = {"project": "BENCH", "subject": f"S_{label}", "session": label, "dest": "/archive"}

    def body() -> Iterator[bytes]:
        with packed.open("rb") as handle:
            while chunk := handle.read(CHUNK):
                yield chunk

    headers = {"Content-Type": "application/zip", "Content-Length": str(packed.stat().st_size)}
    with _memory(process) as rise, _clock() as spent:
        client.post("/data/services/import", params=query, content=body(), headers=headers).raise_for_status()
    return {"in_s": spent[0], "in_rise_mb": rise[0]}


def _out(client: httpx.Client, process: psutil.Process, *, folder: Path, label: str, files: int) -> dict[str, float]:
    target = folder / "fetched.zip"
    uri = f"/data/projects/BENCH/experiments/{label}/scans/ALL/files"
    with (
        _memory(process) as rise,
        _clock() as spent,
        client.stream("GET", uri, params={"format": "zip"}) as answer,
        target.open("wb") as handle,
    ):
        answer.raise_for_status()
        for chunk in answer.iter_raw(CHUNK):
            handle.write(chunk)
    with zipfile.ZipFile(target) as archive:
        if archive.testzip() is not None or len(archive.namelist()) != files:
            sys.exit("the session did not come back as it went in")
    target.unlink()
    return {"out_s": spent[0], "out_rise_mb": rise[0]}


def _peer_in(folder: Path, packed: Path) -> dict[str, float]:
    copy, target = folder / "copy.zip", folder / "unpacked"
    with _clock() as spent:
        _call("cp", packed, copy)
        if shutil.which("unzip"):
            _call("unzip", "-q", copy, "-d", target)
        else:
            with zipfile.ZipFile(copy) as archive:
                archive.extractall(target)
        _call("sync", "-f", target)
    copy.unlink()
    shutil.rmtree(target)
    return {"peer_in_s": spent[0]}


def _peer_out(folder: Path, session: Path) -> dict[str, float]:
    packed, copy = folder / "peer.zip", folder / "copy.zip"
    with _clock() as spent:
        if shutil.which("zip"):
            _call("zip", "-q", "-0", "-r", packed, session.name, cwd=session.parent)
        else:
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
                for path in session.rglob("*.dcm"):
                    archive.write(path)
        _call("cp", packed, copy)
    packed.unlink()
    copy.unlink()
    return {"peer_out_s": spent[0]}


def _call(*command: str | Path, cwd: Path | None = None) -> None:
    subprocess.run(command, check=True, cwd=cwd)


@contextmanager
def _clock() -> Iterator[list[float]]:
    spent: list[float] = []
    began = time.monotonic()
    yield spent
    spent.append(round(time.monotonic() - began, 3))


@contextmanager
def _memory(process: psutil.Process) -> Iterator[list[float]]:
    """Sample the resident memory of a process; give by how many MB it rose at most."""
    before = peak = process.memory_info().rss
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    thread = threading.Thread(target=sample)
    thread.start()
    rise: list[float] = []
    try:
        yield rise
    finally:
        done.set()
        thread.join()
        rise.append(round((peak - before) / 1e6, 1))


@contextmanager
def _server(folder: Path) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    accounts_url, password = f"sqlite:///{folder}/accounts.db", secrets.token_urlsafe(16)
    accounts = Accounts.open(accounts_url)
    accounts.create_user(USER, password)
    accounts.grant(USER, Role.admin)
    accounts.database.dispose()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "COHORTFLOW_XNAT_DATA_DIR": str(folder / "data"),
        "COHORTFLOW_XNAT_DATABASE_URL": f"sqlite:///{folder}/xnat.db",
        "COHORTFLOW_ACCOUNTS_DATABASE_URL": accounts_url,
    }
    command = [sys.executable, "-m", "deployments.cli", "serve", "embedded-xnat", "--port", str(port)]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600, trust_env=False) as client:
            _wait_until_ready(client, process, folder / "server.log")
            login = {"username": USER, "password": password}
            client.put("/data/services/auth", data=login).raise_for_status()
            yield client, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if client.get("/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"the archive does not start: {log.read_text()[-2000:]}")
        time.sleep(0.05)


def _print(outcome: dict[str, Any]) -> None:
    table = Table(title="A session in and out of the archive; the peer is cp with unzip or zip -0")
    for column in ("GB", "files", "in s", "peer", "ratio", "rise MB", "out s", "peer", "ratio", "rise MB"):
        table.add_column(column, justify="right")
    for row in outcome["sessions"]:
        cells = [f"{row['size_gb']:g}", str(row["files"])]
        for way in ("in", "out"):
            ratio = row[f"{way}_s"] / row[f"peer_{way}_s"]
            cells += [f"{row[f'{way}_s']:.1f}", f"{row[f'peer_{way}_s']:.1f}", f"{ratio:.1f} x"]
            cells.append(f"{row[f'{way}_rise_mb']:.0f}")
        table.add_row(*cells)
    Console().print(table)
    growth = outcome["growth"]
    Console().print(f"Size x {growth['size']}: in x {growth['in']}, out x {growth['out']}", highlight=False)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=float, nargs="+", default=[0.25, 0.5, 1.0], help="GB of each session")
    parser.add_argument("--large", action="store_true", help="a session of 2 GB, too")
    parser.add_argument("--dir", type=Path, help="where to work; needs five times the largest size")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
