"""Which ports are served. Imports the standard library and this package's home.

The site and the DICOM receiver are what other programs and people point at: their ports are fixed (8080 and 11112) until
told otherwise, and a used one is an error. Ports inside the house are remembered from the last start and replaced when
taken. Port 0 means any free port.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        fitting = [port for port in candidates if port not in chosen.values() and free(port)]
        if not fitting and service.is_public and wished is None and not wishes.yielding:
            raise PortInUse(service.default, purpose=service.purpose, option=service.option)
        chosen[service.name] = fitting[0] if fitting else free_port(chosen.values())
    return Ports(**chosen)


def _wish(wishes: PortWishes, service: _Service) -> int | None:
    wish: int | None = getattr(wishes, service.name, None)
    return wish
