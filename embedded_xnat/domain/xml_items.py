"""Writes items as XML documents in XNAT's namespaces. May import lxml; pure otherwise."""

import re
from collections.abc import Mapping
from typing import Any

from lxml import etree

from embedded_xnat.domain.items import Item
from embedded_xnat.domain.values import as_text
from embedded_xnat.domain.xml_documents import XSI_TYPE
from embedded_xnat.schema.model import Contains, Field, Rows, SubObject
from embedded_xnat.schema.registry import MODEL, NAMESPACES

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def xml_document(item: Item) -> bytes:
    """Return the document of an item.

    Examples
    --------
    >>> item = {"meta": {"xsi:type": "xnat:subjectData"}, "data_fields": {"ID": "S1", "group": "a"}, "children": []}
    >>> b'<xnat:Subject ' in xml_document(item), b'group="a"' in xml_document(item)
    (True, True)
    """
    xsi_type = item["meta"]["xsi:type"]
    named = MODEL.types.get(xsi_type)
    prefix, _, local = xsi_type.partition(":")
    spaces = {**NAMESPACES, "xsi": _XSI}
    root = etree.Element(f"{{{NAMESPACES[prefix]}}}{(named.element if named else None) or local}", nsmap=spaces)
    _fill(root, item)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _fill(element: Any, item: Item) -> None:
    xsi_type, values = item["meta"]["xsi:type"], item["data_fields"]
    children = {child["field"]: child["items"] for child in item["children"]}
    if xsi_type not in MODEL.types:
        _fill_anonymous(element, values, children)
        return
    for named in reversed(list(MODEL.lineage(xsi_type))):
        space = NAMESPACES[named.prefix]
        for part in named.parts:
            if isinstance(part, Field):
                if part.path in values:
                    _write_field(element, space, part, as_text(values[part.path]))
            elif isinstance(part, SubObject):
                for inner in children.get(part.path, ()):
                    child = _at(element, space, part.path)
                    if part.declared != part.concrete:
                        child.set(XSI_TYPE, part.concrete)
                    _fill(child, inner)
            else:
                _write_list(element, space, part, children.get(part.path, ()))


def _write_list(element: Any, space: str, part: Rows | Contains, items: Any) -> None:
    for inner in items:
        container, _, name = part.path.rpartition("/")
        child = etree.SubElement(_at(element, space, container) if container else element, f"{{{space}}}{name}")
        if isinstance(part, Rows) and inner["children"]:
            _fill(child, inner)
        elif isinstance(part, Rows):
            _write_row(child, space, part, inner["data_fields"])
        else:
            child.set(XSI_TYPE, inner["meta"]["xsi:type"])
            _fill(child, inner)


def _write_row(element: Any, space: str, rows: Rows, values: Mapping[str, Any]) -> None:
    for name in rows.names:
        if name not in values:
            continue
        text = _clean(as_text(values[name]))
        if name == rows.value:
            element.text = text
        elif not rows.nested or name == rows.key:
            element.set(name, text)
        else:
            outer, separator, attribute = name.partition("_")
            child = _at(element, NAMESPACES.get(rows.prefix or "", space), outer)
            if separator:
                child.set(attribute, text)
            else:
                child.text = text


def _fill_anonymous(element: Any, values: Mapping[str, Any], children: Mapping[str, Any]) -> None:
    """Write an item of an anonymous type: its only value as text where it is called like the element, else attributes."""
    name = etree.QName(element)
    for key, value in values.items():
        if key == name.localname:
            element.text = _clean(as_text(value))
        else:
            element.set(key, _clean(as_text(value)))
    for path, items in children.items():
        container, _, inner_name = path.rpartition("/")
        for inner in items:
            parent = _at(element, name.namespace, container) if container else element
            _fill(etree.SubElement(parent, f"{{{name.namespace}}}{inner_name}"), inner)


def _write_field(element: Any, space: str, part: Field, text: str) -> None:
    outer, _, last = part.path.rpartition("/")
    if part.attribute:
        (_at(element, space, outer) if outer else element).set(last, _clean(text))
    else:
        _at(element, space, part.path).text = _clean(text)


def _at(element: Any, space: str | None, path: str) -> Any:
    """Return the element at a path, made where it is not there yet."""
    for name in path.split("/"):
        found = element.find(f"{{{space}}}{name}")
        element = found if found is not None else etree.SubElement(element, f"{{{space}}}{name}")
    return element


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
