"""A study is a folder: its ``study.yaml`` as frozen models, and a check that names every mistake with file and line.

Imports PyYAML and pydantic. Knows nothing of the services: the workflow language is checked by the governor itself when
`cohortflow study apply` hands it over; here only what the files of one folder say about each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from tasks.errors import StudyInvalid
from tasks.records import Record
from tasks.series import SeriesFacts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

STUDY_FILE = "study.yaml"
Label = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Scalar = str | int | float | bool


def _known_fact(name: str) -> str:
    if name not in SeriesFacts.model_fields:
        raise ValueError(f"unknown fact {name!r}; known are: {', '.join(sorted(SeriesFacts.model_fields))}")
    return name


FactName = Annotated[str, AfterValidator(_known_fact)]


def _as_condition(value: Any) -> Any:
    """Read the short forms: a value or a list of values means any of them."""
    if isinstance(value, (str, int, float)):
        return {"any_of": [value]}
    return {"any_of": value} if isinstance(value, list) else value


class _ConditionFields(Record):
    any_of: tuple[Scalar, ...] = ()
    all_of: tuple[Scalar, ...] = ()
    none_of: tuple[Scalar, ...] = ()
    min: float | None = None
    max: float | None = None


class Condition(_ConditionFields):
    """What one fact of a series has to satisfy. Texts compare without case and may hold ``*`` and ``?``.

    In YAML a plain value or a list stands for `any_of`. `min` and `max` are inclusive; a fact that is not known does not
    satisfy them.
    """

    def holds(self, value: object) -> bool:
        """Say whether a fact satisfies the condition.

        >>> Condition(any_of=("GR",), none_of=("EP",)).holds(("GR", "IR"))
        True
        >>> Condition(max=13).holds(None)
        False
        """
        values = value if isinstance(value, tuple) else (value,)
        if self.any_of and not any(_is_alike(value=found, wanted=one) for one in self.any_of for found in values):
            return False
        if not all(any(_is_alike(value=found, wanted=one) for found in values) for one in self.all_of):
            return False
        if any(_is_alike(value=found, wanted=one) for one in self.none_of for found in values):
            return False
        if self.min is None and self.max is None:
            return True
        if not isinstance(value, (int, float)):
            return False
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)

    @property
    def wanted(self) -> str:
        """What is wanted, in words, without what is not: ``GR or IR, at most 13``; blank when only something is unwanted."""
        parts = []
        if self.any_of:
            parts.append(" or ".join(_said(one) for one in self.any_of))
        if self.all_of:
            parts.append(" and ".join(_said(one) for one in self.all_of))
        if self.min is not None:
            parts.append(f"at least {self.min:g}")
        if self.max is not None:
            parts.append(f"at most {self.max:g}")
        return ", ".join(parts)


def _said(value: Scalar) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _is_alike(*, value: object, wanted: Scalar) -> bool:
    if isinstance(wanted, str):
        return fnmatchcase(str(value or "").upper(), wanted.upper())
    return type(value) in {int, float, bool} and value == wanted


class ScanTypeRule(Record):
    """How series are recognised as one of the study's scan types: every condition of `match` must hold."""

    name: Label
    title: str = ""
    match: dict[FactName, Annotated[Condition, BeforeValidator(_as_condition)]] = Field(min_length=1)


class Site(Record):
    """A sending site. `identifiers` are values of ClinicalTrialSiteID (0012,0030) besides the name."""

    name: Label
    calling_ae_titles: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()


class Routing(Record):
    """Which arrivals belong to the study."""

    clinical_trial_protocol_ids: tuple[str, ...] = ()
    called_ae_titles: tuple[str, ...] = ()


class Deidentification(Record):
    """What an instance has to say about its own de-identification (PS3.15 E.1)."""

    required: bool = True
    required_codes: tuple[str, ...] = ()
    """Codes of PS3.16 CID 7050 that (0012,0064) must hold, for example 113100."""


class Protocol(Record):
    """What a session of the study must contain."""

    required: tuple[str, ...] = ()


class ModelUse(Record):
    """A model and the scan type it measures."""

    name: Label
    scan_type: str
    parameters: dict[str, Scalar] = Field(default_factory=dict)


