"""Unmodified xnatpy: searches, custom variables, shares by label, columns of listings."""

from datetime import datetime, timedelta

import pytest
from lxml import etree

pytestmark = pytest.mark.integration


@pytest.fixture
def project(connection, request):
    project_id = f"Q{abs(hash(request.node.name)) % 100_000}"
    connection.put(f"/data/projects/{project_id}")
    for number in range(2):
        uri = f"/data/projects/{project_id}/subjects/S{number}"
        connection.put(uri, query={"gender": "female"})
        query = {"xsiType": "xnat:mrSessionData", "xnat:mrSessionData/age": str(40 + number)}
        query["xnat:mrSessionData/fields/field[name=arm]/field"] = "ab"[number]
        connection.put(f"{uri}/experiments/{project_id}_{number}", query=query)
    connection.clearcache()
    return connection.projects[project_id]


def test_queries_find_objects(connection, project) -> None:
    Session = connection.classes.MrSessionData  # noqa: N806 - it is a class
    mine = Session.query().filter(project.id == Session.PROJECT)
    assert [each.label for each in mine.all()] == [f"{project.id}_0", f"{project.id}_1"]
    assert mine.first().label == f"{project.id}_0"
    assert mine.last().label == f"{project.id}_1"
    assert mine.filter(Session.age > 40).one().label == f"{project.id}_1"
    assert mine.filter(Session.label.like("%\\_0%") | (Session.age == 41)).view(Session.label).tabulate_dict()
    assert len(mine.filter(datetime.now() - timedelta(days=2) <= Session.INSERT_DATE).all()) == 2  # noqa: DTZ005
    arm = Session.custom_variables["arm"]
    row = mine.filter(arm == "b").view(Session.PROJECT, Session.label, arm).tabulate_dict()
    assert len(row) == 1
    assert (row[0]["project"], row[0]["xnat_col_mrsessiondatalabel"]) == (project.id, f"{project.id}_1")
    subjects = connection.classes.SubjectData.query().filter(project.id == connection.classes.SubjectData.PROJECT)
    assert sorted(each.label for each in subjects.all()) == ["S0", "S1"]
    found = connection.classes.ProjectData.query().filter(project.id == connection.classes.ProjectData.ID)
    assert found.one().id == project.id


def test_custom_variables_have_their_kind(connection, project) -> None:
    uri = f"/data/projects/{project.id}"
    tree = etree.fromstring(connection.get(uri, query={"format": "xml"}).content)
    space = f"{{{tree.nsmap['xnat']}}}"
    protocol = tree.xpath("//xnat:studyProtocol[@name='MR Sessions']", namespaces=tree.nsmap)[0]
    definitions = etree.SubElement(protocol, f"{space}definitions")
    group = etree.SubElement(definitions, f"{space}definition", {"ID": "trial", "data-type": "xnat:mrSessionData"})
    group.set("description", "of the trial")
    fields = etree.SubElement(group, f"{space}fields")
    for name, kind in (("arm", "string"), ("week", "integer"), ("when", "date"), ("blind", "boolean")):
        field = etree.SubElement(fields, f"{space}field", name=name, datatype=kind, type="custom", required="0")
        if name == "arm":
            values = etree.SubElement(field, f"{space}possibleValues")
            for value in "ab":
                etree.SubElement(values, f"{space}possibleValue").text = value
    connection.put(uri, data=etree.tostring(tree), accepted_status=[200, 201])
    connection.clearcache()
    project = connection.projects[project.id]
    protocol = project.study_protocol[f"{project.id}_xnat_mrSessionData"]
    assert (protocol.name, protocol.data_type) == ("MR Sessions", "xnat:mrSessionData")
    group = next(each for each in protocol.definitions if each.id == "trial")
    assert group.description == "of the trial"
    field = group.fields["arm"]
    assert (field.datatype, field.required) == ("string", False)
    assert field.xml_path == "xnat:mrSessionData/fields/field[name=arm]/field"
    session = project.experiments[f"{project.id}_0"]
    variables = session.custom_variables["trial"]
    assert variables["arm"] == "a"
    variables["week"] = 12
    session.clearcache()
    assert session.custom_variables["trial"]["week"] == 12
    with pytest.raises(Exception, match="one of"):
        variables["arm"] = "c"
