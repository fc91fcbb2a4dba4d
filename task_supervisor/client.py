"""Typed HTTP client of the task supervisor, for flows and scripts. May import httpx and the contract."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from service_kit.certificates import trusted
from task_supervisor.contract.schemas import (
    CallbackOut,
    Claim,
    Renewed,
    Settled,
    TaskIn,
    TaskOut,
    TaskPage,
    TaskSummary,
    TemplateOut,
)


class SupervisorError(Exception):
    """Root of what the client raises.

    ::

        SupervisorError
        ├── SupervisorUnavailable   no answer, or one that may change: worth a retry
        └── SupervisorRejected      the request is wrong here and now: `status` and `problem` say why
    """


class SupervisorUnavailable(SupervisorError):
    """The supervisor does not answer, or says that it cannot at the moment."""


class SupervisorRejected(SupervisorError):
    """The supervisor refused.

    Attributes
    ----------
    status : int
    problem : dict
        RFC 9457 problem details.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = dict(problem)
        detail = self.problem.get("detail") or self.problem.get("title") or "no reason given"
        super().__init__(f"The task supervisor refused with {status}: {detail}")


class SupervisorClient:
    """Talks to one task supervisor.

    Parameters
    ----------
    base_url
        The supervisor's address, such as ``http://127.0.0.1:8080/tasks``.
    token
        API token; or give ``auth=(user, password)``.

    Examples
    --------
    ::

        with SupervisorClient(url, auth=("ada", password)) as supervisor:
            claim = supervisor.next()
            supervisor.submit(claim.task.id, token=claim.token, answer={"decision": "accept", "comment": ""})
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        auth: tuple[str, str] | None = None,
        timeout_s: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._client = httpx.Client(
            base_url=base_url.rstrip("/") + "/api/v1/",
            headers=headers,
            auth=auth,
            timeout=timeout_s,
            transport=transport,
            verify=trusted(),
        )

    def put_template(self, label: str, content: str) -> TemplateOut:
        """Store a template; the same text again changes nothing."""
        body = {"label": label, "content": content}
        return TemplateOut.model_validate(self._ask("POST", "task_templates", json=body))

    def create_task(self, task: TaskIn, *, idempotency_key: str | None = None) -> TaskOut:
        """Make a task, once for each key."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        body = task.model_dump(mode="json", exclude_none=True)
        return TaskOut.model_validate(self._ask("POST", "tasks", json=body, headers=headers))

    def task(self, task_id: int) -> TaskOut:
        """Return one task."""
        return TaskOut.model_validate(self._ask("GET", f"tasks/{task_id}"))

    def tasks(self, **filters: str | int | None) -> Iterator[TaskSummary]:
        """Yield all tasks that a filter lets through.

        Filters: project, template, status, user, tag, application_name, idempotency_key.
        """
        cursor: str | None = None
        while True:
            params = {name: value for name, value in {**filters, "cursor": cursor}.items() if value is not None}
            page = TaskPage.model_validate(self._ask("GET", "tasks", params=params))
            yield from page.tasks
            cursor = page.next_cursor
            if cursor is None:
                return

    def claim(self, task_id: int) -> Claim:
        """Take a task."""
        return Claim.model_validate(self._ask("POST", f"tasks/{task_id}/claim"))

    def next(self, project: str | None = None) -> Claim:
        """Take the open task that should be done next; `SupervisorRejected` with 404 when none is left."""
        return Claim.model_validate(self._ask("POST", "tasks/next", json={"project": project}))

    def renew(self, task_id: int, *, token: int) -> Renewed:
        """Let one's lease run on."""
        return Renewed.model_validate(self._ask("POST", f"tasks/{task_id}/renew", json={"token": token}))

    def release(self, task_id: int, *, token: int) -> None:
        """Give a task back to the queue."""
        self._ask("POST", f"tasks/{task_id}/release", json={"token": token})

    def submit(self, task_id: int, *, token: int, answer: Mapping[str, Any]) -> Settled:
        """Answer a task; again with the same token and answer is the same answer."""
        body = {"token": token, "answer": dict(answer)}
        return Settled.model_validate(self._ask("POST", f"tasks/{task_id}/submit", json=body))

    def abort(self, task_id: int, *, reason: str) -> Settled:
        """Take a task out of the queue."""
        return Settled.model_validate(self._ask("POST", f"tasks/{task_id}/abort", json={"reason": reason}))

    def resend(self, task_id: int) -> CallbackOut:
        """Send a task's callback again after it was given up."""
        return CallbackOut.model_validate(self._ask("POST", f"tasks/{task_id}/resend"))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        """Use the client in a ``with`` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._client.request(method, path, **options)
        except httpx.TransportError as error:
            raise SupervisorUnavailable(f"The task supervisor does not answer ({type(error).__name__}).") from error
        if response.is_success:
            return response.json() if response.content else None
        if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise SupervisorUnavailable(f"The task supervisor answered {response.status_code}; try again.")
        try:
            problem = response.json()
        except ValueError:
            problem = {}
        raise SupervisorRejected(response.status_code, problem if isinstance(problem, dict) else {})
