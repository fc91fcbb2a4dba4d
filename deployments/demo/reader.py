"""A reader's script: claims open review tasks over REST and accepts them. Imports the supervisor's client.

It uses nothing but the public interface and an annotator's log-in, so it may serve as a pattern for one's own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx

from task_supervisor.client import SupervisorClient, SupervisorRejected

if TYPE_CHECKING:
    from collections.abc import Callable


def accept_open_tasks(supervisor: SupervisorClient, project: str, *, is_ours: Callable[[str], bool]) -> int:
    """Accept every open task of a project whose session is ours; give how many.

    Parameters
    ----------
    supervisor
        A client logged in as an annotator.
    is_ours
        Asked with the label of a task's session; what is somebody else's stays untouched.
    """
    answered = 0
    for row in supervisor.tasks(project=project, status="queued"):
        if not is_ours(session_of(supervisor.task(row.id).content)):
            continue
        try:
            claim = supervisor.claim(row.id)
        except SupervisorRejected as error:
            if error.status != httpx.codes.CONFLICT:
                raise
            continue  # somebody else was quicker
        answer = {"decision": "accept", "comment": "Accepted by the demonstration's script."}
        supervisor.submit(row.id, token=claim.token, answer=answer)
        answered += 1
    return answered


def session_of(content: Any) -> str:
    """Give the label of the session that a task's content is about; empty when it names none.

    Examples
    --------
    >>> session_of({"session": {"label": "BV-001_MR"}})
    'BV-001_MR'
    """
    if isinstance(content, str):
        content = json.loads(content)
    return str((content or {}).get("session", {}).get("label", ""))
