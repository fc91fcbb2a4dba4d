"""Unmodified pyxnat 1.6.4 against a real server: what its users' scripts do."""

import pytest

from tests.contract.xnat_clients.clients import ClientEnvironment, client_environment
from tests.contract.xnat_clients.conftest import PASSWORD, USER
from tests.contract.xnat_clients.test_imports import write_dicom

pytestmark = [pytest.mark.integration, pytest.mark.slow]

#: It loads modules for derived data when it connects, and does not ask for what they need.
environment = client_environment("pyxnat", "1.6.4", "nibabel", "pandas", "pydicom", "matplotlib")

HEAD = """
import sys, os, tempfile
from pyxnat import Interface
from pyxnat.core.errors import DatabaseError
x = Interface(server=sys.argv[1], user=sys.argv[2], password=sys.argv[3])
P = sys.argv[4]
"""


@pytest.fixture
def project(request) -> str:
    """Name of a project of the test's own."""
    return f"PYX_{request.node.name.partition('[')[0][-40:]}"


@pytest.fixture
def run(pyxnat: ClientEnvironment, server, project: str):
    """Run a script that finds its interface as ``x`` and the name of a project of its own as ``P``."""
    return lambda script: pyxnat.run(HEAD + script, server.url, USER, PASSWORD, project)


def test_objects_are_made_listed_and_deleted(run) -> None:
    run("""
scan = x.select('/project/%s/subject/S1/experiment/E1/scan/3' % P)
assert not scan.exists()
scan.create(experiments='xnat:mrSessionData', scans='xnat:mrScanData', **{'xnat:mrScanData/type': 'T1'})
assert scan.exists() and x.select.project(P).exists() and x.head('/data/projects/' + P).ok and x.head('/').ok
subject = x.select.project(P).subject('S1')
assert subject.label() == 'S1' and subject.id().startswith('CF_S') and subject.datatype() in (None, 'xnat:subjectData')
experiment = subject.experiment('E1')
assert experiment.datatype() == 'xnat:mrSessionData' and experiment.label() == 'E1'
assert [s.id() for s in experiment.scans()] == ['3'] and scan.attrs.get('type') == 'T1'
assert P in x.select.projects().get() and subject.id() in x.select.project(P).subjects().get()
assert [e.label() for e in x.select('/projects/%s/subjects/*/experiments/*' % P)] == ['E1']
assert x.array.experiments(project_id=P, columns=['subject_label']).data[0]['subject_label'] == 'S1'
assert x.array.mrsessions(project_id=P).data[0]['project'] == P
found = x.array.scans(project_id=P).data[0]
assert '3' in [found[key] for key in found if key.endswith('scandata/id')], found
assert x.select.project(P).experiment('E1').id() == experiment.id()
assessor = experiment.assessor('A1')
assessor.create(assessors='xnat:qcManualAssessorData')
assert assessor.exists() and assessor.datatype() == 'xnat:qcManualAssessorData'
reconstruction = experiment.reconstruction('R1')
reconstruction.create()
assert reconstruction.exists()
assert P in repr(x.select.project(P)) and 'S1' in repr(subject) and 'E1' in repr(experiment) and 'T1' in repr(scan)
assert P in x.inspect.project_values() and 'xnat:mrSessionData' in x.inspect.datatypes()
assert 'xnat:mrSessionData/INSERT_DATE' in x.inspect.datatypes('xnat:mrSessionData', '*')
experiment.delete()
assert not experiment.exists()
""")


def test_fields_are_set_and_read(run) -> None:
    run("""
experiment = x.select('/project/%s/subject/S1/experiment/E1' % P)
experiment.create(experiments='xnat:mrSessionData')
scan = experiment.scan('3')
scan.create(scans='xnat:mrScanData')
scan.attrs.set('xnat:mrScanData/parameters/tr', '2.3')
assert scan.attrs.get('xnat:mrScanData/parameters/tr') == '2.3'
scan.attrs.mset({'xnat:mrScanData/type': 'T1', 'xnat:mrScanData/quality': 'usable'})
assert scan.attrs.mget(['xnat:mrScanData/type', 'xnat:mrScanData/quality']) == ['T1', 'usable']
subject = x.select.project(P).subject('S1')
subject.attrs.set('xnat:subjectData/demographics[@xsi:type=xnat:demographicData]/gender', 'female')
subject.attrs.set('age', '40')
assert subject.attrs.get('gender') == 'female' and subject.attrs.get('age') == '40'
assert subject.xpath('//xnat:gender')[0].text == 'female'
project = x.select.project(P)
project.attrs.set('xnat:projectData/description', 'What it is for')
assert project.description() == 'What it is for'
assert set(project.last_modified()) == {subject.id()}
assessor = experiment.assessor('A1')
assessor.create(assessors='xnat:qcManualAssessorData')
assessor.set_param('key', 'value')
assert assessor.get_param('key') == 'value' and assessor.params() == ['key']
""")


