"""Find deepbet's two networks in its wheel and make sure that they are the published ones. Imports nothing heavy.

The wheel puts them into a top-level folder ``data`` beside the package, a name that any other wheel might use too; so they
are taken from the list of files that the distribution itself recorded, and compared with the digests recorded there.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

DISTRIBUTION = "deepbet"
BOX_NETWORK = "bbox_model.pt"
MASK_NETWORK = "model.pt"


@dataclass(frozen=True)
class Weights:
    """The networks' files, their digests by file name, and the version of the package they came in."""

    box_network: Path
    mask_network: Path
    sha256: dict[str, str]
    version: str


class WeightsMissing(RuntimeError):
    """The installed deepbet does not hold the networks as published.

    Parameters
    ----------
    name
        File name of the network.
    what
        What is the matter with it.
    """

    def __init__(self, name: str, *, what: str) -> None:
        super().__init__(f"deepbet's network {name} {what}. Install it again: pip install --force-reinstall deepbet.")
        self.name = name


def find_weights() -> Weights:
    """Locate and check the networks.

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        deepbet is not installed.
    WeightsMissing
        A network is not there or was changed after the installation.
    """
    package = distribution(DISTRIBUTION)
    box_network, box_digest = _checked(package, BOX_NETWORK)
    mask_network, mask_digest = _checked(package, MASK_NETWORK)
    digests = {BOX_NETWORK: box_digest, MASK_NETWORK: mask_digest}
    return Weights(box_network=box_network, mask_network=mask_network, sha256=digests, version=package.version)


def _checked(package: Distribution, name: str) -> tuple[Path, str]:
    entry = next((one for one in package.files or () if one.name == name), None)
    if entry is None:
        raise WeightsMissing(name, what="is not in the wheel")
    path = Path(str(entry.locate()))
    if not path.is_file():
        raise WeightsMissing(name, what="is not there")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    recorded = entry.hash.value if entry.hash and entry.hash.mode == "sha256" else None
    if recorded and base64.urlsafe_b64encode(digest).decode().rstrip("=") != recorded:
        raise WeightsMissing(name, what="is not the file that was published")
    return path, digest.hex()
