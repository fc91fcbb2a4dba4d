"""Payloads of the governor's REST interface. May import pydantic; knows no framework.

Names as in the REST interface of studygovernor 8.1. Unknown members of an answer are ignored by the client, so that
both sides may be of different age.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field

from study_governor.contract.states import ArtifactKind, ExecutionResult, ExecutionStatus

#: A file of a session in the archive; nothing else of the archive is ever asked for on behalf of a page.
ARCHIVE_FILE = r"^/data/experiments/[A-Za-z0-9_.\-]+/(scans/[^/\s?#\\]+/)?resources/[^/\s?#\\]+/files/[^\s?#\\]+$"
#: The external system whose ids say which files of the archive are a session's.
ARCHIVE = "XNAT"
LABEL = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}$"


#: Values of JSON nest as deep as this; what nests deeper could be stored but not shown again.
MAX_DEPTH = 100


def _shallow(value: Any, *, deep: int = 0) -> Any:
    if deep > MAX_DEPTH:
        raise ValueError(f"holds values within values, more than {MAX_DEPTH} deep")
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            _shallow(member, deep=deep + 1)
    return value


Values = Annotated[dict[str, Any], AfterValidator(_shallow)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Summary(_Answer):
    """A thing by id, label and address."""

    id: int
    label: str
    uri: str


class CohortPut(_Request):
    """What may be said of a cohort; what is absent stays."""

    description: str | None = Field(default=None, max_length=4000)


class CohortPost(CohortPut):
    """A new cohort."""

    label: str = Field(pattern=LABEL)


class CohortRecord(Summary):
    """A cohort."""

    description: str | None = None
    experiment_count: int | None = None


class SubjectPost(_Request):
    """A new subject; the date of birth may stay unknown."""

    label: str = Field(pattern=LABEL)
    cohort_label: str
    date_of_birth: date | None = None


class SubjectRecord(Summary):
    """A subject."""

    cohort: Summary
    date_of_birth: date | None = None
    external_ids: dict[str, str] = Field(default_factory=dict)


class ExperimentPost(_Request):
    """A new session of a known subject."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    label: str = Field(pattern=LABEL)
    scandate: datetime
    subject_id: int
    site: str | None = Field(default=None, max_length=100)
    workflow_label: str | None = Field(default=None, validation_alias=AliasChoices("workflow_label", "workflow"))


class ExperimentPut(_Request):
    """A session with all that is known of it. The workflow of a known session never changes."""

    scandate: datetime
    scandate_is_arrival: bool = False
    """Whether the images carry no date, and the day of their arrival stands in its place."""
    workflow_label: str | None = None
    external_ids: dict[str, str] = Field(default_factory=dict, max_length=20)
    subject_external_ids: dict[str, str] = Field(default_factory=dict, max_length=20)
    site: str | None = Field(default=None, max_length=100)
    freetext: str | None = Field(default=None, max_length=4000)
    content_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """One digest over all images of the session. Another one than before lets a known session begin again."""


class ExperimentRecord(Summary):
    """A session and where it is."""

    api_uri: str
    web_uri: str
    cohort: Summary
    subject: Summary
    workflow: Summary
    scandate: datetime
    scandate_is_arrival: bool = False
    site: str | None = None
    state: str
    version: int
    entered_at: datetime
    attention: str | None = None
    why: str | None = None
    external_ids: dict[str, str] = Field(default_factory=dict)
    variable_map: dict[str, Any] = Field(default_factory=dict)


class ExperimentSummary(Summary):
    """A row of a listing of sessions."""

    web_uri: str
    cohort: str
    subject: str
    site: str | None = None
    state: str
    entered_at: datetime
    attention: str | None = None
    why: str | None = None
    scandate: datetime
    scandate_is_arrival: bool = False