def test_documents_carry_custom_variables_and_provenance(run) -> None:
    run("""
experiment = x.select('/project/%s/subject/S1/experiment/E1' % P)
experiment.create(experiments='xnat:mrSessionData')
project = x.select.project(P)
project.add_custom_variables({'Subjects': {'trial': {'arm': 'string', 'week': 'int'}}})
assert project.get_custom_variables()['Subjects'] == {'trial': {'arm': 'string', 'week': 'int'}}
project.add_custom_variables({'Subjects': {'trial': {'more': 'string'}}}, allow_data_deletion=True)
assert set(project.get_custom_variables()['Subjects']['trial']) == {'arm', 'week', 'more'}
subject = project.subject('S1')
subject.attrs.set('xnat:subjectData/fields/field[name=arm]/field', 'a')
assert subject.xpath("//xnat:field[@name='arm']/text()") == ['a']
reconstruction = experiment.reconstruction('R1')
reconstruction.create()
reconstruction.provenance.set({'program': 'young', 'program_version': '1', 'timestamp': '2026-03-01T12:01:01',
                               'user': 'angus', 'machine': 'war', 'platform': 'linux'})
found = reconstruction.provenance.get()
assert found[0]['program'] == 'young' and found[0]['program_version'] == '1', found
reconstruction.provenance.set({'program': 'old', 'timestamp': '2026-03-02T12:01:01', 'user': 'angus'})
assert [step['program'] for step in reconstruction.provenance.get()] == ['young', 'old']
path = os.path.join(tempfile.mkdtemp(), 'subject.xml')
with open(path, 'wb') as file:
    file.write(subject.get().replace(b'ID="%s"' % subject.id().encode(), b''))
other = project.subject('S2')
x.put(other._uri, data=open(path, 'rb').read().replace(b'label="S1"', b'label="S2"'), headers={'Content-Type': 'text/xml'})
assert other.exists() and other.xpath("//xnat:field[@name='arm']/text()") == ['a']
""")


def test_files_go_up_and_come_down(run) -> None:
    run("""
resource = x.select('/project/%s/subject/S1/experiment/E1/resource/R' % P)
folder = tempfile.mkdtemp()
path = os.path.join(folder, 'a.txt')
open(path, 'w').write('text')
file = resource.file('a.txt')
file.put(path, format='TXT', content='T', tags='t')
assert file.exists() and file.size() in ('4', 4) and file.format() == 'TXT' and file.content() == 'T'
assert file.last_modified()
assert open(file.get(os.path.join(folder, 'b.txt'))).read() == 'text'
assert [f.id() for f in resource.files()] == ['a.txt']
assert resource.label() == 'R'
experiment = x.select('/project/%s/subject/S1/experiment/E1' % P)
assert [r.label() for r in experiment.resources()] == ['R']
file.delete()
assert not file.exists()
""")


