"""Rows about the site and its events: settings, configurations, access requests, receivers, workflows, custom forms, subscriptions and what became of them.

May import SQLModel and `service_kit`.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field

from embedded_xnat.db.tables import Base
from service_kit.outbox import OutboxColumns
from service_kit.tables import Json, UtcDateTime, utc_now

__all__ = [
    "AccessRequestRow",
    "ConfigurationRow",
    "CustomFormRow",
    "CustomValueRow",
    "DeliveryRow",
    "EventOrderRow",
    "ReceiverRow",
    "SiteSettingRow",
    "SubscriptionRow",
    "WorkflowRow",
]


class SiteSettingRow(Base, table=True):
    """A setting of the site that somebody changed."""

    __tablename__ = "site_setting"

    name: str = Field(primary_key=True, max_length=200)
    value: Any = Field(default=None, sa_type=Json, nullable=True)


class ConfigurationRow(Base, table=True):
    """A text that a tool is configured by; each change makes another version.

    Attributes
    ----------
    project_id
        Project it is for; empty for the site.
    """

    __tablename__ = "configuration"
    __table_args__ = (UniqueConstraint("project_id", "tool", "path", "version"), {"sqlite_autoincrement": True})

    number: int | None = Field(default=None, primary_key=True)
    project_id: str = Field(default="", max_length=200)
    tool: str = Field(max_length=100)
    path: str = Field(max_length=500)
    version: int
    contents: str = Field(sa_type=Text)
    is_enabled: bool = True
    reason: str = Field(default="", max_length=500)
    created_by: str = Field(max_length=64)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class AccessRequestRow(Base, table=True):
    """Somebody's wish to be let into a project, and what came of it."""

    __tablename__ = "access_request"

    number: int | None = Field(default=None, primary_key=True)
    project_id: str = Field(foreign_key="project.id", max_length=200, index=True)
    username: str = Field(max_length=64, index=True)
    role: str = Field(max_length=16)
    status: str = Field(default="open", max_length=16)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    decided_by: str | None = Field(default=None, max_length=64)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class CustomFormRow(Base, table=True):
    """A custom form: what a browser would draw for the values below."""

    __tablename__ = "custom_form"

    form_id: str = Field(primary_key=True, max_length=64)
    document: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    created_by: str = Field(max_length=64)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class CustomValueRow(Base, table=True):
    """A value of an object under a key of a custom form."""

    __tablename__ = "custom_value"
    __table_args__ = (UniqueConstraint("owner_kind", "owner_number", "key"),)

    number: int | None = Field(default=None, primary_key=True)
    owner_kind: str = Field(max_length=20)
    owner_number: int
    key: str = Field(max_length=200)
    value: Any = Field(default=None, sa_type=Json, nullable=True)


class SubscriptionRow(Base, table=True):
    """A subscription: which events call which action.

    Attributes
    ----------
    project_ids
        Projects it is for; empty for all of the site.
    attributes
        What the action needs, such as the address of a webhook.
    """

    __tablename__ = "event_subscription"
    __table_args__: ClassVar[dict[str, Any]] = {"sqlite_autoincrement": True}

    number: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=200)
    is_active: bool = True
    event_type: str = Field(max_length=100)
    event_status: str | None = Field(default=None, max_length=16)
    project_ids: list[str] = Field(default_factory=list, sa_type=Json)
    payload_filter: str | None = Field(default=None, sa_type=Text)
    action_key: str = Field(max_length=200)
    attributes: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    act_as_event_user: bool = False
    created_by: str = Field(max_length=64)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    modified_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class DeliveryRow(Base, table=True):
    """An event that met a subscription, and what became of it."""

    __tablename__ = "event_delivery"
    __table_args__: ClassVar[dict[str, Any]] = {"sqlite_autoincrement": True}

    number: int | None = Field(default=None, primary_key=True)
    subscription_number: int = Field(index=True)
    subscription_name: str = Field(max_length=200)
    action_key: str = Field(max_length=200)
    event_type: str = Field(max_length=100)
    event_status: str = Field(max_length=16)
    project_id: str | None = Field(default=None, max_length=200, index=True)
    payload: dict[str, Any] | None = Field(default=None, sa_type=Json)
    status: str = Field(default="ACTION_CALLED", max_length=24)
    message: str | None = Field(default=None, sa_type=Text)
    triggered_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class EventOrderRow(OutboxColumns, Base, table=True):
    """An action that is to be done, ordered with the change that called for it."""

    __tablename__ = "event_order"


class ReceiverRow(Base, table=True):
    """A DICOM receiver as an administrator describes it.

    Attributes
    ----------
    project_rules, subject_rules, session_rules
        Routing expressions (`embedded_xnat.domain.routing_rules`).
    """

    __tablename__ = "receiver"
    __table_args__ = (UniqueConstraint("ae_title", "port"), {"sqlite_autoincrement": True})

    number: int | None = Field(default=None, primary_key=True)
    ae_title: str = Field(max_length=16)
    port: int
    identifier: str = Field(max_length=100)
    is_enabled: bool = True
    has_custom_processing: bool = False
    is_direct: bool = False
    is_anonymized: bool = True
    has_whitelist: bool = False
    whitelist: list[str] = Field(default_factory=list, sa_type=Json)
    has_rules: bool = False
    project_rules: str = Field(default="", sa_type=Text)
    subject_rules: str = Field(default="", sa_type=Text)
    session_rules: str = Field(default="", sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    modified_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class WorkflowRow(Base, table=True):
    """What was done to an object: as a pipeline or script says of its work, or as the server notes itself.

    Attributes
    ----------
    owner_kind, owner_id
        The object: a project, subject or experiment. It may be gone.
    is_own
        Whether the server noted it; nobody changes it then.
    """

    __tablename__ = "workflow"
    __table_args__ = (
        Index("ix_workflow_owner_kind_owner_id", "owner_kind", "owner_id"),
        Index("ix_workflow_external_id_number", "external_id", "number"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True)
    owner_kind: str = Field(max_length=20)
    owner_id: str = Field(max_length=200)
    data_type: str = Field(max_length=100)
    external_id: str = Field(max_length=200)
    pipeline_name: str = Field(max_length=500)
    is_own: bool = False
    data: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    created_by: str = Field(max_length=64)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    modified_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
