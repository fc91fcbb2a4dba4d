"""The local Dask cluster as one process of Cohortflow: a scheduler and one worker under a nanny, on loopback.

The worker runs one task at a time with all cores, and declares the resources ``CPU`` and, where there is an NVIDIA GPU,
``GPU``. A worker that dies is replaced by its nanny. Imports Dask; never torch.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

logger = logging.getLogger(__name__)

CLOSE_S = 2.5
"""How long the worker may take to leave before it is killed."""

EXIT_S = 4.0
"""From SIGTERM to the end of the process, whatever happens."""

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class DaskClusterSettings(BaseSettings):
    """Settings of the cluster. Each value comes from ``COHORTFLOW_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="COHORTFLOW_", frozen=True, extra="ignore")

    home: Path
    """The home folder; workers spill into ``dask`` below it."""
    dask_address: str
    """Address of the scheduler, for example ``tcp://127.0.0.1:8786``. Another machine's means: use it, start none."""
    dask_external: bool | None = None
    """Whether the scheduler at ``dask_address`` is somebody else's. By default one on another machine is."""
    dask_dashboard_port: int = Field(default=8787, ge=0, le=65535)
    """Port of Dask's dashboard."""

    @property
    def scheduler_port(self) -> int:
        """Port of the scheduler."""
        return urlsplit(self.dask_address).port or 8786

    @property
    def is_external(self) -> bool:
        """Whether the scheduler runs elsewhere, so that none is started here."""
        if self.dask_external is not None:
            return self.dask_external
        return urlsplit(self.dask_address).hostname not in _LOOPBACK


def count_gpus() -> int:
    """Count the NVIDIA GPUs a worker started now would see: by NVML, else by ``nvidia-smi``."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all") in {"", "-1"}:
        return 0
    from distributed.diagnostics import nvml

    count: int = nvml.device_get_count()  # type: ignore[no-untyped-call]
    if count:
        return count
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        answer = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in answer.stdout.splitlines())


def worker_resources(gpus: int) -> dict[str, float]:
    """Say what a worker declares.

    Examples
    --------
    >>> worker_resources(2)
    {'CPU': 1, 'GPU': 1}
    >>> worker_resources(0)
    {'CPU': 1}
    """
    return {"CPU": 1, "GPU": 1} if gpus else {"CPU": 1}


def worker_environment(cores: int) -> dict[str, str]:
    """Give the one task of a worker all cores; Dask's own default is one thread for numerical libraries.

    A thread that waits for another sleeps soon: beside other work, libgomp's long spinning takes the core from the very
    thread it waits for. A brain took 5.9 instead of 8.4 CPU seconds with three busy processes beside it, alone no less.
    """
    return dict.fromkeys(_THREAD_VARIABLES, str(cores)) | {"GOMP_SPINCOUNT": "1000"}


def start_cluster(settings: DaskClusterSettings) -> Any:
    """Start scheduler and worker.

    Returns
    -------
    distributed.LocalCluster

    Raises
    ------
    OSError
        If the scheduler's port is taken.
    """
    import dask
    from distributed import LocalCluster

    folder = settings.home / "dask"
    folder.mkdir(parents=True, exist_ok=True)
    dask.config.set(
        {
            "temporary-directory": str(folder),
            "distributed.logging": {"distributed": "error", "distributed.nanny": "warning"},
            "distributed.worker.daemon": True,
            "distributed.comm.timeouts.connect": "10s",
            # Dask looks at its own threads and event loops up to a hundred times a second; nobody reads that here
            "distributed.worker.profile.enabled": False,
            "distributed.admin.tick.interval": "500ms",
            "distributed.admin.system-monitor.interval": "2s",
        }
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=1,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        scheduler_port=settings.scheduler_port,
        dashboard_address=f"127.0.0.1:{settings.dask_dashboard_port}",
        resources=worker_resources(count_gpus()),
        env=worker_environment(cores),
        silence_logs=logging.ERROR,
    )


def main() -> None:
    """Run the cluster until SIGTERM or SIGINT; then nothing of it is left within 5 s."""
    settings = DaskClusterSettings()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if settings.is_external:
        logger.info("an existing Dask scheduler is used", extra={"address": settings.dask_address})
        stop.wait()
        return
    cluster = start_cluster(settings)
    logger.info("Dask cluster ready", extra={"address": cluster.scheduler_address})
    stop.wait()
    guard = threading.Timer(EXIT_S, _end_now)
    guard.daemon = True
    guard.start()
    logging.disable(logging.CRITICAL)  # Dask tells at length how a worker at work had to be killed
    with suppress(TimeoutError):
        cluster.close(timeout=CLOSE_S)
    _end_now()


def _end_now() -> None:
    """End every child and this process: a task in native code hears no request to stop."""
    import psutil  # type: ignore[import-untyped, unused-ignore]

    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    os._exit(0)
