"""What `cohortflow study apply` notes in a project lets the study's coordinators read it."""

import httpx
import pytest

from service_kit.accounts import Role
from service_kit.accounts.service import Accounts
from tasks.archive.xnat import XnatArchive

from .conftest import PASSWORD, USER, Server

pytestmark = pytest.mark.integration


def test_a_coordinator_reads_the_project_that_names_the_study(server: Server) -> None:
    accounts = Accounts.open(f"sqlite:///{server.home}/accounts.db")
    for name, study in (("cora", "brain-volumetry"), ("otto", "chest-ct")):
        accounts.create_user(name, PASSWORD)
        accounts.grant(name, Role.coordinator, study=study)
    accounts.database.dispose()
    with XnatArchive(server.url, USER, PASSWORD) as archive:
        for _ in range(2):  # applied again, it is the same
            archive.ensure_project("BRAINVOL", title="Brain volumetry")
            archive.name_study("BRAINVOL", "brain-volumetry")
    address = f"{server.url}/data/projects/BRAINVOL/experiments"
    assert httpx.get(address, auth=("cora", PASSWORD)).status_code == 200
    assert httpx.get(address, auth=("otto", PASSWORD)).status_code == 404
    assert httpx.put(f"{server.url}/data/projects/BRAINVOL/subjects/X", auth=("cora", PASSWORD)).status_code == 403
