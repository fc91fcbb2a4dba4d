"""Objects as XML documents, custom variables, moves and shares, settings of projects."""

import pytest
from lxml import etree

XNAT = 'xmlns:xnat="http://nrg.wustl.edu/xnat" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
XML = {"Content-Type": "text/xml"}


def rows(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return answer.json()["ResultSet"]["Result"]


def item(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["items"][0]


def children(found, field: str):
    return next((child["items"] for child in found["children"] if child["field"] == field), [])


def test_documents_make_and_change_objects(admin) -> None:
    project = f'<xnat:Project {XNAT} ID="X" secondary_ID="x"><xnat:name>Name of X</xnat:name></xnat:Project>'
    assert admin.post("/data/projects", content=project, headers=XML).text == "X"
    subject = f'<xnat:Subject {XNAT} project="X" label="A" group="g"/>'
    assert admin.post("/data/projects/X/subjects", content=subject, headers=XML).status_code == 201
    session = f"""<xnat:MRSession {XNAT} label="A_MR1"><xnat:date>2026-02-03</xnat:date>
      <xnat:scans><xnat:scan ID="4" type="T1" xsi:type="xnat:mrScanData"/></xnat:scans></xnat:MRSession>"""
    uri = "/data/projects/X/subjects/A/experiments/A_MR1"
    made = admin.put(uri, content=session, headers=XML)
    assert (made.status_code, made.text) == (201, "CF_E00002")
    assert rows(admin.get(f"{uri}/scans"))[0]["type"] == "T1"
    changed = session.replace("T1", "T2")
    assert admin.put(uri, files={"a.xml": ("a.xml", changed, "text/xml")}).status_code == 200
    assert rows(admin.get(f"{uri}/scans"))[0]["type"] == "T2"
    assert rows(admin.get("/data/projects/X/subjects", params={"columns": "group"}))[0]["group"] == "g"
    assert rows(admin.get("/data/projects", params={"ID": "X"}))[0]["name"] == "Name of X"


@pytest.mark.parametrize("path", ["/data/projects/P", "/data/projects/P/subjects/S1", "SESSION", "SESSION/scans/3"])
def test_what_was_read_as_a_document_can_be_sent_back(admin, session_uri: str, path: str) -> None:
    admin.put(
        session_uri,
        params={"xnat:mrSessionData/scanner/model": "X1", "xnat:mrSessionData/fields/field[name=a]/field": "b"},
    )
    uri = path.replace("SESSION", session_uri)
    before = item(admin.get(uri))
    document = admin.get(uri, params={"format": "xml"})
    assert document.headers["content-type"] == "application/xml"
    assert document.content.startswith(b"<?xml")
    answer = admin.put(uri, content=document.content, headers=XML, params={"allowDataDeletion": "true"})
    assert answer.status_code == 200, answer.text
    assert item(admin.get(uri)) == before


def test_what_a_document_leaves_out_stays_unless_it_may_be_deleted(admin, session_uri: str) -> None:
    admin.put(session_uri, params={"xnat:mrSessionData/note": "kept"})
    document = f'<xnat:MRSession {XNAT} label="S1_MR1"><xnat:date>2026-02-03</xnat:date></xnat:MRSession>'
    admin.put(session_uri, content=document, headers=XML)
    assert item(admin.get(session_uri))["data_fields"]["note"] == "kept"
    admin.put(session_uri, content=document, headers=XML, params={"allowDataDeletion": "true"})
    fields = item(admin.get(session_uri))["data_fields"]
    assert ("note" in fields, fields["date"]) == (False, "2026-02-03")
    assert len(rows(admin.get(f"{session_uri}/scans"))) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (
            '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><xnat:Subject xmlns:xnat="http://nrg.wustl.edu/xnat" group="&f;"/>',
            400,
        ),
        ("<nonsense", 400),
        (f'<xnat:Project {XNAT} ID="P"/>', 400),
        (f'<xnat:Subject {XNAT} project="OTHER" label="S1"/>', 409),
        (f'<xnat:Subject {XNAT} nonsense="1"/>', 400),
    ],
)
def test_hostile_documents_change_nothing(admin, session_uri: str, body: str, status: int) -> None:
    before = item(admin.get("/data/projects/P/subjects/S1"))
    answer = admin.put("/data/projects/P/subjects/S1", content=body, headers=XML)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert item(admin.get("/data/projects/P/subjects/S1")) == before


