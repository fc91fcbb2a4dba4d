"""Rows of the governor. May import SQLModel and `service_kit.tables`.

Source: the tables of studygovernor 8.1 (Erasmus MC, Apache-2.0), with the present state, its version and the actor stored.
"""

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from service_kit.outbox import OutboxColumns
from service_kit.tables import Json, UtcDateTime, service_base, utc_now

if TYPE_CHECKING:  # mypy takes no class made at run time for a base
    Base = SQLModel
else:
    Base = service_base()

_moment = cast("Any", UtcDateTime)
_json = cast("Any", Json)


class WorkflowRow(Base, table=True):
    """An imported workflow; never changed."""

    __tablename__ = "workflow"

    id: int | None = Field(default=None, primary_key=True)
    label: str = Field(max_length=100, unique=True)
    definition: str = Field(sa_type=Text)
    notices: list[str] = Field(default_factory=list, sa_type=_json)
    created_at: datetime = Field(default_factory=utc_now, sa_type=_moment)
    created_by: str = Field(max_length=100)


class StateRow(Base, table=True):
    """A state of a workflow."""

    __tablename__ = "state"
    __table_args__: ClassVar[Any] = (UniqueConstraint("workflow_id", "label"),)

    id: int | None = Field(default=None, primary_key=True)
    workflow_id: int = Field(foreign_key="workflow.id")
    position: int
    label: str = Field(max_length=100, index=True)
    freetext: str | None = Field(default=None, sa_type=Text)
    kind: str = Field(max_length=16)


class TransitionRow(Base, table=True):
    """A way from a state to another, in the order of the file."""

    __tablename__ = "transition"
    __table_args__: ClassVar[Any] = (UniqueConstraint("source_state_id", "position"),)

    id: int | None = Field(default=None, primary_key=True)
    source_state_id: int = Field(foreign_key="state.id")
    destination_state_id: int = Field(foreign_key="state.id", index=True)
    position: int
    condition: str | None = Field(default=None, sa_type=Text)


class CallbackRow(Base, table=True):
    """Work that a state starts when it is entered."""

    __tablename__ = "callback"
    __table_args__: ClassVar[Any] = (UniqueConstraint("state_id", "label"),)

    id: int | None = Field(default=None, primary_key=True)
    state_id: int = Field(foreign_key="state.id")
    position: int
    label: str = Field(max_length=128)
    function: str = Field(max_length=128)
    callback_arguments: dict[str, Any] = Field(default_factory=dict, sa_type=_json)
    variable_map: dict[str, str] = Field(default_factory=dict, sa_type=_json)
    run_timeout: int
    wait_timeout: int
    initial_delay: int
    description: str | None = Field(default=None, sa_type=Text)
    condition: str | None = Field(default=None, sa_type=Text)


class CohortRow(Base, table=True):
    """A research study, as the governor counts its sessions."""

    __tablename__ = "cohort"

    id: int | None = Field(default=None, primary_key=True)
    label: str = Field(max_length=100, unique=True)
    description: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=_moment)


class SubjectRow(Base, table=True):
    """A participant of a cohort, under the study's own label."""

    __tablename__ = "subject"
    __table_args__: ClassVar[Any] = (UniqueConstraint("cohort_id", "label"),)

    id: int | None = Field(default=None, primary_key=True)
    cohort_id: int = Field(foreign_key="cohort.id")
    label: str = Field(max_length=100)
    date_of_birth: date | None = None


class ExperimentRow(Base, table=True):
    """An imaging session: where it is, since when, and why somebody should look."""

    __tablename__ = "experiment"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("subject_id", "label"),
        Index(None, "cohort_id", "state_id", "id"),
        Index(None, "attention", "entered_at"),
        Index(None, "entered_at", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id")
    cohort_id: int = Field(foreign_key="cohort.id")
    label: str = Field(max_length=100, index=True)
    scandate: datetime = Field(sa_type=_moment)
    scandate_offset_min: int = 0
    scandate_is_arrival: bool = False
    site: str | None = Field(default=None, max_length=100)
    freetext: str | None = Field(default=None, sa_type=Text)
    workflow_id: int = Field(foreign_key="workflow.id")
    state_id: int = Field(foreign_key="state.id", index=True)
    version: int = 0
    last_action_id: int | None = None
    entered_at: datetime = Field(default_factory=utc_now, sa_type=_moment)
    attention: str | None = Field(default=None, max_length=16)
    why: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=_moment)
    content_sha256: str | None = Field(default=None, max_length=64)


class ActionRow(Base, table=True):
    """One step of a session: the audit. ``sequence`` is the session's version after it."""

    __tablename__ = "action"
    __table_args__: ClassVar[Any] = (UniqueConstraint("experiment_id", "sequence"), Index(None, "start_time"))

    id: int | None = Field(default=None, primary_key=True)
    experiment_id: int = Field(foreign_key="experiment.id")
    transition_id: int = Field(foreign_key="transition.id")
    sequence: int
    trigger: str = Field(max_length=16)
    actor: str = Field(max_length=100)
    success: bool = False
    return_value: list[dict[str, Any]] | None = Field(default=None, sa_type=_json)
    freetext: str | None = Field(default=None, sa_type=Text)
    start_time: datetime = Field(default_factory=utc_now, sa_type=_moment)
    end_time: datetime | None = Field(default=None, sa_type=_moment)


