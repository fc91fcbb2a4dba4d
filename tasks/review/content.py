"""Fill a task base: the JSON text of ``task_bases/`` becomes the content of one session's task.

The names are those of the study-governor language (``$EXPERIMENT_ID``, ``$SUBJECT_ID``, ``$LABEL``, ``$SYSTEM_URL``) and,
besides, ``$SESSION_URL`` and one address for each kind of artifact: ``$VOLUME_URI``, ``$MASK_URI``, ``$OVERLAY_URI``,
``$REPORT_HTML_URI`` and so on. ``$$`` is a dollar. Any other name is an error, as it is there.
"""

from __future__ import annotations

import json
from string import Template
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tasks.errors import RejectedInput
from tasks.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ReviewedSession(Record):
    """The session that a person is asked about. `artifacts` are addresses in the archive by kind of artifact."""

    label: str
    url: str
    experiment_id: str
    subject_id: str
    archive_url: str = ""
    artifacts: dict[str, str] = Field(default_factory=dict)


class ShownMeasurement(Record):
    """A number as the task page shows it."""

    name: str
    title: str = ""
    value: float
    unit: str
    remarks: tuple[str, ...] = ()


def task_content(
    base: str, session: ReviewedSession, *, measurements: Sequence[ShownMeasurement] = ()
) -> dict[str, Any]:
    """Return the content of the task for a session.

    Parameters
    ----------
    base
        Text of the task base, JSON with ``$NAMES``.
    session
        What the names stand for.
    measurements
        The numbers to be looked at; they become the key ``measurements``, unless the base has written its own.

    Raises
    ------
    RejectedInput
        The base asks for something that the session does not have, or is not JSON.
    """
    values = {
        "EXPERIMENT_ID": session.experiment_id,
        "SUBJECT_ID": session.subject_id,
        "LABEL": session.label,
        "SYSTEM_URL": session.archive_url,
        "SESSION_URL": session.url,
    } | {f"{kind.upper()}_URI": uri for kind, uri in session.artifacts.items()}
    try:
        text = Template(base).substitute(_json_texts(values))
    except KeyError as error:
        raise RejectedInput(
            f"The task base asks for ${error.args[0]}, which session {session.label} does not have; there are: "
            f"{', '.join(sorted(values))}."
        ) from error
    except ValueError as error:
        raise RejectedInput(f"The task base holds a lone dollar sign: {error}.") from error
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise RejectedInput(f"The task base is no JSON: line {error.lineno}, {error.msg}.") from error
    if not isinstance(content, dict):
        raise RejectedInput("The task base must be a JSON object.")
    content.setdefault("measurements", [one.model_dump(mode="json") for one in measurements])
    return content


def _json_texts(values: Mapping[str, str]) -> dict[str, str]:
    """Escape values for the inside of a JSON string."""
    return {name: json.dumps(value)[1:-1] for name, value in values.items()}
