"""The port for biomarker models, and the table of those that are installed.

A model is a class with `name` and `measure`. Ours are listed here; another package adds its own through the entry point
group ``cohortflow.biomarker_models``. A study names a model, and only a model of this table is ever loaded: nothing is
imported by a name found in a database or a request.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol

from pydantic import Field

from tasks.errors import RejectedInput
from tasks.extraction.records import QualityRemark
from tasks.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ENTRY_POINT_GROUP = "cohortflow.biomarker_models"


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


class ModelUnknown(RejectedInput):
    """A study names a model that is not installed.

    Parameters
    ----------
    name
        The name given.
    known
        The names there are.
    """

    def __init__(self, name: str, *, known: tuple[str, ...]) -> None:
        super().__init__(f"There is no model {name!r}; installed are: {', '.join(known)}.")
        self.name = name
        self.known = known


def model_names() -> tuple[str, ...]:
    """Return the names of every installed model; loads none of them."""
    return tuple(sorted(_factories()))


def load_model(name: str) -> BiomarkerModel:
    """Make a model by its name.

    Raises
    ------
    ModelUnknown
    """
    factories = _factories()
    if name not in factories:
        raise ModelUnknown(name, known=tuple(sorted(factories)))
    return factories[name]()


def _factories() -> dict[str, Callable[[], BiomarkerModel]]:
    factories: dict[str, Callable[[], BiomarkerModel]] = {"brain_tiv": _brain_tiv}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        factories.setdefault(point.name, lambda point=point: point.load()())  # type: ignore[misc]
    return factories


def _brain_tiv() -> BiomarkerModel:
    try:
        from tasks.extraction.backends.brain_tiv import BrainTiv
    except ImportError as error:
        message = "Model brain_tiv needs the packages of the extra 'extraction': pip install 'cohortflow[extraction]'."
        raise ImportError(message) from error
    return BrainTiv()
