"""The bundle: what is an entry, what the manifest says, what a mistake does."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from service_kit.web.assets import STATIC_DIR

FRONTEND = STATIC_DIR.parent / "frontend"


@pytest.fixture
def build(tmp_path):
    node = shutil.which("node")
    if node is None or not (FRONTEND / "node_modules").is_dir():
        pytest.skip("Node or the packages of the front end are not at hand: ./run setup")

    def run() -> subprocess.CompletedProcess:
        command = [node, str(FRONTEND / "build.mjs"), "--root", str(tmp_path), "--out", str(tmp_path / "dist")]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return run


def write(root: Path, **sources: str) -> None:
    for name, text in sources.items():
        path = root / name.replace("__", "/").replace("_ts", ".ts").replace("_css", ".css")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_entries_of_every_package_are_built_with_shared_parts_once(build, tmp_path):
    write(
        tmp_path,
        gateway__web__src__a_ts='import {big} from "./parts/big"; import "./a.css"; console.log(big);',
        gateway__web__src__a_css="body { color: red }",
        gateway__web__src__parts__big_ts='export const big = "shared part";',
        supervisor__web__src__b_ts='import {big} from "../../../gateway/web/src/parts/big"; console.log(big, 2);',
    )
    (tmp_path / "gateway/web/src/a.css").rename(tmp_path / "gateway/web/src/_a.css")
    write(tmp_path, gateway__web__src__a_ts='import {big} from "./parts/big"; import "./_a.css"; console.log(big);')
    result = build()
    assert result.returncode == 0, result.stderr
    manifest = json.loads((tmp_path / "dist/manifest.json").read_text())
    assert set(manifest) == {"a.js", "a.css", "b.js"}
    assert all((tmp_path / "dist" / built).is_file() for built in manifest.values())
    texts = [path.read_text() for path in (tmp_path / "dist").glob("*.js")]
    assert sum("shared part" in text for text in texts) == 1


def test_a_changed_source_has_another_name_and_the_old_file_goes(build, tmp_path):
    names = []
    for text in ("console.log(1)", "console.log(2)"):
        write(tmp_path, gateway__web__src__a_ts=text)
        assert build().returncode == 0
        names.append(json.loads((tmp_path / "dist/manifest.json").read_text())["a.js"])
    assert names[0] != names[1]
    assert not (tmp_path / "dist" / names[0]).exists()


def test_a_mistake_fails_the_build_and_leaves_the_last_good_one(build, tmp_path):
    write(tmp_path, gateway__web__src__a_ts="console.log(1)")
    assert build().returncode == 0
    before = (tmp_path / "dist/manifest.json").read_text()
    write(tmp_path, gateway__web__src__a_ts="import 'nowhere'; let =")
    assert build().returncode != 0
    assert (tmp_path / "dist/manifest.json").read_text() == before


def test_two_entries_of_one_name_are_refused(build, tmp_path):
    write(tmp_path, gateway__web__src__a_ts="1", supervisor__web__src__a_ts="2")
    result = build()
    assert result.returncode != 0
    assert "two entries are called a.js" in result.stderr


def test_the_lock_file_names_no_registry_and_what_we_bundle_is_pinned():
    lock = json.loads((FRONTEND / "package-lock.json").read_text())
    for name, package in lock["packages"].items():
        assert "resolved" not in package, name
        assert not name or "integrity" in package, name
    assert lock["packages"]["node_modules/@niivue/niivue"]["version"] == "0.69.0"
