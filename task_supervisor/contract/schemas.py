"""Payloads of the REST interface, version 1. Imports pydantic and the states only.

Names follow the Task Supervisor's own interface (`uri`, `project`, `callback_url` …); `lease`, `web_uri`, `callback`
and cursors are additions.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from task_supervisor.contract.states import CallbackStatus, TaskStatus

Label = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Url = Annotated[str, StringConstraints(max_length=512)]
Answer = dict[str, Any]


class TemplateIn(BaseModel):
    """A ViewR template as text, YAML or JSON."""

    label: Label
    content: Annotated[str, StringConstraints(max_length=1_000_000)]


class TemplateOut(BaseModel):
    """The newest version of a template."""

    uri: str
    label: str
    content: str
    version: int
    remarks: list[str] = Field(default_factory=list)


class TemplateList(BaseModel):
    """URIs of all templates, by label."""

    task_templates: list[str]


class TaskIn(BaseModel):
    """A new task. `project` is the study."""

    project: Label
    template: Label
    content: Any
    callback_url: Url | None = None
    callback_content: Any = None
    generator_url: Url | None = None
    tracking_id: Annotated[str, StringConstraints(max_length=100)] | None = None
    site: Annotated[str, StringConstraints(max_length=64)] | None = None
    tags: list[Annotated[str, StringConstraints(min_length=1, max_length=64)]] = Field(default_factory=list)
    users: list[Label] = Field(default_factory=list)
    groups: list[Label] = Field(default_factory=list)
    application_name: Annotated[str, StringConstraints(max_length=64)] | None = None
    application_version: Annotated[str, StringConstraints(max_length=32)] | None = None


class LeaseOut(BaseModel):
    """Who works on a task, until when. `token` and `holder` are for the holder and the study's coordinators."""

    is_own: bool
    expires_at: datetime
    token: int | None = None
    holder: str | None = None


class CallbackOut(BaseModel):
    """How far the answer is on its way to whoever ordered the task."""

    status: CallbackStatus
    attempts: int = 0
    last_error: str | None = None


class TaskSummary(BaseModel):
    """A task in a listing."""

    id: int
    uri: str
    url: str
    web_uri: str
    project: str
    site: str | None
    template: str
    status: TaskStatus
    tags: list[str]
    create_time: datetime
    update_time: datetime
    lease: LeaseOut | None


class TaskOut(TaskSummary):
    """A whole task. What would undo blinding (callback, generator, tracking id) is for coordinators only."""

    template_version: int
    content: Any
    users: list[str]
    groups: list[str]
    application_name: str | None
    application_version: str | None
    tracking_id: str | None = None
    generator_url: str | None = None
    callback_url: str | None = None
    callback_content: Any = None
    callback: CallbackOut | None = None
    answer: Answer | None = None
    answered_at: datetime | None = None


class TaskPage(BaseModel):
    """One page of tasks; `total_tasks` counts all that the filter lets through."""

    tasks: list[TaskSummary]
    total_tasks: int
    limit: int
    offset: int = 0
    next_cursor: str | None = None


class Claim(BaseModel):
    """A lease just given. Every later call names `token`; `expires_in_s` spares one the comparison of clocks."""

    token: int
    expires_at: datetime
    expires_in_s: float
    task: TaskOut


class NextIn(BaseModel):
    """Which task to claim next."""

    project: Label | None = None


class TokenIn(BaseModel):
    """The fencing token of one's lease."""

    model_config = ConfigDict(extra="forbid")

    token: int


class Renewed(BaseModel):
    """The lease goes on."""

    token: int
    expires_at: datetime
    expires_in_s: float


class AnswerIn(BaseModel):
    """An answer, with the fencing token of one's lease."""

    model_config = ConfigDict(extra="forbid")

    token: int
    answer: Answer


class DraftIn(BaseModel):
    """An answer not yet given, kept for its author."""

    model_config = ConfigDict(extra="forbid")

    answer: Answer


class AbortIn(BaseModel):
    """Why a task is taken out of the queue without an answer."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Settled(BaseModel):
    """What became of a task."""

    id: int
    uri: str
    status: TaskStatus
    revision: int | None = None


class Kept(BaseModel):
    """A draft was stored."""

    status: Literal["kept"] = "kept"
    updated_at: datetime
