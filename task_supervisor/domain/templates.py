"""Reads ViewR templates, YAML or JSON, into a `Form`. Imports PyYAML, the contract and siblings.

Accepts what the language's own schema accepts under JSON Schema Draft 7, whose checker asks for no more, and reports
the rest as remarks: unknown keys with the nearest known one, unknown references, expressions that do not parse,
doubled field names. MDL layouts are kept by the template's text and not interpreted.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

import yaml

from task_supervisor.contract.errors import TemplateRefused
from task_supervisor.domain import expressions
from task_supervisor.domain.fields import FieldReader
from task_supervisor.domain.forms import Control, Form, FormField, MaskLabel

_TOP: Final = ("template_name", "sop", "link_localizers", "mdl_layout", "presets", "contexts")
_CONTEXT: Final = ("viewports", "scans", "annotations", "qa_fields", "mdl_layout")
_REQUIRED_CONTEXT: Final = ("viewports", "scans", "annotations", "qa_fields")
_REQUIRED_VIEWPORT: Final = ("type", "name", "scan", "annotation", "x", "y", "linked")
_ORIENTATIONS: Final = ("Transversal", "Coronal", "Sagittal")
_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")


def read_template(label: str, text: str) -> Form:
    """Read a template.

    Raises
    ------
    TemplateRefused
        With every mistake and its place, when the language's schema refuses the template.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark is not None else ""
        raise TemplateRefused(label, [f"it is neither YAML nor JSON{place}"]) from error
    except RecursionError as error:
        raise TemplateRefused(label, ["it is nested too deeply"]) from error
    if not isinstance(data, dict):
        raise TemplateRefused(label, ["it is no object with keys"])
    return _TemplateReader(data).form(label)


class _TemplateReader:
    """Walks over one template and gathers mistakes and remarks."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._mistakes: list[str] = []
        self._remarks: list[str] = []

    def form(self, label: str) -> Form:
        name, sop = self._data.get("template_name"), self._data.get("sop")
        if not isinstance(name, str) or not _NAME.search(name):
            self._mistakes.append("template_name must be a name of letters, digits and underscores")
        if not isinstance(sop, str):
            self._mistakes.append("sop (the operating procedure) must be text")
        contexts = self._contexts()
        fields: list[FormField] = []
        labels: list[MaskLabel] = []
        for place, context in contexts.items():
            self._check_context(place, context)
            reader = FieldReader(self._mistakes, self._remarks)
            fields += reader.fields(context.get("qa_fields"), place=f"{place}qa_fields")
            labels += self._labels(context.get("annotations"), place)
        if self._mistakes:
            raise TemplateRefused(label, self._mistakes)
        assert isinstance(name, str)
        assert isinstance(sop, str)
        form = Form(template_name=name, sop=sop, fields=tuple(fields), labels=tuple(labels))
        remarks = [*self._remarks, *_references(form)]
        if name != label:
            remarks.append(f"template_name is {name}, but the template is known as {label}")
        return form.model_copy(update={"remarks": tuple(remarks)})

    def _contexts(self) -> dict[str, Mapping[str, Any]]:
        own = {key: self._data[key] for key in _CONTEXT if key in self._data and key != "mdl_layout"}
        self._report_unknown(self._data, (*_TOP, *_CONTEXT), "")
        contexts = self._data.get("contexts")
        if contexts is None:
            return {"": self._data}
        if own:
            self._mistakes.append(f"contexts and {', '.join(own)} cannot both stand at top level")
        if not isinstance(contexts, dict) or not all(isinstance(value, dict) for value in contexts.values()):
            self._mistakes.append("contexts must be an object of contexts")
            return {}
        for name, context in contexts.items():
            self._report_unknown(context, _CONTEXT, f"contexts/{name}/")
        return {f"contexts/{name}/": context for name, context in contexts.items()}

    def _check_context(self, place: str, context: Mapping[str, Any]) -> None:
        self._mistakes += [f"{place}{key} is missing" for key in _REQUIRED_CONTEXT if key not in context]
        scans, annotations = context.get("scans"), context.get("annotations")
        viewports = context.get("viewports")
        if not isinstance(viewports, list):
            self._mistakes.append(f"{place}viewports must be a list")
            return
        for number, viewport in enumerate(viewports):
            where = f"{place}viewports/{number}"
            if not isinstance(viewport, dict):
                self._mistakes.append(f"{where} must be an object")
                continue
            self._mistakes += [f"{where}/{key} is missing" for key in _REQUIRED_VIEWPORT if key not in viewport]
            if viewport.get("orientation", _ORIENTATIONS[0]) not in _ORIENTATIONS:
                self._mistakes.append(f"{where}/orientation must be one of {', '.join(_ORIENTATIONS)}")
            if isinstance(scans, dict) and viewport.get("scan") not in scans:
                self._remarks.append(f"{where}/scan names no entry of scans")
            annotation = viewport.get("annotation")
            if annotation is not None and annotation not in (annotations or {}):
                self._remarks.append(f"{where}/annotation names no entry of annotations")

    def _labels(self, annotations: Any, place: str) -> list[MaskLabel]:
        labels: list[MaskLabel] = []
        for name, annotation in annotations.items() if isinstance(annotations, dict) else ():
            found = annotation.get("labels") if isinstance(annotation, dict) else None
            for value, entry in found.items() if isinstance(found, dict) else ():
                label = _mask_label(value, entry)
                if label is None:
                    self._remarks.append(f"{place}annotations/{name}/labels/{value} is not shown: no whole number")
                else:
                    labels.append(label)
        return labels

    def _report_unknown(self, data: Mapping[str, Any], known: Iterable[str], place: str) -> None:
        known = tuple(known)
        for key in data:
            if key not in known:
                near = get_close_matches(str(key), known, n=1)
                self._remarks.append(f"{place}{key} is unknown" + (f"; did you mean {near[0]}?" if near else ""))


def _mask_label(value: Any, entry: Any) -> MaskLabel | None:
    try:
        number = int(value)
    except (TypeError, ValueError):
        return None
    entry = entry if isinstance(entry, dict) else {}
    colour = entry.get("colour")
    is_colour = isinstance(colour, list) and len(colour) == 3 and all(isinstance(part, (int, float)) for part in colour)
    red, green, blue = (max(0, min(255, int(part))) for part in (colour if is_colour else (0, 200, 230)))
    try:
        opacity = max(0.0, min(1.0, float(entry.get("opacity"))))
    except (TypeError, ValueError):
        opacity = None
    return MaskLabel(value=number, name=str(entry.get("name", value)), colour=(red, green, blue), opacity=opacity)


def _references(form: Form) -> list[str]:
    """Remark doubled names and names that no field has."""
    fields = list(form.walk())
    counts = Counter(field.name for field in fields)
    remarks = [f"the field name {name} is used {count} times" for name, count in counts.items() if count > 1]
    for field in fields:
        trees = (field.depends_on, field.visible_on)
        used = {name for tree in trees if tree is not None for name in expressions.names(tree)}
        used |= set(field.variables.values())
        remarks += [f"{field.name} refers to {name}, which is no field" for name in sorted(used - counts.keys())]
        if field.control in {Control.SCORE, Control.VALIDATION} and field.formula is not None:
            unknown = set(expressions.names(field.formula)) - field.variables.keys()
            remarks += [f"{field.name} uses {name}, which is none of its variables" for name in sorted(unknown)]
    return remarks
