"""Shows files of the archive under the site's own origin and rights. May import httpx and Starlette.

A page never links into the archive for pictures and volumes: the browser has no log-in there. The service checks who
asks, then streams the file through one reused log-in of its own.
"""

import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from urllib.parse import quote

import httpx
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from service_kit.archive_uris import is_file_uri
from service_kit.errors import InvalidInput, NotFound, Unavailable

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 256 * 1024
_GOODBYE_S = 2.0  # who ends does not wait for an archive that hangs
_PASSED_ON = (
    "content-type",
    "content-encoding",
    "content-length",
    "content-range",
    "accept-ranges",
    "etag",
    "last-modified",
)
# A report from the archive is someone else's HTML: it may show its pictures, but run nothing and reach nothing.
_POLICY = (
    "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; font-src data:; "
    "frame-ancestors 'self'"
)
_PDF_POLICY = "frame-ancestors 'self'"  # browsers show no PDF in a sandbox, and their viewers have one of their own


class UriRefused(InvalidInput):
    """The address is not a file of the archive's REST interface."""

    def __init__(self) -> None:
        super().__init__("This is not the address of a file in the archive.")


class ArchiveFileMissing(NotFound):
    """The archive has no such file, or the service may not see it."""

    def __init__(self) -> None:
        super().__init__("The archive does not have this file any more.")


class ArchiveUnavailable(Unavailable):
    """The archive does not answer, or refuses the service's log-in."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The archive cannot show the file at the moment: {reason}. Try again in a minute.")


class ArchiveFiles:
    """Streams files of an XNAT by their REST address, with one log-in that is renewed when it ends.

    Parameters
    ----------
    base_url
        The root of the XNAT, such as ``http://127.0.0.1:8081``.
    user, password
        The service's own account there.
    client
        The HTTP client to use; made here by default.
    """

    def __init__(self, base_url: str, user: str, password: str, *, client: httpx.Client | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._auth = (user, password)
        self._client = client or httpx.Client(timeout=httpx.Timeout(30.0, connect=5.0), follow_redirects=False)
        self._session: str | None = None
        self._lock = threading.Lock()

    def stream(
        self,
        uri: str,
        range: str | None = None,  # noqa: A002 - the header's name
        *,
        if_none_match: str | None = None,
    ) -> tuple[int, dict[str, str], "_Pieces"]:
        """Open a file and return status (200, 206, 304 or 416), headers and its bytes in pieces.

        The iterator must be read to its end or closed; both free the connection.

        Raises
        ------
        UriRefused, ArchiveFileMissing, ArchiveUnavailable
        """
        response = self._open(_checked(uri), range_=range, if_none_match=if_none_match)
        headers = {name: response.headers[name] for name in _PASSED_ON if name in response.headers}
        return response.status_code, headers, _Pieces(response)

    def response(
        self,
        request: Request,
        uri: str,
        filename: str | None = None,
        *,
        media_type: str | None = None,
        cache_s: int = 0,
    ) -> Response:
        """Return a file as the answer to a browser: in place, by range, kept for `cache_s` seconds, by ETag after.

        Raises
        ------
        UriRefused, ArchiveFileMissing, ArchiveUnavailable
        """
        status, headers, pieces = self.stream(
            uri, request.headers.get("range"), if_none_match=request.headers.get("if-none-match")
        )
        headers["cache-control"] = f"private, max-age={cache_s}" if cache_s else "private, no-cache"
        if media_type is not None:
            headers["content-type"] = media_type
        is_pdf = headers.get("content-type", "").startswith("application/pdf")
        headers["content-security-policy"] = _PDF_POLICY if is_pdf else _POLICY
        if filename is not None:
            headers["content-disposition"] = f"inline; filename*=UTF-8''{quote(filename)}"
        if status == 304 or request.method == "HEAD":
            pieces.close()
            return Response(status_code=status, headers=_without_length(headers))
        return StreamingResponse(_flow(pieces), status_code=status, headers=headers)

    def close(self) -> None:
        """End the log-in and close the connections."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            with suppress(httpx.HTTPError):
                cookie = {"Cookie": f"JSESSIONID={session}"}
                self._client.delete(f"{self._base_url}/data/JSESSION", headers=cookie, timeout=_GOODBYE_S)
        self._client.close()

    def _open(self, uri: str, *, range_: str | None, if_none_match: str | None) -> httpx.Response:
        headers = {"Accept-Encoding": "identity"}
        if range_:
            headers["Range"] = range_
        if if_none_match:
            headers["If-None-Match"] = if_none_match
        response = self._send(uri, headers, session=self._log_in())
        if response.status_code in {401, 403}:
            response.close()
            response = self._send(uri, headers, session=self._log_in(again=True))
        if response.status_code in {200, 206, 304, 416}:
            return response
        response.close()
        if response.status_code == 404:
            raise ArchiveFileMissing
        raise ArchiveUnavailable(f"it answered {response.status_code}")

    def _send(self, uri: str, headers: dict[str, str], *, session: str) -> httpx.Response:
        request = self._client.build_request(
            "GET", self._base_url + uri, headers={**headers, "Cookie": f"JSESSIONID={session}"}
        )
        try:
            return self._client.send(request, stream=True)
        except httpx.TransportError as error:
            raise ArchiveUnavailable("it does not answer") from error

    def _log_in(self, *, again: bool = False) -> str:
        with self._lock:
            if self._session is not None and not again:
                return self._session
            try:
                response = self._client.post(f"{self._base_url}/data/JSESSION", auth=self._auth)
            except httpx.TransportError as error:
                raise ArchiveUnavailable("it does not answer") from error
            if response.status_code != 200:
                logger.error("archive refused the log-in", extra={"status": response.status_code})
                raise ArchiveUnavailable("it refused the log-in of this service")
            self._session = response.text.strip()
            return self._session


def _checked(uri: str) -> str:
    """Return the URI when it is a file of a session or scan, and nothing else.

    Examples
    --------
    >>> _checked("/data/experiments/XNAT_E1/resources/1/files/a.png")
    '/data/experiments/XNAT_E1/resources/1/files/a.png'
    """
    if not is_file_uri(uri):
        raise UriRefused
    return uri


class _Pieces(Iterator[bytes]):
    """The bytes of an open answer; frees the connection at the end, and when closed before it."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._chunks = response.iter_raw(_CHUNK_BYTES)

    def __next__(self) -> bytes:
        """Return the next piece."""
        try:
            return next(self._chunks)
        except StopIteration:
            self.close()
            raise
        except httpx.TransportError as error:
            self.close()
            raise ArchiveUnavailable("it stopped in the middle of the file") from error

    def close(self) -> None:
        """Free the connection, also when nothing was read."""
        self._response.close()


async def _flow(pieces: _Pieces) -> AsyncIterator[bytes]:
    try:
        async for piece in iterate_in_threadpool(pieces):
            yield piece
    finally:
        pieces.close()


def _without_length(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "content-length"}
