"""Which ports are served. Imports the standard library and this package's home.

The site and the DICOM receiver are what other programs and people point at: their ports are fixed (8080 and 11112) until
told otherwise, and a used one is an error. Ports inside the house are remembered from the last start and replaced when
taken. Port 0 means any free port.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from deployments.errors import PortInUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LOOPBACK = "127.0.0.1"
SITE_PORT = 8080
DICOM_PORT = 11112


@dataclass(frozen=True)
class Ports:
    """The ports of one running Cohortflow."""

    site: int
    dicom: int
    xnat: int
    prefect: int
    dask: int
    dask_dashboard: int


@dataclass(frozen=True)
class PortWishes:
    """What was asked for on the command line; None is the default.

    Attributes
    ----------
    yielding
        Take a free port instead of failing where a default port is in use.
    """

    site: int | None = None
    dicom: int | None = None
    xnat: int | None = None
    prefect: int | None = None
    yielding: bool = False


@dataclass(frozen=True)
class _Service:
    name: str
    purpose: str
    option: str
    default: int
    is_public: bool = False


SERVICES = (
    _Service("site", "the site", "--port", SITE_PORT, is_public=True),
    _Service("dicom", "the DICOM receiver", "--dicom-port", DICOM_PORT, is_public=True),
    _Service("xnat", "the archive", "--xnat-port", 8081),
    _Service("prefect", "the Prefect server", "--prefect-port", 4200),
    _Service("dask", "the Dask scheduler", "", 8786),
    _Service("dask_dashboard", "the Dask dashboard", "", 8787),
)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(taken: Iterable[int] = ()) -> int:
    """Give a free port that is none of ``taken``."""
    excluded = set(taken)
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in excluded:
            return port


def choose_ports(
    wishes: PortWishes,
    *,
    remembered: Mapping[str, int],
    free: Callable[[int], bool] = is_free,
) -> Ports:
    """Decide on all ports; those that were asked for come first.

    Raises
    ------
    PortInUse
        If a port that was asked for, or the default of the site or of the DICOM receiver, is taken.
    """
    chosen: dict[str, int] = {}
    for service in sorted(SERVICES, key=lambda one: not _wish(wishes, one)):
        wished = _wish(wishes, service)
        if wished:
            if wished in chosen.values() or not free(wished):
                raise PortInUse(wished, purpose=service.purpose, option=service.option)
            chosen[service.name] = wished
            continue
        candidates = [port for port in (remembered.get(service.name), service.default) if port]
        if service.is_public:
            candidates = [service.default]
        if wished == 0:
            candidates = []
        fitting = next((port for port in candidates if port not in chosen.values() and free(port)), None)
        if fitting is None and service.is_public and wished is None and not wishes.yielding:
            raise PortInUse(service.default, purpose=service.purpose, option=service.option)
        chosen[service.name] = fitting or _any_port(free, taken=chosen.values())
    return Ports(**chosen)


def _any_port(free: Callable[[int], bool], *, taken: Iterable[int]) -> int:
    while True:
        port = free_port(taken)
        if free(port):
            return port


class PortClaims:
    """Ports that one launcher holds against other launchers of the same user, until `close`.

    Between choosing a port and listening on it lie seconds, in which a second launcher would choose the same.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir()) / f"cohortflow-{os.getuid()}"
        self._held: dict[int, IO[str]] = {}

    def claim(self, port: int) -> bool:
        """Hold a port that nobody listens on; say whether it could be had."""
        if port in self._held:
            return True
        self._folder.mkdir(mode=0o700, exist_ok=True)
        handle = (self._folder / f"port-{port}.lock").open("a")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            return False
        if not is_free(port):
            handle.close()
            return False
        self._held[port] = handle
        return True

    def close(self) -> None:
        """Let all ports go."""
        for handle in self._held.values():
            handle.close()
        self._held.clear()


def _wish(wishes: PortWishes, service: _Service) -> int | None:
    wish: int | None = getattr(wishes, service.name, None)
    return wish
