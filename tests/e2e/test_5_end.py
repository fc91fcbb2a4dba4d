"""The house ends when told, and says in one sentence why it cannot start."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest

from tests.e2e.house import COMMAND, House, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

DEMO_ML = {"BV-001": 1505.3, "BV-002": 1650.6}


def refused(*arguments: str) -> str:
    done = subprocess.run([COMMAND, "up", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr + done.stdout
    return " ".join((done.stderr + done.stdout).split())


def test_a_second_one_on_the_same_home_says_so(house: House) -> None:
    assert str(house.home.name) in refused("--home", str(house.home), "--port", str(free_port()))


def test_a_used_port_is_one_clear_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        sentence = refused("--home", str(tmp_path / "h"), "--port", port)
    assert port in sentence
    assert "--port" in sentence


def test_an_unwritable_home_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "home" in refused("--home", str(tmp_path / "file" / "below")).lower()


def test_sigterm_ends_all_of_it_within_ten_seconds(house: House) -> None:
    took_s, left = house.stop()
    assert not left, [p.name() for p in left]
    assert took_s < 10


@pytest.mark.timeout(600)
def test_the_demonstration_again_on_the_same_home_adds_nothing_answers_and_ends(house: House, tmp_path: Path) -> None:
    before = house.kept()
    released = house.release()
    ports = ["--port", str(house.port), "--dicom-port", str(house.dicom_port)]
    command = [COMMAND, "demo", "--home", house.home, *ports, "--exit", "--json", tmp_path / "table.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "table.json").read_text())
    assert {row["subject"]: row["value"] for row in rows} == pytest.approx(DEMO_ML, rel=0.01)
    assert [(row["name"], row["unit"]) for row in rows] == [("intracranial_volume", "mL")] * len(DEMO_ML)
    assert all(f"{row['value']:.1f}" in done.stdout for row in rows)

    assert house.kept() == before
    table = house.release()
    assert {row["subject"]: float(row["value"]) for row in table if row["subject"] in DEMO_ML} == pytest.approx(
        {row["subject"]: row["value"] for row in rows}
    )
    assert [row for row in table if row["subject"] != "BV-002"] == released  # its review was left open until now
    assert not (house.home / "endpoints.json").exists()
