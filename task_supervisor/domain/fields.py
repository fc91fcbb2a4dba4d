"""Reads the fields of a ViewR template, with the constraints of its schema. Imports siblings only."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from task_supervisor.domain import expressions
from task_supervisor.domain.expressions import Tree
from task_supervisor.domain.forms import Control, FormField, JsonEntry, Section

_COMMON: Final = (
    "control", "label", "x", "y", "type", "initial_value", "enabled", "depends_on", "visible", "visible_on",
    "documentation",
)  # fmt: skip
#: Keys that each control needs beside the common ones, and those it may have.
_OWN: Final[Mapping[Control, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Control.TABS: (("content",), ("order",)),
    Control.BOX: (("content",), ("align_title",)),
    Control.LISTING: (("content", "columns"), ()),
    Control.CHECK: ((), ("alert_on_checked", "alert_on_unchecked")),
    Control.NUMBER: ((), ()),
    Control.COMBO: (("options",), ()),
    Control.RADIO: (("options",), ("orientation",)),
    Control.LINE: ((), ("hint_text",)),
    Control.TEXT: ((), ("editable",)),
    Control.CONVERSATION: ((), ("editable",)),
    Control.JSON: (("content",), ("textrows",)),
    Control.MARKER_EDIT: (("max_number",), ("marker_type", "groups")),
    Control.MARKER_VIEW: (("max_number",), ("marker_type", "type_names", "groups")),
    Control.LANDMARKS: (("markers",), ("groups",)),
    Control.CSO: ((), ("cso_type", "group_label", "groups")),
    Control.SCORE: (("variables", "formula"), ()),
    Control.VALIDATION: (("variables", "condition"), ("action", "args")),
}
_BOOLEANS: Final = ("enabled", "visible", "editable", "alert_on_checked", "alert_on_unchecked")
_EXPRESSIONS: Final = ("depends_on", "visible_on")
_CHOICES: Final[Mapping[str, tuple[Any, ...]]] = {
    "orientation": ("horizontal", "vertical"),
    "align_title": ("Left", "Right", "Center"),
    "action": ("validate",),
}
_MAX_DEPTH: Final = 12


class FieldReader:
    """Reads fields; adds what the schema refuses to ``mistakes`` and what is merely odd to ``remarks``."""

    def __init__(self, mistakes: list[str], remarks: list[str]) -> None:
        self._mistakes = mistakes
        self._remarks = remarks

    def fields(self, data: Any, *, place: str, depth: int = 0) -> tuple[FormField, ...]:
        """Read an object of fields; they are laid out by row and column."""
        if data is None:
            return ()
        if not isinstance(data, dict) or depth > _MAX_DEPTH:
            self._mistakes.append(f"{place} must be an object of fields")
            return ()
        found = [self._field(str(name), value, f"{place}/{name}", depth) for name, value in data.items()]
        return tuple(sorted((field for field in found if field is not None), key=lambda field: (field.y, field.x)))

    def _field(self, name: str, data: Any, place: str, depth: int) -> FormField | None:
        if not isinstance(data, dict):
            self._mistakes.append(f"{place} must be an object")
            return None
        control = self._control(data, place)
        if control is None:
            return None
        required, optional = _OWN[control]
        before = len(self._mistakes)
        self._mistakes += [f"{place}/{key} is missing" for key in ("label", "x", "y", *required) if key not in data]
        self._report_unknown(data, (*_COMMON, *required, *optional), place)
        self._check_types(data, place)
        shape = self._shape(control, data, place, depth)
        if len(self._mistakes) > before:
            return None
        formula = data.get("formula", data.get("condition"))
        return FormField(
            name=name,
            control=control,
            label=data["label"],
            x=data["x"],
            y=data["y"],
            type=data.get("type") or "String",
            initial_value=data.get("initial_value"),
            depends_on=self._expression(data.get("depends_on"), f"{place}/depends_on"),
            visible_on=self._expression(data.get("visible_on"), f"{place}/visible_on"),
            formula=self._expression(formula, f"{place}/{'formula' if 'formula' in data else 'condition'}"),
            hint_text=str(data.get("hint_text") or ""),
            **{key: data[key] for key in _BOOLEANS if key in data},
            **shape,
        )

    def _control(self, data: Mapping[str, Any], place: str) -> Control | None:
        given = data.get("control")
        try:
            return Control(str(given))
        except ValueError:
            near = get_close_matches(str(given), list(Control), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            self._mistakes.append(f"{place}/control is {given!r}, which is none of the 17 controls{hint}")
            return None

    def _check_types(self, data: Mapping[str, Any], place: str) -> None:
        if not isinstance(data.get("label", ""), str):
            self._mistakes.append(f"{place}/label must be text")
        for key in ("x", "y"):
            if key in data and (not isinstance(data[key], int) or isinstance(data[key], bool)):
                self._mistakes.append(f"{place}/{key} must be a whole number")
        self._mistakes += [
            f"{place}/{key} must be true or false"
            for key in _BOOLEANS
            if key in data and not isinstance(data[key], bool)
        ]
        self._mistakes += [
            f"{place}/{key} must be text"
            for key in (*_EXPRESSIONS, "formula", "condition", "hint_text")
            if key in data and not isinstance(data[key], str)
        ]
        if data.get("type") is not None and not isinstance(data["type"], str):
            self._mistakes.append(f"{place}/type must be text")
        self._mistakes += [
            f"{place}/{key} must be one of {', '.join(allowed)}"
            for key, allowed in _CHOICES.items()
            if key in data and data[key] not in allowed
        ]

    def _shape(self, control: Control, data: Mapping[str, Any], place: str, depth: int) -> dict[str, Any]:
        """Read the keys that only some controls have."""
        match control:
            case Control.COMBO | Control.RADIO:
                options = {"options": self._options(data.get("options"), place)}
                return options | {key: data[key] for key in ("orientation",) if key in data}
            case Control.BOX:
                fields = self.fields(data.get("content"), place=f"{place}/content", depth=depth + 1)
                return {"sections": (Section(title=None, fields=fields),)}
            case Control.TABS:
                return {"sections": self._tabs(data, place, depth)}
            case Control.LISTING:
                self._check_listing(data, place, depth)
                return {}
            case Control.JSON:
                return {"entries": self._entries(data.get("content"), place), "textrows": data.get("textrows")}
            case Control.SCORE | Control.VALIDATION:
                return {"variables": self._variables(data.get("variables"), place)}
            case _:
                return {}

    def _check_listing(self, data: Mapping[str, Any], place: str, depth: int) -> None:
        """Check the sub-form of a listing; pages do not show it yet."""
        content, columns = data.get("content"), data.get("columns")
        self.fields(content, place=f"{place}/content", depth=depth + 1)
        if not isinstance(columns, list):
            self._mistakes.append(f"{place}/columns must be a list")
        elif isinstance(content, dict):
            self._remarks += [
                f"{place}/columns names {name}, which is no field" for name in columns if name not in content
            ]

    def _options(self, options: Any, place: str) -> tuple[str | int | float, ...]:
        if not isinstance(options, list):
            self._mistakes.append(f"{place}/options must be a list")
            return ()
        if any(isinstance(option, bool) or not isinstance(option, (str, int, float)) for option in options):
            self._mistakes.append(f"{place}/options must be texts or numbers; quote words like yes and no")
            return ()
        if not options:
            self._remarks.append(f"{place}/options is empty")
        return tuple(options)

    def _tabs(self, data: Mapping[str, Any], place: str, depth: int) -> tuple[Section, ...]:
        content = data.get("content")
        if not isinstance(content, dict):
            self._mistakes.append(f"{place}/content must be an object of tabs")
            return ()
        order = [str(name) for name in data.get("order") or () if name in content]
        order += [name for name in content if name not in order]
        unknown = [name for name in data.get("order") or () if name not in content]
        self._remarks += [f"{place}/order names {name}, which is no tab" for name in unknown]
        return tuple(
            Section(title=name, fields=self.fields(content[name], place=f"{place}/content/{name}", depth=depth + 1))
            for name in order
        )

    def _entries(self, content: Any, place: str) -> tuple[JsonEntry, ...]:
        entries: list[JsonEntry] = []
        for key, entry in content.items() if isinstance(content, dict) else ():
            kind = entry.get("type", "text") if isinstance(entry, dict) else None
            if kind not in {"text", "boolean"}:
                self._mistakes.append(f"{place}/content/{key}/type must be text or boolean")
                continue
            entries.append(JsonEntry(key=str(key), label=str(entry.get("label", key)), type=kind))
        if not isinstance(content, dict):
            self._mistakes.append(f"{place}/content must be an object")
        return tuple(entries)

    def _variables(self, variables: Any, place: str) -> dict[str, str]:
        if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
            self._mistakes.append(f"{place}/variables must map names to names of fields")
            return {}
        return {str(name): value for name, value in variables.items()}

    def _expression(self, text: str | None, place: str) -> Tree | None:
        """Parse; what does not parse never holds (the original lets it pass until a rater opens the task)."""
        if text is None:
            return None
        try:
            return expressions.parse(text)
        except expressions.ExpressionError as error:
            self._remarks.append(f"{place}: {error}")
            return ["value", None]

    def _report_unknown(self, data: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
        for key in data:
            if key not in known:
                near = get_close_matches(str(key), known, n=1)
                self._remarks.append(f"{place}/{key} is unknown" + (f"; did you mean {near[0]}?" if near else ""))