class StatePut(_Request):
    """A move by hand."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    state_label: str = Field(validation_alias=AliasChoices("state_label", "state"))
    freetext: str | None = Field(default=None, max_length=4000)
    version: int | None = None


class StateRecord(_Answer):
    """Where a session is after a move."""

    state: str
    success: bool = True
    version: int


class ActionRecord(_Answer):
    """One step of a session."""

    id: int
    uri: str
    experiment: int
    source_state: str
    state: str
    trigger: str
    actor: str
    success: bool
    return_value: str | None = None
    freetext: str | None = None
    start_time: datetime
    end_time: datetime | None = None
    executions: list[ExecutionBrief] = Field(default_factory=list)


class ExecutionBrief(_Answer):
    """An execution within an action."""

    id: int
    uri: str
    callback: str
    function: str
    status: ExecutionStatus
    result: ExecutionResult
    attempt: int
    flow_run_id: str | None = None
    created: datetime
    run_start: datetime | None = None
    wait_start: datetime | None = None
    finished: datetime | None = None


class CallbackRecord(_Answer):
    """The callback of an execution."""

    id: int
    label: str
    state: str
    function: str
    callback_arguments: dict[str, Any]
    variable_map: dict[str, str]
    run_timeout: int
    wait_timeout: int
    initial_delay: int
    description: str | None = None
    condition: str | None = None


class LabelledWithIds(_Answer):
    """A cohort or subject inside an execution record."""

    id: int
    label: str
    external_ids: dict[str, str] = Field(default_factory=dict)


class ExperimentInExecution(LabelledWithIds):
    """The session inside an execution record."""

    uri: str
    web_uri: str
    scandate: datetime
    state: str
    site: str | None = None
    variable_map: dict[str, Any] = Field(default_factory=dict)


class ActionInExecution(_Answer):
    """The action inside an execution record."""

    id: int
    start_time: datetime
    actor: str
    freetext: str | None = None


class ExecutionRecord(_Answer):
    """All that a worker needs to know of an execution. The secret only for the scope ``governor:execute``."""

    id: int
    uri: str
    api_uri: str
    web_uri: str
    callback: CallbackRecord
    cohort: LabelledWithIds
    subject: LabelledWithIds
    experiment: ExperimentInExecution
    action: ActionInExecution
    external_systems: dict[str, str]
    status: ExecutionStatus
    result: ExecutionResult
    result_values: dict[str, Any]
    run_log: str | None = None
    result_log: str | None = None
    created: datetime
    run_start: datetime | None = None
    wait_start: datetime | None = None
    finished: datetime | None = None
    attempt: int
    flow_run_id: str | None = None
    is_current: bool
    secret_key: str | None = None


class ExecutionPut(_Request):
    """What is reported of an execution."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    status: ExecutionStatus | None = None
    result: ExecutionResult | None = None
    result_values: Values | None = None
    run_log: str | None = None
    result_log: str | None = None
    secret_key: str | None = None
    attempt: int | None = Field(default=None, ge=0, description="Of which attempt; an earlier one comes too late.")
    flow_run_id: str | None = Field(default=None, max_length=64, pattern=r"^[0-9A-Za-z_\-]+$")


class MeasurementPut(_Request):
    """A number with its unit and pedigree."""

    name: str = Field(max_length=100)
    value: float = Field(allow_inf_nan=False)
    unit: str = Field(max_length=32)
    model: str = Field(max_length=100)
    version: str = Field(max_length=64)
    pedigree: Values = Field(default_factory=dict)


class MeasurementRecord(MeasurementPut):
    """A stored measurement."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    key: str
    cohort: str
    subject: str
    experiment_id: int
    session: str
    state: str
    updated_at: datetime


class ArtifactPut(_Request):
    """A file in the archive that the session's page shows."""

    kind: ArtifactKind
    title: str = Field(max_length=200)
    uri: str = Field(max_length=1024, pattern=ARCHIVE_FILE)
    media_type: str = Field(max_length=100, pattern=r"^[\w.+\-]+/[\w.+\-]+$")


class ArtifactRecord(ArtifactPut):
    """A stored artifact."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    experiment_id: int


class WorkflowImport(_Request):
    """A workflow file as text."""

    workflow_definition: str
    file: str = Field(default="workflow.yaml", max_length=200)


class WorkflowImported(Summary):
    """What came of an import."""

    notices: list[str] = Field(default_factory=list)
    is_new: bool


class StateInWorkflow(_Answer):
    """A state of a workflow."""

    id: int
    label: str
    kind: str
    freetext: str | None = None
    callbacks: list[str] = Field(default_factory=list)
    destinations: list[str] = Field(default_factory=list)


class WorkflowRecord(Summary):
    """A workflow with its states."""

    notices: list[str] = Field(default_factory=list)
    created_at: datetime
    states: list[StateInWorkflow] = Field(default_factory=list)


class StateCount(_Answer):
    """How many sessions of a cohort are in a state."""

    cohort: str
    workflow: str
    state: str
    kind: str
    count: int
    attention_count: int


class ExternalSystem(_Request):
    """Where another system is."""

    url: str = Field(max_length=512, pattern=r"^https?://")


class Timeouts(_Answer):
    """How many executions were timed out."""

    run_timeouts: int
    wait_timeouts: int


ActionRecord.model_rebuild()