class ExecutionRow(Base, table=True):
    """One start of a callback, with its own secret."""

    __tablename__ = "callback_execution"
    __table_args__: ClassVar[Any] = (UniqueConstraint("action_id", "callback_id"),)

    id: int | None = Field(default=None, primary_key=True)
    callback_id: int = Field(foreign_key="callback.id")
    action_id: int = Field(foreign_key="action.id")
    experiment_id: int = Field(foreign_key="experiment.id", index=True)
    status: str = Field(max_length=16, index=True)
    result: str = Field(max_length=16)
    result_values: dict[str, Any] = Field(default_factory=dict, sa_type=_json)
    run_log: str | None = Field(default=None, sa_type=Text)
    result_log: str | None = Field(default=None, sa_type=Text)
    secret_key: str = Field(max_length=256)
    attempt: int = 1
    flow_run_id: str | None = Field(default=None, max_length=64)
    ordered_at: datetime | None = Field(default=None, sa_type=_moment)
    created: datetime = Field(default_factory=utc_now, sa_type=_moment)
    run_start: datetime | None = Field(default=None, sa_type=_moment)
    wait_start: datetime | None = Field(default=None, sa_type=_moment)
    finished: datetime | None = Field(default=None, sa_type=_moment)


class LateAnswerRow(Base, table=True):
    """An answer that came too late: recorded, moved nothing."""

    __tablename__ = "late_answer"

    id: int | None = Field(default=None, primary_key=True)
    execution_id: int = Field(foreign_key="callback_execution.id", index=True)
    experiment_id: int = Field(foreign_key="experiment.id", index=True)
    received_at: datetime = Field(default_factory=utc_now, sa_type=_moment)
    actor: str = Field(max_length=100)
    reason: str = Field(sa_type=Text)
    status: str = Field(max_length=16)
    result: str | None = Field(default=None, max_length=16)
    result_values: dict[str, Any] | None = Field(default=None, sa_type=_json)


class VariableRow(Base, table=True):
    """A variable of a session, which conditions read."""

    __tablename__ = "variable"
    __table_args__: ClassVar[Any] = (UniqueConstraint("experiment_id", "label"),)

    id: int | None = Field(default=None, primary_key=True)
    experiment_id: int = Field(foreign_key="experiment.id")
    label: str = Field(max_length=255)
    type: str = Field(max_length=16)
    value: str = Field(sa_type=Text)


class MeasurementRow(Base, table=True):
    """A number with its unit and its pedigree."""

    __tablename__ = "measurement"
    __table_args__: ClassVar[Any] = (UniqueConstraint("experiment_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    experiment_id: int = Field(foreign_key="experiment.id")
    key: str = Field(max_length=200)
    name: str = Field(max_length=100)
    value: float
    unit: str = Field(max_length=32)
    model: str = Field(max_length=100)
    model_version: str = Field(max_length=64)
    pedigree: dict[str, Any] = Field(default_factory=dict, sa_type=_json)
    created_at: datetime = Field(default_factory=utc_now, sa_type=_moment)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=_moment)


class ArtifactRow(Base, table=True):
    """A file in the archive that the session's page shows."""

    __tablename__ = "artifact"
    __table_args__: ClassVar[Any] = (UniqueConstraint("experiment_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    experiment_id: int = Field(foreign_key="experiment.id")
    name: str = Field(max_length=200)
    kind: str = Field(max_length=32)
    title: str = Field(max_length=200)
    uri: str = Field(max_length=1024)
    media_type: str = Field(max_length=100)
    created_at: datetime = Field(default_factory=utc_now, sa_type=_moment)


class ExternalSystemRow(Base, table=True):
    """Another system by name: XNAT, TASKMANAGER, CASTOR."""

    __tablename__ = "external_system"

    id: int | None = Field(default=None, primary_key=True)
    system_name: str = Field(max_length=100, unique=True)
    url: str = Field(max_length=512)


class ExternalIdColumns(SQLModel):
    """What something is called in another system."""

    id: int | None = Field(default=None, primary_key=True)
    system_name: str = Field(max_length=100)
    external_id: str = Field(max_length=1024)


class ExternalSubjectLinkRow(ExternalIdColumns, Base, table=True):
    """What a subject is called in another system."""

    __tablename__ = "external_subject_link"
    __table_args__: ClassVar[Any] = (UniqueConstraint("subject_id", "system_name"),)

    subject_id: int = Field(foreign_key="subject.id")


class ExternalExperimentLinkRow(ExternalIdColumns, Base, table=True):
    """What a session is called in another system."""

    __tablename__ = "external_experiment_link"
    __table_args__: ClassVar[Any] = (UniqueConstraint("experiment_id", "system_name"),)

    experiment_id: int = Field(foreign_key="experiment.id")


class Outbox(OutboxColumns, Base, table=True):
    """Work ordered in the transaction of the decision that asks for it."""

    __tablename__ = "outbox"
