"""Typed HTTP client of the governor. May import httpx and the contract.

::

    GovernorError
    ├── GovernorUnavailable   no answer, or one that may be another next time: worth a retry
    └── GovernorRejected      the governor says no, with a problem; repeating it will not help
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from service_kit.certificates import trusted
from study_governor.contract.schemas import (
    ActionRecord,
    ArtifactRecord,
    CohortRecord,
    ExecutionRecord,
    ExperimentRecord,
    ExperimentSummary,
    MeasurementRecord,
    StateCount,
    StateRecord,
    WorkflowImported,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_RETRIED = frozenset({429, 502, 503, 504, 507})
Record = TypeVar("Record", bound=BaseModel)


class GovernorError(Exception):
    """Root of the client's errors."""


class GovernorUnavailable(GovernorError):
    """The governor does not answer, or answers that it cannot at the moment."""


class GovernorRejected(GovernorError):
    """The governor says no.

    Attributes
    ----------
    status : int
    problem : mapping
        The RFC 9457 problem details.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or f"The governor answered {status}."))
        self.status = status
        self.problem = dict(problem)

    @property
    def is_conflict(self) -> bool:
        """Whether the thing is in another state than was taken for granted; an answer that came too late is one."""
        return self.status == 409


class GovernorClient:
    """Speaks to a governor.

    Parameters
    ----------
    base_url
        Such as ``http://127.0.0.1:8080``.
    token
        An API token with the scopes ``governor:read``, ``governor:write`` and, for executions, ``governor:execute``.
    http
        A prepared httpx client instead of an own one, for tests.
    """

    def __init__(self, base_url: str, token: str, *, http: httpx.Client | None = None) -> None:
        self._http = http or httpx.Client(timeout=_TIMEOUT, verify=trusted())
        self._base_url = base_url.rstrip("/") + "/api/v2"
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def import_workflow(self, text: str, *, file: str = "workflow.yaml") -> WorkflowImported:
        """Import a workflow file; the same text again changes nothing."""
        body = {"workflow_definition": text, "file": file}
        return self._one(WorkflowImported, "POST", "/service/config/import-workflow", json=body)

    def put_cohort(self, label: str, *, description: str | None = None) -> CohortRecord:
        """Create a cohort, or change what is said of it."""
        return self._one(CohortRecord, "PUT", f"/cohorts/{_part(label)}", json={"description": description})

    def put_external_system(self, name: str, url: str) -> None:
        """Name another system, or give it another address."""
        self._request("PUT", f"/external_systems/by-name/{_part(name)}", json={"url": url})

    def put_experiment(
        self,
        cohort: str,
        subject: str,
        label: str,
        *,
        scandate: datetime,
        workflow_label: str | None = None,
        external_ids: Mapping[str, str] | None = None,
        subject_external_ids: Mapping[str, str] | None = None,
        site: str | None = None,
        freetext: str | None = None,
        content_sha256: str | None = None,
        scandate_is_arrival: bool = False,
    ) -> ExperimentRecord:
        """Create a session, or add to what is known of it; a new one takes its first step at once.

        With another ``content_sha256`` than before, a known one begins again.
        """
        body = {
            "scandate": scandate.isoformat(),
            "workflow_label": workflow_label,
            "external_ids": dict(external_ids or {}),
            "subject_external_ids": dict(subject_external_ids or {}),
            "site": site,
            "freetext": freetext,
            "content_sha256": content_sha256,
            "scandate_is_arrival": scandate_is_arrival,
        }
        path = f"/cohorts/{_part(cohort)}/subjects/{_part(subject)}/experiments/{_part(label)}"
        return self._one(ExperimentRecord, "PUT", path, json=body)

    def experiment(self, experiment_id: int) -> ExperimentRecord:
        """Return a session."""
        return self._one(ExperimentRecord, "GET", f"/experiments/{experiment_id}")

    def find_experiment(self, cohort: str, subject: str, label: str) -> ExperimentRecord | None:
        """Return a session by its labels, None when there is none."""
        path = f"/cohorts/{_part(cohort)}/subjects/{_part(subject)}/experiments/{_part(label)}"
        try:
            return self._one(ExperimentRecord, "GET", path)
        except GovernorRejected as refused:
            if refused.status != httpx.codes.NOT_FOUND:
                raise
            return None

    def experiments(
        self,
        *,
        cohort: str | None = None,
        state: str | None = None,
        attention: str | None = None,
        text: str | None = None,
    ) -> Iterator[ExperimentSummary]:
        """Yield sessions, the newest first, page after page."""
        wanted = {"cohort": cohort, "state": state, "attention": attention, "text": text}
        yield from self._pages(ExperimentSummary, "/experiments", wanted, key="experiments")

    def actions(self, experiment_id: int) -> list[ActionRecord]:
        """Return the steps of a session, the first one first."""
        body = self._request("GET", f"/experiments/{experiment_id}/actions").json()
        return [ActionRecord.model_validate(item) for item in body["actions"]]

    def set_state(
        self, experiment_id: int, state_label: str, *, freetext: str | None = None, version: int | None = None
    ) -> StateRecord:
        """Move a session by hand along a drawn transition."""
        body = {"state_label": state_label, "freetext": freetext, "version": version}
        return self._one(StateRecord, "PUT", f"/experiments/{experiment_id}/state", json=body)

    def execution(self, execution_id: int) -> ExecutionRecord:
        """Return all that a worker needs to know of an execution."""
        return self._one(ExecutionRecord, "GET", f"/callback_executions/{execution_id}")

    def answer(
        self,
        execution_id: int,
        *,
        status: str,
        result: str | None = None,
        result_values: Mapping[str, Any] | None = None,
        run_log: str | None = None,
        attempt: int | None = None,
        flow_run_id: str | None = None,
    ) -> ExecutionRecord:
        """Report of an execution; with its ``attempt``, only while that is the latest.

        Raises
        ------
        GovernorRejected
            With `GovernorRejected.is_conflict` when the execution takes no answer any more; it was recorded.
        """
        body = {
            "status": status,
            "result": result,
            "result_values": dict(result_values) if result_values is not None else None,
            "run_log": run_log,
            "attempt": attempt,
            "flow_run_id": flow_run_id,
        }
        said = {name: value for name, value in body.items() if value is not None}
        return self._one(ExecutionRecord, "PUT", f"/callback_executions/{execution_id}", json=said)

    def put_measurement(
        self,
        experiment_id: int,
        key: str,
        *,
        name: str,
        value: float,
        unit: str,
        model: str,
        version: str,
        pedigree: Mapping[str, Any],
    ) -> MeasurementRecord:
        """Store a measurement under its key; the same again changes nothing."""
        body = {
            "name": name,
            "value": value,
            "unit": unit,
            "model": model,
            "version": version,
            "pedigree": dict(pedigree),
        }
        return self._one(MeasurementRecord, "PUT", f"/experiments/{experiment_id}/measurements/{_part(key)}", json=body)

    def measurements(
        self, *, cohort: str | None = None, experiment_id: int | None = None
    ) -> Iterator[MeasurementRecord]:
        """Yield measurements of a cohort or of one session, oldest first."""
        path = "/measurements" if experiment_id is None else f"/experiments/{experiment_id}/measurements"
        yield from self._pages(MeasurementRecord, path, {"cohort": cohort}, key="measurements")

    def put_artifact(
        self, experiment_id: int, name: str, *, kind: str, title: str, uri: str, media_type: str
    ) -> ArtifactRecord:
        """Note a file of the archive that the session's page shall show."""
        body = {"kind": kind, "title": title, "uri": uri, "media_type": media_type}
        return self._one(ArtifactRecord, "PUT", f"/experiments/{experiment_id}/artifacts/{_part(name)}", json=body)

    def artifacts(self, experiment_id: int) -> list[ArtifactRecord]:
        """Return the files that a session's page shows."""
        body = self._request("GET", f"/experiments/{experiment_id}/artifacts").json()
        return [ArtifactRecord.model_validate(item) for item in body["artifacts"]]

    def counts(self, *, cohort: str | None = None) -> list[StateCount]:
        """Return how many sessions are in each state."""
        body = self._request("GET", "/counts", params=_given({"cohort": cohort})).json()
        return [StateCount.model_validate(item) for item in body["counts"]]

    def _one(self, record: type[Record], method: str, path: str, **options: Any) -> Record:
        return record.model_validate(self._request(method, path, **options).json())

    def _pages(
        self, record: type[Record], path: str, wanted: Mapping[str, str | None], *, key: str
    ) -> Iterator[Record]:
        cursor: str | None = None
        while True:
            body = self._request("GET", path, params=_given({**wanted, "cursor": cursor})).json()
            for item in body[key]:
                yield record.model_validate(item)
            cursor = body.get("next_cursor")
            if cursor is None:
                return

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, self._base_url + path, headers=self._headers, **options)
        except httpx.TransportError as error:
            raise GovernorUnavailable("The study governor does not answer.") from error
        if response.status_code in _RETRIED:
            raise GovernorUnavailable(f"The study governor answered {response.status_code}.")
        if response.is_error:
            raise GovernorRejected(response.status_code, _problem(response))
        return response


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {"detail": f"The study governor answered {response.status_code}."}
    return body if isinstance(body, dict) else {"detail": str(body)}


def _given(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _part(label: str) -> str:
    return quote(label, safe="")
