"""Documents: what comes in as XML, and what must not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded_xnat.contract.errors import BadField, BadRequest
from embedded_xnat.domain.items import ItemSource, build_item
from embedded_xnat.domain.setters import apply_changes
from embedded_xnat.domain.xml_documents import MAX_PARTS, read_document
from embedded_xnat.domain.xml_items import xml_document

XNAT = 'xmlns:xnat="http://nrg.wustl.edu/xnat" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'

BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<xnat:Subject xmlns:xnat="http://nrg.wustl.edu/xnat"><xnat:fields><xnat:field name="x">&b;</xnat:field></xnat:fields></xnat:Subject>"""
FILE = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>
<xnat:Subject xmlns:xnat="http://nrg.wustl.edu/xnat" group="&f;"/>"""
REMOTE = '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><xnat:Subject xmlns:xnat="http://nrg.wustl.edu/xnat"/>'
DEEP = "<a>" * 5000 + "</a>" * 5000


@pytest.mark.parametrize("body", [BOMB, FILE, REMOTE, DEEP, "", "<a", "\x00", "<a/>", f"<xnat:Nonsense {XNAT}/>"])
def test_hostile_documents_are_refused(body: str) -> None:
    with pytest.raises(BadRequest):
        read_document(body.encode())


@pytest.mark.parametrize(
    "inside",
    [
        '<xnat:Subject {0} nonsense="1"/>',
        "<xnat:Subject {0}><xnat:nonsense>1</xnat:nonsense></xnat:Subject>",
        '<xnat:Subject {0}><xnat:demographics xsi:type="xnat:demographicData"><xnat:age>old</xnat:age></xnat:demographics></xnat:Subject>',
        '<xnat:MRSession {0}><xnat:scans><xnat:scan ID="1" xsi:type="xnat:subjectData"/></xnat:scans></xnat:MRSession>',
        '<xnat:Project {0}><xnat:studyProtocol data-type="nonsense"><xnat:definitions><xnat:definition ID="a"/></xnat:definitions></xnat:studyProtocol></xnat:Project>',
    ],
)
def test_what_no_type_knows_is_refused(inside: str) -> None:
    with pytest.raises(BadField):
        read_document(inside.format(XNAT).encode())


def test_a_document_says_what_fields_say() -> None:
    body = f"""<xnat:MRSession {XNAT} ID="E1" label="L" project="P">
      <xnat:date>2026-02-03</xnat:date><xnat:scanner manufacturer="V" model="M">X</xnat:scanner>
      <xnat:fields><xnat:field name="Arm">a</xnat:field></xnat:fields>
      <xnat:scans><xnat:scan ID="4" type="T1" xsi:type="xnat:mrScanData">
        <xnat:parameters><xnat:voxelRes x="1.5"/><xnat:tr>2.3</xnat:tr><xnat:addParam name="k">v</xnat:addParam></xnat:parameters>
      </xnat:scan></xnat:scans>
      <xnat:subject_ID>S1</xnat:subject_ID></xnat:MRSession>"""
    document = read_document(body.encode())
    assert document.identity == {"id": "E1", "label": "L", "project": "P", "subject_id": "S1"}
    data, lists = apply_changes(document.changes, {}, {})
    assert data == {"date": "2026-02-03", "scanner": "X", "scanner/manufacturer": "V", "scanner/model": "M"}
    assert lists == {"fields/field": [{"name": "arm", "field": "a"}]}
    scan = document.parts["scans"][0]
    assert scan.identity == {"id": "4"}
    assert apply_changes(scan.changes, {}, {}) == (
        {"type": "T1", "parameters/voxelRes/x": 1.5, "parameters/tr": 2.3},
        {"parameters/addParam": [{"name": "k", "addField": "v"}]},
    )


def test_provenance_keeps_its_steps_and_their_attributes() -> None:
    body = f"""<xnat:reconstructedImageData {XNAT} xmlns:prov="http://www.nbirn.net/prov" ID="R">
      <xnat:provenance><prov:processStep><prov:program version="1">young</prov:program></prov:processStep>
      <prov:processStep><prov:program>old</prov:program></prov:processStep></xnat:provenance></xnat:reconstructedImageData>"""
    document = read_document(body.encode())
    data, lists = apply_changes(document.changes, {}, {})
    assert lists == {"provenance/processStep": [{"program_version": "1", "program": "young"}, {"program": "old"}]}
    again = xml_document(build_item(ItemSource("xnat:reconstructedImageData", {"ID": "R"}, data, lists)))
    assert apply_changes(read_document(again).changes, {}, {}) == (data, lists)


_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Zs", "Zl", "Zp"]), min_size=1, max_size=20
)


@given(
    group=_TEXT, note=_TEXT, fields=st.dictionaries(_TEXT.map(str.lower), _TEXT, max_size=3), age=st.integers(0, 120)
)
def test_an_object_comes_back_from_its_document(group: str, note: str, fields: dict[str, str], age: int) -> None:
    data = {"group": group, "investigator/title": note, "demographics/age": age}
    rows = [{"name": name, "field": value} for name, value in fields.items()]
    lists = {"fields/field": rows} if rows else {}
    document = read_document(
        xml_document(build_item(ItemSource("xnat:subjectData", {"ID": "S", "label": "l"}, data, lists)))
    )
    assert apply_changes(document.changes, {}, {}) == (data, lists)
    assert document.identity == {"id": "S", "label": "l"}


def test_a_session_of_more_scans_than_any_has_is_refused() -> None:
    scans = '<xnat:scan ID="1"/>' * (MAX_PARTS + 1)
    body = f'<xnat:MRSession xmlns:xnat="http://nrg.wustl.edu/xnat"><xnat:scans>{scans}</xnat:scans></xnat:MRSession>'
    with pytest.raises(BadField, match="more than 10,000 times"):
        read_document(body.encode())
