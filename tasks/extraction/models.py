"""The table of the biomarker models that are installed.

A model is a class that fits the port `tasks.extraction.port.BiomarkerModel`. Ours are listed here; another package adds
its own through the entry point group ``cohortflow.biomarker_models``. A study names a model, and only a model of this
table is ever loaded: nothing is imported by a name found in a database or a request.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from tasks.errors import RejectedInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from tasks.extraction.port import BiomarkerModel

ENTRY_POINT_GROUP = "cohortflow.biomarker_models"


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