def test_searches_find_and_are_stored(run) -> None:
    run("""
for label, age in (('S1', '30'), ('S2', '50')):
    x.select('/project/%s/subject/%s/experiment/%s_E' % (P, label, label)).create(experiments='xnat:mrSessionData')
    x.select.project(P).subject(label).attrs.set('age', age)
columns = ['xnat:subjectData/SUBJECT_LABEL', 'xnat:subjectData/PROJECT']
mine = ('xnat:subjectData/PROJECT', '=', P)
table = x.select('xnat:subjectData', columns).where([mine, ('xnat:subjectData/AGE', '>', '40'), 'AND'])
assert [row['subject_label'] for row in table] == ['S2'], table
table = x.select('xnat:subjectData', columns).where([mine, [('xnat:subjectData/SUBJECT_LABEL', 'LIKE', 'S1%'),
                                                            ('xnat:subjectData/AGE', '=', '50'), 'OR'], 'AND'])
assert len(table) == 2
assert len(x.select('xnat:mrSessionData').all()) >= 2
x.manage.search.save(P + '_s', 'xnat:subjectData', columns, [mine, 'AND'], sharing='public', description='mine')
assert P + '_s' in x.manage.search.saved()
assert len(x.manage.search.get(P + '_s')) == 2
assert x.manage.search.get(P + '_s', 'query')['row'] == 'xnat:subjectData'
assert {s.label() for s in x.select('//subjects').where([mine, 'AND'])} == {'S1', 'S2'}
x.manage.search.delete(P + '_s')
assert P + '_s' not in x.manage.search.saved()
try:
    x.select('xnat:subjectData', ['xnat:subjectData/NONSENSE']).where([mine, 'AND'])
except DatabaseError:
    pass
else:
    raise AssertionError('a nonsense field was found')
""")


def test_a_project_is_managed_and_shares(run) -> None:
    run("""
project, other = x.select.project(P), x.select.project(P + '_O')
project.create()
other.create()
assert project.accessibility() == b'private'
project.set_accessibility('protected')
assert project.accessibility() == b'protected'
assert project.prearchive_code() == 4 and project.quarantine_code() == 0
project.set_prearchive_code('0')
project.set_quarantine_code('1')
assert project.prearchive_code() == 0 and project.quarantine_code() == 1
assert project.current_arc() == b'arc001'
assert project.users() == ['admin'] and project.owners() == ['admin'] and project.user_role('admin') == 'owner'
assert 'admin' in x.manage.users()
project.attrs.set('xnat:projectData/aliases/alias[1]/alias', P + '_A')
assert project.aliases() == [P + '_A']
assert project.pipelines.aliases() == {} and project.pipelines.info() == []
assert not project.pipelines.pipeline('none').exists()
experiment = project.subject('S1').experiment('E1')
experiment.create(experiments='xnat:mrSessionData')
subject = project.subject('S1')
subject.share(P + '_O')
assert set(subject.shares().get()) == {P, P + '_O'}
assert other.subject('S1').exists()
subject.unshare(P + '_O')
assert not other.subject('S1').exists()
experiment.share(P + '_O', label='SHOWN')
assert experiment.id() in [e.id() for e in other.experiments()]
assert 'SHOWN' in [row['label'] for row in x._get_json('/data/projects/%s_O/experiments' % P)]
experiment.trigger(pipelines=False)
""")


def test_the_prearchive_is_looked_through_and_reset(run, server, project, tmp_path) -> None:
    with server.client() as client:
        client.put(f"/data/projects/{project}").raise_for_status()
        body = write_dicom(tmp_path / "a.dcm").read_bytes()
        params = {"dest": f"/prearchive/projects/{project}"}
        client.post("/data/services/import", params=params, content=body).raise_for_status()
    run("""
from pyxnat.core.manage import PreArchive
prearchive = PreArchive(x)
(triple,) = [each for each in prearchive.get() if each[0] == P]
assert prearchive.status(triple) == 'READY' and triple[2] == 'SUBJ_MR'
uri = prearchive.get_uri(triple)
assert uri == '/prearchive/projects/' + '/'.join(triple)
assert '5' in prearchive.get_scans(triple)
assert 'DICOM' in prearchive.get_resources(triple, '5')
assert prearchive.get_files(triple, '5', 'DICOM')
assert prearchive.reset(triple).decode().endswith(uri)
assert prearchive.status(triple) == 'READY'
try:
    prearchive.reset([P, '20260101_000000000', 'NONE'])
except DatabaseError as error:
    assert 'There is no session in the prearchive here' in str(error)
else:
    raise AssertionError('a session that is not there cannot be reset')
prearchive.delete(uri)
assert P not in [each[0] for each in prearchive.get()]
""")


def test_an_ended_login_is_refused(run) -> None:
    run("""
import requests
with Interface(server=sys.argv[1], user=sys.argv[2], password=sys.argv[3]) as y:
    y.select.projects().get()
    cookie = y._http.cookies['JSESSIONID']
assert requests.get(sys.argv[1] + '/data/projects', cookies={'JSESSIONID': cookie}).status_code == 401
""")
