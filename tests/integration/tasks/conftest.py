"""Real DICOM, unpacked once a run, de-identified the way a site would."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from tasks.intake.reading import UnreadableError, telling_unreadable
from tasks.studies import Study, load_study

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def brain_study() -> Study:
    """The example study of heads."""
    return load_study(REPOSITORY / "studies" / "brain-volumetry")


@pytest.fixture(scope="session")
def unpacked(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Path]]:
    """Return the files of a real case by its folder, ``dev/t1_...``, as its publisher made them."""
    folders: dict[str, Path] = {}

    def files(case: str) -> list[Path]:
        if case not in folders:
            source = shared_data / case
            archive = source / "dicom.tar.xz"
            if archive.is_file():
                folders[case] = tmp_path_factory.mktemp(source.name)
                with tarfile.open(archive) as tar:
                    tar.extractall(folders[case], filter="data")
            else:
                folders[case] = source
        return sorted(path for path in folders[case].rglob("*") if path.is_file() and path.name != "LICENSE")

    return files


@pytest.fixture(scope="session")
def deidentified(unpacked, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Path]]:
    """Return the files of a real case marked as a site would send them to the study of heads."""
    folders: dict[str, Path] = {}

    def files(case: str) -> list[Path]:
        if case not in folders:
            folders[case] = tmp_path_factory.mktemp("sent")
            for number, path in enumerate(unpacked(case)):
                _mark(path, folders[case] / f"{number:05d}.dcm")
        return sorted(folders[case].iterdir())

    return files


def _mark(source: Path, target: Path) -> None:
    try:
        with telling_unreadable():
            ds = pydicom.dcmread(source)
    except UnreadableError:
        target.write_bytes(source.read_bytes())
        return
    ds.PatientID = ds.PatientName = "BV-009"
    ds.PatientIdentityRemoved = "YES"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "113100", "DCM", "Basic Profile"
    ds.DeidentificationMethodCodeSequence = [code]
    ds.ClinicalTrialProtocolID = "brain-volumetry"
    ds.save_as(target)
