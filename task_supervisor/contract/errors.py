"""What can go wrong with tasks, templates and answers. Imports `service_kit.errors` and the states only.

Tree::

    ServiceError
    +-- NotFound
    |   +-- TaskUnknown            no such task, or not for this person
    |   +-- TemplateUnknown
    |   +-- FileUnknown            the task has no such file
    |   +-- NothingToClaim         the queue is empty for this person
    +-- Conflict
    |   +-- TaskHeld               somebody works on it
    |   +-- TaskSettled            done or aborted; nothing more can happen
    |   +-- KeyTaken               the idempotency key is another task's
    |   +-- LeaseLost              the token is not the newest one
    +-- Forbidden
    |   +-- NotAssigned            the task is for other people
    +-- InvalidInput
    |   +-- AnswerRefused          the form does not allow this answer
    |   +-- TemplateRefused        the text is no ViewR template
    |   +-- CallbackRefused        the address is not on the allow-list
    |   +-- CallbackUnusable       the receiver will never take it
    |   +-- ContentRefused         the content is not what pages can show
    +-- Unavailable
        +-- CallbackPostponed      the receiver does not answer; tried again later

No sentence names a person or a value of an image.
"""

from collections.abc import Sequence
from datetime import datetime

from service_kit.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable


class TaskUnknown(NotFound):
    """There is no such task, or the caller may not know of it."""

    def __init__(self, task_id: int) -> None:
        self.task_id = task_id
        super().__init__(f"There is no task {task_id} among those that you may see.")


class TemplateUnknown(NotFound):
    """No template has this label."""

    def __init__(self, label: str) -> None:
        self.label = label
        super().__init__(f"There is no template {label!r}. Add it with POST /api/v1/task_templates first.")


class FileUnknown(NotFound):
    """The task shows no file of this number."""

    def __init__(self, task_id: int, number: int) -> None:
        self.task_id = task_id
        self.number = number
        super().__init__(f"Task {task_id} has no file {number}.")


class KeyTaken(Conflict):
    """The idempotency key made a task of another study, or one that the caller may not see."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another task. Send the task with a key of its own.")


class NothingToClaim(NotFound):
    """No open task is left for this person."""

    def __init__(self, project: str | None) -> None:
        self.project = project
        where = "" if project is None else f" in the study {project}"
        super().__init__(f"No open task is left for you{where}.")


class TaskHeld(Conflict):
    """Somebody works on the task."""

    def __init__(self, task_id: int, *, is_own: bool, expires_at: datetime) -> None:
        self.task_id = task_id
        self.is_own = is_own
        self.expires_at = expires_at
        who = "You hold" if is_own else "Another person holds"
        super().__init__(f"{who} task {task_id} until {expires_at:%H:%M} UTC. Take another one, or wait.")


class TaskSettled(Conflict):
    """The task is done or aborted."""

    def __init__(self, task_id: int, *, status: str, draft_kept: bool = False) -> None:
        self.task_id = task_id
        self.status = status
        self.draft_kept = draft_kept
        kept = " Your answer was not sent; it is kept as a draft." if draft_kept else ""
        super().__init__(f"Task {task_id} is {status} already; nothing more can happen to it.{kept}")


class LeaseLost(Conflict):
    """The token is not the newest one: the lease was given back, or ran out and somebody else claimed the task."""

    def __init__(self, task_id: int, *, is_held: bool, draft_kept: bool = False) -> None:
        self.task_id = task_id
        self.is_held = is_held
        self.draft_kept = draft_kept
        now = "another person holds the task now" if is_held else "the task is open; claim it again to go on"
        kept = " Your answer was not sent; it is kept as a draft." if draft_kept else ""
        super().__init__(f"Your claim on task {task_id} has ended: {now}.{kept}")


class NotAssigned(Forbidden):
    """The task is for other people."""

    def __init__(self, task_id: int) -> None:
        self.task_id = task_id
        super().__init__(f"Task {task_id} is not for you to answer: it asks for an annotator of its study and site.")


class AnswerRefused(InvalidInput):
    """The form does not allow this answer."""

    def __init__(self, mistakes: Sequence[str], *, draft_kept: bool = False) -> None:
        self.mistakes = tuple(mistakes)
        self.draft_kept = draft_kept
        super().__init__("The answer does not fit the form: " + "; ".join(self.mistakes) + ".")


class TemplateRefused(InvalidInput):
    """The text is no ViewR template."""

    def __init__(self, label: str, mistakes: Sequence[str]) -> None:
        self.label = label
        self.mistakes = tuple(mistakes)
        super().__init__(f"The template {label!r} cannot be used: " + "; ".join(self.mistakes) + ".")


class CallbackRefused(InvalidInput):
    """The callback address is not on the allow-list."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self.allowed = tuple(allowed)
        places = ", ".join(self.allowed) or "no address at all"
        super().__init__(f"The callback_url is not on the allow-list of this supervisor ({places}).")


class CallbackUnusable(InvalidInput):
    """The receiver will never take the callback as it is."""

    def __init__(self, task_id: int, reason: str) -> None:
        self.task_id = task_id
        self.reason = reason
        super().__init__(f"The callback of task {task_id} was refused: {reason}.")


class ContentRefused(InvalidInput):
    """The content of a task is not what pages can show."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The content of the task cannot be shown: {reason}.")


class CallbackPostponed(Unavailable):
    """The receiver of a callback does not answer; the outbox tries again."""

    def __init__(self, task_id: int, reason: str) -> None:
        self.task_id = task_id
        self.reason = reason
        super().__init__(f"The callback of task {task_id} is tried again: {reason}.")
