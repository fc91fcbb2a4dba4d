"""The release table is the same however often, in whatever order and at once it is written."""

import csv
import datetime as dt
import itertools
import json
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from study_governor.contract.schemas import MeasurementRecord
from tasks.errors import ReleaseNotWritten
from tasks.export import ReleaseRow, release_table, write_release


def row(session="A_MR_1", *, subject="A", value=1505.336, name="intracranial_volume"):
    return ReleaseRow(
        session=session, subject=subject, name=name, value=value, unit="mL", model="brain_tiv", version="deepbet 1.0.2"
    )


def content(release):
    return release.csv.read_bytes(), release.json_file.read_bytes()


def test_measurements_become_rows_in_order_and_only_those_wanted():
    def record(session, name):
        return MeasurementRecord(
            key=f"m.{name}", name=name, value=1.5, unit="mL", model="m", version="1", pedigree={"input": {"instances_sha256": "ab"}},
            cohort="heads", subject="A", experiment_id=1, session=session, state="releasing", updated_at=dt.datetime.now(dt.UTC),
        )  # fmt: skip

    records = [record("S2", "volume"), record("S1", "volume"), record("S1", "other")]
    rows = release_table(records, wanted=["volume"])
    assert [(one.session, one.name, one.input_sha256) for one in rows] == [
        ("S1", "volume", "ab"),
        ("S2", "volume", "ab"),
    ]
    assert len(release_table(records)) == 3


def test_csv_and_json_hold_the_same_rows(tmp_path):
    release = write_release(tmp_path, "A_MR_1", [row()], stem="heads")
    (line,) = csv.DictReader(release.csv.read_text().splitlines())
    (item,) = json.loads(release.json_file.read_text())
    assert {key: str(value) for key, value in item.items()} == line
    assert float(line["value"]) == 1505.336


def test_the_same_release_twice_changes_no_byte_and_touches_no_file(tmp_path):
    first = write_release(tmp_path, "A_MR_1", [row()], stem="heads")
    before, stamp = content(first), first.csv.stat().st_mtime_ns
    again = write_release(tmp_path, "A_MR_1", [row()], stem="heads")
    assert content(again) == before
    assert again.csv.stat().st_mtime_ns == stamp


def test_any_order_and_all_at_once_give_one_table(tmp_path):
    rows = [row(f"S{n}", subject=f"P{n % 3}", value=float(n)) for n in range(6)]
    tables = set()
    for number, order in enumerate(itertools.islice(itertools.permutations(rows), 0, 720, 180)):
        for one in order:
            release = write_release(tmp_path / str(number), one.session, [one], stem="heads")
        tables.add(content(release))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda one: write_release(tmp_path / "at once", one.session, [one], stem="heads"), rows))
    tables.add(content(write_release(tmp_path / "at once", "S0", [rows[0]], stem="heads")))
    assert len(tables) == 1


def test_a_session_taken_back_leaves_the_table(tmp_path):
    write_release(tmp_path, "S1", [row("S1")], stem="heads")
    write_release(tmp_path, "S2", [row("S2")], stem="heads")
    release = write_release(tmp_path, "S1", [], stem="heads", subject="A")
    assert [one["session"] for one in json.loads(release.json_file.read_text())] == ["S2"]
    assert not list(tmp_path.rglob(".heads*"))


def test_equal_session_labels_of_two_subjects_stand_side_by_side(tmp_path):
    write_release(tmp_path, "S1", [row("S1", subject="A", value=1.0)], stem="heads")
    both = write_release(tmp_path, "S1", [row("S1", subject="B", value=2.0)], stem="heads")
    assert [(one["subject"], one["value"]) for one in json.loads(both.json_file.read_text())] == [
        ("A", 1.0),
        ("B", 2.0),
    ]
    left = write_release(tmp_path, "S1", [], stem="heads", subject="A")
    assert [one["subject"] for one in json.loads(left.json_file.read_text())] == ["B"]


@pytest.mark.parametrize("label", ["..", "../..", "a/b", ".hidden"])
def test_no_label_leaves_the_release_folder(tmp_path, label):
    folder = tmp_path / "releases"
    assert write_release(folder, label, [row(label, subject=label)], stem="heads").row_count == 1
    assert [path.name for path in tmp_path.iterdir()] == ["releases"]
    assert len(list((folder / "sessions").glob("*/*.json"))) == 1


def test_rows_need_one_subject(tmp_path):
    with pytest.raises(ValueError, match="subject"):
        write_release(tmp_path, "S1", [row("S1"), row("S1", subject="B")], stem="heads")
    with pytest.raises(ValueError, match="subject"):
        write_release(tmp_path, "S1", [], stem="heads")


def test_a_disk_that_refuses_is_one_sentence_without_a_label(tmp_path):
    released = write_release(tmp_path, "S1", [row("S1")], stem="heads")
    (tmp_path / "sessions" / "JANSEN").write_text("in the way")
    with pytest.raises(ReleaseNotWritten, match="The table of study heads cannot be written") as caught:
        write_release(tmp_path, "S2", [row("S2", subject="JANSEN")], stem="heads")
    assert "sessions/" not in "".join(traceback.format_exception(caught.value))
    assert released.csv.read_text().count("\n") == 2


def test_rows_of_another_session_are_a_mistake(tmp_path):
    with pytest.raises(ValueError, match="another session"):
        write_release(tmp_path, "S1", [row("S2")], stem="heads")


def test_the_log_names_no_session(tmp_path, caplog):
    caplog.set_level("INFO")
    write_release(tmp_path, "JANSEN_MR_19500312", [row("JANSEN_MR_19500312", subject="JANSEN")], stem="heads")
    (record,) = caplog.records
    assert not [value for value in vars(record).values() if "JANSEN" in str(value)]
