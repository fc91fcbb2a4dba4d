"""Maps errors to RFC 9457 problem details, at one place for every service. May import FastAPI.

A browser that asks for HTML gets a page with the same sentence, rendered by the function given to `install`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from service_kit.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    OutOfSpace,
    ServiceError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    without_paths,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

#: Every kind of error has exactly one status. A test holds this table complete.
STATUS: Mapping[type[ServiceError], int] = {
    InvalidInput: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooManyRequests: 429,
    Unavailable: 503,
    OutOfSpace: 507,
    ServiceError: 500,
}


def status_of(error: ServiceError) -> int:
    """Return the HTTP status of an error: that of the nearest kind among its classes.

    Examples
    --------
    >>> status_of(NotFound("There is no session 7."))
    404
    """
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(status: int, title: str, detail: str, *, instance: str | None = None, **members: Any) -> JSONResponse:
    """Build one `application/problem+json` answer (RFC 9457, section 3)."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail, **members}
    if instance is not None:
        body["instance"] = instance
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)


def wants_page(request: Request) -> bool:
    """Tell whether the caller is a browser that expects a page rather than JSON."""
    return request.method in {"GET", "POST"} and "text/html" in request.headers.get("accept", "")


def install(app: FastAPI, *, page: Callable[[Request, int, str, str], Response | None] | None = None) -> None:
    """Register the handlers of every error on an app.

    Parameters
    ----------
    page
        ``page(request, status, title, detail)`` renders the error for a browser, or returns None for JSON.
    """

    def answer(request: Request, status: int, title: str, detail: str, **members: Any) -> Response:
        if page is not None and wants_page(request):
            rendered = page(request, status, title, detail)
            if rendered is not None:
                return rendered
        response = problem(status, title, detail, instance=request.url.path, **members)
        if status == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="cohortflow"'
        return response

    async def on_service_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ServiceError)
        return answer(request, status_of(error), error.title, error.detail)

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [{"pointer": "/".join(str(part) for part in e["loc"]), "detail": e["msg"]} for e in error.errors()]
        detail = "; ".join(f"{e['pointer']}: {e['detail']}" for e in errors) or "The request could not be read."
        return answer(request, 400, InvalidInput.title, detail, errors=errors)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        title = {404: "Not found", 405: "Method not allowed"}.get(error.status_code, "The request failed")
        detail = str(error.detail) if error.status_code != 404 else "There is nothing at this address."
        response = answer(request, error.status_code, title, detail)
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response

    async def on_bug(request: Request, error: Exception) -> Response:
        reference = uuid4().hex[:8]
        logger.error("unhandled error", exc_info=without_paths(error), extra={"reference": reference})
        detail = f"This is a fault of the program. The log names it under the reference {reference}."
        return answer(request, 500, "Something went wrong", detail, reference=reference)

    app.add_exception_handler(ServiceError, on_service_error)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_bug)
