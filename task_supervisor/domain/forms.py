"""The form of a task as read from its ViewR template: one neutral model for the page and for checking answers.

Plain frozen values; imports pydantic and the sibling `expressions` only.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from task_supervisor.domain.expressions import Tree


class Control(StrEnum):
    """The 17 controls of the template language."""

    TABS = "TabsWidget"
    BOX = "BoxWidget"
    LISTING = "ListingWidget"
    CHECK = "CheckBox"
    NUMBER = "NumberEdit"
    COMBO = "ComboBox"
    RADIO = "RadioButtonGroup"
    LINE = "LineEdit"
    TEXT = "TextBox"
    CONVERSATION = "ConversationWidget"
    JSON = "JSONDisplay"
    MARKER_EDIT = "MarkerEdit"
    MARKER_VIEW = "MarkerView"
    LANDMARKS = "Landmarks"
    CSO = "CSOEdit"
    SCORE = "CalculatedScore"
    VALIDATION = "ValidationControl"


CONTAINERS = frozenset({Control.TABS, Control.BOX})
#: Shown by the desktop program only; the page says so, and their answers pass through unread.
DESKTOP_ONLY = frozenset(
    {
        Control.LISTING,
        Control.CONVERSATION,
        Control.MARKER_EDIT,
        Control.MARKER_VIEW,
        Control.LANDMARKS,
        Control.CSO,
    }
)
#: These show something and have no answer of their own.
SILENT = frozenset({Control.JSON, Control.VALIDATION, Control.MARKER_VIEW})


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class JsonEntry(_Frozen):
    """One key that a JSONDisplay shows."""

    key: str
    label: str
    type: Literal["text", "boolean"] = "text"


class Section(_Frozen):
    """A tab, or the inside of a box."""

    title: str | None
    fields: tuple["FormField", ...]


class FormField(_Frozen):
    """One control. Expressions are trees of `task_supervisor.domain.expressions`."""

    name: str
    control: Control
    label: str
    x: int = 0
    y: int = 0
    type: str = "String"
    initial_value: Any = None
    enabled: bool = True
    depends_on: Tree | None = None
    visible: bool = True
    visible_on: Tree | None = None
    options: tuple[str | int | float, ...] = ()
    orientation: Literal["horizontal", "vertical"] = "horizontal"
    hint_text: str = ""
    editable: bool = True
    alert_on_checked: bool = False
    alert_on_unchecked: bool = False
    sections: tuple[Section, ...] = ()
    entries: tuple[JsonEntry, ...] = ()
    textrows: int | None = None
    variables: dict[str, str] = {}
    formula: Tree | None = None

    @property
    def children(self) -> tuple["FormField", ...]:
        """Fields inside a container, over all its sections."""
        return tuple(field for section in self.sections for field in section.fields)


class MaskLabel(_Frozen):
    """What one value of a mask means, and its colour (red, green, blue from 0 to 255)."""

    value: int
    name: str
    colour: tuple[int, int, int]
    opacity: float | None = None


class Form(_Frozen):
    """A template as the page needs it.

    Parameters
    ----------
    sop
        Standard operating procedure shown to the reader.
    remarks
        What is odd in the template but does not hinder its use.
    """

    template_name: str
    sop: str
    fields: tuple[FormField, ...]
    labels: tuple[MaskLabel, ...] = ()
    remarks: tuple[str, ...] = ()

    def walk(self) -> Iterator[FormField]:
        """Yield every field, containers before what they hold."""
        yield from _walk(self.fields)


def _walk(fields: tuple[FormField, ...]) -> Iterator[FormField]:
    for field in fields:
        yield field
        yield from _walk(field.children)
