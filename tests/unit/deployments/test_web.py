"""Several apps under one origin, each with its own lifespan."""

from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from deployments.web import join


def service(name, log):
    @asynccontextmanager
    async def lifespan(_):
        log.append(f"{name} starts")
        yield
        log.append(f"{name} ends")

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    def where(request: Request):
        return {"name": name, "root_path": request.scope["root_path"]}

    return app


@pytest.fixture
def log():
    return []


@pytest.fixture
def site(log):
    return join(root=service("governor", log), mounts=(("/tasks", service("supervisor", log)),))


def test_each_apps_lifespan_is_entered_and_left(site, log):
    with TestClient(site):
        assert sorted(log) == ["governor starts", "supervisor starts"]
    assert sorted(log[2:]) == ["governor ends", "supervisor ends"]


def test_each_app_knows_its_own_root(site):
    with TestClient(site) as client:
        assert client.get("/").json() == {"name": "governor", "root_path": ""}
        assert client.get("/tasks/").json() == {"name": "supervisor", "root_path": "/tasks"}


def test_a_mount_without_its_slash_leads_there_with_its_query(site):
    with TestClient(site) as client:
        answer = client.get("/tasks?state=open", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"] == "/tasks/?state=open"


def test_an_app_that_cannot_start_stops_the_site(log):
    @asynccontextmanager
    async def broken(_):
        raise RuntimeError("no database")
        yield

    site = join(root=service("governor", log), mounts=(("/tasks", FastAPI(lifespan=broken)),))
    with pytest.raises(RuntimeError, match="no database"), TestClient(site):
        pass
