"""Typed HTTP client of the gateway. May import httpx and the contract.

::

    GatewayError
    ├── GatewayUnavailable   no answer, or one that may be another next time: worth a retry
    └── GatewayRejected      the gateway says no, with a problem; repeating it will not help
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import TYPE_CHECKING, Any, Self

import httpx
from pydantic import TypeAdapter

from gateway.contract.naming import parse_filename
from gateway.contract.schemas import ArrivalRecord, InstanceRecord, QuarantineEntry, RejectedInstance, Settlement
from gateway.contract.states import ArrivalState, Outcome
from service_kit.certificates import trusted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_CHUNK_BYTES = 1024 * 1024
_PAGE_SIZE = 500


class GatewayError(Exception):
    """Root of the client's errors."""


class GatewayUnavailable(GatewayError):
    """The gateway does not answer, or answers that it cannot at the moment."""


class GatewayRejected(GatewayError):
    """The gateway says no.

    Attributes
    ----------
    status : int
    problem : mapping
        The RFC 9457 problem details.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or f"The gateway answered {status}."))
        self.status = status
        self.problem = dict(problem)


class GatewayClient:
    """Speaks to a gateway.

    Parameters
    ----------
    base_url
        Such as ``http://127.0.0.1:8080/gateway``.
    token
        An API token with the scope ``gateway:read``; for changes ``gateway:write``; for downloading and settling, as the
        flows do, ``gateway:execute``.
    http
        A prepared httpx client instead of an own one, for tests.
    """

    def __init__(self, base_url: str, token: str, *, http: httpx.Client | None = None) -> None:
        self._http = http or httpx.Client(timeout=_TIMEOUT, verify=trusted())
        self._base_url = base_url.rstrip("/") + "/api/v1"
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def arrival(self, arrival_id: int) -> ArrivalRecord:
        """Return one arrival."""
        return ArrivalRecord.model_validate(self._request("GET", f"/arrivals/{arrival_id}").json())

    def arrivals(self, *, states: Iterable[ArrivalState | str] = ()) -> Iterator[ArrivalRecord]:
        """Yield arrivals, newest first, page after page."""
        wanted = [str(ArrivalState(state).value) for state in states]
        yield from self._pages("/arrivals", TypeAdapter(ArrivalRecord), {"state": wanted} if wanted else {})

    def instances(self, arrival_id: int) -> Iterator[InstanceRecord]:
        """Yield the instances of an arrival in the order in which they came in."""
        yield from self._pages(f"/arrivals/{arrival_id}/instances", TypeAdapter(InstanceRecord), {})

    def quarantine(self, *, dismissed: bool = False) -> Iterator[QuarantineEntry]:
        """Yield the arrivals that hold something back, or those that were set aside, newest first."""
        yield from self._pages("/quarantine", TypeAdapter(QuarantineEntry), {"dismissed": True} if dismissed else {})

    def complete(self, arrival_id: int) -> ArrivalRecord:
        """Count an arrival as complete without waiting for the quiet period."""
        return ArrivalRecord.model_validate(self._request("POST", f"/arrivals/{arrival_id}/complete").json())

    def retry(self, arrival_id: int) -> ArrivalRecord:
        """Give what is in the quarantine to processing again."""
        return ArrivalRecord.model_validate(self._request("POST", f"/arrivals/{arrival_id}/retry").json())

    def dismiss(self, arrival_id: int, *, reason: str) -> ArrivalRecord:
        """Set aside what an arrival holds back, with a reason. The same reason again changes nothing."""
        body = {"reason": reason}
        return ArrivalRecord.model_validate(self._request("POST", f"/arrivals/{arrival_id}/dismiss", json=body).json())

    def reopen(self, arrival_id: int) -> ArrivalRecord:
        """Bring back what was set aside. What is not set aside stays as it is."""
        return ArrivalRecord.model_validate(self._request("POST", f"/arrivals/{arrival_id}/reopen").json())

    def settle(
        self,
        arrival_id: int,
        *,
        outcome: Outcome | str,
        reason: str | None = None,
        session_label: str | None = None,
        study: str | None = None,
        site: str | None = None,
        attempt: int | None = None,
        session_url: str | None = None,
        rejected: Iterable[RejectedInstance | Mapping[str, Any]] = (),
    ) -> ArrivalRecord:
        """Write down what processing an arrival came to. The same outcome again changes nothing."""
        settlement = Settlement(
            outcome=Outcome(outcome),
            reason=reason,
            session_label=session_label,
            study=study,
            site=site,
            attempt=attempt,
            session_url=session_url,
            rejected=tuple(RejectedInstance.model_validate(one) for one in rejected),
        )
        body = settlement.model_dump(mode="json")
        return ArrivalRecord.model_validate(self._request("POST", f"/arrivals/{arrival_id}/settle", json=body).json())

    def download(self, arrival_id: int, folder: Path) -> list[Path]:
        """Fetch the files of an arrival that are not in the quarantine; return their paths.

        Each is ``<SOP Instance UID>_<sha256>.dcm``, appears only when its digest fits, and is not written again when
        it is there already. Nothing else in the folder is touched.

        Raises
        ------
        GatewayUnavailable
            If the transfer breaks off or a digest does not fit.
        GatewayRejected
        """
        folder.mkdir(parents=True, exist_ok=True)
        url = f"{self._base_url}/arrivals/{arrival_id}/instances.tar"
        try:
            with self._http.stream("GET", url, headers=self._headers) as response:
                if response.is_error:
                    response.read()
                    raise _error(response)
                paths = _extract(response, folder)
                expected = int(response.headers["Cohortflow-Instance-Count"])
        except (httpx.TransportError, tarfile.ReadError) as error:
            raise GatewayUnavailable(f"The download of arrival {arrival_id} broke off; fetch it again.") from error
        if len(paths) != expected:
            raise GatewayUnavailable(
                f"Arrival {arrival_id} came with {len(paths)} of {expected} files; fetch it again."
            )
        return paths

    def _pages(self, path: str, adapter: TypeAdapter[Any], params: Mapping[str, Any]) -> Iterator[Any]:
        cursor: str | None = None
        while True:
            query = {**params, "limit": _PAGE_SIZE, **({"cursor": cursor} if cursor else {})}
            page = self._request("GET", path, params=query).json()
            for item in page["items"]:
                yield adapter.validate_python(item, strict=False)
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, self._base_url + path, headers=self._headers, **options)
        except httpx.TransportError as error:
            raise GatewayUnavailable("The gateway does not answer.") from error
        if response.is_error:
            raise _error(response)
        return response


def _error(response: httpx.Response) -> GatewayError:
    if response.status_code >= 500 or response.status_code == 429:
        return GatewayUnavailable(f"The gateway answered {response.status_code}.")
    try:
        problem = response.json()
    except ValueError:
        problem = {"title": response.reason_phrase}
    return GatewayRejected(response.status_code, problem if isinstance(problem, dict) else {"detail": str(problem)})


def _extract(response: httpx.Response, folder: Path) -> list[Path]:
    paths: list[Path] = []
    with tarfile.open(fileobj=_Body(response), mode="r|") as tar:
        for member in tar:
            named = parse_filename(member.name)
            content = tar.extractfile(member)
            if named is None or content is None:
                raise tarfile.ReadError("not a file of the gateway")
            target = folder / member.name
            if not (target.exists() and target.stat().st_size == member.size):
                _write_checked(content, target, sha256=named[1])
            paths.append(target)
    return paths


def _write_checked(content: Any, target: Path, *, sha256: str) -> None:
    partial = target.with_suffix(".part")
    digest = hashlib.sha256()
    try:
        with partial.open("wb") as file:
            while chunk := content.read(_CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != sha256:
            raise tarfile.ReadError("a file does not fit its digest")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


class _Body(io.RawIOBase):
    """The body of a streamed response as a file that is read once, forwards."""

    def __init__(self, response: httpx.Response) -> None:
        self._chunks = response.iter_bytes(_CHUNK_BYTES)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = next(self._chunks, b"")
        taken = self._rest[: len(buffer)]
        self._rest = self._rest[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)
