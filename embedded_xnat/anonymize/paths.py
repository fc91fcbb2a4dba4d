"""Paths to elements inside sequences, as DicomEdit 6 writes them. Pure.

::

    (0012,0064)[0]/(0008,0104)        in the first item of a sequence
    (0012,0064)[%]/(0008,0104)        in each of its items
    * / (0010,0010)                   at the top and in every sequence, however deep
    + / (0010,0010)                   in every sequence, not at the top
    . / (0010,0010)                   in the sequences at the top, not deeper
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAX_STEPS = 20
#: What is in a file's header as no sequence has no items; None and UN are known when the element is read.
_MAY_BE_SEQUENCE = frozenset({None, "SQ", "UN"})


class Levels(StrEnum):
    """A step over sequences that are not named."""

    ANY = "*"
    SOME = "+"
    ONE = "."


@dataclass(frozen=True)
class Into:
    """A step into a sequence.

    Parameters
    ----------
    item
        Counted from 0; None for each.
    """

    tag: int
    item: int | None = None


Step = Into | Levels


def can_be_top(steps: Sequence[Step]) -> bool:
    """Tell whether a path may lead to an element outside of all sequences.

    Examples
    --------
    >>> can_be_top([]), can_be_top([Levels.ANY]), can_be_top([Levels.SOME])
    (True, True, False)
    """
    return all(step is Levels.ANY for step in steps)


def places(ds: "Dataset", steps: Sequence[Step]) -> Iterator["Dataset"]:
    """Yield the data sets that a path leads to: the header itself, or items of sequences; each once."""
    if not steps:
        yield ds
        return
    step, rest = steps[0], steps[1:]
    if isinstance(step, Into):
        items = _items(ds, step.tag)
        chosen = items if step.item is None else items[step.item : step.item + 1]
        for item in chosen:
            yield from places(item, rest)
        return
    if step is Levels.ANY:
        yield from places(ds, rest)
    deeper = rest if step is Levels.ONE else (Levels.ANY, *rest)
    for tag in list(ds.keys()):
        for item in _items(ds, int(tag)):
            yield from places(item, deeper)


def _items(ds: "Dataset", tag: int) -> list["Dataset"]:
    if tag not in ds or ds.get_item(tag).VR not in _MAY_BE_SEQUENCE:
        return []
    element = ds[tag]
    return list(element.value) if element.VR == "SQ" and element.value else []
