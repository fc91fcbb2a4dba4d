"""The processes Cohortflow consists of, by name, and how each is entered: the one list of `serve` and the launcher.

Importing this is cheap: a process's own code is imported when it is entered.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployments.errors import CannotListen, MissingSettings, PortInUse
from deployments.loading import loading

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from starlette.types import ASGIApp

GRACE_S = 3
"""How long open requests may still take after SIGTERM; live pages would stay open for ever."""


@dataclass(frozen=True)
class Process:
    """One process.

    Attributes
    ----------
    enter
        ``enter(host, port)`` runs it until SIGTERM or SIGINT. A process without an HTTP server of its own ignores both.
    address
        Where such a process listens, as a sentence; empty for those that take host and port.
    """

    name: str
    title: str
    enter: Callable[[str, int], None]
    default_port: int = 0
    address: str = ""


def serve_asgi(
    make_app: Callable[[], ASGIApp], *, host: str, port: int, on_ready: Callable[[int], None] | None = None
) -> None:
    """Serve an app until SIGTERM or SIGINT; ``on_ready(port)`` is called once requests are answered.

    Raises
    ------
    PortInUse, CannotListen
        Before the app is made.
    """
    listener = _listen(host, port)
    with loading():
        import uvicorn

        app = make_app()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if on_ready is not None and self.started:
                on_ready(listener.getsockname()[1])

    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1",
    )
    asyncio.run(Server(config).serve(sockets=[listener]))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off only where the protocol is named; with it each small answer waits 40 ms
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(port, purpose="this server", option="--port") from None
        raise CannotListen(host, port, error.strerror or "no such address") from None
    return listener


def _web(host: str, port: int) -> None:
    from deployments.web import create_app

    serve_asgi(create_app, host=host, port=port)


def _study_governor(host: str, port: int) -> None:
    from study_governor.app import create_app
    from study_governor.settings import StudyGovernorSettings

    serve_asgi(lambda: create_app(StudyGovernorSettings()), host=host, port=port)


def _task_supervisor(host: str, port: int) -> None:
    from task_supervisor.app import create_app
    from task_supervisor.settings import TaskSupervisorSettings

    serve_asgi(lambda: create_app(TaskSupervisorSettings()), host=host, port=port)


def _gateway(host: str, port: int) -> None:
    from gateway.app import create_app
    from gateway.settings import GatewaySettings

    serve_asgi(lambda: create_app(GatewaySettings()), host=host, port=port)


def _embedded_xnat(host: str, port: int) -> None:
    with loading():
        from embedded_xnat.app import create_app
        from embedded_xnat.settings import EmbeddedXnatSettings

    serve_asgi(lambda: create_app(EmbeddedXnatSettings()), host=host, port=port)


def _dicom_receiver(_host: str, _port: int) -> None:
    from gateway.receiver import serve
    from gateway.settings import ReceiverSettings

    serve(ReceiverSettings())


def _worker(_host: str, _port: int) -> None:
    from deployments.warm_worker import main

    main()


def _dask(_host: str, _port: int) -> None:
    from deployments.dask_cluster import main

    main()


def _prefect(_host: str, _port: int) -> None:
    from deployments.prefect_server import main

    main()


PROCESSES: dict[str, Process] = {
    process.name: process
    for process in (
        Process("prefect", "The Prefect server", _prefect, address="it listens where COHORTFLOW_PREFECT_API_URL says"),
        Process("web", "The web process", _web, 8080),
        Process("embedded-xnat", "The archive", _embedded_xnat, 8081),
        Process(
            "dicom-receiver",
            "The DICOM receiver",
            _dicom_receiver,
            address="it listens where COHORTFLOW_DICOM_HOST and COHORTFLOW_DICOM_PORT say",
        ),
        Process("worker", "The flow worker", _worker, address="it listens nowhere"),
        Process("dask", "The Dask cluster", _dask, address="it listens where COHORTFLOW_DASK_ADDRESS says"),
        Process("study-governor", "The study governor", _study_governor, 8082),
        Process("task-supervisor", "The task supervisor", _task_supervisor, 8083),
        Process("gateway", "The gateway", _gateway, 8084),
    )
}


def enter(name: str, *, host: str, port: int | None) -> None:
    """Run a process until it is told to end; without a port on its default one.

    Raises
    ------
    MissingSettings
        If its settings are wrong; the sentence names the environment variables.
    """
    from pydantic import ValidationError

    process = PROCESSES[name]
    try:
        process.enter(host, process.default_port if port is None else port)
    except ValidationError as error:
        if not error.title.endswith("Settings"):
            raise
        problems = [_say(problem) for problem in error.errors()]
        if name == "embedded-xnat":
            problems.append("or give --data DIR, and nothing else needs to be set")
        raise MissingSettings(process.title, problems) from None


def _say(problem: ErrorDetails) -> str:
    """Turn one problem of a settings class into words that name the environment variable; never its value."""
    variable = "COHORTFLOW_" + str(problem["loc"][0] if problem["loc"] else "").upper().removeprefix("COHORTFLOW_")
    if problem["type"] == "missing":
        return f"set {variable}"
    return f"{variable}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
