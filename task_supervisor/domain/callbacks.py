"""What is sent to whoever ordered a task, and where to it may go. Pure; standard library and the contract only."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from task_supervisor.contract.errors import ContentRefused

BLANK: Final = "********"
_PORTS: Final = {"http": 80, "https": 443}
_SECRETS: Final = ("secret", "token", "password", "key")


def is_allowed(url: str, allowed: Sequence[str]) -> bool:
    """Tell whether a callback address lies below one of the allowed ones.

    Examples
    --------
    >>> is_allowed("http://127.0.0.1:8080/api/v2/callback_executions/7", ["http://127.0.0.1:8080"])
    True
    >>> is_allowed("http://127.0.0.1:8080@elsewhere.example/", ["http://127.0.0.1:8080"])
    False
    """
    target = _place(url)
    if target is None:
        return False
    for base in map(_place, allowed):
        if base is not None and target[:3] == base[:3] and (target[3] + "/").startswith(base[3].rstrip("/") + "/"):
            return True
    return False


def _place(url: str) -> tuple[str, str, int, str] | None:
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None or parts.password is not None:
        return None
    path = unquote(parts.path)
    if ".." in path.split("/") or "\\" in path:
        return None
    return parts.scheme, parts.hostname.lower(), port or _PORTS[parts.scheme], path


def content_object(content: Any) -> dict[str, Any]:
    """Read the callback's content, an object or its JSON text.

    Raises
    ------
    ContentRefused
        If it is something else.
    """
    if content is None or content == "":
        return {}
    if isinstance(content, str):
        try:
            content = json.loads(content)
        except json.JSONDecodeError as error:
            raise ContentRefused("callback_content is no JSON object") from error
    if not isinstance(content, dict):
        raise ContentRefused("callback_content is no JSON object")
    return content


def blanked(content: Any) -> Any:
    """Return the callback's content with its secrets blanked; the keys stay, for clients ask for them.

    Examples
    --------
    >>> blanked({"status": "finished", "secret_key": "abc"})
    {'status': 'finished', 'secret_key': '********'}
    """
    if not isinstance(content, Mapping):
        return content
    return {
        name: BLANK if any(word in name.lower() for word in _SECRETS) and value else blanked(value)
        for name, value in content.items()
    }


def done_body(
    content: Mapping[str, Any], *, answer: Mapping[str, Any], values: Mapping[str, Any], uri: str, answered_by: str
) -> dict[str, Any]:
    """Build the body that reports an answer: the ordered content, with the answer merged into `result_values`.

    Parameters
    ----------
    values
        The answer's values by field name, containers dissolved.
    answered_by
        User name of the reader.
    """
    own = content.get("result_values")
    result_values = dict(own) if isinstance(own, Mapping) else {}
    result_values |= {
        "decision": values.get("decision"),
        "comment": values.get("comment"),
        "answer": dict(answer),
        "answered_by": answered_by,
        "task_uri": uri,
    }
    return {"status": "finished", "result": "success", **content, "result_values": result_values}


def aborted_body(content: Mapping[str, Any], *, reason: str, uri: str) -> dict[str, Any]:
    """Build the body that reports a task taken out of the queue: the execution failed, and why."""
    return {
        **content,
        "status": "finished",
        "result": "failed",
        "run_log": f"The task was aborted: {reason}",
        "result_values": {"task_uri": uri},
    }
