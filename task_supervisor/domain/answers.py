"""Checks an answer against the form of its task and brings it into one shape. Pure; imports siblings only.

Shape (viewr-template, section 7): a container is an object of its fields' answers under its own name, every other
control its value. The language has no required fields: a ValidationControl whose condition fails holds an answer back.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from task_supervisor.domain.expressions import holds, value_of
from task_supervisor.domain.forms import CONTAINERS, DESKTOP_ONLY, SILENT, Control, Form, FormField

MAX_TEXT: Final = 20_000


def checked(form: Form, answer: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the answer in full shape, and every mistake as half a sentence.

    Fields left out get their initial value, invisible ones None, calculated scores are calculated here.
    """
    mistakes: list[str] = []
    whole = _shaped(form.fields, answer, mistakes)
    values = flattened(form.fields, whole)
    for field in form.walk():
        if field.control is Control.SCORE and field.formula is not None:
            values[field.name] = value_of(field.formula, _variables(field, values))
    _settle(form.fields, whole, values)
    for field in form.walk():
        is_failing = field.control is Control.VALIDATION and not holds(field.formula, _variables(field, values))
        if is_failing and _is_shown(field, values):
            mistakes.append(f"not fulfilled yet: {field.label}")
    return whole, mistakes


def flattened(fields: Iterable[FormField], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Dissolve the containers: all values by field name.

    Examples
    --------
    >>> inner = FormField(name="grade", control=Control.LINE, label="Grade")
    >>> from task_supervisor.domain.forms import Section
    >>> box = FormField(name="box", control=Control.BOX, label="Box", sections=(Section(title=None, fields=(inner,)),))
    >>> flattened([box], {"box": {"grade": "good"}})
    {'grade': 'good'}
    """
    values: dict[str, Any] = {}
    for field in fields:
        value = answer.get(field.name)
        if field.control in CONTAINERS:
            values.update(flattened(field.children, value if isinstance(value, Mapping) else {}))
        else:
            values[field.name] = value
    return values


def _shaped(fields: Iterable[FormField], answer: Mapping[str, Any], mistakes: list[str]) -> dict[str, Any]:
    known = {field.name: field for field in fields}
    for name in answer:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            mistakes.append(f"there is no field {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    whole: dict[str, Any] = {}
    for name, field in known.items():
        given = answer.get(name, None if field.control in CONTAINERS else field.initial_value)
        if field.control in SILENT:
            continue
        if field.control in CONTAINERS:
            if given is not None and not isinstance(given, Mapping):
                mistakes.append(f"{name!r} must be an object of its fields")
                given = None
            whole[name] = _shaped(field.children, given or {}, mistakes)
        else:
            whole[name] = _checked_value(field, given, mistakes)
    return whole


def _checked_value(field: FormField, value: Any, mistakes: list[str]) -> Any:
    if value is None or field.control in DESKTOP_ONLY or field.control is Control.SCORE:
        return value
    reason: str | None = None
    match field.control:
        case Control.CHECK:
            reason = None if isinstance(value, bool) else "must be true or false"
        case Control.RADIO | Control.COMBO:
            is_offered = any(value == option and type(value) is type(option) for option in field.options)
            reason = None if is_offered else "must be one of " + ", ".join(str(option) for option in field.options)
        case Control.NUMBER:
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")
            if not is_number:
                reason = "must be a number"
            elif field.type == "Int" and value != int(value):
                reason = "must be a whole number"
        case _:
            if not isinstance(value, str):
                reason = "must be text"
            elif len(value) > MAX_TEXT:
                reason = f"is longer than {MAX_TEXT} characters"
    if reason is not None:
        mistakes.append(f"{field.label} ({field.name}) {reason}")
    return value


def _settle(fields: Iterable[FormField], whole: dict[str, Any], values: dict[str, Any]) -> None:
    """Write calculated scores into the answer and take out what the reader could not see."""
    for field in fields:
        if field.control in SILENT:
            continue
        if field.control in CONTAINERS:
            _settle(field.children, whole[field.name], values)
        elif not _is_shown(field, values):
            whole[field.name] = values[field.name] = None
        elif field.control is Control.SCORE:
            whole[field.name] = values[field.name]


def _is_shown(field: FormField, values: Mapping[str, Any]) -> bool:
    return field.visible and holds(field.visible_on, values)


def _variables(field: FormField, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values.get(source) for name, source in field.variables.items()}
