import time

import pytest

from embedded_xnat.contract.errors import BadField
from embedded_xnat.domain.setters import MAX_ROWS, SetField, apply_changes, read_changes


def after(parameters: list[tuple[str, str]], xsi_type: str, data=None, lists=None):
    return apply_changes(read_changes(parameters, xsi_type).changes, data or {}, lists or {})


def test_paths_are_read_in_any_case_and_values_become_numbers() -> None:
    data, _ = after(
        [("XNAT:mrscandata/PARAMETERS/voxelres/X", "0.9"), ("xnat:mrScanData/frames", "60")], "xnat:mrScanData"
    )
    assert data == {"parameters/voxelRes/x": 0.9, "frames": 60}


def test_a_polymorphic_object_is_set_through_its_type() -> None:
    data, _ = after([("xnat:subjectData/demographics[@xsi:type=xnat:demographicData]/age", "40")], "xnat:subjectData")
    assert data == {"demographics/age": 40}


def test_short_names_set_fields_too() -> None:
    assert after([("gender", "female")], "xnat:subjectData")[0] == {"demographics/gender": "female"}


def test_custom_fields_are_added_changed_and_deleted_by_name() -> None:
    path = "xnat:mrSessionData/fields/field[name=Group]/field"
    _, lists = after([(path, "a")], "xnat:mrSessionData")
    assert lists == {"fields/field": [{"name": "group", "field": "a"}]}
    _, lists = after([(path, "b")], "xnat:mrSessionData", lists=lists)
    assert lists == {"fields/field": [{"name": "group", "field": "b"}]}
    deletion = [(path, "NULL"), ("xnat:mrSessionData/fields/field[name=Group]/Group", "NULL")]
    assert after(deletion, "xnat:mrSessionData", lists=lists)[1] == {}


def field(number: int) -> tuple[str, str]:
    return f"xnat:subjectData/fields/field[name=x{number}]/field", str(number)


def test_many_rows_cost_no_more_than_they_are_and_there_is_an_end_to_them() -> None:
    start = time.process_time()
    _, lists = after([field(number) for number in range(MAX_ROWS)], "xnat:subjectData")
    _, lists = after([field(number) for number in range(MAX_ROWS)], "xnat:subjectData", lists=lists)
    assert time.process_time() - start < 1.5
    assert len(lists["fields/field"]) == MAX_ROWS
    with pytest.raises(BadField, match="rows at most"):
        after([field(MAX_ROWS)], "xnat:subjectData", lists=lists)


def test_rows_are_found_after_others_are_gone_or_renamed() -> None:
    path = "xnat:subjectData/fields/field"
    lists = {"fields/field": [{"name": name, "field": name} for name in ("a", "b", "a")]}
    wanted = [(f"{path}[name=b]/field", "1"), (f"{path}[name=a]/field", "NULL"), (f"{path}[name=b]/field", "2")]
    assert after(wanted, "xnat:subjectData", lists=lists)[1] == {
        "fields/field": [{"name": "b", "field": "2"}, {"name": "a", "field": "a"}]
    }
    wanted = [(f"{path}[name=a]/name", "c"), (f"{path}[name=c]/field", "3"), (f"{path}[name=a]/field", "4")]
    assert [tuple(row.values()) for row in after(wanted, "xnat:subjectData", lists=lists)[1]["fields/field"]] == [
        ("c", "3"),
        ("b", "b"),
        ("a", "4"),
    ]


def test_a_row_of_a_number_that_nobody_can_count_to_is_refused() -> None:
    with pytest.raises(BadField):
        after([(f"xnat:subjectData/addID[{'9' * 5000}]/addID", "x")], "xnat:subjectData")


def test_rows_are_counted_from_one() -> None:
    _, lists = after([("xnat:subjectData/addID[1]/addID", "x")], "xnat:subjectData")
    assert lists == {"addID": [{"addID": "x"}]}
    with pytest.raises(BadField):
        after([("xnat:subjectData/addID[7]/addID", "x")], "xnat:subjectData", lists=lists)


def test_identity_is_told_apart_from_fields() -> None:
    changes = read_changes([("xnat:mrScanData/id", "4"), ("xnat:mrScanData/type", "T1")], "xnat:mrScanData")
    assert changes.changes == (SetField("type", "T1"),)
    assert changes.identity == {"id": "4"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("xnat:mrScanData/nonsense", "1"),
        ("xnat:mrScanData/frames", "many"),
        ("xnat:mrScanData/parameters/tr", "nan"),
        ("xnat:mrScanData/start_date", "2026-02-31"),
        ("xnat:subjectData/group", "a"),
        ("xnat:mrScanData/note", "x" * 3000),
        ("xnat:mrScanData/type", "a\x00b"),
        ("xnat:mrScanData/parameters/addParam[0]/addField", "x"),
        ("nosuch:type/field", "x"),
    ],
)
def test_what_does_not_fit_the_data_model_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadField):
        read_changes([(name, value)], "xnat:mrScanData")
