"""Checks a workflow as a graph, with its conditions and functions, before anything runs.

Source: the workflow language of studygovernor 8.1. May import `study_governor.domain`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from study_governor.domain.expressions import callbacks_named, find_mistakes
from study_governor.domain.workflow import RUNNERS

if TYPE_CHECKING:
    from study_governor.domain.remarks import Remarks
    from study_governor.domain.workflow import Callback, State, Workflow


def check_workflow(workflow: Workflow, remarks: Remarks) -> None:
    """Remark on everything that is wrong or worth knowing."""
    for label, times in Counter(state.label for state in workflow.states).items():
        if times > 1:
            second = [state for state in workflow.states if state.label == label][1]
            remarks.mistake(second.line, f"there are {times} states with the label {label!r}")
    for state in workflow.states:
        _check_state(workflow, state, remarks)
    if _check_root(workflow, remarks):
        _check_reach(workflow, remarks)


def _check_root(workflow: Workflow, remarks: Remarks) -> bool:
    entered = {transition.destination for state in workflow.states for transition in state.transitions}
    roots = [state for state in workflow.states if state.label not in entered]
    if not roots:
        remarks.mistake(workflow.states[0].line, "every state is led to by some transition: one must be the beginning")
        return False
    if len(roots) > 1:
        for extra in roots[1:]:
            text = f"no transition leads to state {extra.label!r}, and none to {roots[0].label!r}: only one may begin"
            remarks.mistake(extra.line, text)
        return False
    root = roots[0]
    if len(root.transitions) != 1:
        count = len(root.transitions)
        remarks.mistake(root.line, f"the first state {root.label!r} needs exactly one transition; it has {count}")
        return False
    if root.transitions[0].condition:
        text = f"the transition of the first state {root.label!r} must have no condition: it is taken at creation"
        remarks.mistake(root.transitions[0].line, text)
    if root.callbacks:
        text = f"the callbacks of the first state {root.label!r} never run: nothing rests there"
        remarks.notice(root.callbacks[0].line, text)
    return True


def _check_reach(workflow: Workflow, remarks: Remarks) -> None:
    by_label = {state.label: state for state in workflow.states}
    reached: set[str] = set()
    ahead = [workflow.root.label]
    while ahead:
        label = ahead.pop()
        if label not in reached and label in by_label:
            reached.add(label)
            ahead.extend(transition.destination for transition in by_label[label].transitions)
    for state in workflow.states:
        if state.label not in reached:
            remarks.notice(state.line, f"state {state.label!r} cannot be reached from {workflow.root.label!r}")


def _check_state(workflow: Workflow, state: State, remarks: Remarks) -> None:
    for label, times in Counter(callback.label for callback in state.callbacks).items():
        if times > 1:
            remarks.mistake(state.line, f"state {state.label!r} has {times} callbacks with the label {label!r}")
    for (destination, condition), times in Counter((t.destination, t.condition) for t in state.transitions).items():
        if times > 1:
            line = [t.line for t in state.transitions if (t.destination, t.condition) == (destination, condition)][1]
            remarks.mistake(line, f"state {state.label!r} has {times} equal transitions to {destination!r}")
    for transition in state.transitions:
        if not workflow.has_state(transition.destination):
            text = f"state {state.label!r} leads to {transition.destination!r}, which is not a state of this workflow"
            remarks.mistake(transition.line, text)
        _check_condition(state, transition.condition, transition.condition_line, remarks)
    for earlier in state.transitions[:-1]:
        if earlier.condition is None and state.callbacks:
            text = f"the transitions after the one to {earlier.destination!r} are never tried: it has no condition"
            remarks.notice(earlier.line, text)
            break
    for callback in state.callbacks:
        _check_condition(state, callback.condition, callback.condition_line, remarks, in_callback=True)
        _check_function(callback, remarks)


def _check_condition(
    state: State, condition: str | None, line: int, remarks: Remarks, *, in_callback: bool = False
) -> None:
    if condition is None:
        return
    for offset, text in find_mistakes(condition):
        remarks.mistake(line + offset - 1, f"condition: {text}")
    known = set() if in_callback else {callback.label for callback in state.callbacks}
    for label in callbacks_named(condition):
        if label not in known:
            why = "is empty in a callback's condition" if in_callback else f"of state {state.label!r} has no {label!r}"
            remarks.notice(line, f"condition: 'callbacks' {why}")


def _check_function(callback: Callback, remarks: Remarks) -> None:
    if callback.function not in RUNNERS:
        text = (
            f"nothing here runs the function {callback.function!r} yet: each execution of {callback.label!r} will fail"
        )
        remarks.notice(callback.line, text)
    if callback.function == "prefect_flow":
        deployment = callback.arguments.get("deployment")
        if not isinstance(deployment, str) or deployment.count("/") != 1 or not all(deployment.split("/")):
            text = f"callback {callback.label!r} needs 'deployment: flow-name/deployment-name' in callback_arguments"
            remarks.mistake(callback.line, text)
        if not isinstance(callback.arguments.get("parameters", {}), dict):
            remarks.mistake(callback.line, f"'parameters' of callback {callback.label!r} must be a mapping")
    if callback.function == "create_task":
        for name, kind in (("task_base", str), ("task_info", dict)):
            if not isinstance(callback.arguments.get(name), kind):
                text = f"callback {callback.label!r} needs '{name}' ({kind.__name__}) in callback_arguments"
                remarks.mistake(callback.line, text)
