"""News of orders: a worker that is told when something was ordered need not ask all the time.

Prefect's workers ask for runs again and again, and each question costs its server three transactions. Here the server
answers one more address beside Prefect's own: it waits until somebody ordered, changed or ended a run, and no longer than
`HOLD_S`, for runs may also become due by the clock. A server without that address is asked as before.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

PATH = "/cohortflow/order-news"
HOLD_S = 2.0
SLOT_WAIT_S = 2.0
"""After this time a run that finds a limit reached is due again, by the clock and without news."""
FORGET_S = 60.0
"""So long a server that knows no news is not asked for them again: it may be another one then."""

_CHANGES = re.compile(r"/(?:deployments|flow_runs|work_pools|work_queues)/")
_QUESTIONS = re.compile(
    r"/ui/|/(?:filter|paginate|count|history|lateness|heartbeat|concurrency_status|get_runs|get_scheduled_flow_runs)/?$"
)


class OrderNewsApp:
    """ASGI application around Prefect's: answers `PATH` below the API, hands on everything else and listens to it.

    Parameters
    ----------
    app
        Prefect's server.
    api_url
        Address of its API.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], *, api_url: str) -> None:
        self._app = app
        self._path = urlsplit(api_url).path.rstrip("/") + PATH
        self._server = uuid4().hex  # what a worker heard of an earlier server is no news of this one
        self._count = 0
        self._rung = asyncio.Event()
        self._is_closed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == self._path:
            known = parse_qs(scope["query_string"].decode("latin-1")).get("known", [""])[0]
            await self._answer(await self.news(known), send)
        elif scope["method"] in {"POST", "PUT", "PATCH", "DELETE"} and _is_change(scope["path"]):
            await self._app(scope, receive, self._ringing(send))
        else:
            await self._app(scope, receive, send)

    async def news(self, known: str) -> str:
        """Wait until there is more than ``known``; return the name of what there is now."""
        if known == self._newest and not self._is_closed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._rung.wait(), HOLD_S)
        return self._newest

    def ring(self) -> None:
        """Tell all that wait."""
        self._count += 1
        self._rung.set()
        self._rung = asyncio.Event()

    def close(self) -> None:
        """Keep nobody waiting any more: the server ends."""
        self._is_closed = True
        self.ring()

    @property
    def _newest(self) -> str:
        return f"{self._server}-{self._count}"

    def _ringing(self, send: Send) -> Send:
        async def send_and_ring(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                self.ring()

        return send_and_ring

    async def _answer(self, newest: str, send: Send) -> None:
        headers = [(b"content-type", b"text/plain; charset=us-ascii"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": newest.encode("ascii")})


class OrderNews:
    """The worker's end: `wait` returns when it is time to ask for runs.

    Attributes
    ----------
    known : str
        Name of the newest news heard of; empty before the first.
    """

    def __init__(self, api_url: str) -> None:
        self._url = api_url.rstrip("/") + PATH
        self._client = httpx.AsyncClient(timeout=HOLD_S + 10, trust_env=False)
        self.known = ""
        self._not_before = 0.0

    async def wait(self) -> None:
        """Return when something was ordered, at the latest after `HOLD_S`; at once when the server knows no news.

        A server that does not answer at all is no error here: whoever asks for runs next will meet it.
        """
        if time.monotonic() < self._not_before:
            return
        try:
            answer = await self._client.get(self._url, params={"known": self.known})
        except httpx.RequestError:
            return
        if answer.status_code == httpx.codes.OK and answer.headers.get("content-type", "").startswith("text/plain"):
            self.known = answer.text
        elif not answer.is_server_error:
            self.do_not_wait(for_s=FORGET_S)

    def do_not_wait(self, *, for_s: float) -> None:
        """Let `wait` return at once for a while: something is due by the clock, and the clock is no news."""
        self._not_before = max(self._not_before, time.monotonic() + for_s)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def _is_change(path: str) -> bool:
    return _CHANGES.search(path) is not None and _QUESTIONS.search(path) is None
