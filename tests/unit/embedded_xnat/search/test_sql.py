"""Shell patterns as SQL: the same answers as the shell's, and none that keeps the server busy."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, literal, select
from sqlalchemy.dialects import postgresql

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.search.sql import MAX_WILDCARDS, like_shell

ENGINE = create_engine("sqlite://")
PATTERNS = st.lists(
    st.sampled_from(["a", "b", "?", "*", "[ab]", "[!a]", "[^a]", "[^]", "[a-b]", "[-a]", "[]a]", "[", "]", ".", "\\"]),
    max_size=6,
).map("".join)


@settings(database=None, deadline=None)
@given(pattern=PATTERNS, text=st.text("ab[]^-.\\\n", max_size=6))
def test_sqlite_matches_as_the_shell_does(pattern: str, text: str) -> None:
    if pattern.replace("**", "*").count("*") > MAX_WILDCARDS:
        return
    with ENGINE.connect() as connection:
        found = connection.execute(select(like_shell(literal(text), pattern))).scalar()
    assert bool(found) == fnmatchcase(text, pattern)


def test_a_pattern_that_meets_a_long_text_is_answered(admin, session_uri: str) -> None:
    assert admin.put(session_uri, params={"xnat:mrSessionData/note": "a" * 2400}).is_success
    for pattern in ("*a*a*a*b", "*a*a*b", "a*" * MAX_WILDCARDS + "b"):
        answer = admin.get("/data/experiments", params={"note": pattern})
        assert answer.json()["ResultSet"]["Result"] == []
    assert admin.get("/data/experiments", params={"note": "*a*a*a*"}).json()["ResultSet"]["totalRecords"] == "1"


def test_no_pattern_is_matched_by_python() -> None:
    """SQLite's REGEXP is Python's own engine, which keeps all threads waiting."""
    condition = like_shell(literal("x"), "a*[!b]")
    assert "GLOB" in str(condition.compile(ENGINE))
    assert " ~ " in str(condition.compile(dialect=postgresql.dialect()))


@pytest.mark.parametrize("pattern", ["[!]", "[b-a]", "a*" * (MAX_WILDCARDS + 1)])
def test_a_pattern_without_a_meaning_is_refused(pattern: str) -> None:
    with pytest.raises(BadRequest):
        like_shell(literal("x"), pattern)
