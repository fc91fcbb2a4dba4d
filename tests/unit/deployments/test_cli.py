"""The command line: quick help, one sentence for an error."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from deployments.cli import app
from tests.forked import cohortflow

HEAVY = (
    "prefect",
    "torch",
    "monai",
    "dask",
    "distributed",
    "sqlmodel",
    "sqlalchemy",
    "fastapi",
    "httpx",
    "pydicom",
    "xnat",
)
HEAVY += ("rich.console", "pynetdicom", "asyncio")


def test_help_imports_nothing_heavy():
    pages = [["--help"], ["up", "--help"], ["demo", "--help"], ["study", "--help"], ["xnat", "--help"]]
    code = (
        "import sys\nfrom typer.testing import CliRunner\nbefore = set(sys.modules)\nfrom deployments.cli import app\n"
        f"for arguments in {pages!r}:\n"
        "    result = CliRunner().invoke(app, arguments)\n    assert result.exit_code == 0, result.output\n"
        f"    print(arguments, sorted(set({HEAVY!r}) & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{page} []" for page in pages]


@pytest.mark.parametrize(
    "command",
    [
        "up",
        "demo",
        "serve",
        "status",
        "study check",
        "study apply",
        "study diff",
        "user add",
        "user list",
        "user password",
        "user token",
        "xnat check",
    ],
)
def test_every_command_explains_itself(command):
    result = CliRunner().invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 5


def test_a_home_that_cannot_be_written_is_one_sentence_and_an_exit_code():
    done = cohortflow("up", "--home", "/proc/cohortflow")
    assert done.returncode == 3
    assert done.stderr.startswith("cohortflow: The home /proc/cohortflow cannot be written")
    assert "Traceback" not in done.stderr


def test_status_of_a_home_where_nothing_runs_is_one_sentence(tmp_path):
    done = cohortflow("status", "--home", str(tmp_path))
    assert done.returncode == 6
    assert "cohortflow up" in done.stderr


def test_users_of_a_home_that_was_never_started_are_one_sentence(tmp_path):
    assert cohortflow("user", "list", "--home", str(tmp_path)).returncode == 6


def test_a_study_with_mistakes_names_file_and_line(tmp_path):
    (tmp_path / "study.yaml").write_text("name: x\ntitle: A study\nwrong: 1\n")
    done = cohortflow("study", "check", str(tmp_path))
    assert done.returncode == 8
    assert "study.yaml:3:" in done.stderr


def test_the_study_that_ships_has_no_mistakes():
    done = cohortflow("study", "check", "studies/brain-volumetry")
    assert done.returncode == 0, done.stderr
    assert "no mistakes" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "nothing"], "dicom-receiver"),
        (["serve", "dicom-receiver", "--port", "104"], "COHORTFLOW_DICOM_PORT"),
        (["serve", "worker", "--host", "0.0.0.0"], "nowhere"),
        (["serve", "dask", "--port", "1"], "COHORTFLOW_DASK_ADDRESS"),
        (["serve", "prefect", "--host", "::1"], "COHORTFLOW_PREFECT_API_URL"),
        (["user", "add", "x", "--role", "boss"], "coordinator"),
        (["demo", "--json", "/nowhere/table.json"], "/nowhere"),
        (["demo", "--dicom", "/nowhere"], "/nowhere"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_starts(arguments, said):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["up", "--port", "65536"],
        ["up", "--dicom-port", "-1"],
        ["up", "--xnat-port", "70000"],
        ["up", "--prefect-port", "70000"],
        ["demo", "--port", "99999"],
        ["serve", "web", "--port", "99999"],
    ],
)
def test_a_port_that_cannot_be_is_refused_with_a_sentence(arguments):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Invalid value for '--" in result.output
    assert "65535" in result.output or "equal to 0" in result.output


@pytest.mark.slow
def test_the_check_of_the_archive_finds_and_mends(tmp_path):
    from starlette.testclient import TestClient

    from embedded_xnat.app import create_app
    from embedded_xnat.settings import EmbeddedXnatSettings

    home = tmp_path / "home"
    (home / "databases").mkdir(parents=True)
    database_url = f"sqlite:///{home}/databases/xnat.db"
    settings = EmbeddedXnatSettings(
        data_dir=home / "xnat", database_url=database_url, accounts_database_url=f"sqlite:///{home}/databases/a.db"
    )
    with TestClient(create_app(settings)):
        done = cohortflow("xnat", "check", "--home", str(home))
        assert (done.returncode, "Nothing is wrong" in done.stdout) == (0, True), done.stderr
        refused = cohortflow("xnat", "check", "--home", str(home), "--repair")
        assert (refused.returncode, "Stop the archive server" in refused.stderr) == (9, True)
    (home / "xnat" / "GONE").mkdir()
    (home / "xnat" / "GONE" / "x").write_bytes(b"x")
    place = ["--data", str(home / "xnat"), "--database", database_url]
    done = cohortflow("xnat", "check", *place)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "GONE: is a folder of no object (any more)")
    mended = cohortflow("xnat", "check", *place, "--repair")
    assert (mended.returncode, "moved to .quarantine/" in mended.stdout) == (0, True)
    assert cohortflow("xnat", "check", *place).returncode == 0


@pytest.mark.slow
def test_the_check_of_an_archive_that_is_not_there_is_one_sentence(tmp_path):
    done = cohortflow("xnat", "check", "--home", str(tmp_path))
    assert (done.returncode, "no archive" in done.stderr) == (9, True)
    alone = cohortflow("xnat", "check", "--data", str(tmp_path))
    assert (alone.returncode, f"{tmp_path}/archive" in alone.stderr) == (9, True)
    assert cohortflow("xnat", "check", "--database", "sqlite:///x.db").returncode == 2
