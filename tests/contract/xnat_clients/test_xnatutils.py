"""The commands of xnatutils, as PyPI has them, against a server."""

from pathlib import Path

import pytest

from tests.contract.xnat_clients.clients import ClientEnvironment, client_environment
from tests.contract.xnat_clients.conftest import PASSWORD, USER, Server
from tests.contract.xnat_clients.images import series

pytestmark = pytest.mark.integration

#: The default of xnatutils 0.10.0 sends a tar of links to the files, which xnatpy 0.8.1 does not follow.
UPLOAD = ("--create_session", "--method", "per_file")

xnatutils = client_environment("xnatutils", "0.10.0")


@pytest.fixture
def run(xnatutils: ClientEnvironment, server: Server, tmp_path: Path):
    """Run a command as somebody whose log-in stands in ~/.netrc."""
    host = server.url.removeprefix("http://")
    netrc = tmp_path / ".netrc"
    netrc.write_text("".join(f'machine {name}\nlogin {USER}\npassword "{PASSWORD}"\n' for name in (host, "127.0.0.1")))
    netrc.chmod(0o600)
    return lambda *command: xnatutils.command([*command, "--server", server.url], HOME=str(tmp_path))


def test_data_goes_up_is_listed_renamed_described_and_comes_down(run, server: Server, tmp_path: Path) -> None:
    image = tmp_path / "brain.nii.gz"
    image.write_bytes(b"\x1f\x8b made up")
    with server.client() as client:
        client.put("/data/projects/UTIL").raise_for_status()
    run("xnat-put", "UTIL_S01_MR01", "a_dataset", str(image), *UPLOAD, "--resource_name", "NIFTI_GZ")
    assert "UTIL" in run("xnat-ls").split()
    assert run("xnat-ls", "UTIL", "--datatype", "subject").split() == ["S01"]
    assert "UTIL_S01_MR01" in run("xnat-ls", "UTIL_S01_.*", "--datatype", "session")
    assert "a_dataset" in run("xnat-ls", "UTIL_S01_MR01", "--datatype", "scan")
    run("xnat-varput", "UTIL_S01_MR01", "arm", "control")
    assert run("xnat-varget", "UTIL_S01_MR01", "arm").strip() == "control"
    run("xnat-rename", "UTIL_S01_MR01", "UTIL_S01_MR02")
    assert "UTIL_S01_MR02" in run("xnat-ls", "UTIL_S01_.*", "--datatype", "session")
    run("xnat-get", "UTIL_S01_MR02", "--target", str(tmp_path / "down"), "--project", "UTIL")
    assert [path.read_bytes() for path in (tmp_path / "down").rglob("*.nii.gz")] == [image.read_bytes()]


def test_dicom_goes_up_and_its_headers_are_read(run, server: Server, tmp_path: Path) -> None:
    with server.client() as client:
        client.put("/data/projects/UTIL2").raise_for_status()
        files = [str(path) for path in series(tmp_path / "images", count=5)]
        session = "UTIL2_S01_MR01"
        run("xnat-put", session, "t1", *files, *UPLOAD, "--resource_name", "DICOM")
        scans = client.get(f"/data/projects/UTIL2/experiments/{session}/scans").json()["ResultSet"]["Result"]
        uri = f"/data/projects/UTIL2/experiments/{session}/scans/{scans[0]['ID']}"
        fields = client.get(uri, params={"format": "json"}).json()["items"][0]["data_fields"]
    assert (scans[0]["type"], fields["frames"]) == ("t1", 5)
    assert fields["parameters/tr"] == 2300.0
    run("xnat-get", session, "--target", str(tmp_path / "down"), "--project", "UTIL2")
    assert len(list((tmp_path / "down").rglob("*.dcm"))) == 5
