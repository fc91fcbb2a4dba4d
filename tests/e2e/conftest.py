"""One house for all end-to-end tests: starting it is what a user does once a day."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset

from deployments.demo.deidentify import Policy
from deployments.demo.scans import cache_folder, fetch_archive
from deployments.errors import DemoInputUnavailable
from tests.conftest import missing
from tests.e2e.house import House
from tests.e2e.scans import archived, cleaned


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, demo_scans: None) -> Iterator[House]:
    """A running `cohortflow demo`, from a home that was never used."""
    house = House(tmp_path_factory.mktemp("e2e") / "home")
    try:
        house.start()
        yield house
    finally:
        if house.process is not None and house.process.poll() is None:
            house.stop()


@pytest.fixture(scope="session")
def demo_scans() -> None:
    """What the demonstration sends, in the user's cache."""
    try:
        fetch_archive(cache_folder())
    except DemoInputUnavailable:
        missing("The demonstration's scans", "pip download --no-deps --no-binary :all: xnat==0.8.1")


@pytest.fixture(scope="session")
def child_t1(shared_data: Path) -> list[Dataset]:
    """A T1-weighted head of 192 slices; reference volume 1468.6 ml."""
    return cleaned(archived(shared_data / "dev/t1_sag_anon_siemens_3y/dicom.tar.xz"), "BV-102")


@pytest.fixture(scope="session")
def few_slices(shared_data: Path) -> list[Dataset]:
    """Six slices of a T1-weighted head, as a session of their own: too few to be measured."""
    policy = Policy(b"another site", protocol_id="brain-volumetry", site_id="site-a", keep_dates=True)
    contents = archived(shared_data / "dev/t1_sag_anon_siemens_3y/dicom.tar.xz")[:6]
    return cleaned(contents, "BV-104", policy=policy)


@pytest.fixture(scope="session")
def chest_ct(shared_data: Path) -> list[Dataset]:
    """A few slices of a CT."""
    return cleaned(archived(shared_data / "odd/ct_head_ge_tilt_variable_spacing/dicom.tar.xz")[:5], "BV-103")
