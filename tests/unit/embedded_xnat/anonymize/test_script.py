"""Which scripts are understood, and what is said about the others."""

from pathlib import Path

import pytest

from embedded_xnat.anonymize.paths import Into, Levels
from embedded_xnat.anonymize.script import Assign, Condition, Delete, HashUid, Literal, Name, TagPattern
from embedded_xnat.anonymize.service import DEFAULT
from embedded_xnat.anonymize.vocabulary import read_script
from embedded_xnat.contract.errors import ScriptRefused

VERSION = 'version "6.1"\n'


def statements(text: str):
    return read_script(VERSION + text).statements


def mistakes(text: str) -> tuple[tuple[int, str], ...]:
    with pytest.raises(ScriptRefused) as refused:
        read_script(text)
    return refused.value.mistakes


def test_the_default_script_is_understood() -> None:
    assert len(read_script(DEFAULT).statements) == 3


def test_every_form_of_the_subset_is_read() -> None:
    found = statements(
        """
        // a comment, then an empty line

        (0010,0010) := "A // B"   // the quotes hold it together
        (0010,0020) := session
        (0020,000d):=hashUID[(0020,000D)]
        -(0010,0030)
        - (50XX,XXXX)
        - (XXX#,XXXX)
        (0008,0060) = "MR" ? (0010,4000) := "x" : - (0010,4000)
        (0008,103E) !~ "T[12].*" ? -(0008,103E)
        project != "Unassigned" ? (0008,1030) := project
        """
    )
    assert [statement.action for statement in found[:6]] == [
        Assign(0x00100010, Literal("A // B")),
        Assign(0x00100020, Name("session")),
        Assign(0x0020000D, HashUid(0x0020000D)),
        Delete(TagPattern("00100030")),
        Delete(TagPattern("50XXXXXX")),
        Delete(TagPattern("XXX#XXXX")),
    ]
    assert found[6].condition == Condition(0x00080060, "=", Literal("MR"))
    assert found[6].otherwise == Delete(TagPattern("00104000"))
    assert found[7].condition == Condition(0x0008103E, "!~", Literal("T[12].*"))
    assert found[8].condition == Condition(Name("project"), "!=", Literal("Unassigned"))
    assert [statement.line for statement in found[:2]] == [5, 6]


def test_paths_into_sequences_are_read() -> None:
    found = statements(
        """
        - (0012,0064)
        - (0012,0064)[0]
        - (0012,0064)[%]/(0008,010X)
        - * / (0010, 0010)                          // anywhere
        -+/(XXX#,XXXX)
        - . / (0040,A730)[1]/(0010,0010)
        (0012,0064) [ 1 ] / (0008,0104) := "x"
        (0008,1140)[%]/(0008,1155) := hashUID[(0008,1140)[%]/(0008,1155)]
        """
    )
    each = (Into(0x00081140),)
    assert [statement.action for statement in found] == [
        Delete(TagPattern("00120064")),
        Delete(TagPattern("XXXXXXXX"), (Into(0x00120064, 0),)),
        Delete(TagPattern("0008010X"), (Into(0x00120064),)),
        Delete(TagPattern("00100010"), (Levels.ANY,)),
        Delete(TagPattern("XXX#XXXX"), (Levels.SOME,)),
        Delete(TagPattern("00100010"), (Levels.ONE, Into(0x0040A730, 1))),
        Assign(0x00080104, Literal("x"), (Into(0x00120064, 1),)),
        Assign(0x00081155, HashUid(0x00081155, each), each),
    ]


REFUSED = [
    ("removeAllPrivateTags", "removeAllPrivateTags is not supported"),
    ('describe x "y"', "describe is not supported"),
    ("x := (0010,0010)", "x is not supported"),
    ("(0010,0010) := (0010,0020)", "must be a text"),
    ("(0010,0010) := uppercase[(0010,0020)]", "uppercase is not supported"),
    ('(0010,0010) := "a" "b"', "more after the statement"),
    ('(0010,0010) := "a', "cannot be read"),
    ("- (0040,0275)/(0040,0007)", "which item of a sequence"),
    ("- (0040,0275)[x]/(0040,0007)", "is written [0]"),
    ("- (0040,0275)[0/(0040,0007)", "is written [0]"),
    ("- (0040,0275)[0]/", "names a tag"),
    ("- *", "a slash and a tag"),
    ("- * / + / (0010,0010)", "one * or + at most"),
    ("- " + ". / " * 30 + "(0010,0010)", "20 steps at most"),
    ("- (0010,0010)[0]/(0008,0100)", "no sequence"),
    ("- * / (0020,000D)", "cannot be deleted"),
    ("- * / (7FE0,0010)", "pixel data"),
    ('* / (0010,0010) := "a"', "are for deletions"),
    ('(0040,0275)[0] := "a"', "one tag"),
    ("(0008,1140)[0]/(0008,1155) := hashUID[(0008,1140)[1]/(0008,1155)]", "where it is"),
    ('(0040,0275)[0]/(0040,0007) = "x" ? - (0010,0010)', "outside of all sequences"),
    ("- (0029,{SIEMENS CSA HEADER}10)", "cannot be read"),
    ('(0010,00XX) := "a"', "one tag"),
    ('(0029,1010) := "a"', "only elements of the DICOM dictionary"),
    ('(0002,0010) := "1.2"', "file meta information"),
    ("- (7FE0,0010)", "pixel data"),
    ("- (0020,000D)", "cannot be deleted"),
    ('(0008,0018) := "1.2"', "can only be hashed"),
    ('(0008,0016) := "1.2"', "can only be hashed"),
    ("(0010,0010) := hashUID[(0020,000D)]", "hold UIDs"),
    ('(0040,0275) := "x"', "SQ cannot be assigned"),
    ('(0028,0010) := "7"', "US cannot be assigned"),
    ('(0010,0030) := "yesterday"', "no value of the representation DA"),
    ('(0010,0010) := "M\u00fcller"', "printable ASCII"),
    ('(0010,0010) == "a" ? (0010,0010) :=', "must be a text"),
    ('(0010,0010) ~ "(a+)+" ? -(0010,0010)', "too costly"),
    ('(0010,0010) ~ "a?a?a?a?a?aaaaa" ? -(0010,0010)', "too costly"),
    ('(0010,0010) ~ "[" ? -(0010,0010)', "no regular expression"),
    ('(0010,0010) < "a" ? -(0010,0010)', "cannot be read"),
]


@pytest.mark.parametrize(("line", "reason"), REFUSED)
def test_what_goes_beyond_is_refused_with_line_and_reason(line: str, reason: str) -> None:
    found = mistakes(f"{VERSION}// first\n{line}\n")
    assert [number for number, _ in found] == [3]
    assert reason in found[0][1]


@pytest.mark.parametrize("text", ["", "// only words", '(0010,0010) := "a"', 'version "4.2"', 'version "6.1" "x"'])
def test_a_script_begins_with_its_version(text: str) -> None:
    assert mistakes(text)[0][0] == 1


def test_all_mistakes_are_told_at_once() -> None:
    assert [line for line, _ in mistakes(f"{VERSION}nonsense\n- (0010,0030)\nnonsense\n")] == [2, 4]


def test_endless_scripts_are_refused() -> None:
    assert "longer" in mistakes(VERSION + "// x\n" * 40_000)[0][1]


def test_the_script_of_the_guide_is_understood() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "embedded-xnat.md").read_text()
    script = guide.partition('version "6.1"')[2].partition("```")[0]
    assert len(read_script(f'version "6.1"{script}').statements) == 10
