"""Whether a service lives, is ready, and how much it does. May import FastAPI and prometheus-client.

``/healthz`` answers as long as the process does; ``/readyz`` runs the checks given (database, a peer); ``/metrics`` is
for Prometheus. Labels are method, route template and status: never a path with an identifier in it.
"""

import logging
import time
from collections.abc import Callable, Mapping

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.errors import ServiceError

logger = logging.getLogger(__name__)

Check = Callable[[], object]
_RECORDED = "service_kit.recorded"
_QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})


class Metrics:
    """The metrics of one app, in a registry of its own; a service adds its own to `registry`.

    Parameters
    ----------
    service
        The service's name, a label of every metric here.
    """

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        labels = ("service", "method", "route", "status")
        self._requests = Counter("http_requests", "Requests answered", labels, registry=self.registry)
        self._seconds = Histogram(
            "http_request_duration_seconds", "Time to the end of the answer", labels[:3], registry=self.registry
        )
        self.service = service

    def observe(self, *, method: str, route: str, status: int, duration_s: float) -> None:
        """Count one answered request."""
        self._requests.labels(self.service, method, route, str(status)).inc()
        self._seconds.labels(self.service, method, route).observe(duration_s)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class RequestRecorder:
    """ASGI middleware: one log line and one count per request, by route template and without the query string."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and record its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_at_s = time.perf_counter()
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            if not scope.get(_RECORDED):  # else a mounted app answered and has recorded it
                scope[_RECORDED] = True
                self._record(scope, status=status, duration_s=time.perf_counter() - started_at_s)

    def _record(self, scope: Scope, *, status: int, duration_s: float) -> None:
        method, route = scope["method"], getattr(scope.get("route"), "path", "(none)")
        self._metrics.observe(method=method, route=route, status=status, duration_s=duration_s)
        level = logging.DEBUG if route in _QUIET_ROUTES or route.startswith("/static") else logging.INFO
        facts = {"service": self._metrics.service, "method": method, "route": route, "status": status}
        logger.log(level, "request answered", extra={**facts, "duration_s": round(duration_s, 4)})


def install(app: FastAPI, checks: Mapping[str, Check] | None = None) -> Metrics:
    """Add /healthz, /readyz and /metrics to an app and count its requests.

    Parameters
    ----------
    checks
        By name, a function that raises a `ServiceError` or returns False when its part is not ready, such as
        ``{"database": database.ping}``.

    Returns
    -------
    Metrics
        Also at ``app.state.metrics``.
    """
    metrics = Metrics(getattr(app.state, "service", "service"))
    app.state.metrics = metrics
    named_checks = dict(checks or {})

    def is_alive() -> Response:
        return PlainTextResponse("ok")

    def is_ready() -> Response:
        results = {name: _passes(name, check) for name, check in named_checks.items()}
        is_good = all(results.values())
        body = {"status": "ready" if is_good else "not ready", "checks": results}
        return JSONResponse(body, status_code=200 if is_good else 503)

    def show_metrics(_request: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/healthz", is_alive, include_in_schema=False)
    app.add_api_route("/readyz", is_ready, include_in_schema=False)
    app.add_api_route("/metrics", show_metrics, include_in_schema=False)
    app.add_middleware(RequestRecorder, metrics=metrics)
    return metrics


def _passes(name: str, check: Check) -> bool:
    try:
        return check() is not False
    except (ServiceError, OSError) as error:
        logger.warning("readiness check failed", extra={"check": name, "error": type(error).__name__})
        return False
