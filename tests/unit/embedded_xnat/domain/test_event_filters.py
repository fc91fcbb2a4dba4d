"""Filters of subscriptions: what they match, and what they refuse."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.domain.event_filters import read_filter

SESSION = {
    "id": "CF_E00001",
    "label": "P01_MR1",
    "xsiType": "xnat:mrSessionData",
    "project-id": "P",
    "count": 3,
    "scans": [{"id": "1", "type": "T1 w"}, {"id": "2", "type": "FLAIR"}],
    "modalities-in-study": ["MR"],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@.xsiType == 'xnat:mrSessionData'", True),
        ('(@.xsiType == "xnat:ctSessionData")', False),
        ("$[?(@.project-id == 'P')]", True),
        ("$.[?(@['project-id'] != 'P')]", False),
        ("@.scans[*].type =~ /flair/i", True),
        ("@.scans[*].type =~ /flair/", False),
        ("@.scans[1].id == '2' && !(@.count < 3)", True),
        ("@.scans[9].id == '2' || @.count >= 3", True),
        ("@.count > 3", False),
        ("@.count == 3 && @.label =~ /P01.*/", True),
        ("@.label =~ /P01/", False),
        ("@.modalities-in-study[*] in ['CT', 'MR']", True),
        ("@.label nin ['A', 'B']", True),
        ("@.scans['²'].id == '2'", False),
        ("@.none", False),
        ("@.scans", True),
        ("@.count < 'text'", False),
        ("@.id =~ /CF_(E|S)\\d{5}/", True),
    ],
)
def test_a_filter_matches_what_it_says(text: str, expected: bool) -> None:
    assert read_filter(text)(SESSION) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 == 1",
        "@.a ==",
        "@.a == b",
        "(@.a == 1",
        "@.a == 1)",
        "@.a == 1 2",
        "__import__('os')",
        "@.a =~ /(a+)+/",
        "@.a =~ /a*b*c*d*/",
        "@.a =~ /(/",
        "@.a =~ /(?R)/",
        r"@.a =~ /(a)\1/",
        "@.a in []",
        "@.a in ['x'",
        "!" * 500 + "@.a",
        "(" * 100 + "@.a" + ")" * 100,
        "@.a == " + "'" + "x" * 1000 + "'",
        "@.a =~ /a{99999999999}/",
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BadRequest, match="filter"):
        read_filter(text)


def test_a_slow_pattern_is_still_quick() -> None:
    fits = read_filter("@.label =~ /.*a.*a.*b/")
    began = time.monotonic()
    assert not fits({"label": "a" * 100_000})
    assert time.monotonic() - began < 1


@given(st.text(alphabet="@.()[]'\"/=!<>&|~*ab1, -\\?$", max_size=40))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        found = read_filter(text)
    except BadRequest:
        return
    assert found(SESSION) in {True, False}