def define(admin, **fields: str):
    tree = etree.fromstring(admin.get("/data/projects/P", params={"format": "xml"}).content)
    protocol = tree.xpath("//xnat:studyProtocol[@name='MR Sessions']", namespaces=tree.nsmap)[0]
    space = f"{{{tree.nsmap['xnat']}}}"
    definitions = etree.SubElement(protocol, f"{space}definitions")
    group = etree.SubElement(definitions, f"{space}definition", {"ID": "trial", "data-type": "xnat:mrSessionData"})
    holder = etree.SubElement(group, f"{space}fields")
    for name, datatype in fields.items():
        etree.SubElement(holder, f"{space}field", name=name, datatype=datatype, type="custom", required="0")
    return admin.put("/data/projects/P", content=etree.tostring(tree), headers=XML)


def test_custom_variables_are_defined_in_the_document_of_their_project(admin, session_uri: str) -> None:
    assert define(admin, arm="string", week="integer").status_code == 200
    protocols = children(item(admin.get("/data/projects/P")), "studyProtocol")
    assert [each["data_fields"]["name"] for each in protocols] == ["Subjects", "MR Sessions"]
    protocol = protocols[1]
    assert protocol["meta"]["xsi:type"] == "xnat:datatypeProtocol"
    assert protocol["data_fields"]["ID"] == "P_xnat_mrSessionData"
    group = children(protocol, "definitions/definition")[0]
    assert group["data_fields"]["ID"] == "trial"
    fields = [field["data_fields"] for field in children(group, "fields/field")]
    assert [(field["name"], field["datatype"]) for field in fields] == [("arm", "string"), ("week", "integer")]
    assert fields[0]["xmlPath"] == "xnat:mrSessionData/fields/field[name=arm]/field"
    assert define(admin, arm="nonsense").status_code == 400


def test_a_project_answers_to_its_alias(admin, session_uri: str) -> None:
    assert admin.put("/data/projects/P", params={"xnat:projectData/aliases/alias[1]/alias": "OTHER"}).status_code == 200
    assert rows(admin.get("/data/projects/OTHER/experiments"))[0]["label"] == "S1_MR1"
    assert rows(admin.get("/data/projects/P/aliases")) == [{"alias": "OTHER"}]
    assert [row["alias"] for row in rows(admin.get("/data/projects", params={"columns": "alias"}))] == ["OTHER"]
    admin.put("/data/projects/Q")
    assert admin.put("/data/projects/Q", params={"xnat:projectData/aliases/alias[1]/alias": "OTHER"}).status_code == 409
    assert admin.put("/data/projects/Q", params={"xnat:projectData/aliases/alias[1]/alias": "P"}).status_code == 409
    admin.put("/data/projects/P", params={"xnat:projectData/aliases/alias[1]": "NULL"})
    assert admin.get("/data/projects/OTHER").status_code == 404


def test_an_object_does_not_move_by_a_plain_put(admin, session_uri: str) -> None:
    admin.put("/data/projects/Q")
    assert admin.put(session_uri, params={"xnat:mrSessionData/project": "Q"}).status_code == 409
    assert admin.put(session_uri, params={"project": "Q"}).status_code == 409


def test_a_session_moves_with_everything_when_it_is_asked_for(admin, session_uri: str, settings) -> None:
    admin.put("/data/projects/Q")
    admin.put(f"{session_uri}/scans/3/resources/DICOM/files/a.dcm", content=b"1")
    admin.put(f"{session_uri}/assessors/A1", params={"xsiType": "xnat:qcManualAssessorData"})
    assert admin.put(f"{session_uri}/projects/Q", params={"primary": "true", "label": "MOVED"}).status_code == 200
    moved = "/data/projects/Q/experiments/MOVED"
    assert admin.get(f"{moved}/scans/3/resources/DICOM/files/a.dcm").content == b"1"
    assert (settings.data_dir / "Q/arc001/MOVED/SCANS/3/DICOM/a.dcm").read_bytes() == b"1"
    assert rows(admin.get(f"{moved}/assessors"))[0]["project"] == "Q"
    assert rows(admin.get("/data/projects/P/experiments")) == []


def test_a_subject_moves_with_its_sessions(admin, session_uri: str, settings) -> None:
    admin.put("/data/projects/Q")
    admin.put(f"{session_uri}/scans/3/resources/DICOM/files/a.dcm", content=b"1")
    assert admin.put("/data/projects/P/subjects/S1/projects/Q", params={"primary": "true"}).status_code == 200
    assert [row["label"] for row in rows(admin.get("/data/projects/Q/experiments"))] == ["S1_MR1"]
    assert (settings.data_dir / "Q/arc001/S1_MR1/SCANS/3/DICOM/a.dcm").exists()
    assert rows(admin.get("/data/projects/P/subjects")) == []


