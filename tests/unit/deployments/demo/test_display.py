"""What the demonstration prints."""

import io

from rich.console import Console

from deployments.demo.display import Display, biomarker_table
from deployments.demo.stages import Progress, Stage

ROW = {
    "session": "BV-001_MR", "subject": "BV-001", "name": "brain_volume",
    "value": 1234.567, "unit": "mL", "model": "brain_tiv", "version": "1.0",
}  # fmt: skip


def console(**options):
    return Console(file=io.StringIO(), width=160, **options)


def test_without_a_terminal_each_event_is_a_line():
    plain = console()
    display = Display(plain)
    with display.shown():
        display.part_ready("archive")
        display.show(Progress("BV-001", "u", stage=Stage.sending))
        display.show(Progress("BV-001", "u", stage=Stage.sending, sent=3))
        display.show(Progress("BV-001", "u", stage=Stage.quarantined, why="It is a CT."))
    lines = plain.file.getvalue().splitlines()
    assert len(lines) == 3
    assert "It is a CT." in lines[-1]


def test_in_a_terminal_the_sessions_stand_in_a_table():
    terminal = console(force_terminal=True)
    display = Display(terminal)
    display.show(Progress("BV-001", "u", total=10, sent=4, stage=Stage.review, label="BV-001_MR"))
    terminal.print(display)
    text = terminal.file.getvalue()
    assert "BV-001_MR" in text
    assert "4 of 10" in text
    assert "review" in text


def test_a_quarantined_session_shows_its_reason_in_the_table():
    terminal = console(force_terminal=True)
    display = Display(terminal)
    display.show(Progress("BV-001", "u", total=1, sent=1, stage=Stage.quarantined, why="It is a CT."))
    terminal.print(display)
    assert "It is a CT." in terminal.file.getvalue()


def test_the_table_of_biomarkers_shows_value_and_unit():
    plain = console()
    plain.print(biomarker_table([ROW]))
    text = plain.file.getvalue()
    assert "1234.6" in text
    assert "mL" in text
    assert "brain_tiv 1.0" in text


def test_long_work_says_now_and_then_how_far_it_is(monkeypatch):
    now = 1000.0
    monkeypatch.setattr("deployments.demo.display.time.monotonic", lambda: now)
    plain = console()
    display = Display(plain)
    display.doing("Fetching the scans")
    for second in range(12):
        now += 1
        display.doing("Fetching the scans", f"{second + 1} MB")
    display.doing("De-identifying the scans", "0 of 670 images")
    display.doing("")
    assert [line.split("s  ")[-1] for line in plain.file.getvalue().splitlines()] == [
        "Fetching the scans",
        "Fetching the scans: 5 MB",
        "Fetching the scans: 10 MB",
        "De-identifying the scans: 0 of 670 images",
    ]


def test_in_a_terminal_it_stands_there_all_the_time():
    terminal = console(force_terminal=True)
    display = Display(terminal)
    display.doing("De-identifying the scans", "7 of 670 images")
    terminal.print(display)
    assert "De-identifying the scans: 7 of 670 images" in terminal.file.getvalue()


def test_the_table_fits_into_eighty_columns_and_time_never_runs_back(monkeypatch):
    now = 1000.0
    monkeypatch.setattr("deployments.demo.display.time.monotonic", lambda: now)
    terminal = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    display = Display(terminal)
    label = "BV-001_MR_20080312_02"
    display.show(Progress("BV-001", "u", total=346, sent=346, stage=Stage.extracting, label=label))
    now += 90
    display.show(Progress("BV-001", "u", total=346, sent=346, stage=Stage.aside, label=label, why="No T1w scan."))
    now += 500
    terminal.print(display)
    text = terminal.file.getvalue()
    assert f"{label}  346 of 346" in text
    assert " 90 s" in text
    assert f"{label}: No T1w scan." in text
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
