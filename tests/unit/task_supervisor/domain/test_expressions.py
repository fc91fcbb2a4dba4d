"""The expressions of templates: what is allowed, what it means, what it can never do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_supervisor.domain.expressions import ExpressionError, evaluate, holds, names, parse, value_of


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("usable", {"usable": True}, True),
        ("not usable", {}, True),
        ('grade == "poor"', {"grade": "poor"}, True),
        ("0 <= pv <= 3 and (ok or bool(why))", {"pv": 2, "ok": False, "why": "x"}, True),
        ("pv + deep", {"pv": 1, "deep": 2}, 3),
        ("-7 // 2", {}, -4),
        ("-7 % 3", {}, 2),
        ("round(2.5)", {}, 2),
        ("max(a, b) if a else 0", {"a": 1, "b": 4}, 4),
        ('d in ["accept", "reject"]', {"d": "accept"}, True),
        ("sum([a, b, 1])", {"a": 1, "b": 1}, 3),
        ("unknown is None", {}, True),
    ],
)
def test_an_expression_means_what_python_means(text, values, expected):
    assert evaluate(parse(text), values) == expected


@pytest.mark.parametrize(
    "text",
    [
        "(((", "a.b", "a[0]", "__import__('os')", "open('x')", "lambda: 1", "[x for x in y]", "a := 1", "f'{a}'", "a ** 9",
        "1 << 99", "print(1)", "max(*a)", "len(a, key=b)", "b'x'", "...", "a and b\nc", "x" * 2000,
    ],
)  # fmt: skip
def test_whatever_is_not_in_the_subset_is_refused(text):
    with pytest.raises(ExpressionError):
        parse(text)


@pytest.mark.parametrize("text", ["a > 2", "1 / 0", "len(3)", "'a' * 9", "int('x')", "'a' in 3", "min([])"])
def test_a_condition_that_raises_does_not_hold_and_a_formula_that_raises_is_null(text):
    assert holds(parse(text), {}) is False
    assert value_of(parse(text), {}) is None


def test_no_text_grows_without_bound():
    tree = parse("a + a")
    assert value_of(tree, {"a": "x" * 9000}) is None


def test_no_condition_at_all_holds():
    assert holds(None, {})


def test_the_names_of_an_expression_are_known():
    assert set(names(parse("a + b if c in [d] else max(e, 'f')"))) == set("abcde")


@given(st.text(max_size=80))
def test_parsing_any_text_gives_a_tree_or_an_expression_error(text):
    try:
        tree = parse(text)
    except ExpressionError:
        return
    value_of(tree, {})


def test_deep_nesting_is_an_expression_error():
    with pytest.raises(ExpressionError):
        parse("(" * 450 + "1" + ")" * 450)
