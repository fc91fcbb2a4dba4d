"""Live pages: what threads publish, browsers receive as server-sent events. May import Starlette.

An event carries a topic and a short text, mostly an id; the page then asks for the part that changed. Within one
process; a page that misses an event while it was away loads itself anew when it reconnects.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from service_kit.web.viewer import is_still_welcome

_QUEUE_SIZE = 256
RETRY_MS = 2000


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, for whoever listens to the topic."""

    topic: str
    data: str

    def encode(self) -> str:
        r"""Return the event as it goes over the wire.

        Examples
        --------
        >>> Event("session", "3").encode()
        'event: session\ndata: 3\n\n'
        """
        lines = "".join(f"data: {line}\n" for line in self.data.splitlines() or [""])
        return f"event: {self.topic}\n{lines}\n"


@dataclass(frozen=True, slots=True, eq=False)
class _Listener:
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[Event | None]
    topics: frozenset[str] | None

    def put(self, event: Event | None) -> None:
        """Queue an event; a listener that does not keep up is ended and reconnects."""
        if self.queue.full():
            self.queue.get_nowait()
            self.queue.put_nowait(None)
        else:
            self.queue.put_nowait(event)


class Broadcast:
    """Carries events from any thread to all open streams.

    Parameters
    ----------
    heartbeat_s
        How often a stream sends a comment, so that proxies keep it and a lost browser is noticed, and asks whether its
        reader may go on.

    Examples
    --------
    In the app ``broadcast = Broadcast()``; in a transaction ``uow.after_commit(lambda: broadcast.publish("session",
    "3"))``; as an endpoint ``return broadcast.response(request, topics=["session"])``; in the template
    ``<div hx-ext="sse" sse-connect="{{ url('/events') }}"><div hx-get="…" hx-trigger="sse:session">``.
    """

    def __init__(self, *, heartbeat_s: float = 15.0) -> None:
        self._heartbeat_s = heartbeat_s
        self._listeners: set[_Listener] = set()
        self._lock = threading.Lock()

    def publish(self, topic: str, data: object = "") -> None:
        """Send an event to every stream of the topic. From any thread; never waits and never raises.

        Anything but a string is sent as JSON.
        """
        event = Event(topic, data if isinstance(data, str) else json.dumps(data))
        with self._lock:
            listeners = [one for one in self._listeners if one.topics is None or topic in one.topics]
        for listener in listeners:
            _hand_over(listener, event)

    def close(self) -> None:
        """End every stream; called when the app stops."""
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            _hand_over(listener, None)

    async def stream(
        self, topics: Iterable[str] | None = None, *, may_go_on: Callable[[], bool] = lambda: True
    ) -> AsyncIterator[str]:
        """Yield the events of the topics (all when None) as text, until `close` or until the reader goes.

        Parameters
        ----------
        may_go_on
            Asked at every heartbeat, in a thread; the stream ends at a no.
        """
        wanted = None if topics is None else frozenset(topics)
        loop = asyncio.get_running_loop()
        listener = _Listener(loop, asyncio.Queue(_QUEUE_SIZE), wanted)
        with self._lock:
            self._listeners.add(listener)
        try:
            yield f"retry: {RETRY_MS}\n\n"
            beat_at = loop.time() + self._heartbeat_s
            while True:
                if (left_s := beat_at - loop.time()) <= 0:
                    if not await run_in_threadpool(may_go_on):
                        return
                    yield ": still here\n\n"
                    beat_at = loop.time() + self._heartbeat_s
                    continue
                try:
                    event = await asyncio.wait_for(listener.queue.get(), timeout=left_s)
                except TimeoutError:
                    continue
                if event is None:
                    return
                yield event.encode()
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def response(self, request: Request, topics: Iterable[str] | None = None) -> StreamingResponse:
        """Return the stream as an answer to a request; it ends with the log-in that it was asked for with."""
        headers: dict[str, Any] = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        stream = self.stream(topics, may_go_on=lambda: is_still_welcome(request))
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    @property
    def listener_count(self) -> int:
        """How many streams are open."""
        with self._lock:
            return len(self._listeners)


def _hand_over(listener: _Listener, event: Event | None) -> None:
    try:
        listener.loop.call_soon_threadsafe(listener.put, event)
    except RuntimeError:  # the loop is closed: its server has stopped, nobody listens
        return
