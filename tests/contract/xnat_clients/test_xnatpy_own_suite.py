"""xnatpy's own functional tests, from its source distribution, unmodified (contracts: ten tests, all pass)."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from deployments.demo.scans import cache_folder, fetch_archive
from deployments.errors import DemoInputUnavailable

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CONFTEST = """
import os, pathlib, pytest, xnat

@pytest.fixture
def xnat4tests_connection():
    environment = os.environ
    with xnat.connect(environment["XNAT_TEST_URL"], user=environment["XNAT_TEST_USER"],
                      password=environment["XNAT_TEST_PASS"]) as connection:
        yield connection

@pytest.fixture(scope="session")
def test_resource_dir():
    return pathlib.Path(os.environ["XNAT_TEST_RESOURCES"])
"""

TRAINING = [
    "CONT01_MR01",
    "CONT02_MR01",
    "CONT01_MR02",
    "CONT02_MR02",
    "TEST01_MR01",
    "TEST01_MR02",
    "TEST02_MR01",
    "TEST02_MR02",
]
DUMMY_SCANS = {
    2: "t1_mprage_sag_p2_iso_1",
    6: "gre_field_mapping 3mm",
    13: "R-L MRtrix 60 directions interleaved B0 ep2d_diff_p2",
}


def fill(client) -> None:
    """Put in what the suite takes for granted, in its order, since it compares ids."""

    def session(uri: str, scans: dict[int, str]) -> None:
        client.put(uri, params={"xsiType": "xnat:mrSessionData"}).raise_for_status()
        for scan_id, scan_type in scans.items():
            parameters = {"xsiType": "xnat:mrScanData", "xnat:mrScanData/type": scan_type}
            client.put(f"{uri}/scans/{scan_id}", params=parameters).raise_for_status()
            client.put(f"{uri}/scans/{scan_id}/resources/DICOM", params={"format": "DICOM"}).raise_for_status()

    dummy = "/data/projects/dummydicomproject/subjects/dummydicomsubject"
    client.put("/data/projects/dummydicomproject").raise_for_status()
    client.put(dummy).raise_for_status()
    session(f"{dummy}/experiments/dummydicomsession", DUMMY_SCANS)
    client.put(f"{dummy}/experiments/dummydicomsession/resources/EXTRA").raise_for_status()
    client.put("/data/projects/TRAINING").raise_for_status()
    for subject in ("CONT01", "CONT02", "TEST01", "TEST02"):
        client.put(f"/data/projects/TRAINING/subjects/{subject}").raise_for_status()
    for label in TRAINING:
        uri = f"/data/projects/TRAINING/subjects/{label[:6]}/experiments/{label}"
        session(uri, {2: DUMMY_SCANS[6], 6: DUMMY_SCANS[2]})


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked tests with their input."""
    given = os.environ.get("COHORTFLOW_TEST_XNATPY_SDIST")
    try:
        archive = Path(given) if given else fetch_archive(cache_folder())
    except DemoInputUnavailable as error:
        if os.environ.get("COHORTFLOW_TEST_NO_SKIP"):
            raise
        pytest.skip(f"the source distribution of xnat 0.8.1 is not at hand: {error}")
    folder = tmp_path_factory.mktemp("suite")
    with tarfile.open(archive) as tar:
        wanted = ("/tests/functional_tests/", "/tests/resources/")
        tar.extractall(folder, [each for each in tar if any(part in each.name for part in wanted)], filter="data")
    tests = folder / "xnat-0.8.1" / "xnat" / "tests"
    (tests / "functional_tests" / "conftest.py").write_text(CONFTEST)
    return tests


def test_the_functional_tests_of_xnatpy_pass(own_server, suite: Path) -> None:
    own_server.prefix = "Xnat4Tests"
    own_server.start()
    with own_server.client() as client:
        fill(client)
    environment = {
        **os.environ,
        "XNAT_TEST_URL": own_server.url,
        "XNAT_TEST_USER": "admin",
        "XNAT_TEST_PASS": "correct horse battery",
        "XNAT_TEST_RESOURCES": str(suite / "resources"),
    }
    names = ["test_existing_data.py", "test_map.py", "test_import.py"]
    folder = suite / "functional_tests"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), *names]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "10 passed" in done.stdout
