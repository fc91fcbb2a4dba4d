"""News of orders, over real HTTP: who waits is told of every order at once, and of nothing else."""

import asyncio
import socket
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from deployments import order_news
from deployments.order_news import PATH, OrderNews, OrderNewsApp

METHODS = ["GET", "POST", "PATCH", "DELETE"]


def flow_server() -> Starlette:
    """Answer everything below the API and nothing of the news, as a Prefect server does."""
    routes = [
        Route("/api/cohortflow/{rest:path}", lambda _: JSONResponse({"detail": "Not Found"}, status_code=404)),
        Route("/api/{rest:path}", lambda _: JSONResponse({}), methods=METHODS),
        Route("/{rest:path}", lambda _: HTMLResponse("<p>the pages")),
    ]
    return Starlette(routes=routes)


@asynccontextmanager
async def served(app, *, port=0):
    listener = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/api"
    server.should_exit = True
    await serving
    listener.close()


@pytest.fixture
def nobody_waits_in_vain(monkeypatch):
    """Let a wait that nothing ends hang, and the test with it."""
    monkeypatch.setattr(order_news, "HOLD_S", 3600.0)


@pytest.fixture
def a_wait_is_short(monkeypatch):
    monkeypatch.setattr(order_news, "HOLD_S", 0.2)


@asynccontextmanager
async def listening():
    """One who has heard all there is, at a server with news; the server, its address, and whoever listens."""
    app = OrderNewsApp(flow_server(), api_url="http://127.0.0.1/api")
    async with served(app) as url:
        news = OrderNews(url)
        await news.wait()
        yield app, url, news
        await news.aclose()


async def told_of(method: str, path: str) -> bool:
    """Whether one who waits is told of a request."""
    async with listening() as (_, url, news), httpx.AsyncClient() as client:
        before, waiting = news.known, asyncio.create_task(news.wait())
        await asyncio.sleep(0.05)
        (await client.request(method, url + path)).raise_for_status()
        await waiting
        await news.wait()  # in case the first ran out before the request was answered
        return news.known != before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/deployments/4fb1/create_flow_run"),
        ("POST", "/flow_runs/"),
        ("POST", "/flow_runs/4fb1/set_state"),
        ("PATCH", "/work_pools/warm/queues/default"),
        ("DELETE", "/flow_runs/4fb1"),
    ],
)
@pytest.mark.usefixtures("a_wait_is_short")
def test_one_who_waits_is_told(method, path):
    assert asyncio.run(told_of(method, path))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/flow_runs/4fb1"),
        ("POST", "/flow_runs/filter"),
        ("POST", "/work_pools/warm/get_scheduled_flow_runs"),
        ("POST", "/work_pools/warm/workers/heartbeat"),
        ("POST", "/logs/"),
        ("POST", "/task_runs/4fb1/set_state"),
        ("POST", "/ui/flow_runs/count-task-runs"),
        ("POST", "/work_pools/warm/concurrency_status"),
    ],
)
@pytest.mark.usefixtures("a_wait_is_short")
def test_a_question_is_no_news(method, path):
    assert not asyncio.run(told_of(method, path))


@pytest.mark.usefixtures("nobody_waits_in_vain")
def test_what_is_ordered_during_a_wait_or_between_two_ends_it():
    async def ask():
        async with listening() as (_, url, news), httpx.AsyncClient() as client:
            await client.post(f"{url}/deployments/4fb1/create_flow_run")
            await news.wait()
            waiting = asyncio.create_task(news.wait())
            await asyncio.sleep(0.05)
            await client.post(f"{url}/deployments/4fb1/create_flow_run")
            await waiting

    asyncio.run(ask())


@pytest.mark.usefixtures("nobody_waits_in_vain")
def test_one_who_expects_something_by_the_clock_does_not_wait_for_news():
    async def ask():
        async with listening() as (_, _url, news):
            news.do_not_wait(for_s=3600)
            await news.wait()

    asyncio.run(ask())


@pytest.mark.usefixtures("nobody_waits_in_vain")
def test_a_server_that_was_started_again_keeps_nobody_waiting_for_its_predecessor():
    async def ask():
        async with served(OrderNewsApp(flow_server(), api_url="http://127.0.0.1/api")) as url:
            news = OrderNews(url)
            await news.wait()
        port = int(url.split(":")[2].split("/")[0])
        await news.wait()  # nobody is there, and whoever asks for runs next will see it
        async with served(OrderNewsApp(flow_server(), api_url="http://127.0.0.1/api"), port=port):
            await news.wait()
        await news.aclose()

    asyncio.run(ask())


@pytest.mark.usefixtures("nobody_waits_in_vain")
def test_a_server_that_ends_lets_all_go():
    async def ask():
        async with listening() as (app, _, news):
            waiting = asyncio.create_task(news.wait())
            await asyncio.sleep(0.05)
            app.close()
            await waiting
            await news.wait()

    asyncio.run(ask())


@pytest.mark.parametrize("api", ["/api", "/pages"])
def test_a_server_without_news_is_seldom_asked_for_them(api, monkeypatch):
    """Another Prefect says that there is no such address, or shows its pages."""
    asked = []

    async def ask():
        app = flow_server()

        async def noting(scope, receive, send):
            if scope["type"] == "http":
                asked.append(scope["path"])
            await app(scope, receive, send)

        async with served(noting) as url:
            news = OrderNews(url.removesuffix("/api") + api)
            for _ in range(3):
                await news.wait()
            assert asked == [api + PATH]
            await news.aclose()
            monkeypatch.setattr(order_news, "FORGET_S", 0.0)
            news = OrderNews(url.removesuffix("/api") + api)
            for _ in range(3):
                await news.wait()
            await news.aclose()

    asyncio.run(ask())
    assert asked == [api + PATH] * 4
