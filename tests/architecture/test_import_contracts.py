"""The import contracts of the house hold, and a breach of each is caught."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = [
    "deployments", "embedded_xnat", "flows", "gateway", "service_kit", "study_governor", "task_supervisor", "tasks",
]  # fmt: skip

LAYERS, DOORS, CLIENTS = "deployments -> flows", "flows and tasks see only", "a client carries nothing"
REST, TORCH, DASK = "embedded_xnat is reached by REST only", "torch and MONAI only", "Dask only"
PREFECT, XNATPY, PURE, ACYCLIC = "Prefect only", "xnatpy only", "domain and contract know", "siblings form no cycle"

#: What breaks the contract: the file that imports, what it imports, and the contract that has to say so.
BREACHES = {
    "a service imports another": ("gateway/seeded.py", "study_governor.contract", LAYERS),
    "a service imports the flows": ("study_governor/seeded.py", "flows", LAYERS),
    "the chassis imports a service": ("service_kit/seeded.py", "gateway", LAYERS),
    "a flow looks behind a service's door": ("flows/seeded.py", "study_governor.db", DOORS),
    "a flow looks at a noun of a service": ("flows/seeded_noun.py", "gateway.arrivals.service", DOORS),
    "a stage looks at a service itself": ("tasks/review/seeded_door.py", "task_supervisor", DOORS),
    "a client brings its service along": ("gateway/client.py", "gateway.spool", CLIENTS),
    "a client brings a framework along": ("task_supervisor/client.py", "sqlmodel", CLIENTS),
    "a stage looks into the embedded archive": ("tasks/archive/seeded.py", "embedded_xnat", REST),
    "a stage imports torch outside the backends": ("tasks/extraction/seeded.py", "torch", TORCH),
    "a module of no stage imports torch": ("tasks/seeded.py", "torch", TORCH),
    "a stage imports Dask": ("tasks/extraction/seeded_dask.py", "distributed", DASK),
    "a flow orders Dask by itself": ("flows/seeded_dask.py", "prefect_dask", DASK),
    "a stage imports Prefect outside prefect_tasks": ("tasks/intake/seeded.py", "prefect", PREFECT),
    "a service imports Prefect": ("task_supervisor/seeded.py", "prefect", PREFECT),
    "a flow speaks to the archive past its port": ("flows/seeded_xnat.py", "xnat", XNATPY),
    "a domain knows a framework": ("study_governor/domain/seeded.py", "fastapi", PURE),
    "a domain knows a framework by way of the chassis": ("gateway/domain/seeded.py", "service_kit.database", PURE),
    "a domain knows a service of its own": ("study_governor/domain/seeded_own.py", "study_governor.engine.service", PURE),
    "the rights know a framework": ("service_kit/accounts/domain.py", "sqlmodel", PURE),
    "a contract knows a framework": ("gateway/contract/seeded.py", "sqlmodel", PURE),
    "a contract knows its database": ("study_governor/contract/seeded.py", "study_governor.db.tables", PURE),
    "a contract knows its domain": ("embedded_xnat/contract/seeded.py", "embedded_xnat.domain.roles", PURE),
    "stages form a cycle": ("tasks/intake/seeded_cycle.py", "tasks.archive.port", ACYCLIC),
    "modules of a stage form a cycle": ("tasks/review/content.py", "tasks.review.prefect_tasks", ACYCLIC),
    "nouns of a service form a cycle": ("task_supervisor/tasks/seeded.py", "task_supervisor.answers.service", ACYCLIC),
    "parts of the accounts form a cycle": ("service_kit/accounts/db/seeded.py", "service_kit.accounts.service", ACYCLIC),
}  # fmt: skip


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [command, "--config", "pyproject.toml", "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_house_keeps_its_import_contracts() -> None:
    result = lint(REPOSITORY)
    assert result.returncode == 0, result.stdout


def all_but_modules(folder: str, names: list[str]) -> list[str]:
    return [
        one for one in names if one in {"node_modules", "static", "__pycache__"} or Path(one).suffix not in {"", ".py"}
    ]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what import-linter says of a house with every breach in it, by the name of the contract."""
    house = tmp_path_factory.mktemp("house")
    shutil.copy(REPOSITORY / "pyproject.toml", house)
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, house / package, ignore=all_but_modules)
    for name, imported, _ in BREACHES.values():
        with (house / name).open("a") as file:
            file.write(f"\nimport {imported}\n")
    said = lint(house).stdout.partition("Broken contracts")[2]
    parts = re.split(r"^(\S.*)\n-+\n", said, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("breach", BREACHES)
def test_a_seeded_breach_is_caught(broken: dict[str, str], breach: str) -> None:
    name, imported, contract = BREACHES[breach]
    said = next((text for title, text in broken.items() if title.startswith(contract)), "")
    importer = name.removesuffix(".py").replace("/", ".")
    if contract is not ACYCLIC:
        assert re.search(rf"{re.escape(importer)} -> {re.escape(imported)} \(", said), said
        return
    packages = [".".join(importer.split(".")[:depth]) for depth in range(1, importer.count(".") + 1)]
    shared = next(package for package in reversed(packages) if imported.startswith(f"{package}."))
    assert f"No cycles are allowed in {shared}." in said, said


PURE_MODULES = """
import importlib, pkgutil, sys
for package in sys.argv[1:]:
    path = importlib.import_module(package).__path__
    for module in pkgutil.walk_packages(path, f"{package}."):
        importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names))
"""


def test_domains_and_contracts_load_no_framework() -> None:
    # A contract of import-linter does not see that the packages around a module are loaded with it.
    services = ("gateway", "study_governor", "task_supervisor", "embedded_xnat")
    packages = [f"{service}.{part}" for service in services for part in ("contract", "domain")]
    loaded = subprocess.run(
        [sys.executable, "-c", PURE_MODULES, *packages], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split()
    frameworks = {"fastapi", "starlette", "sqlmodel", "sqlalchemy", "httpx", "jinja2", "prefect", "pydicom", "numpy"}
    assert not frameworks & set(loaded)
    assert set(services) <= set(loaded)