def test_a_session_is_given_to_another_subject(admin, session_uri: str) -> None:
    admin.put("/data/projects/P/subjects/S2")
    uri = "/data/projects/P/experiments/S1_MR1"
    assert admin.put(uri, params={"xnat:mrSessionData/subject_ID": "S2"}).status_code == 200
    assert rows(admin.get("/data/projects/P/subjects/S2/experiments"))[0]["label"] == "S1_MR1"
    assert admin.put(uri, params={"xnat:mrSessionData/subject_ID": "NONE"}).status_code == 404


def test_an_object_says_in_which_projects_it_shows(admin, session_uri: str) -> None:
    admin.put("/data/projects/Q")
    admin.put(f"{session_uri}/projects/Q", params={"label": "SHOWN"})
    assert [(row["ID"], row["label"]) for row in rows(admin.get(f"{session_uri}/projects"))] == [
        ("P", "S1_MR1"),
        ("Q", "SHOWN"),
    ]
    shares = children(item(admin.get(session_uri)), "sharing/share")
    assert [share["data_fields"] for share in shares] == [{"project": "Q", "label": "SHOWN"}]
    assert admin.delete(f"{session_uri}/projects/Q").status_code == 200
    assert admin.delete(f"{session_uri}/projects/Q").status_code == 404


def test_an_object_names_no_project_that_the_reader_may_not_see(admin, as_user, session_uri: str) -> None:
    for project in ("Q", "R"):
        admin.put(f"/data/projects/{project}")
        admin.put(f"{session_uri}/projects/{project}")
        admin.put(f"/data/projects/P/subjects/S1/projects/{project}")
    admin.put("/data/projects/Q/users/Collaborators/mary")
    mary = as_user("mary")
    for uri in ("/data/projects/Q/experiments/S1_MR1", "/data/projects/Q/subjects/S1"):
        shares = children(item(mary.get(uri)), "sharing/share")
        assert [share["data_fields"]["project"] for share in shares] == ["Q"]
        assert len(children(item(admin.get(uri)), "sharing/share")) == 2
        assert b'project="R"' not in mary.get(uri, params={"format": "xml"}).content
    column = "xnat:imagesessiondata/sharing/share/project"
    asked = {column: "R", "columns": column}
    assert rows(mary.get("/data/experiments", params=asked)) == []
    assert len(rows(admin.get("/data/experiments", params=asked))) == 1


def test_a_session_holds_its_assessors(admin, session_uri: str) -> None:
    qc = "xnat:qcManualAssessorData"
    admin.put(f"{session_uri}/assessors/QC1", params={"xsiType": qc, f"{qc}/comments": "seen"})
    (found,) = children(item(admin.get(session_uri)), "assessors/assessor")
    assert (found["data_fields"]["label"], found["data_fields"]["imageSession_ID"]) == ("QC1", "CF_E00001")
    root = etree.fromstring(admin.get(session_uri, params={"format": "xml"}).content)
    (inner,) = root.findall("{*}assessors/{*}assessor")
    assert (inner.get("label"), inner.findtext("{*}comments")) == ("QC1", "seen")
    assert inner.get("{http://www.w3.org/2001/XMLSchema-instance}type") == qc
    document = admin.get(session_uri, params={"format": "xml"}).content
    assert admin.put(session_uri, content=document, headers={"Content-Type": "text/xml"}).status_code == 200
    assert len(rows(admin.get(f"{session_uri}/assessors"))) == 1


def test_a_session_holds_its_scans_and_reconstructions_with_their_resources(admin, session_uri: str) -> None:
    for place, name in (("scans/3/resources/DICOM", "1.dcm"), ("reconstructions/R1/resources/SEG", "seg.nii")):
        if place.startswith("reconstructions"):
            admin.put(f"{session_uri}/reconstructions/R1", params={"xnat:reconstructedImageData/type": "seg"})
        admin.put(f"{session_uri}/{place}/files/{name}", content=b"four", params={"format": "F"})
    found = item(admin.get(session_uri))
    for path, held, label in (
        ("scans/scan", "file", "DICOM"),
        ("reconstructions/reconstructedImage", "out/file", "SEG"),
    ):
        (part,) = children(found, path)
        (resource,) = children(part, held)
        fields = resource["data_fields"]
        assert (fields["label"], fields["file_count"], fields["file_size"]) == (label, 1, 4)
        assert resource["meta"]["xsi:type"] == "xnat:resourceCatalog"
    document = admin.get(session_uri, params={"format": "xml"}).content
    root = etree.fromstring(document)
    assert [each.get("label") for each in root.iterfind("{*}scans/{*}scan/{*}file")] == ["DICOM"]
    assert [each.get("label") for each in root.iterfind(".//{*}reconstructedImage/{*}out/{*}file")] == ["SEG"]
    assert admin.put(session_uri, content=document, headers={"Content-Type": "text/xml"}).status_code == 200
    assert item(admin.get(session_uri))["children"] == found["children"]


