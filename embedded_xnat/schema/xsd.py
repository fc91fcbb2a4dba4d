"""Writes the data model as XML Schema documents, in the form clients of XNAT parse. Pure.

The form is the one that xnatpy's ``xnat.convert_xsd`` reads: prefix ``xs:``, the root in one tag, no groups; an appinfo element
``xdat:element displayIdentifiers`` says what addresses an object.
"""

from functools import cache
from xml.sax.saxutils import escape, quoteattr

from embedded_xnat.schema.model import Contains, Field, Kind, Part, Rows, SubObject, XsiType
from embedded_xnat.schema.registry import MODEL, NAMESPACES, SCHEMA_NAMES


@cache
def schema_text(name: str) -> str | None:
    """Return the XSD listed under a name; None when there is none of that name."""
    prefix = next((prefix for prefix, listed in SCHEMA_NAMES.items() if listed == name), None)
    if prefix is None:
        return None
    types = [xsi_type for xsi_type in MODEL.types.values() if xsi_type.prefix == prefix]
    spaces = " ".join(f"xmlns:{each}={quoteattr(uri)}" for each, uri in NAMESPACES.items())
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<xs:schema targetNamespace={quoteattr(NAMESPACES[prefix])} {spaces} "
        'xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified" attributeFormDefault="unqualified">'
    )
    elements = [f'<xs:element name="{each.element}" type="{each.name}"/>' for each in types if each.element]
    bodies = [_complex_type(each) for each in types]
    return "\n".join([head, *elements, *bodies, "</xs:schema>\n"])


def _complex_type(xsi_type: XsiType) -> str:
    annotation = _annotation(xsi_type.display_identifier, doc=xsi_type.doc, abstract=xsi_type.abstract)
    body = _content(_tree(xsi_type.parts))
    if xsi_type.text_kind is not None:
        attributes = "".join(_attribute(part) for part in xsi_type.parts if isinstance(part, Field))
        body = _simple_content(xsi_type.text_kind, attributes)
    elif xsi_type.base is not None:
        body = f'<xs:complexContent><xs:extension base="{xsi_type.base}">{body}</xs:extension></xs:complexContent>'
    return f'<xs:complexType name="{xsi_type.local_name}">{annotation}{body}</xs:complexType>'


class _Node(dict[str, "_Node"]):
    """An element of the tree that flattened paths span; ``part`` is what stands at it."""

    part: Part | None = None


def _tree(parts: tuple[Part, ...]) -> _Node:
    root = _Node()
    for part in parts:
        node = root
        for name in part.path.split("/"):
            node = node.setdefault(name, _Node())
        node.part = part
    return root


def _content(node: _Node) -> str:
    """Write what is inside a type: a sequence of elements, then attributes."""
    elements = "".join(_element(name, child) for name, child in node.items() if not _is_attribute(child))
    attributes = "".join(
        _attribute(child.part, name=name)
        for name, child in node.items()
        if _is_attribute(child) and isinstance(child.part, Field)
    )
    return (f"<xs:sequence>{elements}</xs:sequence>" if elements else "") + attributes


def _is_attribute(node: _Node) -> bool:
    return isinstance(node.part, Field) and node.part.attribute and not node


def _element(name: str, node: _Node) -> str:
    part = node.part
    if isinstance(part, Rows):
        return _rows_element(name, part)
    if isinstance(part, Contains):
        annotation = _annotation(part.display_identifier)
        return f'<xs:element name="{name}" type="{part.type}" minOccurs="0" maxOccurs="unbounded">{annotation}</xs:element>'
    if isinstance(part, SubObject):
        return f'<xs:element name="{name}" type="{part.declared}" minOccurs="0"/>'
    if part is None:
        return f'<xs:element name="{name}" minOccurs="0"><xs:complexType>{_content(node)}</xs:complexType></xs:element>'
    if node:  # a text with attributes: scanner, scanner/model
        attributes = "".join(
            _attribute(child.part, name=inner) for inner, child in node.items() if isinstance(child.part, Field)
        )
        inner = f"<xs:complexType>{_simple_content(part.kind, attributes)}</xs:complexType>"
        return f'<xs:element name="{name}" minOccurs="0">{_annotation(doc=part.doc)}{inner}</xs:element>'
    if part.max_length is None and not part.values:
        annotation = _annotation(doc=part.doc)
        return f'<xs:element name="{name}" type="{part.kind}" minOccurs="0">{annotation}</xs:element>'
    return f'<xs:element name="{name}" minOccurs="0">{_annotation(doc=part.doc)}{_restriction(part)}</xs:element>'


def _rows_element(name: str, rows: Rows) -> str:
    opening = f'<xs:element name="{name}" minOccurs="0" maxOccurs="unbounded"'
    if rows.row_type is not None:
        return f'{opening} type="{rows.row_type}"/>'
    if rows.nested:
        elements = _content(_tree(tuple(Field(member.path) for member in rows.members)))
        return f"{opening}><xs:complexType>{elements}</xs:complexType></xs:element>"
    members = [member for member in rows.members if isinstance(member, Field)]
    attributes = "".join(_attribute(member) for member in members)
    nested = "".join(_nested_rows(member) for member in rows.members if isinstance(member, Rows))
    if rows.key is not None and rows.key != rows.value:
        attributes = _attribute(Field(rows.key)) + attributes
    if rows.value is not None:
        if not attributes:
            return f'{opening} type="{Kind.TEXT}"/>'
        body = _simple_content(Kind.TEXT, attributes)
    else:
        body = (f"<xs:sequence>{nested}</xs:sequence>" if nested else "") + attributes
    return f"{opening}>{_annotation(rows.key)}<xs:complexType>{body}</xs:complexType></xs:element>"


def _nested_rows(rows: Rows) -> str:
    outer, _, inner = rows.path.partition("/")
    element = _rows_element(inner, rows)
    return (
        f'<xs:element name="{outer}" minOccurs="0"><xs:complexType><xs:sequence>{element}</xs:sequence>'
        "</xs:complexType></xs:element>"
    )


def _attribute(field: Field, *, name: str | None = None) -> str:
    name = name or field.path.rpartition("/")[2]
    if field.max_length is None and not field.values:
        return f'<xs:attribute name="{name}" type="{field.kind}"/>'
    return f'<xs:attribute name="{name}">{_restriction(field)}</xs:attribute>'


def _restriction(field: Field) -> str:
    length = f'<xs:maxLength value="{field.max_length}"/>' if field.max_length is not None else ""
    values = "".join(f"<xs:enumeration value={quoteattr(value)}/>" for value in field.values)
    return f'<xs:simpleType><xs:restriction base="{field.kind}">{length}{values}</xs:restriction></xs:simpleType>'


def _simple_content(kind: Kind, attributes: str) -> str:
    return f'<xs:simpleContent><xs:extension base="{kind}">{attributes}</xs:extension></xs:simpleContent>'


def _annotation(display_identifier: str | None = None, *, doc: str | None = None, abstract: bool = False) -> str:
    facts = {
        "displayIdentifiers": display_identifier,
        "abstract": "true" if abstract else None,
    }
    attributes = " ".join(f"{name}={quoteattr(value)}" for name, value in facts.items() if value)
    info = f"<xs:appinfo><xdat:element {attributes}/></xs:appinfo>" if attributes else ""
    text = f"<xs:documentation>{escape(doc)}</xs:documentation>" if doc else ""
    return f"<xs:annotation>{info}{text}</xs:annotation>" if info or text else ""
