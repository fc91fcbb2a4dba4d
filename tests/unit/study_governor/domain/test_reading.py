"""Workflow files: what is read, and what is said of a wrong one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study_governor.contract.states import StateKind
from study_governor.domain.reading import read_workflow

STUDIES = Path(__file__).parents[4] / "studies"

SMALL = """\
label: small_v1
states:
  - label: begin
    freetext: first
    callbacks: []
    transitions:
      - destination: work
  - label: work
    callbacks:
      - label: measure
        function: prefect_flow
        callback_arguments: {deployment: measure/warm}
        variable_map: {outcome: /outcome}
    transitions:
      - destination: done
        condition: callbacks['measure'].result == 'success'
      - destination: failed
  - {label: failed, callbacks: [], transitions: [{destination: work}]}
  - {label: done, callbacks: []}
"""

ISLES = """\
  - {label: isle_a, callbacks: [], transitions: [{destination: isle_b}]}
  - {label: isle_b, callbacks: [], transitions: [{destination: isle_a}]}
"""

VERSION_8 = """\
label: other_v2
states:
  - {label: untracked, freetext: null, callbacks: [], transitions: [{destination: check}]}
  - label: check
    freetext: Counts the scans
    callbacks:
      - label: completeness
        function: external_program
        run_timeout: 60
        callback_arguments: |
          binary: check.py
          kwargs: {"--xnat": $XNAT}
        variable_map: "has_t1: /values/t1"
      - {label: notify, function: send_mail, condition: "experiment.scandate > datetime.datetime(2024, 1, 1)", callback_arguments: {subject: a, body: b}}
    transitions:
      - {destination: done, condition: "experiment.variables.get('has_t1') and callbacks['completeness'].result in ('success',)"}
      - {destination: check}
  - {label: done, freetext: End, callbacks: []}
