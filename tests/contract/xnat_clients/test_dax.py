"""Unmodified dax 2.21.0 against a real server: the joined listings that its managers live on."""

import pytest

from tests.contract.xnat_clients.clients import ClientEnvironment, client_environment
from tests.contract.xnat_clients.conftest import PASSWORD, USER

pytestmark = [pytest.mark.integration, pytest.mark.slow]

environment = client_environment("dax", "2.21.0")

SCRIPT = """
import sys
from dax import XnatUtils
server, user, password, project, other = sys.argv[1:]
with XnatUtils.InterfaceTemp(server, user, password) as xnat:
    assert project in [each['id' if 'id' in each else 'ID'] for each in xnat.get_projects()]
    subjects = xnat.get_subjects(project)
    assert [(s['label'], s['gender'], s['yob']) for s in subjects] == [('S1', 'female', '1980'), ('S2', '', '')], subjects
    sessions = xnat.get_sessions(project)
    assert [(s['session_label'], s['type'], s['age'], s['gender']) for s in sessions] == [
        ('S1_MR1', 'MR', '41.0', 'female'), ('S2_CT1', 'CT', '', '')], sessions
    assert sessions[0]['last_modified'].startswith('20')
    assert [s['session_label'] for s in xnat.get_sessions(project, 'S1')] == ['S1_MR1']
    scans = xnat.get_project_scans(project)
    found = [(s['session_label'], s['scan_id'], s['scan_type'], sorted(s['resources'])) for s in scans]
    assert found == [('S1_MR1', '3', 'T1', ['DICOM', 'NIFTI']), ('S1_MR1', '10', 'T2', ['']),
                     ('S2_CT1', '', '', [''])], found
    assert scans[0]['scan_frames'] == '12' and scans[0]['session_type'] == 'MR' and scans[0]['subject_label'] == 'S1'
    assert [s['ID'] for s in xnat.get_scans(project, 'S1', 'S1_MR1')] == ['10', '3']
    assessors = xnat.list_project_assessors(project)
    label = project + '-x-S1-x-S1_MR1-x-prog_v1'
    assert [(a['label'], a['proctype'], a['procstatus'], a['qcstatus'], a['session_label']) for a in assessors] == [
        (label, 'prog_v1', 'COMPLETE', 'Passed', 'S1_MR1')], assessors
    assert assessors[0]['resources'] == ['PDF'] and assessors[0]['subject_label'] == 'S1'
    assert [a['label'] for a in xnat.get_assessors(project, 'S1', 'S1_MR1')] == [label]
    assert xnat.list_project_assessor_types(project) == ['prog_v1']
    programs = xnat.list_project_sgp(project)
    assert [(a['label'], a['proctype'], a['subject_label']) for a in programs] == [('SGP1', 'group_v1', 'S1')], programs
    assert xnat.get_scan_resources(project, 'S1', 'S1_MR1', '3')[0]['label'] == 'DICOM'
    assert xnat.get_assessor_out_resources(project, 'S1', 'S1_MR1', label)[0]['label'] == 'PDF'
    assert xnat.get_subject_resources(project, 'S1') == [] and xnat.get_resources(project) == []
    assessor = xnat.select_assessor(project, 'S1', 'S1_MR1', label)
    assessor.attrs.set('proc:genProcData/procstatus', 'NEED_TO_RUN')
    found = xnat.list_project_assessors(project)
    assert found[0]['procstatus'] == 'NEED_TO_RUN', (found, assessor._uri, assessor.exists(), assessor.datatype())
    shared = xnat.get_project_scans(other) if other in [s['project_id'] for s in xnat.get_sessions(other)] else None
    assert shared is not None and [s['scan_id'] for s in shared] == ['3', '10'], shared
"""


def test_projects_sessions_scans_and_assessors_are_listed_joined(environment_of_dax, server, tmp_path) -> None:
    with server.client() as client:
        fill(client, "DAX1")
    environment_of_dax.run(SCRIPT, server.url, USER, PASSWORD, "DAX1", "DAX1_O", HOME=str(tmp_path))


@pytest.fixture
def environment_of_dax(dax: ClientEnvironment) -> ClientEnvironment:
    return dax


def fill(client, project: str) -> None:
    """Put in two subjects, a session with two scans and an assessor, one without, and a share."""

    def put(path: str, **params: str) -> None:
        client.put(f"/data/projects/{project}{path}", params=params).raise_for_status()

    put("")
    put("/subjects/S1", gender="female", yob="1980")
    put("/subjects/S2")
    session = "/subjects/S1/experiments/S1_MR1"
    put(session, xsiType="xnat:mrSessionData", **{"xnat:mrSessionData/age": "41"})
    put("/subjects/S2/experiments/S2_CT1", xsiType="xnat:ctSessionData")
    for scan, kind in (("3", "T1"), ("10", "T2")):
        put(f"{session}/scans/{scan}", xsiType="xnat:mrScanData", type=kind, frames="12")
    put(f"{session}/scans/3/resources/DICOM")
    put(f"{session}/scans/3/resources/NIFTI")
    assessor = f"{session}/assessors/{project}-x-S1-x-S1_MR1-x-prog_v1"
    fields = {"procstatus": "COMPLETE", "proctype": "prog_v1", "validation/status": "Passed"}
    put(assessor, xsiType="proc:genProcData", **{f"proc:genProcData/{name}": value for name, value in fields.items()})
    put(f"{assessor}/out/resources/PDF")
    sgp = {"proc:subjGenProcData/proctype": "group_v1", "xsiType": "proc:subjGenProcData"}
    put("/subjects/S1/experiments/SGP1", **sgp)
    client.put(f"/data/projects/{project}_O").raise_for_status()
    put(f"{session}/projects/{project}_O")
