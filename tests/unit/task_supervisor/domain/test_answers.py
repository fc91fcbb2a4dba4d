"""Checking of answers against their form."""

from pathlib import Path

import pytest

from task_supervisor.domain.answers import checked, flattened
from task_supervisor.domain.expressions import parse
from task_supervisor.domain.forms import Control, Form, FormField, Section
from task_supervisor.domain.templates import read_template

REPOSITORY = Path(__file__).resolve().parents[4]
SHIPPED = read_template(
    "brain_mask_review", (REPOSITORY / "studies/brain-volumetry/templates/brain_mask_review.yaml").read_text()
)


def form(*fields):
    return Form(template_name="t", sop="", fields=fields)


def field(name, control, **more):
    return FormField(name=name, control=control, label=name.title(), **more)


def test_a_decision_is_enough():
    assert checked(SHIPPED, {"decision": "accept"}) == ({"decision": "accept", "comment": ""}, [])


def test_no_decision_is_held_back_by_the_templates_own_condition():
    assert checked(SHIPPED, {})[1] == ["not fulfilled yet: A decision is made"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"decision": "perhaps"}, "must be one of accept, reject"),
        ({"decision": "accept", "comment": 3}, "must be text"),
        ({"decision": "accept", "comment": "x" * 20_001}, "longer than"),
        ({"decison": "accept"}, "did you mean 'decision'"),
    ],
)
def test_what_the_form_does_not_offer_is_a_mistake(answer, words):
    assert any(words in mistake for mistake in checked(SHIPPED, answer)[1])


@pytest.mark.parametrize(
    ("kind", "value", "is_fine"),
    [("Int", 3, True), ("Int", 3.5, False), ("Float", 3.5, True), ("Int", True, False), ("Int", "3", False)],
)
def test_numbers_are_numbers(kind, value, is_fine):
    mistakes = checked(form(field("n", Control.NUMBER, type=kind)), {"n": value})[1]
    assert (mistakes == []) is is_fine


def test_a_check_box_is_true_or_false():
    assert checked(form(field("c", Control.CHECK)), {"c": 1})[1]


def test_an_option_keeps_its_type():
    one = form(field("grade", Control.COMBO, options=(1, 2)))
    assert checked(one, {"grade": 1})[1] == []
    assert checked(one, {"grade": "1"})[1]
    assert checked(one, {"grade": True})[1]


def test_boxes_nest_and_dissolve():
    box = field("scores", Control.BOX, sections=(Section(title=None, fields=(field("a", Control.NUMBER),)),))
    whole, mistakes = checked(form(box), {"scores": {"a": 2}})
    assert (whole, mistakes) == ({"scores": {"a": 2}}, [])
    assert flattened((box,), whole) == {"a": 2}
    assert checked(form(box), {"scores": 3})[1] == ["'scores' must be an object of its fields"]


def test_what_the_reader_could_not_see_is_null():
    one = form(
        field("usable", Control.CHECK, initial_value=True),
        field("reason", Control.LINE, visible_on=parse("not usable")),
    )
    assert checked(one, {"usable": True, "reason": "x"})[0]["reason"] is None
    assert checked(one, {"usable": False, "reason": "x"})[0]["reason"] == "x"


def test_a_score_is_calculated_here_whatever_was_sent():
    one = form(
        field("a", Control.NUMBER),
        field("total", Control.SCORE, variables={"a": "a"}, formula=parse("a + 1")),
    )
    assert checked(one, {"a": 2, "total": 99})[0]["total"] == 3


def test_a_condition_over_a_score_sees_the_calculated_one():
    one = form(
        field("a", Control.NUMBER),
        field("total", Control.SCORE, variables={"a": "a"}, formula=parse("a * 2")),
        field("ok", Control.VALIDATION, variables={"t": "total"}, formula=parse("t < 5")),
    )
    assert checked(one, {"a": 2})[1] == []
    assert checked(one, {"a": 3})[1] == ["not fulfilled yet: Ok"]


def test_answers_of_the_desktop_program_pass_through():
    one = form(field("points", Control.MARKER_EDIT))
    assert checked(one, {"points": [{"pos": [1, 2, 3]}]})[0] == {"points": [{"pos": [1, 2, 3]}]}
