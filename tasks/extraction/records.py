"""What goes into an extraction and what comes out: small frozen values that travel to a worker and back."""

from __future__ import annotations

import datetime as dt
import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field

from tasks.records import Record
from tasks.series import Instance, SeriesRecord


class Gravity(StrEnum):
    """How much a remark weighs."""

    NOTE = "note"
    CHECK = "check"
    """A person should look at it before the number is used."""
    FAULT = "fault"
    """The number is not to be used."""


class QualityRemark(Record):
    """A sentence about a measurement that a person should know."""

    gravity: Gravity
    text: str


class InputVolume(Record):
    """The volume that was measured, down to the instances it was made from."""

    scan_id: str
    scan_type: str
    series_instance_uid: str
    instances: tuple[Instance, ...]
    volume_name: str
    volume_sha256: str
    converter: str

    @property
    def instances_sha256(self) -> str:
        """One digest over all instances: of the lines ``UID SHA-256``, in order of the UIDs."""
        lines = sorted(f"{one.sop_instance_uid} {one.sha256}\n" for one in self.instances)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


class Pedigree(Record):
    """How a number came about; enough to compute it again."""

    input: InputVolume
    model: str
    model_version: str
    weights_sha256: dict[str, str]
    parameters: dict[str, str | float | int | bool]
    code_version: str
    libraries: dict[str, str]
    device: str
    started: dt.datetime
    duration_s: float
    diagnostics: dict[str, float]

    def summary(self) -> dict[str, Any]:
        """Return the pedigree with its instances as one digest and a count: what a page and a table can hold."""
        content = self.model_dump(mode="json")
        content["input"] |= {"instances": len(self.input.instances), "instances_sha256": self.input.instances_sha256}
        return content


class Measurement(Record):
    """A named number with its unit (UCUM) and pedigree."""

    name: str
    title: str
    value: float
    unit: str
    remarks: tuple[QualityRemark, ...]
    pedigree: Pedigree

    @property
    def key(self) -> str:
        """What makes a measurement the same one in a session: model and name."""
        return f"{self.pedigree.model}.{self.name}"


class ExtractionRequest(Record):
    """What a worker is asked to measure. `volume` and the work folder must be readable from the worker."""

    study: str
    study_title: str
    session_label: str
    subject_label: str
    model: str
    parameters: dict[str, str | float | int | bool]
    series: SeriesRecord
    scan_id: str
    scan_type: str
    volume: Path
    converter: str
    reason: str
    """Why this scan was chosen."""
    remarks: tuple[str, ...] = ()
    """What is already known about the scan."""


class Outcome(StrEnum):
    """How an extraction ends, in the words of the workflow."""

    MEASURED = "measured"
    NOT_RELEVANT = "not_relevant"


class ExtractionResult(Record):
    """What a worker found, and the files it wrote."""

    outcome: Outcome
    reason: str
    measurements: tuple[Measurement, ...] = ()
    resource: str = ""
    files: dict[str, Path] = Field(default_factory=dict)
    """Files for the archive, by name."""
