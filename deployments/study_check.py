"""Finds every mistake of a study folder before anything runs: its own files, the workflow language, flows and task bases.

Imports the study's check, the governor's reading of workflows and the table of models; asks no service.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from deployments.worker.flows_file import DEFAULT_FLOWS_FILE
from study_governor.domain.reading import read_workflow
from tasks.extraction.models import model_names
from tasks.studies import STUDY_FILE, Mistake, check_study

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOTICED_MISTAKES = ("condition: ", "nothing here runs the function ")
"""Beginnings of the governor's notices that forbid nothing there, but are mistakes in a study that shall run here."""
_SAID_BETTER = ("not valid YAML", "a workflow needs a label")
"""Beginnings of what the folder's own check says of a workflow that the governor cannot read either."""


def find_mistakes(folder: Path) -> list[str]:
    """Return every mistake as ``path:line: sentence``, in order of file and line; the path begins as ``folder`` does."""
    workflow = _workflow_name(folder)
    found = {*_workflow_mistakes(folder, workflow), *_content_mistakes(folder)}
    try:
        of_folder = check_study(folder, known_models=model_names())
    except (yaml.YAMLError, TypeError, ValueError, AttributeError):
        if not found:  # a file that cannot be read stops that check; it is among ours
            raise
        of_folder = []
    is_unreadable = any(mistake.file == workflow for mistake in found)
    found |= {
        mistake
        for mistake in of_folder
        if not (is_unreadable and mistake.file == workflow and mistake.text.startswith(_SAID_BETTER))
    }
    return [f"{folder / mistake.file}:{mistake.line}: {mistake.text}" for mistake in sorted(found)]


def _workflow_name(folder: Path) -> str:
    """Return the workflow file that ``study.yaml`` names, even where the rest of it is wrong."""
    try:
        content = yaml.safe_load((folder / STUDY_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        content = None
    named = content.get("workflow") if isinstance(content, dict) else None
    return named if isinstance(named, str) and named else "workflow.yaml"


def _workflow_mistakes(folder: Path, name: str) -> Iterator[Mistake]:
    path = folder / name
    if not path.is_file():
        return
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        yield Mistake(name, 1, "the file is not UTF-8 text")
        return
    reading = read_workflow(text, file=name)
    forbidden = [notice for notice in reading.notices if notice.text.startswith(_NOTICED_MISTAKES)]
    for remark in (*reading.mistakes, *forbidden):
        yield Mistake(remark.file, remark.line, remark.text)
    if any(remark.text.startswith("this is ") for remark in reading.mistakes):
        return
    known = known_deployments()
    for line, deployment in _deployments_named(yaml.compose(text.replace("\t", " "), Loader=yaml.SafeLoader)):
        if deployment not in known and deployment.count("/") == 1:
            yield Mistake(name, line, f"no deployment {deployment!r}; known are: {', '.join(known)}")


def known_deployments() -> tuple[str, ...]:
    """Return what ``deployments/prefect.yaml`` deploys, as flow-name/deployment-name."""
    content = yaml.safe_load(DEFAULT_FLOWS_FILE.read_text(encoding="utf-8"))
    return tuple(
        sorted(
            f"{entry['entrypoint'].rpartition(':')[2].replace('_', '-')}/{entry['name']}"
            for entry in content["deployments"]
        )
    )


def _deployments_named(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """Give line and name of each deployment that a callback with the function ``prefect_flow`` names."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _deployments_named(item)
    if not isinstance(node, yaml.MappingNode):
        return
    values = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    function, arguments = values.get("function"), values.get("callback_arguments")
    if isinstance(function, yaml.ScalarNode) and function.value == "prefect_flow":
        if isinstance(arguments, yaml.MappingNode):
            for key, value in arguments.value:
                if key.value == "deployment" and isinstance(value, yaml.ScalarNode):
                    yield value.start_mark.line + 1, value.value
        return
    for value in values.values():
        yield from _deployments_named(value)


def _content_mistakes(folder: Path) -> Iterator[Mistake]:
    """Find task bases that are not JSON and templates that are not YAML."""
    for path in sorted((folder / "task_bases").glob("*.json")):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            yield Mistake(str(path.relative_to(folder)), error.lineno, f"this is not JSON: {error.msg}")
        except UnicodeDecodeError:
            yield Mistake(str(path.relative_to(folder)), 1, "the file is not UTF-8 text")
    for path in sorted((folder / "templates").glob("*.yaml")):
        try:
            yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.MarkedYAMLError as error:
            line = 1 if error.problem_mark is None else error.problem_mark.line + 1
            yield Mistake(str(path.relative_to(folder)), line, f"this is not YAML: {error.problem or error.context}")
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            yield Mistake(str(path.relative_to(folder)), 1, f"this is not YAML: {str(error).splitlines()[0]}")
