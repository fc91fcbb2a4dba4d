"""Rows of the supervisor's database. May import SQLModel and `service_kit`.

Content and callback content are kept as the text that came; everything a page shows is read from them at reading.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Column, ForeignKey, Integer, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from service_kit.outbox import OutboxColumns
from service_kit.tables import Json, UtcDateTime, service_base, utc_now
from task_supervisor.contract.states import TaskStatus

if TYPE_CHECKING:  # mypy takes no class made at run time for a base
    Base = SQLModel
else:
    Base = service_base()

_MOMENT = cast("Any", UtcDateTime)
_JSON = cast("Any", Json)


def _reference(target: str, *, primary_key: bool = False, index: bool = True) -> Any:
    return Field(
        sa_column=Column(Integer, ForeignKey(target), primary_key=primary_key, nullable=False, index=index or None)
    )


class TemplateRow(Base, table=True):
    """A template by its label."""

    __tablename__ = "task_template"

    id: int | None = Field(default=None, primary_key=True)
    label: str = Field(max_length=64, unique=True)
    created_at: datetime = Field(default_factory=utc_now, sa_type=_MOMENT)


class TemplateVersionRow(Base, table=True):
    """One text of a template; tasks keep the version they were made with."""

    __tablename__ = "task_template_version"
    __table_args__ = (UniqueConstraint("template_id", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    template_id: int = _reference("task_template.id", index=False)
    version: int
    content: str = Field(sa_type=Text)
    sha256: str = Field(max_length=64)
    created_by: str = Field(max_length=64)
    created_at: datetime = Field(default_factory=utc_now, sa_type=_MOMENT)


class TaskRow(Base, table=True):
    """A task with its lease."""

    __tablename__ = "task"

    id: int | None = Field(default=None, primary_key=True)
    project: str = Field(max_length=64, index=True)
    site: str | None = Field(default=None, max_length=64)
    template_version_id: int = _reference("task_template_version.id")
    content: str = Field(sa_type=Text)
    status: str = Field(default=TaskStatus.QUEUED.value, max_length=16, index=True)
    lease_token: int = 0
    lease_holder: str | None = Field(default=None, max_length=64, index=True)
    lease_expires_at: datetime | None = Field(default=None, sa_type=_MOMENT)
    tracking_id: str | None = Field(default=None, max_length=100)
    generator_url: str | None = Field(default=None, max_length=512)
    callback_url: str | None = Field(default=None, max_length=512)
    callback_content: str = Field(default="", sa_type=Text)
    application_name: str | None = Field(default=None, max_length=64)
    application_version: str | None = Field(default=None, max_length=32)
    idempotency_key: str | None = Field(default=None, max_length=200, unique=True)
    created_by: str = Field(max_length=64)
    create_time: datetime = Field(default_factory=utc_now, sa_type=_MOMENT)
    update_time: datetime = Field(default_factory=utc_now, sa_type=_MOMENT)
    settled_at: datetime | None = Field(default=None, sa_type=_MOMENT)
    abort_reason: str | None = Field(default=None, max_length=500)


class LabelRow(Base, table=True):
    """A tag, an assigned user or an assigned group of a task."""

    __tablename__ = "task_label"

    task_id: int = _reference("task.id", primary_key=True, index=False)
    kind: str = Field(primary_key=True, max_length=8)
    name: str = Field(primary_key=True, max_length=64, index=True)


class AnswerRow(Base, table=True):
    """An answer that was accepted. Appended, never changed."""

    __tablename__ = "answer"
    __table_args__ = (UniqueConstraint("task_id", "revision"),)

    id: int | None = Field(default=None, primary_key=True)
    task_id: int = _reference("task.id", index=False)
    revision: int
    username: str = Field(max_length=64, index=True)
    lease_token: int
    answer: dict[str, Any] = Field(sa_type=_JSON)
    template_version_id: int = _reference("task_template_version.id", index=False)
    submitted_at: datetime = Field(default_factory=utc_now, sa_type=_MOMENT)


class DraftRow(Base, table=True):
    """What somebody wrote and did not, or could not, submit."""

    __tablename__ = "draft"

    task_id: int = _reference("task.id", primary_key=True, index=False)
    username: str = Field(primary_key=True, max_length=64)
    answer: dict[str, Any] = Field(sa_type=_JSON)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=_MOMENT)


class EventRow(Base, table=True):
    """Who did what to a task, when. Appended, never changed."""

    __tablename__ = "task_event"

    id: int | None = Field(default=None, primary_key=True)
    task_id: int = _reference("task.id")
    at: datetime = Field(default_factory=utc_now, sa_type=_MOMENT)
    actor: str = Field(max_length=64)
    kind: str = Field(max_length=24)
    detail: str = Field(default="", max_length=600)


class OutboxRow(OutboxColumns, Base, table=True):
    """Callbacks to be sent, ordered in the transaction of the answer."""

    __tablename__ = "outbox"