class Release(Record):
    """Which measurements leave the house."""

    measurements: tuple[str, ...] = ()


class Study(Record):
    """A research study, as its ``study.yaml`` defines it."""

    name: Label
    title: str
    description: str = ""
    xnat_project: Label
    workflow: str = "workflow.yaml"
    sites: tuple[Site, ...] = ()
    routing: Routing = Routing()
    modalities: tuple[str, ...] = Field(min_length=1)
    deidentification: Deidentification = Deidentification()
    scan_types: tuple[ScanTypeRule, ...] = Field(min_length=1)
    protocol: Protocol = Protocol()
    models: tuple[ModelUse, ...] = ()
    release: Release = Release()
    templates: tuple[str, ...] = ()
    task_bases: tuple[str, ...] = ()
    folder: Path = Field(default=Path(), exclude=True)

    @property
    def cohort(self) -> str:
        """Label of the study's cohort in the governor."""
        return self.name

    def scan_type(self, name: str) -> ScanTypeRule:
        """Return a scan type by its name; `load_study` has seen to it that every name used is there."""
        return next(rule for rule in self.scan_types if rule.name == name)

    def site_of(self, *, identifier: str, calling_ae: str) -> str | None:
        """Return the site that a header or a sender names, None when the study does not know it."""
        for site in self.sites:
            if identifier and identifier in {site.name, *site.identifiers}:
                return site.name
        return next((site.name for site in self.sites if calling_ae and calling_ae in site.calling_ae_titles), None)

    @property
    def template_paths(self) -> tuple[Path, ...]:
        """Files of the task templates: those named, or all of ``templates/``."""
        named = tuple(self.folder / name for name in self.templates)
        return named or tuple(sorted((self.folder / "templates").glob("*.yaml")))

    @property
    def task_base_paths(self) -> tuple[Path, ...]:
        """Files of the task bases: those named, or all of ``task_bases/``."""
        named = tuple(self.folder / name for name in self.task_bases)
        return named or tuple(sorted((self.folder / "task_bases").glob("*.json")))

    def workflow_text(self) -> str:
        """Return the text of the workflow file, as the governor imports it."""
        return (self.folder / self.workflow).read_text(encoding="utf-8")

    def workflow_label(self) -> str:
        """Return the label of the workflow, which is also its version."""
        return str(yaml.safe_load(self.workflow_text())["label"])


@dataclass(frozen=True, order=True)
class Mistake:
    """A mistake in a study folder: file relative to the folder, line counted from 1, and a sentence."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


def load_study(folder: Path) -> Study:
    """Read a study folder.

    Raises
    ------
    StudyInvalid
        With every mistake of the folder.
    """
    study, mistakes = _read_study(folder)
    if study is None or mistakes:
        raise StudyInvalid(folder, mistakes=[str(mistake) for mistake in sorted(mistakes)])
    return study


def load_studies(folder: Path) -> tuple[Study, ...]:
    """Read every study folder below `folder`, in order of their names.

    Raises
    ------
    StudyInvalid
        Of the first folder with mistakes.
    """
    return tuple(load_study(path.parent) for path in sorted(folder.glob(f"*/{STUDY_FILE}")))


def check_study(folder: Path, *, known_models: Collection[str] | None = None) -> list[Mistake]:
    """Return every mistake of a study folder, in order of file and line; nothing is run and nothing is changed."""
    study, mistakes = _read_study(folder)
    if study is not None and known_models is not None:
        text = _Text(folder / STUDY_FILE)
        mistakes += [
            text.mistake(
                ("models", index, "name"), f"no model {use.name!r}; known are: {', '.join(sorted(known_models))}"
            )
            for index, use in enumerate(study.models)
            if use.name not in known_models
        ]
    return sorted(mistakes)


class _Text:
    """A YAML file with the line of each of its values."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)

    def line(self, location: Iterable[int | str]) -> int:
        node, line = self.root, 1
        for step in location:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            else:
                break
        return line

    def mistake(self, location: Sequence[int | str], text: str) -> Mistake:
        return Mistake(self.path.name, self.line(location), text)


