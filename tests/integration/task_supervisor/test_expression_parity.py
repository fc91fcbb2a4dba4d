"""The page evaluates the trees of expressions as the server does: the same cases through both."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from task_supervisor.domain.expressions import parse, value_of

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).resolve().parents[3]
SOURCE = REPOSITORY / "task_supervisor/web/src/task_page/expressions.ts"
ESBUILD = REPOSITORY / "service_kit/web/frontend/node_modules/.bin/esbuild"

RUNNER = """
import { valueOf } from "./expressions.mjs";
let text = ""; for await (const chunk of process.stdin) text += chunk;
const out = JSON.parse(text).map(([tree, values]) => valueOf(tree, values) ?? null);
process.stdout.write(JSON.stringify(out));
"""

EXPRESSIONS = [
    "usable", "not usable", 'grade == "poor"', "a + b", "a - b * 2", "a / b", "a // b", "a % b", "-a", "a < b <= 3", "a == b",
    "a != b", "a and b", "a or b", "not a and (b or c)", "a in [1, 2, 'x']", "a not in [b]", "c in 'abc'", "a if b else c",
    "len(c)", "len([a, b])", "min(a, b)", "max([a, b])", "sum([a, b])", "abs(a)", "round(a)", "round(b, 1)", "int(b)",
    "float(c)", "str(a)", "bool(c)", "any([a, b])", "all([a, b])", "a is None", "[a] == [b]", "c + c", "c < 'b'", "min([])",
    "a > 'x'", "unknown == None", "True + True", "a == True", "0 <= a <= 3 and (b or bool(c))",
]  # fmt: skip
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "a": st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["", "x", "1"])),
        "b": st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from([0.25, 1.75, -2.5])),
        "c": st.one_of(st.none(), st.sampled_from(["", "a", "abc", "3", " "])),
        "usable": st.booleans(),
        "grade": st.sampled_from(["poor", "good"]),
    },
)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("node") is None or not ESBUILD.exists():
        pytest.skip("Node and the front end's packages are not at hand: ./run setup")
    folder = tmp_path_factory.mktemp("expressions")
    subprocess.run(
        [ESBUILD, SOURCE, f"--outfile={folder}/expressions.mjs", "--format=esm"], check=True, capture_output=True
    )
    (folder / "run.mjs").write_text(RUNNER)
    return folder / "run.mjs"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases=st.lists(st.tuples(st.sampled_from(EXPRESSIONS), VALUES), min_size=60, max_size=200))
def test_both_give_the_same_value(runner: Path, cases):
    trees = [(parse(text), values) for text, values in cases]
    out = subprocess.run(["node", runner], input=json.dumps(trees), text=True, check=True, capture_output=True).stdout
    for (text, values), theirs, (tree, _) in zip(cases, json.loads(out), trees, strict=True):
        ours = json.loads(json.dumps(value_of(tree, values)))
        if isinstance(ours, float) and isinstance(theirs, (int, float)):
            assert theirs == pytest.approx(ours), (text, values)
        else:
            assert theirs == ours, (text, values)
