"""Routing expressions of an administrator, as XNAT writes them."""

import time

import pytest

from embedded_xnat.domain.patterns import read_pattern, steps
from embedded_xnat.domain.routing_rules import MAX_TEXT, first_found, read_rules


def found(rules: str, text: str) -> str | None:
    return first_found(read_rules(rules), {0x00081030: text}.get)


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        (r"(0008,1030):Project:\s*(\w+)", "Project: A", "A"),
        (r"(0008,1030):Project:\s*(\w+)", "my Project: A", None),
        (r"(0008,1030):.*Project:\s*(\w+).*", "my Project: A now", "A"),
        (r"(0008,1030):^(Project:)?(.*):2", "Project:A", "A"),
        (r"(0008,1030):.*:0", "A", "A"),
        (r"(0008,1030):(.*):1 t:.+ r:MyProject", "A", "MyProject"),
        (r"(0008,1030):(.*) t:^SITE_ r:", "SITE_7", "7"),
        (r"(0008,1030):(.*) t:(\w)-(\w) r:$2$1\$", "a-b", "ba$"),
        (r"(0010,0010):(.*)", "A", None),
        ("(0008,1030):X(.*)\n\n  (0008,1030):Y(.*)\n(0008,1030):(.*)", "Y1", "1"),
        (r"(0008,1030):(a)|b", "b", None),
    ],
)
def test_a_rule_takes_a_part_of_a_text(rule: str, text: str, expected: str | None) -> None:
    assert found(rule, text) == expected


def test_a_text_is_looked_at_as_far_as_xnat_does() -> None:
    assert found("(0008,1030):(.*)", "x" * 1000) == "x" * MAX_TEXT


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ("0008,1030:(.*)", "line 1: a rule is"),
        ("(0008,1030):(.*)\n(0008,103):(.*)", "line 2: a rule is"),
        ("(0008,1030):", "a rule is"),
        ("(0008,1030):x", "no group 1"),
        ("(0008,1030):(.*):2", "no group 2"),
        ("(0008,1030):(.*", "no regular expression"),
        ("(0008,1030):(.*) t:(x) r:$2", "no group 2"),
        ("(0008,1030):(.*) t:( r:x", "no regular expression"),
        ("(0008,1030):(a+)+b", "too costly"),
        ("(0008,1030):(.*).*.*.*.*", "too costly"),
        ("(0008,1030):(.*).*.*.*x:1 t:x r:y", "too costly for so long a text"),
        ("(0008,1030):(x)\n" * 51, "more than 50"),
        ("(0008,1030):(x)\n" * 1000, "longer than"),
    ],
)
def test_a_rule_that_cannot_be_applied_is_refused_with_its_line(rules: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_rules(rules)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a*)*",
        r"(a*\\)*",
        r"\\*\\*\\*\\*",
        "(?x)(a+) +b",
        "(?ix:(a+) +)b",
        "(a+)(?#x)+b",
        "(a|a){9}",
        "(a|)" * 20 + "!",
        "(|a)" * 7 + "(?:b|)?",
        "a" * 201,
    ],
)
def test_a_pattern_that_could_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="too costly"):
        read_pattern(pattern)


def test_sets_and_escaped_signs_cost_nothing() -> None:
    pattern = read_pattern(r"[|?*+(](\|\?\*)[]|]x")
    assert pattern.fullmatch("+|?*|x")
    assert steps(pattern, 1000) == 1


def test_the_costliest_rules_end_soon() -> None:
    rules = [r"(0008,1030):(\w*)(\w*)(\w*)(\w*)(?:a|b)?x", r"(0008,1030):(\w*)(\w*)(\w*)x?!:1 t:.*.*x r:y"]
    start = time.perf_counter()
    assert found("\n".join(rules), "a" * 10_000) is None
    assert time.perf_counter() - start < 2.0
