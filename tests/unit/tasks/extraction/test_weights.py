"""deepbet's networks are taken from its own distribution and compared with what was published."""

import shutil
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

from tasks.extraction.backends import deepbet_weights
from tasks.extraction.backends.deepbet_weights import BOX_NETWORK, MASK_NETWORK, WeightsMissing, find_weights


@pytest.fixture
def copied_deepbet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the installed wheel's record and networks, that a test may spoil."""
    installed = distribution("deepbet")
    record = Path(str(installed.locate_file(""))) / f"deepbet-{installed.version}.dist-info"
    shutil.copytree(record, tmp_path / record.name)
    (tmp_path / "data" / "models").mkdir(parents=True)
    weights = find_weights()
    for path in (weights.box_network, weights.mask_network):
        shutil.copy(path, tmp_path / "data" / "models" / path.name)
    monkeypatch.setattr(deepbet_weights, "distribution", lambda _: Distribution.at(tmp_path / record.name))
    return tmp_path / "data" / "models"


def test_the_networks_are_found_with_their_published_digests():
    weights = find_weights()
    assert weights.version == "1.0.2"
    assert weights.sha256[MASK_NETWORK].startswith("de8ee7c69654d0dd")
    assert weights.sha256[BOX_NETWORK].startswith("39a7b2b5f799faa1")
    assert weights.mask_network.is_file()


def test_a_network_of_another_wheel_in_its_place_is_noticed(copied_deepbet):
    (copied_deepbet / MASK_NETWORK).write_bytes(b"another model of the same name")
    with pytest.raises(WeightsMissing, match=r"model\.pt is not the file that was published"):
        find_weights()


def test_a_missing_network_is_noticed(copied_deepbet):
    (copied_deepbet / BOX_NETWORK).unlink()
    with pytest.raises(WeightsMissing, match=r"bbox_model\.pt is not there"):
        find_weights()
