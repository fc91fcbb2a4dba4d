"""xnat-ingest, as PyPI has it: groups and assigns DICOM files, uploads the sessions, checks what is there."""

from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from tests.contract.xnat_clients.clients import ClientEnvironment, Console, client_environment
from tests.contract.xnat_clients.conftest import PASSWORD, USER, Server
from tests.contract.xnat_clients.images import series

pytestmark = pytest.mark.integration

# its own requirements lack the formats that it imports
xnat_ingest = client_environment(
    "xnat-ingest", "0.17.0", "fileformats-vendor-xnat==0.3.0", "fileformats-vendor-xnat-extras==0.3.0"
)


def test_staged_sessions_are_uploaded_and_found_complete(
    xnat_ingest: ClientEnvironment, server: Server, tmp_path: Path
) -> None:
    study = generate_uid()
    for number in (1, 2):
        series(tmp_path / "in", count=12, number=number, StudyInstanceUID=study)
    with server.client() as client, xnat_ingest.console("xnat-ingest") as ingest:
        client.put("/data/projects/INGEST").raise_for_status()
        run(ingest, tmp_path, "group", str(tmp_path / "in"), str(tmp_path / "grouped"))
        run(
            ingest,
            tmp_path,
            *("assign", str(tmp_path / "grouped"), str(tmp_path / "staged"), "--constant-project-id", "INGEST"),
            *("--subject", "PatientName", "--session", "PatientID"),
        )
        account = ("--user", USER, "--password", PASSWORD)
        staged, wait = str(tmp_path / "staged"), ("--wait-period", "0", "--dont-require-manifest")
        run(ingest, tmp_path, "upload", staged, server.url, *account, *wait, "--always-include", "all")
        found = client.get("/data/projects/INGEST/experiments").json()["ResultSet"]["Result"]
        assert len(found) == 1
        uri = f"/data/experiments/{found[0]['ID']}"
        scans = client.get(f"{uri}/scans").json()["ResultSet"]["Result"]
        assert [scan["ID"] for scan in scans] == ["1", "2"]
        for scan in scans:
            files = client.get(f"{uri}/scans/{scan['ID']}/files").json()["ResultSet"]["Result"]
            assert len([file for file in files if file["Name"].endswith(".dcm")]) == 12
            item = client.get(f"{uri}/scans/{scan['ID']}", params={"format": "json"}).json()["items"][0]
            assert item["data_fields"]["frames"] == 12
            assert item["data_fields"]["parameters/tr"] == 2300.0
        checked = run(ingest, tmp_path, "check-upload", staged, server.url, *account)
        assert "not uploaded" not in checked


def run(ingest: Console, home: Path, *command: str) -> str:
    extra = () if command[0] == "check-upload" else ("--raise-errors",)
    return ingest("xnat-ingest", *command, *extra, folder=home, HOME=str(home))