"""


def said(text):
    reading = read_workflow(text)
    assert reading.workflow is None
    return [str(remark) for remark in reading.mistakes]


def test_a_workflow_is_read_whole():
    reading = read_workflow(SMALL)
    assert not reading.mistakes
    assert not reading.notices
    flow = reading.workflow
    assert flow.label == "small_v1"
    assert [state.label for state in flow.states] == ["begin", "work", "failed", "done"]
    assert flow.root.label == "begin"
    work = flow.state("work")
    assert work.callback("measure").arguments == {"deployment": "measure/warm"}
    assert work.callback("measure").variable_map == {"outcome": "/outcome"}
    assert work.callback("measure").run_timeout_min == 60
    assert work.transitions[1].condition is None
    assert [flow.kind(state) for state in flow.states] == [
        StateKind.ROOT,
        StateKind.MACHINE,
        StateKind.OPERATOR,
        StateKind.END,
    ]


def test_a_version_8_file_with_functions_that_nothing_runs_is_read_with_notices():
    reading = read_workflow(VERSION_8)
    assert reading.workflow is not None
    assert [(remark.line, "nothing here runs" in remark.text) for remark in reading.notices] == [(7, True), (14, True)]
    callback = reading.workflow.state("check").callback("completeness")
    assert callback.arguments == {"binary": "check.py", "kwargs": {"--xnat": "$XNAT"}}
    assert callback.variable_map == {"has_t1": "/values/t1"}


def test_json_is_read_too():
    as_json = {
        "label": "json_v1",
        "states": [
            {"label": "begin", "callbacks": [], "transitions": [{"destination": "end"}]},
            {"label": "end", "callbacks": []},
        ],
    }
    assert read_workflow(json.dumps(as_json, indent="\t")).workflow.label == "json_v1"


def test_a_real_version_8_workflow_is_read_unmodified():
    text = (Path(__file__).parents[1] / "data" / "svd_study_v2.yaml").read_text()
    reading = read_workflow(text)
    assert reading.workflow is not None
    assert len(reading.workflow.states) == 12
    unknown = [str(remark).split("function ")[1].split(" ")[0] for remark in reading.notices]
    assert unknown == ["'external_program'", "'fastr'", "'send_mail'", "'create_taskgroup'", "'castor'"]


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*/workflow.yaml")), ids=lambda file: file.parent.name)
def test_the_workflows_that_ship_are_without_mistakes_and_notices(file):
    reading = read_workflow(file.read_text(), file=file.name)
    assert reading.workflow is not None
    assert not reading.mistakes
    assert not reading.notices


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("label: small_v1", "label: 7"), "workflow.yaml:1: 'label' of the workflow must be a text; put it in quotes"),
        (("label: small_v1", "lable: small_v1"), "workflow.yaml:1: the workflow has no 'label'"),
        (("label: small_v1", "label: '1'"), "workflow.yaml:1: the label '1' needs a letter"),
        (("destination: done", "destination: finished"), "workflow.yaml:15: state 'work' leads to 'finished'"),
        (("    callbacks: []\n    tr", "    tr"), "workflow.yaml:3: state 'begin' has no 'callbacks'; write 'callbacks: []'"),
        (("{label: done, call", "{label: failed, call"), "there are 2 states with the label 'failed'"),
        (("== 'success'", "== 'success"), "workflow.yaml:16: condition: this is not a Python expression"),
        (("== 'success'", "== succes"), "workflow.yaml:16: condition: 'succes' is not a name that conditions know"),
        (("callbacks['measure'].result", "open('x')"), "workflow.yaml:16: condition: 'open' is not a name"),
        (("{deployment: measure/warm}", "{}"), "needs 'deployment: flow-name/deployment-name'"),
        (("destination: work\n", "destination: work\n        condition: 'True'\n"), "must have no condition"),
        (("  - label: work\n", "  - {label: lost, callbacks: [], transitions: [{destination: done}]}\n  - label: work\n"),
         "only one may begin"),
        (("{label: done, callbacks: []}", "{label: done, callbacks: [], transitions: [{destination: begin}]}"),
         "one must be the beginning"),
        (("      - destination: work\n  -", "      - destination: work\n      - destination: done\n  -"),
         "needs exactly one transition; it has 2"),
        (("function: prefect_flow", "function: prefect_flow\n        run_timeout: -1"), "whole number, 0 or more"),
        (("function: prefect_flow", "function: prefect_flow\n        run_timeout: true"), "whole number, 0 or more"),
        (("function: prefect_flow", "function: prefect_flow\n        label: again"), "the key 'label' stands twice"),
        (("      - destination: failed\n", "      - destination: failed\n      - destination: failed\n"), "2 equal transitions"),
        (("freetext: first", "freetext: [first]"), "must be a text"),
        (("states:\n", "states: none\nx:\n"), "'states' of the workflow must be a list"),
        (("label: small_v1", "label: small_v1\n  x: y: z"), "this is not YAML"),
        (("label: small_v1", "label: !!python/object:os.system small"), "cannot be read"),
    ],
)  # fmt: skip
def test_each_mistake_is_said_with_its_line_and_reason(change, sentence):
    changed = SMALL.replace(*change, 1)
    assert changed != SMALL
    assert any(sentence in remark for remark in said(changed)), said(changed)


@pytest.mark.parametrize(
    "text", ["", "[]", "text", "- a", "7", "null", "label: x1", "states: []", "{", "a: *b", "\x00"]
)
def test_what_is_no_workflow_at_all_is_refused(text):
    assert said(text)


def test_all_mistakes_are_said_at_once():
    changed = SMALL.replace("destination: done", "destination: finished").replace("== 'success'", "== success")
    assert [remark.split(":")[1] for remark in said(changed)] == ["15", "16", "19"]


def test_a_condition_over_several_lines_names_the_right_one():
    changed = SMALL.replace(
        "condition: callbacks['measure'].result == 'success'",
        "condition: |\n          callbacks['measure'].result == 'success'\n          and nonsense",
    )
    assert any(remark.startswith("workflow.yaml:18: condition: 'nonsense'") for remark in said(changed))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("label: small_v1", "label: small_v1\nlifespan: 3"), "workflow.yaml:2: 'lifespan' in the workflow belongs to version 6"),
        (("label: small_v1", "label: small_v1\nscantypes: []"), "since version 8"),
        (("freetext: first", "freetexts: first"), "workflow.yaml:4: 'freetexts' in a state is not a key"),
        (("callbacks['measure']", "callbacks['measured']"), "'callbacks' of state 'work' has no 'measured'"),
        (("        condition: callbacks['measure'].result == 'success'\n", ""), "are never tried"),
        (("function: prefect_flow", "function: sleep"), "nothing here runs the function 'sleep' yet"),
        (("  - label: work\n", ISLES + "  - label: work\n"),
         "state 'isle_a' cannot be reached"),
    ],
)  # fmt: skip
def test_what_is_strange_but_runs_is_a_notice(change, sentence):
    changed = SMALL.replace(*change, 1)
    assert changed != SMALL
    reading = read_workflow(changed)
    assert reading.workflow is not None, reading.mistakes
    assert any(sentence in str(remark) for remark in reading.notices), reading.notices


@pytest.mark.slow
def test_aliases_cannot_make_a_small_file_large():
    bomb = "\n".join(["x0: &x0 [a, a]"] + [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 30)])
    assert "more than" in said(f"{bomb}\n{SMALL}")[0]
    assert "more than" in said(f"x: &x [*x]\n{SMALL}")[0]
    assert said("[" * 5000 + "]" * 5000)
    assert "characters" in said("#" * 600_000)[0]


def test_aliases_and_merge_keys_within_reason_are_read():
    text = SMALL.replace(
        "- {label: failed, callbacks: [], transitions: [{destination: work}]}",
        "- &f {label: failed, callbacks: [], transitions: [{destination: work}]}\n  - {<<: *f, label: failed_too}",
    ).replace("- destination: failed\n", "- destination: failed\n      - {destination: failed_too}\n")
    flow = read_workflow(text).workflow
    assert flow.state("failed_too").transitions == flow.state("failed").transitions