def _read_study(folder: Path) -> tuple[Study | None, list[Mistake]]:
    path = folder / STUDY_FILE
    if not path.is_file():
        return None, [Mistake(STUDY_FILE, 1, "the file is missing")]
    try:
        text = _Text(path)
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        return None, [_yaml_mistake(STUDY_FILE, error)]
    if not isinstance(content, dict):
        return None, [Mistake(STUDY_FILE, 1, "the file must be a mapping of settings")]
    try:
        study = Study.model_validate({**content, "folder": folder})
    except ValidationError as error:
        return None, list(_model_mistakes(error, text))
    return study, [*_cross_references(study, text), *_workflow_mistakes(study)]


def _model_mistakes(error: ValidationError, text: _Text) -> Iterator[Mistake]:
    errors = error.errors(include_url=False)
    for one in errors:
        location = tuple(step for step in one["loc"] if step != "[key]")
        # A list whose item is wrong is reported as too short as well; the item says it better.
        is_echo = one["type"] == "too_short" and any(
            other["loc"][: len(location)] == location for other in errors if other is not one
        )
        if not is_echo:
            name = ".".join(map(str, location))
            yield text.mistake(location, f"{name}: {one['msg'].removeprefix('Value error, ')}")


def _yaml_mistake(file: str, error: yaml.YAMLError) -> Mistake:
    mark = getattr(error, "problem_mark", None)
    return Mistake(file, mark.line + 1 if mark else 1, f"not valid YAML: {getattr(error, 'problem', None) or error}")


def _cross_references(study: Study, text: _Text) -> Iterator[Mistake]:
    """Find names that nothing of the folder defines."""
    names = {rule.name for rule in study.scan_types}
    known = ", ".join(sorted(names))
    for index, name in enumerate(study.protocol.required):
        if name not in names:
            yield text.mistake(("protocol", "required", index), f"no scan type {name!r}; known are: {known}")
    for index, use in enumerate(study.models):
        if use.scan_type not in names:
            yield text.mistake(("models", index, "scan_type"), f"no scan type {use.scan_type!r}; known are: {known}")
    files: tuple[tuple[Literal["workflow", "templates", "task_bases"], tuple[str, ...]], ...] = (
        ("workflow", (study.workflow,)),
        ("templates", study.templates),
        ("task_bases", study.task_bases),
    )
    for key, listed in files:
        for index, name in enumerate(listed):
            if not (study.folder / name).is_file():
                yield text.mistake((key, index), f"there is no file {name!r}")


def _workflow_mistakes(study: Study) -> list[Mistake]:
    """Check what the workflow says about other files of the folder; its language is the governor's to check."""
    path = study.folder / study.workflow
    if not path.is_file():
        return []
    try:
        text = _Text(path)
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        return [_yaml_mistake(study.workflow, error)]
    if not isinstance(content, dict) or not content.get("label") or not isinstance(content.get("states"), list):
        return [Mistake(study.workflow, 1, "a workflow needs a label and a list of states")]
    bases = {base.name for base in study.task_base_paths}
    templates = set(_template_names(study))
    mistakes = []
    for location, callback in _callbacks(content["states"]):
        arguments = callback.get("callback_arguments")
        if callback.get("function") != "create_task" or not isinstance(arguments, dict):
            continue
        base, info = arguments.get("task_base"), arguments.get("task_info")
        if base not in bases:
            mistakes.append(
                text.mistake((*location, "callback_arguments", "task_base"), f"there is no task base {base!r}")
            )
        template = info.get("template") if isinstance(info, dict) else None
        if template not in templates:
            where = (*location, "callback_arguments", "task_info", "template")
            mistakes.append(text.mistake(where, f"no template is called {template!r}"))
    return mistakes


def _template_names(study: Study) -> Iterator[str]:
    for path in study.template_paths:
        if path.is_file():
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            if isinstance(content, dict):
                yield str(content.get("template_name"))


def _callbacks(states: Sequence[Any]) -> Iterator[tuple[tuple[int | str, ...], Mapping[str, Any]]]:
    for number, state in enumerate(states):
        callbacks = state.get("callbacks") if isinstance(state, dict) else None
        for index, callback in enumerate(callbacks or ()):
            if isinstance(callback, dict):
                yield ("states", number, "callbacks", index), callback
