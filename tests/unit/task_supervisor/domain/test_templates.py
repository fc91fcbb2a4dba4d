"""Reading of ViewR templates: the shipped one, one with all 17 controls, and everything the schema refuses."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from task_supervisor.contract.errors import TemplateRefused
from task_supervisor.domain.forms import Control
from task_supervisor.domain.templates import read_template

REPOSITORY = Path(__file__).resolve().parents[4]
SHIPPED = REPOSITORY / "studies/brain-volumetry/templates/brain_mask_review.yaml"

FIELD = {"control": "LineEdit", "label": "Why", "x": 0, "y": 0}
BASE = {
    "template_name": "review",
    "sop": "Look.",
    "viewports": [
        {"type": "viewport", "name": "a", "scan": "T1", "annotation": None, "x": 0, "y": 0, "linked": True},
    ],
    "scans": {"T1": {"modality": "MR", "protocols": "*T1*"}},
    "annotations": None,
    "qa_fields": {"why": FIELD},
}


def with_field(**changes):
    data = copy.deepcopy(BASE)
    data["qa_fields"]["why"] |= changes
    return data


def read(data, label="review"):
    return read_template(label, yaml.safe_dump(data))


def test_the_shipped_template_reads_without_a_remark():
    form = read_template("brain_mask_review", SHIPPED.read_text())
    assert form.remarks == ()
    assert [field.name for field in form.fields] == ["decision", "comment", "decided"]
    assert form.fields[0].options == ("accept", "reject")
    assert form.labels[0].name == "brain"


def test_every_one_of_the_17_controls_reads():
    form = read_template("svd_review", Path(__file__).with_name("svd_review.yaml").read_text())
    inside_a_listing = {Control.MARKER_EDIT}
    assert {field.control for field in form.walk()} == set(Control) - inside_a_listing
    assert form.remarks == ()


def test_json_is_read_like_yaml():
    assert read_template("review", json.dumps(BASE)) == read(BASE)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({k: v for k, v in BASE.items() if k != "sop"}, "sop"),
        ({**BASE, "template_name": "1"}, "template_name"),
        ({k: v for k, v in BASE.items() if k != "scans"}, "scans is missing"),
        ({**BASE, "contexts": {"one": BASE}}, "cannot both stand"),
        ({**BASE, "viewports": [{"name": "a"}]}, "viewports/0/scan is missing"),
        ({**BASE, "viewports": [{**BASE["viewports"][0], "orientation": "Axial"}]}, "orientation"),
        (with_field(control="LineEdti"), "did you mean LineEdit"),
        (with_field(x="0"), "x must be a whole number"),
        (with_field(enabled="yes"), "enabled must be true or false"),
        (with_field(depends_on=True), "depends_on must be text"),
        (with_field(control="ComboBox"), "options is missing"),
        (with_field(control="ComboBox", options=[True]), "quote words like yes and no"),
        (with_field(control="RadioButtonGroup", options=["a"], orientation="diagonal"), "orientation"),
        (with_field(control="JSONDisplay", content={"a": {"type": "html"}}), "text or boolean"),
        (with_field(control="ListingWidget", columns=[], content={"a": {"control": "Nothing"}}), "content/a/control"),
    ],
)
def test_what_the_schema_refuses_is_refused_with_its_place(data, words):
    with pytest.raises(TemplateRefused) as refused:
        read(data)
    assert words in str(refused.value)


@pytest.mark.parametrize("text", ["[1]", "a: [", "", "just text", "- 1"])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(TemplateRefused):
        read_template("review", text)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (with_field(lable="x"), "lable is unknown; did you mean label?"),
        (with_field(visible_on="((("), "is no expression"),
        (with_field(visible_on="nobody"), "refers to nobody"),
        (with_field(control="ComboBox", options=[]), "options is empty"),
        (with_field(control="ListingWidget", columns=["b"], content={"a": FIELD}), "columns names b"),
        ({**BASE, "viewport": 1}, "did you mean viewports?"),
    ],
)
def test_what_the_original_lets_pass_is_a_remark(data, words):
    assert any(words in remark for remark in read(data).remarks)


def test_an_expression_that_does_not_parse_never_holds():
    from task_supervisor.domain.expressions import holds

    field = read(with_field(visible_on="(((")).fields[0]
    assert not holds(field.visible_on, {})


def test_contexts_are_one_form():
    context = {k: v for k, v in BASE.items() if k not in {"template_name", "sop"}}
    other = copy.deepcopy(context)
    other["qa_fields"] = {"more": FIELD}
    form = read({"template_name": "review", "sop": "Look.", "contexts": {"one": context, "two": other}})
    assert [field.name for field in form.fields] == ["why", "more"]


def test_fields_stand_in_the_order_of_their_cells():
    data = copy.deepcopy(BASE)
    data["qa_fields"] = {"c": {**FIELD, "y": 1}, "b": {**FIELD, "x": 1}, "a": FIELD}
    assert [field.name for field in read(data).fields] == ["a", "b", "c"]
