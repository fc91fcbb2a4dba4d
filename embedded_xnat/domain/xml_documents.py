"""Reads objects from XML documents, hostile ones included. May import lxml; pure otherwise.

A document says what a PUT with fields says, so that both end in the same changes; what it cannot say (files, shares)
is left out silently, what no type knows is refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree
from pydantic import ValidationError

from embedded_xnat.contract.errors import BadField, BadRequest
from embedded_xnat.domain.protocols import FieldDefinition, FieldGroup, Protocol, checked
from embedded_xnat.domain.setters import IDENTITY, Change, SetField, SetRow
from embedded_xnat.domain.values import convert, truth
from embedded_xnat.schema.model import Contains, Field, Rows, SubObject
from embedded_xnat.schema.registry import MODEL, NAMESPACES

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 60
#: Scans, and reconstructions, in the document of one session; nothing else changes in the archive while they are made.
MAX_PARTS = 10_000
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
PREFIXES = {uri: prefix for prefix, uri in NAMESPACES.items()}

#: Collections of which a document may bring members.
BROUGHT = {"scans/scan": "scans", "reconstructions/reconstructedImage": "reconstructions"}


@dataclass(frozen=True)
class Document:
    """What an XML document says about an object.

    Parameters
    ----------
    identity
        Lower-cased names such as ``id``, ``label``, ``project``.
    parts
        Documents of scans and reconstructions, by collection.
    protocols
        Groups of custom variables, in the document of a project.
    """

    xsi_type: str
    changes: tuple[Change, ...] = ()
    identity: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, tuple["Document", ...]] = field(default_factory=dict)
    protocols: tuple[Protocol, ...] = ()


def parse_xml(body: bytes) -> Any:
    """Return the root of a document that has no DTD, and so no entities.

    Raises
    ------
    BadRequest
    """
    if len(body) > MAX_BYTES:
        raise BadRequest("The document is larger than this server accepts.")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, huge_tree=False
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise BadRequest("The body is no well-formed XML document.") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise BadRequest("A document with a DTD or with entities is not accepted.")
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise BadRequest("The document is nested too deeply.")
    return root


def read_document(body: bytes) -> Document:
    """Read the document of an object.

    Raises
    ------
    BadRequest
        If it is no XML, has entities, or its root is no type of object.
    BadField
        If the type has no such field, or a value is of another kind.

    Examples
    --------
    >>> document = read_document(b'<xnat:Subject xmlns:xnat="http://nrg.wustl.edu/xnat" label="S1" group="a"/>')
    >>> document.xsi_type, dict(document.identity), document.changes
    ('xnat:subjectData', {'label': 'S1'}, (SetField(path='group', value='a'),))
    """
    return read_element(parse_xml(body))


def read_element(element: Any) -> Document:
    """Read an object from an element that was parsed by `parse_xml`.

    Raises
    ------
    BadRequest
        If the element is no type of object.
    BadField
    """
    xsi_type = _root_type(element)
    if xsi_type is None:
        raise BadRequest("The document's root is no type of object that this server knows.")
    return _read(element, xsi_type)


def _root_type(root: Any) -> str | None:
    name = etree.QName(root)
    prefix = PREFIXES.get(name.namespace or "")
    declared = root.get(XSI_TYPE)
    candidates = [declared] if declared else [f"{prefix}:{name.localname}"]
    for candidate in candidates:
        if (found := MODEL.find(candidate)) is not None and not found.abstract:
            return found.name
    return next(
        (each.name for each in MODEL.types.values() if each.prefix == prefix and each.element == name.localname), None
    )


def _read(element: Any, xsi_type: str) -> Document:
    reader = _Reader(xsi_type)
    reader.read(element, "", xsi_type)
    return Document(
        xsi_type,
        tuple(reader.changes),
        reader.identity,
        {name: tuple(documents) for name, documents in reader.parts.items()},
        tuple(checked(reader.protocols)),
    )


class _Reader:
    """Collects what one element says about one object."""

    def __init__(self, xsi_type: str) -> None:
        self.xsi_type = xsi_type
        self.changes: list[Change] = []
        self.identity: dict[str, str] = {}
        self.parts: dict[str, list[Document]] = {}
        self.protocols: list[Protocol] = []
        self._rows: dict[str, int] = {}
        self._parts = {part.path.lower(): part for part in MODEL.parts(xsi_type)}
        self._fields = MODEL.fields(xsi_type)
        self._known = {path[:place] for path in (*self._fields, *self._parts) for place in _slashes(path)}

    def read(self, element: Any, path: str, type_name: str) -> None:
        for name, value in element.attrib.items():
            qualified = etree.QName(name)
            if qualified.namespace is None:
                self._set(_join(path, qualified.localname), value)
        for child in element:
            inner = _join(path, etree.QName(child).localname)
            lower = inner.lower()
            part = self._parts.get(lower)
            if isinstance(part, Contains):
                self._contained(child, part)
            elif isinstance(part, Rows):
                self._row(child, part)
            elif isinstance(part, SubObject) or lower in self._known or lower in self._fields:
                text = (child.text or "").strip() if len(child) else child.text or ""
                if lower in self._fields and text:
                    self._set(inner, text)
                self.read(child, inner, type_name)
            else:
                raise BadField(inner, f"is not known in {self.xsi_type}")

    def _set(self, path: str, text: str) -> None:
        if path.lower() in IDENTITY:
            self.identity[path.lower()] = text
            return
        known = self._fields.get(path.lower())
        if known is None:
            raise BadField(path, f"is not known in {self.xsi_type}")
        self.changes.append(SetField(known.path, convert(known, text)))

    def _row(self, element: Any, rows: Rows) -> None:
        members = dict(_members(element, rows))
        key = members.pop(rows.key, None) if rows.key is not None else None
        index = None
        if key is None:
            self._rows[rows.path] = index = self._rows.get(rows.path, 0) + 1
        elif rows.path == "fields/field":
            key = key.lower()
        if rows.key is not None and rows.key == rows.value and key is not None:
            members[rows.key] = key
        for member, value in members.items():
            self.changes.append(SetRow(rows, key, index, member, str(convert(Field(member), value))))

    def _contained(self, element: Any, part: Contains) -> None:
        if part.path == "studyProtocol":
            protocol = _read_protocol(element)
            if protocol is not None:
                self.protocols.append(protocol)
        elif part.path in BROUGHT:
            declared = MODEL.find(element.get(XSI_TYPE) or part.type)
            if declared is None or not MODEL.is_a(declared.name, part.type):
                raise BadField(part.path, "has a type that cannot be here")
            parts = self.parts.setdefault(BROUGHT[part.path], [])
            if len(parts) >= MAX_PARTS:
                raise BadField(part.path, f"is there more than {MAX_PARTS:,} times")
            parts.append(_read(element, declared.name))


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _slashes(path: str) -> Iterator[int]:
    return (place for place, mark in enumerate(path) if mark == "/")


def _members(element: Any, rows: Rows) -> Iterator[tuple[str, str]]:
    """Yield the members of a row: attributes, the text, and (where they are nested) elements and their attributes."""
    known = {name.lower(): name for name in rows.names}

    def named(name: str) -> str:
        if name.lower() not in known:
            raise BadField(f"{rows.path}/{name}", "is not known")
        return known[name.lower()]

    for name, value in element.attrib.items():
        if etree.QName(name).namespace is None:
            yield named(name), value
    if rows.value is not None and (text := element.text or ""):
        yield rows.value, text
    for child in element:
        name = etree.QName(child).localname
        if child.text and child.text.strip():
            yield named(name), child.text.strip()
        for attribute, value in child.attrib.items():
            yield named(f"{name}_{attribute}"), value


def _read_protocol(element: Any) -> Protocol | None:
    data_type = MODEL.find(element.get("data-type") or "")
    groups = [_read_group(each) for each in element.iterfind("{*}definitions/{*}definition")]
    if data_type is None:
        if groups:
            raise BadField("studyProtocol/data-type", "names no type of objects that this server knows")
        return None
    return Protocol(data_type=data_type.name, groups=tuple(groups))


def _read_group(element: Any) -> FieldGroup:
    try:
        return FieldGroup(
            id=element.get("ID") or "",
            description=element.get("description") or "",
            project_specific=truth(element.get("project-specific"), name="project-specific", default=True),
            fields=tuple(_read_definition(each) for each in element.iterfind("{*}fields/{*}field")),
        )
    except ValidationError as error:
        raise BadField("definitions/definition", "has an ID and named fields") from error


def _read_definition(element: Any) -> FieldDefinition:
    sequence = element.get("sequence") or ""
    return FieldDefinition(
        name=element.get("name") or "",
        datatype=element.get("datatype") or "string",
        type=element.get("type") or "custom",
        required=truth(element.get("required"), name="required"),
        sequence=int(sequence) if sequence.isascii() and sequence.isdigit() and len(sequence) < 10 else None,
        xml_path=element.get("xmlPath") or "",
        values=tuple(each.text or "" for each in element.iterfind("{*}possibleValues/{*}possibleValue")),
    )
