"""Rules of the house that no linter knows: each was broken once by somebody in this field."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = [
    "deployments", "embedded_xnat", "flows", "gateway", "service_kit", "study_governor", "task_supervisor", "tasks",
]  # fmt: skip


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (p for p in sorted((REPOSITORY / package).rglob("*.py")) if "node_modules" not in p.parts)


@functools.cache
def source(path: Path) -> str:
    return path.read_text()


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(source(path))


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def test_only_the_unit_of_work_and_the_migrations_commit() -> None:
    allowed = {"service_kit/database.py", "service_kit/migrations.py"}
    found = {name(p) for p in modules() if ".commit(" in source(p)}
    assert found <= allowed


def test_modules_fit_in_the_head() -> None:
    long = {name(p): n for p in modules() if (n := len(source(p).splitlines())) > 400}
    assert not long


def functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield all functions below statements; expressions, which hold none, are not walked through."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from functions(getattr(node, part, []))


def test_functions_fit_on_a_screen() -> None:
    long = {}
    for path in (p for p in modules() if "migrations" not in p.parts):
        for node in functions(tree(path).body):
            body = node.body[1:] if ast.get_docstring(node, clean=False) else node.body
            if body and (lines := node.end_lineno - body[0].lineno) > 50 and not list(functions(node.body)):
                long[f"{name(path)}:{node.name}"] = lines
    assert not long


SERVICES = ("gateway", "study_governor", "task_supervisor", "embedded_xnat")


def behind_doors(source: str) -> set[str]:
    """Return what a module imports of a service beyond its client and its contract."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= names if len(parts) == 1 else {node.module}
    return {
        one for one in imported
        if one.split(".")[0] in SERVICES and ".".join(one.split(".")[1:2]) not in {"client", "contract"}
    }  # fmt: skip


def test_flows_and_stages_see_only_the_client_and_the_contract_of_a_service() -> None:
    found = {name(p): seen for p in modules() if name(p).split("/")[0] in {"flows", "tasks"}
             and (seen := behind_doors(source(p)))}  # fmt: skip
    assert not found


@pytest.mark.parametrize(
    ("line", "is_breach"),
    [
        ("import gateway.spool", True),
        ("from gateway import spool", True),
        ("import study_governor", True),
        ("from task_supervisor.tasks.service import Tasks", True),
        ("from gateway.client import GatewayClient", False),
        ("from study_governor.contract.schemas import ExecutionRecord", False),
        ("from gateway import client", False),
    ],
)
def test_a_look_behind_a_door_is_seen(line: str, is_breach: bool) -> None:
    assert bool(behind_doors(line)) is is_breach


def test_no_module_is_named_after_nothing() -> None:
    assert not [name(p) for p in modules() if p.stem in {"utils", "helpers", "common", "manager", "misc"}]


def test_every_module_says_what_it_is_for() -> None:
    without = [
        name(p) for p in modules() if source(p).strip() and "migrations" not in p.parts
        and not source(p).startswith(('"""', 'r"""'))
    ]  # fmt: skip
    assert not without


def test_nothing_is_evaluated_and_no_yaml_is_loaded_unsafely() -> None:
    pattern = re.compile(r"(?<![\w.])(eval|exec)\(|yaml\.load\(|pickle\.loads?\(|shell=True")
    assert not [name(p) for p in modules() if pattern.search(source(p))]


def test_print_belongs_to_the_command_line() -> None:
    printing = [
        name(p) for p in modules() if p.parts[len(REPOSITORY.parts)] != "deployments"
        and re.search(r"(?<![\w.])print\(", re.sub(r'""".*?"""', "", source(p), flags=re.DOTALL))
    ]  # fmt: skip
    assert not printing


#: Folders of people and of machines that build, and package indexes that are not public: of no meaning to a reader.
LOCAL = re.compile(
    r"(?<![\w.)}\]*~-])/(?:home|Users|root|builds?|work(?:spaces?)?|mnt|media|__w|tmp/[\w.-]+)/[\w.-]+"
    r"|file:///(?:opt|srv|var)/"
    r"|https?://(?!(?:[\w.-]+\.)?(?:pypi\.org|npmjs\.(?:com|org))\b)[\w.:-]*(?:pypi|npm|registry|artifactory|nexus|mirror)"
    r"|\bpypi-\w"
)


def test_the_repository_speaks_of_no_machine_of_its_makers() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout
    found = [
        f"{file}: {place}"
        for file in listed.splitlines()
        if (path := REPOSITORY / file).is_file() and path.suffix not in {".png", ".svg"}
        for place in LOCAL.findall(path.read_text(errors="replace"))
    ]
    assert not found


@pytest.mark.parametrize(
    ("words", "is_local"),
    [
        (("", "home", "ann", "scans"), True),
        (("see ", "work", "notes.md"), True),
        (("'", "builds", "cohortflow"), True),
        (("", "tmp", "jobs.0", "log"), True),
        (("https:", "", "pypi.example.org", "simple"), True),
        (("https:", "", "pypi.org", "project", "xnat"), False),
        (("", "data", "experiments", "E1"), False),
        (("HOME", "work", "a"), False),
        (("/site", "home", "page"), False),
    ],
)
def test_a_place_on_somebodys_machine_is_seen(words: tuple[str, ...], is_local: bool) -> None:
    assert bool(LOCAL.search("/".join(words))) is is_local


def test_what_the_guide_quotes_from_a_page_is_what_pages_say() -> None:
    guide = (REPOSITORY / "docs/coordinator.md").read_text()
    rows = guide.split("| the page says | what to do |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    said = "".join(re.sub(r'"\s+f?"', "", p.read_text()) for p in modules())
    said += (REPOSITORY / "studies/brain-volumetry/workflow.yaml").read_text()
    quoted = [part.strip() for row in rows for part in re.split("…,?|, ", row.split("|")[1]) if part.strip()]
    assert len(quoted) >= len(rows)
    assert [part for part in quoted if part not in said] == []


def test_the_example_workflow_names_only_deployments_that_exist() -> None:
    deployed = yaml.safe_load((REPOSITORY / "deployments/prefect.yaml").read_text())["deployments"]
    names = {d["name"] for d in deployed} | {f"{d.get('flow_name', '')}/{d['name']}" for d in deployed}
    workflow = yaml.safe_load((REPOSITORY / "studies/brain-volumetry/workflow.yaml").read_text())
    asked = {
        c["callback_arguments"]["deployment"]
        for s in workflow["states"] for c in s["callbacks"] if c["function"] == "prefect_flow"
    }  # fmt: skip
    entrypoints = {d["entrypoint"].split(":")[1].replace("_", "-") + "/" + d["name"] for d in deployed}
    assert asked <= names | entrypoints
