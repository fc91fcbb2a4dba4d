"""Reads a workflow file (YAML or JSON) into a `Workflow`, and says every mistake with file, line and reason.

Source: the workflow language of studygovernor 8.1 (Erasmus MC, Apache-2.0). May import PyYAML.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

import yaml

from study_governor.domain.checks import check_workflow
from study_governor.domain.remarks import Remark, Remarks
from study_governor.domain.workflow import DEFAULT_RUN_TIMEOUT_MIN, Callback, State, Transition, Workflow

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CHARACTERS = 500_000
MAX_NODES = 50_000
_LABEL = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_WORKFLOW_KEYS = frozenset({"label", "states"})
_STATE_KEYS = frozenset({"label", "freetext", "callbacks", "transitions"})
_TRANSITION_KEYS = frozenset({"destination", "condition"})
_CALLBACK_KEYS = frozenset(
    {
        "label",
        "function",
        "callback_arguments",
        "variable_map",
        "run_timeout",
        "wait_timeout",
        "initial_delay",
        "description",
        "condition",
    }
)
_OBSOLETE = {
    "lifespan": "belongs to version 6 and is ignored",
    "callback": "belongs to version 6 and is ignored; write a list 'callbacks'",
    "transitions": "belong inside each state since version 7 and are ignored here",
    "external_systems": "belong in the configuration file since version 8 and are ignored here",
    "scantypes": "belong in the configuration file since version 8 and are ignored here",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading a file.

    Parameters
    ----------
    workflow
        None when there are mistakes.
    mistakes, notices
        In the order of their lines. Mistakes forbid the import, notices do not.
    """

    workflow: Workflow | None
    mistakes: tuple[Remark, ...]
    notices: tuple[Remark, ...]


def read_workflow(text: str, *, file: str = "workflow.yaml") -> Reading:
    r"""Read a workflow file.

    Parameters
    ----------
    file
        The name for the remarks.

    Examples
    --------
    >>> reading = read_workflow("label: two_states\nstates: []")
    >>> print(reading.mistakes[0])
    workflow.yaml:2: 'states' needs at least two states
    """
    remarks = Remarks(file)
    workflow: Workflow | None = None
    try:
        workflow = _Reader(text, remarks).workflow()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        remarks.mistake(1 if mark is None else mark.line + 1, f"this is not YAML: {error.problem or error.context}")
    except yaml.YAMLError as error:
        remarks.mistake(1, f"this is not YAML: {str(error).splitlines()[0]}")
    except RecursionError:
        remarks.mistake(1, "this is nested too deeply")
    if workflow is not None:
        check_workflow(workflow, remarks)
    return Reading(None if remarks.mistakes else workflow, remarks.mistakes, remarks.notices)


