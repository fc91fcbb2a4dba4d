"""The home folder: made, stamped, locked, private."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.errors import HomeFromNewerVersion, HomeInUse, HomeNotWritable
from deployments.launcher.home import Home, default_home, read_json, version_key, write_json
from deployments.launcher.house import House
from deployments.launcher.ports import PortWishes


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.make()
    return home


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_home_is_for_its_owner_alone(home):
    assert mode(home.path) == 0o700
    assert mode(home.private) == 0o700
    assert mode(home.stamp) == 0o600


def test_making_a_home_twice_keeps_what_is_in_it(home):
    write_json(home.stamp, {**read_json(home.stamp), "ports": {"xnat": 1}})
    home.make()
    assert read_json(home.stamp)["ports"] == {"xnat": 1}


def test_a_home_below_a_file_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeNotWritable, match="--home"):
        Home(tmp_path / "file" / "home").make()


def test_an_unwritable_home_is_one_sentence():
    with pytest.raises(HomeNotWritable, match="cannot be written") as caught:
        Home(Path("/proc/cohortflow")).make()  # not even root may make a folder there
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize("stamp", [{"layout": 99, "version": "0.0.1"}, {"layout": 1, "version": "999.0"}])
def test_a_home_of_a_later_version_is_refused_and_left_alone(home, stamp):
    write_json(home.stamp, stamp)
    with pytest.raises(HomeFromNewerVersion, match=stamp["version"]):
        home.make()
    assert read_json(home.stamp) == stamp


def test_a_second_launcher_on_the_same_home_is_told_who_runs(home):
    write_json(home.endpoints, {"site_url": "http://127.0.0.1:8080"})
    with home.locked(), pytest.raises(HomeInUse) as caught, home.locked():
        pass
    assert str(os.getpid()) in str(caught.value)
    assert "http://127.0.0.1:8080" in str(caught.value)


def test_the_lock_ends_with_its_process(home):
    script = (
        "import os, pathlib; from deployments.launcher.home import Home\n"
        f"with Home(pathlib.Path({str(home.path)!r})).locked(): os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert not home.is_running()
    with home.locked():
        assert home.is_running()


def test_a_cut_off_json_file_counts_as_none(tmp_path):
    (tmp_path / "x.json").write_text('{"a": ')
    assert read_json(tmp_path / "x.json") is None


def test_versions_compare_by_number():
    assert version_key("0.10.0") > version_key("0.9.3")
    assert version_key("1.2.0+local") == version_key("1.2.0")


def test_the_default_home_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("COHORTFLOW_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_home() == tmp_path / "cohortflow" / "home"
    assert default_home("demo") == tmp_path / "cohortflow" / "demo"
    monkeypatch.setenv("COHORTFLOW_HOME", str(tmp_path / "own"))
    assert default_home() == tmp_path / "own"


def test_a_start_clears_what_killed_workers_left_in_the_scratch_folder(home):
    (home.work / "execution-7-1").mkdir()
    (home.work / "execution-7-1" / "volume.nii.gz").write_bytes(b"x")
    with House(home, wishes=PortWishes(site=0, dicom=0)).prepared():
        assert not list(home.work.iterdir())
