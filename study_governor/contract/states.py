"""Closed sets of the governor, in the words of the study governor's REST interface. Standard library only."""

from __future__ import annotations

from enum import StrEnum


class ExecutionStatus(StrEnum):
    """Where a callback execution stands."""

    CREATED = "created"
    SKIPPED = "skipped"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    FINISHED = "finished"

    @property
    def is_resolved(self) -> bool:
        """Whether nothing more is expected of the execution.

        Examples
        --------
        >>> ExecutionStatus.WAITING.is_resolved, ExecutionStatus.SKIPPED.is_resolved
        (False, True)
        """
        return self in {ExecutionStatus.SKIPPED, ExecutionStatus.FINISHED}


class ExecutionResult(StrEnum):
    """How a callback execution ended; `NONE` until then, and for one that a move made obsolete."""

    NONE = "none"
    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"


class StateKind(StrEnum):
    """What a session does in a state; follows from the state's callbacks and transitions."""

    ROOT = "root"
    """Left at once; nothing rests here."""
    MACHINE = "machine"
    """Callbacks run."""
    PERSON = "person"
    """Callbacks ask a person."""
    OPERATOR = "operator"
    """No callbacks, but ways out: somebody must move the session."""
    END = "end"
    """No way out."""


class Attention(StrEnum):
    """Why somebody should look at a session."""

    OPERATOR = "operator"
    """The state waits for somebody to move the session."""
    STUCK = "stuck"
    """Everything in the state ended, but no transition holds."""


class Trigger(StrEnum):
    """What made a session take a step."""

    CREATED = "created"
    ANSWER = "answer"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"
    MANUAL = "manual"
    RESTARTED = "restarted"
    """More or other images of the session arrived: it goes through its workflow again."""


class ArtifactKind(StrEnum):
    """What an archived file of a session is to a reader of its page."""

    PREVIEW = "preview"
    OVERLAY = "overlay"
    MASK = "mask"
    VOLUME = "volume"
    REPORT_HTML = "report_html"
    REPORT_PDF = "report_pdf"
    MEASUREMENT = "measurement"


class VariableType(StrEnum):
    """The Python type of a session's variable, as it is stored."""

    NONE = "none"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    STR = "str"
    JSON = "json"