class _Reader:
    """Walks the nodes of one file; a wrong part is remarked on and left out, so that one reading finds every mistake."""

    def __init__(self, text: str, remarks: Remarks) -> None:
        self._remarks = remarks
        self._text = text
        self._loader = yaml.SafeLoader("")
        self._flattened: set[int] = set()

    def workflow(self) -> Workflow | None:
        if len(self._text) > MAX_CHARACTERS:
            self._remarks.mistake(1, f"the file has more than {MAX_CHARACTERS} characters")
            return None
        self._loader = yaml.SafeLoader(_without_tabs(self._text))
        node = self._loader.get_single_node()
        if node is None:
            self._remarks.mistake(1, "the file is empty")
            return None
        if _expanded_size(node, {}, set()) > MAX_NODES:
            self._remarks.mistake(1, f"the file holds more than {MAX_NODES} values, or an alias of itself")
            return None
        keys = self._mapping(node, "the workflow", _WORKFLOW_KEYS)
        if keys is None:
            return None
        line = _line(node)
        label = self._label(keys, "the workflow", line)
        states = [self._state(item) for item in self._sequence(keys, "states", "the workflow", line=line)]
        if "states" in keys and isinstance(keys["states"], yaml.SequenceNode) and len(states) < 2:
            self._remarks.mistake(_line(keys["states"]), "'states' needs at least two states")
        if label is None or len(states) < 2 or any(state is None for state in states):
            return None
        return Workflow(label, tuple(state for state in states if state is not None))

    def _state(self, node: yaml.Node) -> State | None:
        keys = self._mapping(node, "a state", _STATE_KEYS)
        if keys is None:
            return None
        line = _line(node)
        label = self._label(keys, "a state", line)
        what = f"state {label!r}" if label else "the state"
        callbacks = [self._callback(item, what) for item in self._sequence(keys, "callbacks", what, line=line)]
        transitions: list[Transition | None] = []
        if "transitions" in keys:
            transitions = [
                self._transition(item, what) for item in self._sequence(keys, "transitions", what, line=line)
            ]
            if isinstance(keys["transitions"], yaml.SequenceNode) and not transitions:
                self._remarks.mistake(_line(keys["transitions"]), f"'transitions' of {what} is empty: leave it out")
        freetext = self._optional_text(keys, "freetext", what)
        if label is None or None in callbacks or None in transitions:
            return None
        return State(
            label,
            freetext,
            tuple(callback for callback in callbacks if callback is not None),
            tuple(transition for transition in transitions if transition is not None),
            line,
        )

    def _transition(self, node: yaml.Node, what: str) -> Transition | None:
        keys = self._mapping(node, f"a transition of {what}", _TRANSITION_KEYS)
        if keys is None:
            return None
        destination = self._text_of(keys, "destination", f"a transition of {what}", line=_line(node))
        condition, condition_line = self._condition(keys, f"a transition of {what}", line=_line(node))
        return None if destination is None else Transition(destination, condition, condition_line, _line(node))

    def _callback(self, node: yaml.Node, state: str) -> Callback | None:
        keys = self._mapping(node, f"a callback of {state}", _CALLBACK_KEYS)
        if keys is None:
            return None
        line = _line(node)
        label = self._label(keys, f"a callback of {state}", line, most=128)
        what = f"callback {label!r} of {state}"
        function = self._text_of(keys, "function", what, line=line)
        if function is not None and not _LABEL.search(function):
            self._remarks.mistake(_line(keys["function"]), f"'function' of {what} is not a name")
        arguments = self._object(keys, "callback_arguments", what, line=line, required=True)
        variable_map = self._object(keys, "variable_map", what, line=line, required=False)
        for source in variable_map.values():
            if not isinstance(source, str):
                self._remarks.mistake(_line(keys["variable_map"]), f"each source in 'variable_map' of {what} is a text")
        condition, condition_line = self._condition(keys, what, line=line)
        if label is None or function is None:
            return None
        return Callback(
            label=label,
            function=function,
            arguments=arguments,
            variable_map={name: str(source) for name, source in variable_map.items()},
            run_timeout_min=self._count(keys, "run_timeout", what, default=DEFAULT_RUN_TIMEOUT_MIN),
            wait_timeout_min=self._count(keys, "wait_timeout", what, default=0),
            initial_delay_s=self._count(keys, "initial_delay", what, default=0),
            description=self._optional_text(keys, "description", what),
            condition=condition,
            condition_line=condition_line,
            line=line,
        )

    def _mapping(self, node: yaml.Node, what: str, known: frozenset[str]) -> dict[str, yaml.Node] | None:
        if not isinstance(node, yaml.MappingNode):
            self._remarks.mistake(_line(node), f"{what} must be a mapping of keys to values")
            return None
        if id(node) not in self._flattened:
            seen: set[str] = set()
            for key_node, _ in node.value:
                if isinstance(key_node, yaml.ScalarNode) and key_node.value in seen:
                    self._remarks.mistake(_line(key_node), f"the key {key_node.value!r} stands twice in {what}")
                seen |= {key_node.value} if isinstance(key_node, yaml.ScalarNode) else set()
            self._flattened.add(id(node))
            self._loader.flatten_mapping(node)
        keys: dict[str, yaml.Node] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            if key not in known:
                why = _OBSOLETE.get(key, "is not a key of the workflow language and is ignored")
                self._remarks.notice(_line(key_node), f"{key!r} in {what} {why}")
            keys[key] = value_node
        return keys

    def _sequence(self, keys: Mapping[str, yaml.Node], key: str, what: str, *, line: int) -> list[yaml.Node]:
        if key not in keys:
            hint = "; write 'callbacks: []' for a state that starts nothing" if key == "callbacks" else ""
            self._remarks.mistake(line, f"{what} has no '{key}'{hint}")
            return []
        node = keys[key]
        if not isinstance(node, yaml.SequenceNode):
            self._remarks.mistake(_line(node), f"'{key}' of {what} must be a list")
            return []
        return list(node.value)

    def _label(self, keys: Mapping[str, yaml.Node], what: str, line: int, *, most: int = 100) -> str | None:
        label = self._text_of(keys, "label", what, line=line)
        if label is None:
            return None
        if not _LABEL.search(label) or len(label) > most:
            rule = f"needs a letter followed by letters, digits or '_', and at most {most} characters"
            self._remarks.mistake(_line(keys["label"]), f"the label {label[:60]!r} {rule}")
            return None
        return label

    def _text_of(self, keys: Mapping[str, yaml.Node], key: str, what: str, *, line: int) -> str | None:
        if key not in keys:
            self._remarks.mistake(line, f"{what} has no '{key}'")
            return None
        text = self._optional_text(keys, key, what)
        if text is None and isinstance(keys[key], yaml.ScalarNode) and keys[key].tag.endswith(":null"):
            self._remarks.mistake(_line(keys[key]), f"'{key}' of {what} is empty")
        return text

    def _optional_text(self, keys: Mapping[str, yaml.Node], key: str, what: str) -> str | None:
        if key not in keys:
            return None
        value = self._value(keys[key], f"'{key}' of {what}")
        if value is None or isinstance(value, str):
            return value
        self._remarks.mistake(_line(keys[key]), f"'{key}' of {what} must be a text; put it in quotes")
        return None

    def _condition(self, keys: Mapping[str, yaml.Node], what: str, *, line: int) -> tuple[str | None, int]:
        """Return the text and the line on which it begins."""
        text = self._optional_text(keys, "condition", what)
        if text is None or not text.strip():
            return None, line
        node = keys["condition"]
        return text, _line(node) + (1 if getattr(node, "style", None) in {"|", ">"} else 0)

    def _count(self, keys: Mapping[str, yaml.Node], key: str, what: str, *, default: int) -> int:
        if key not in keys:
            return default
        value = self._value(keys[key], f"'{key}' of {what}")
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10_000_000:
            self._remarks.mistake(_line(keys[key]), f"'{key}' of {what} must be a whole number, 0 or more")
            return default
        return value

    def _object(
        self, keys: Mapping[str, yaml.Node], key: str, what: str, *, line: int, required: bool
    ) -> dict[str, Any]:
        if key not in keys:
            if required:
                self._remarks.mistake(line, f"{what} has no '{key}'; write '{key}: {{}}' for none")
            return {}
        value = self._value(keys[key], f"'{key}' of {what}")
        if isinstance(value, str):  # the importer of version 8 takes YAML text too
            value = _plain(yaml.safe_load(value))
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._remarks.mistake(_line(keys[key]), f"'{key}' of {what} must be a mapping of names to values")
            return {}
        return value

    def _value(self, node: yaml.Node, what: str) -> Any:
        try:
            return _plain(self._loader.construct_object(node, deep=True))
        except (yaml.constructor.ConstructorError, ValueError) as error:
            problem = getattr(error, "problem", None) or str(error)
            self._remarks.mistake(_line(node), f"{what} cannot be read: {problem}")
            return None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _without_tabs(text: str) -> str:
    """Let JSON that is indented with tabs, which YAML forbids, through."""
    return text.replace("\t", " ") if text.lstrip().startswith("{") else text


def _expanded_size(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """Return the number of values with every alias written out; an alias of itself counts as too many."""
    if id(node) in above:
        return MAX_NODES + 1
    if id(node) not in known:
        children: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            children = list(node.value)
        elif isinstance(node, yaml.MappingNode):
            children = [part for pair in node.value for part in pair]
        inside = above | {id(node)}
        known[id(node)] = 1 + sum(_expanded_size(child, known, inside) for child in children)
    return known[id(node)]


def _plain(value: Any) -> Any:
    """Return a value as JSON can carry it: dates as ISO text, keys as text.

    Raises
    ------
    ValueError
        If it is of a kind that JSON does not know.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError("a number must be finite")
        return value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    raise ValueError(f"a value of type {type(value).__name__} cannot be stored")
