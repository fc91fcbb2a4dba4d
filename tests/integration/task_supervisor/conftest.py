"""The supervisor mounted as on the site, beside a stand-in archive that serves NIfTI files, on a real port."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel
import numpy as np
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from service_kit.accounts import Role
from service_kit.accounts.service import Accounts
from service_kit.web.assets import STATIC_DIR
from task_supervisor.app import create_app
from task_supervisor.client import SupervisorClient
from task_supervisor.contract.schemas import TaskIn, TaskOut
from task_supervisor.settings import TaskSupervisorSettings
from tests.browser import context_at, launched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

REPOSITORY = Path(__file__).resolve().parents[3]
TEMPLATE = (REPOSITORY / "studies/brain-volumetry/templates/brain_mask_review.yaml").read_text()


@dataclass
class Site:
    """A running site: ``url`` is its origin, ``files`` what its archive holds, ``callbacks`` what the governor heard."""

    folder: Path
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    callbacks: list[dict] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    def client(self, name: str) -> SupervisorClient:
        return SupervisorClient(f"{self.url}/tasks", self.tokens[name])

    def make_task(self, *volumes: tuple[str, str], **changes) -> TaskOut:
        """Make a task that shows files of the archive: pairs of role and file name."""
        content = {
            "volumes": [
                {"name": role, "role": role, "uri": f"/data/experiments/E1/resources/R/files/{file}"}
                for role, file in volumes
            ],
            "measurements": [{"name": "brain_volume", "value": 1432.6, "unit": "mL"}],
        }
        body = {
            "project": "brain-volumetry",
            "template": "brain_mask_review",
            "content": content,
            "callback_url": f"{self.url}/api/v2/callback_executions/1",
            "callback_content": {"secret_key": "s3cret"},
        }
        with self.client("flows") as flows:
            return flows.create_task(TaskIn.model_validate(body | changes))


def nifti(
    data: np.ndarray, affine: np.ndarray, *, slope: float = 1, inter: float = 0, big_endian: bool = False
) -> bytes:
    """Return the bytes of a gzipped NIfTI whose stored values are ``data``."""
    header = nibabel.Nifti1Header(endianness=">" if big_endian else "<")
    header.set_data_shape(data.shape)
    header.set_data_dtype(data.dtype.newbyteorder(">") if big_endian else data.dtype)
    header.set_sform(affine, code=1)
    header.set_qform(affine, code=1)
    header["vox_offset"] = 352
    header["scl_slope"], header["scl_inter"] = slope, inter
    header["magic"] = b"n+1\0"
    order = ">" if big_endian else "<"
    payload = data.astype(data.dtype.newbyteorder(order)).tobytes(order="F")
    return gzip.compress(header.binaryblock + b"\0" * 4 + payload)


def read_nifti(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return values (slope and intercept applied) and affine, as nibabel reads them."""
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(content))
    return np.asanyarray(image.dataobj), image.affine


def _root(site: Site, app) -> Starlette:
    async def session(_: Request) -> Response:
        return PlainTextResponse("A-SESSION")

    async def file(request: Request) -> Response:
        content = site.files.get(request.path_params["name"])
        return Response(content, media_type="application/gzip") if content else PlainTextResponse("no", 404)

    async def answer(request: Request) -> Response:
        site.callbacks.append(json.loads(await request.body()))
        return JSONResponse({})

    @asynccontextmanager
    async def lifespan(_: Starlette):
        async with app.router.lifespan_context(app):
            yield

    routes = [
        Route("/data/JSESSION", session, methods=["POST", "DELETE"]),
        Route("/data/experiments/E1/resources/R/files/{name}", file),
        Route("/api/v2/callback_executions/1", answer, methods=["PUT"]),
        Mount("/tasks", app=app),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


@pytest.fixture(scope="module")
def port() -> int:
    """The sites of all tests have one address, so that the browser need not load everything for each."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def site(tmp_path: Path, port: int) -> Iterator[Site]:
    listener = socket.create_server(("127.0.0.1", port))
    made = Site(tmp_path)
    made.url = f"http://127.0.0.1:{port}"
    settings = TaskSupervisorSettings(
        site_url=made.url,
        accounts_database_url=f"sqlite:///{tmp_path}/accounts.db",
        supervisor_database_url=f"sqlite:///{tmp_path}/supervisor.db",
        supervisor_url=f"{made.url}/tasks",
        governor_url=made.url,
        xnat_url=made.url,
        xnat_user="service",
        xnat_password="secret",
    )
    accounts = Accounts.open(settings.accounts_database_url)
    people = {"ada": Role.annotator, "bea": Role.annotator, "coco": Role.coordinator, "flows": Role.admin}
    for name, role in people.items():
        accounts.create_user(name, None, display_name=name.title(), email=f"{name}@example.org")
        accounts.grant(name, role)
        may_answer = role in {Role.annotator, Role.admin}
        scopes = ["supervisor:read", *(["supervisor:answer"] if may_answer else [])]
        made.tokens[name] = accounts.issue_token(
            name, "t", [*scopes, *(["supervisor:write", "supervisor:execute"] if name == "flows" else [])]
        )
        made.cookies[name] = accounts.start_session(name)
    app = _root(made, create_app(settings))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    with made.client("flows") as flows:
        flows.put_template("brain_mask_review", TEMPLATE)
    yield made
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    if not (STATIC_DIR / "dist" / "manifest.json").is_file():
        pytest.fail("the front end is not built: ./run setup")
    with launched(chromium) as browser:
        yield browser


@pytest.fixture
def window(browser: Browser, site: Site) -> BrowserContext:
    """The browser at the address of the site."""
    return browser.contexts[0] if browser.contexts else context_at(browser, site.url)
