"""The import contracts of the house hold, and a breach of each is caught."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = [
    "deployments", "embedded_xnat", "flows", "gateway", "service_kit", "study_governor", "task_supervisor", "tasks",
]  # fmt: skip

BREACHES = {
    "a service imports another": ("gateway/seeded.py", "import study_governor.contract"),
    "a service imports the flows": ("study_governor/seeded.py", "import flows"),
    "the chassis imports a service": ("service_kit/seeded.py", "import gateway"),
    "a flow looks behind a service's door": ("flows/seeded.py", "import study_governor.db"),
    "a stage looks into the embedded archive": ("tasks/archive/seeded.py", "import embedded_xnat"),
    "a stage imports torch outside the backends": ("tasks/extraction/seeded.py", "import torch"),
    "a stage imports Dask": ("tasks/extraction/seeded.py", "import distributed"),
    "a stage imports Prefect outside prefect_tasks": ("tasks/intake/seeded.py", "import prefect"),
    "a service imports Prefect": ("task_supervisor/seeded.py", "import prefect"),
    "a domain knows a framework": ("study_governor/domain/seeded.py", "import fastapi"),
    "a contract knows a framework": ("gateway/contract/seeded.py", "import sqlmodel"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [command, "--config", "pyproject.toml", "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(
            REPOSITORY / package, folder / package, ignore=shutil.ignore_patterns("node_modules", "__pycache__", "dist")
        )
    return folder


@pytest.mark.slow
def test_the_house_keeps_its_import_contracts(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("breach", BREACHES)
def test_a_seeded_breach_is_caught(copy: Path, breach: str) -> None:
    name, line = BREACHES[breach]
    seeded = copy / name
    seeded.write_text(f'"""Seeded."""\n\n{line}\n')
    try:
        result = lint(copy)
    finally:
        seeded.unlink()
    assert result.returncode != 0, f"not caught: {breach}"
    assert "BROKEN" in result.stdout
