"""The one web process: study governor at ``/``, task supervisor at ``/tasks``, gateway at ``/gateway``, one origin.

A mounted app's lifespan is not entered by Starlette; this app enters each of them, so that migrations run and background
threads start and end with the process. Imports the services' apps and settings.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.routing import BaseRoute


def create_app() -> Starlette:
    """Build the whole site from the environment.

    Raises
    ------
    pydantic.ValidationError
        If a setting of a service is wrong or missing.
    """
    from gateway.app import create_app as create_gateway
    from gateway.settings import GatewaySettings
    from study_governor.app import create_app as create_governor
    from study_governor.settings import StudyGovernorSettings
    from task_supervisor.app import create_app as create_supervisor
    from task_supervisor.settings import TaskSupervisorSettings

    return join(
        root=create_governor(StudyGovernorSettings()),
        mounts=(
            ("/tasks", create_supervisor(TaskSupervisorSettings())),
            ("/gateway", create_gateway(GatewaySettings())),
        ),
    )


def join(*, root: FastAPI, mounts: Sequence[tuple[str, FastAPI]]) -> Starlette:
    """Join apps under one origin, each with its own lifespan.

    Parameters
    ----------
    root
        Answers everything that no mount answers.
    mounts
        Path prefix and app. An app sees its prefix as ``root_path`` in the request's scope.
    """
    apps = [app for _, app in mounts] + [root]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for app in apps:
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    routes: list[BaseRoute] = []
    for prefix, app in mounts:
        routes += [Route(prefix, _to_folder), Mount(prefix, app=app)]
    return Starlette(routes=[*routes, Mount("", app=root)], lifespan=lifespan)


def _to_folder(request: Request) -> RedirectResponse:
    """Lead ``/tasks`` to ``/tasks/``: a mount answers only below its prefix."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{request.url.path}/{query}", status_code=307)
