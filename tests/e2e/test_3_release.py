"""What comes out: a table with a pedigree."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.house import COMMAND, House, wait_for
from tests.e2e.scans import archived

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

FIRST_ML = 1505.3
TOLERANCE = 0.01


def test_the_session_is_released_when_a_person_accepts(house: House) -> None:
    if house.state_of("BV-001") == "review":
        house.accept("BV-001")
    house.wait_state("BV-001", "released", timeout_s=60)
    wait_for("the terminal's line", lambda: "accepted by annotator" in house.log(), timeout_s=30)
    rows = house.release()
    assert [r["subject"] for r in rows] == ["BV-001"]
    assert float(rows[0]["value"]) == pytest.approx(FIRST_ML, rel=TOLERANCE)
    assert house.states("BV-001") == ["extracting", "review", "releasing", "released"]


def test_ones_own_scans_are_deidentified_and_sent_into_the_running_house(
    house: House, shared_data: Path, tmp_path: Path
) -> None:
    for number, content in enumerate(archived(shared_data / "dev/t1_philips_adni_mprage_41y/dicom.tar.xz")[:4]):
        (tmp_path / f"{number}.dcm").write_bytes(content)
    (tmp_path / "notes.txt").write_text("not an image")
    command = [COMMAND, "send", tmp_path, "--home", house.home]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "sent: OWN-001, 4 images" in done.stdout
    assert "not sent: 1 file" in done.stdout
    house.wait_state("OWN-001", "not_relevant", timeout_s=120)
    assert len(house.archived_files("OWN-001")["DICOM"]) == 4