def test_each_step_of_a_provenance_is_a_row(admin, session_uri: str) -> None:
    steps = "".join(
        f'<prov:processStep><prov:program version="{n}">p{n}</prov:program><prov:user>u</prov:user></prov:processStep>'
        for n in (1, 2, 3)
    )
    spaces = 'xmlns:xnat="http://nrg.wustl.edu/xnat" xmlns:prov="http://www.nbirn.net/prov"'
    body = f"<xnat:ReconstructedImage {spaces}><xnat:provenance>{steps}</xnat:provenance></xnat:ReconstructedImage>"
    xml = {"Content-Type": "text/xml"}
    assert admin.put(f"{session_uri}/reconstructions/R1", content=body.encode(), headers=xml).status_code == 200
    admin.put(f"{session_uri}/reconstructions/R2")
    base = "xnat:reconstructedImageData/provenance/processStep"
    params = {"columns": f"{base}/program,{base}/program_version,{base}/cvs"}
    found = rows(admin.get(f"{session_uri}/reconstructions", params=params))
    keys = ("ID", f"{base.lower()}/program", f"{base.lower()}/program_version", f"{base.lower()}/cvs")
    assert [tuple(row[key] for key in keys) for row in found] == [
        ("R1", "p1", "1", ""),
        ("R1", "p2", "2", ""),
        ("R1", "p3", "3", ""),
        ("R2", "", "", ""),
    ]
    assert len(rows(admin.get(f"{session_uri}/reconstructions"))) == 2
    for program, seen in (("p1", ["R1"]), ("p3", ["R1"]), ("p*", ["R1"]), ("p4", []), ("p2,p9", ["R1"]), ("", ["R2"])):
        found = rows(admin.get(f"{session_uri}/reconstructions", params={f"{base}/program": program}))
        assert [row["ID"] for row in found] == seen, program


def test_only_owners_move_and_only_projects_that_are_seen_are_named(admin, as_user, session_uri: str) -> None:
    for project in ("Q", "R"):
        admin.put(f"/data/projects/{project}")
    for project in ("P", "Q"):
        admin.put(f"/data/projects/{project}/users/Members/mary")
    mary = as_user("mary")
    assert mary.put(f"{session_uri}/projects/Q", params={"primary": "true"}).status_code == 403
    assert mary.put(f"{session_uri}/projects/R").status_code == 404
    assert mary.put(f"{session_uri}/projects/Q").status_code == 200
    admin.put(f"{session_uri}/projects/R")
    assert [row["ID"] for row in rows(mary.get(f"{session_uri}/projects"))] == ["P", "Q"]


def test_an_assessor_is_renamed_with_its_files(admin, session_uri: str, settings) -> None:
    uri = f"{session_uri}/assessors/A1"
    admin.put(uri, params={"xsiType": "xnat:qcManualAssessorData"})
    admin.put(f"{uri}/resources/R/files/a", content=b"1")
    assert admin.put(uri, params={"label": "A2"}).status_code == 200
    assert (settings.data_dir / "P/arc001/S1_MR1/ASSESSORS/A2/R/a").exists()


def test_a_project_tells_its_settings(admin, as_user, session_uri: str) -> None:
    uri = "/data/projects/P"
    assert (admin.get(f"{uri}/quarantine_code").text, admin.get(f"{uri}/prearchive_code").text) == ("0", "4")
    assert admin.put(f"{uri}/quarantine_code/1").status_code == 200
    assert admin.get(f"{uri}/quarantine_code").text == "1"
    assert admin.put(f"{uri}/quarantine_code/9").status_code == 400
    assert admin.get(f"{uri}/current_arc").text == "arc001"
    assert admin.put(f"{uri}/current_arc/elsewhere").status_code == 400
    assert rows(admin.get(f"{uri}/pipelines")) == []
    assert admin.head(f"{uri}/pipelines/none").status_code == 404
    spec = etree.fromstring(admin.get(f"{uri}/archive_spec").content)
    assert spec.findtext("{*}quarantine_code") == "1"
    for word in ("quarantine_code", "current_arc", "pipelines", "archive_spec", "aliases"):
        assert as_user("zoe").get(f"{uri}/{word}").status_code == 404
    admin.put(f"{uri}/users/Members/mary")
    assert as_user("mary").put(f"{uri}/quarantine_code/0").status_code == 403
