from xml.etree import ElementTree as ET

import pytest

from embedded_xnat.schema.registry import MODEL, SCHEMA_NAMES
from embedded_xnat.schema.xsd import schema_text

XS = "{http://www.w3.org/2001/XMLSchema}"
XDAT = "{http://nrg.wustl.edu/xdat}"


@pytest.mark.parametrize("name", SCHEMA_NAMES.values())
def test_every_listed_schema_is_xml_in_the_form_that_clients_parse(name: str) -> None:
    text = schema_text(name)
    assert text is not None
    assert text.count("<xs:schema ") == 1
    tags = {element.tag for element in ET.fromstring(text).iter()}
    assert f"{XS}attributeGroup" not in tags
    assert f"{XS}group" not in tags


def test_every_type_is_in_the_schema_of_its_prefix_with_its_base() -> None:
    found = {}
    for prefix, name in SCHEMA_NAMES.items():
        for element in ET.fromstring(schema_text(name) or "").findall(f"{XS}complexType"):
            extension = element.find(f"{XS}complexContent/{XS}extension")
            found[f"{prefix}:{element.get('name')}"] = None if extension is None else extension.get("base")
    assert found == {name: None if each.text_kind else each.base for name, each in MODEL.types.items()}


@pytest.mark.parametrize(
    ("name", "identifier"),
    [("subjectData", "label"), ("experimentData", "label"), ("imageScanData", "ID"), ("projectData", None)],
)
def test_the_display_identifier_tells_clients_how_to_address_an_object(name: str, identifier: str | None) -> None:
    root = ET.fromstring(schema_text("xnat") or "")
    complex_type = next(each for each in root.findall(f"{XS}complexType") if each.get("name") == name)
    element = complex_type.find(f"{XS}annotation/{XS}appinfo/{XDAT}element")
    assert (None if element is None else element.get("displayIdentifiers")) == identifier


def test_no_field_is_described_twice_in_one_type() -> None:
    for name in MODEL.types:
        paths = [part.path.lower() for part in MODEL.parts(name)]
        assert len(paths) == len(set(paths)), name
