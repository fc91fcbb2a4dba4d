"""The port for biomarker models: what a model is asked, and what it says. May import the records of `tasks.extraction`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pydantic import Field

from tasks.extraction.records import QualityRemark
from tasks.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class MeasuredValue(Record):
    """A number a model found, with its UCUM unit."""

    name: str
    title: str
    value: float
    unit: str


class ModelOutput(Record):
    """What a model says about a volume.

    `mask_name` names the NIfTI file in the output folder that shows what was measured, on the grid of the input volume.
    """

    values: tuple[MeasuredValue, ...]
    mask_name: str
    remarks: tuple[QualityRemark, ...]
    model_version: str
    weights_sha256: dict[str, str]
    parameters: dict[str, str | float | int | bool]
    libraries: dict[str, str]
    device: str
    diagnostics: dict[str, float] = Field(default_factory=dict)


class BiomarkerModel(Protocol):
    """An algorithm that measures a volume."""

    name: str
    title: str
    resource: str
    """Label of the session resource in the archive that holds its results."""

    def measure(
        self, volume: Path, out_dir: Path, *, parameters: Mapping[str, str | float | int | bool]
    ) -> ModelOutput:
        """Measure a NIfTI volume and write the mask.

        Raises
        ------
        RejectedInput
            The volume holds nothing the model can measure.
        """
