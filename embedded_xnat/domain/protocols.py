"""Custom variables of a project: study protocols with groups of field definitions, as items and from documents. Pure.

A protocol stands for a data type; it has groups (``definition``), and these have fields. Values lie in the custom fields
of the objects; the definitions say which there are and of which kind.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from embedded_xnat.contract.errors import BadField
from embedded_xnat.domain.items import Item, ItemSource, build_item
from embedded_xnat.schema.registry import MODEL

DATATYPES = frozenset({"string", "integer", "int", "float", "boolean", "date", "dateTime"})
PROTOCOL, GROUP = "xnat:datatypeProtocol", "xnat:fieldDefinitionGroup"
MAX_FIELDS = 2000


class FieldDefinition(BaseModel):
    """One custom variable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    datatype: str = "string"
    type: str = "custom"
    required: bool = False
    sequence: int | None = None
    xml_path: str = ""
    values: tuple[str, ...] = ()


class FieldGroup(BaseModel):
    """A named group of custom variables."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=200)
    description: str = ""
    project_specific: bool = True
    fields: tuple[FieldDefinition, ...] = ()


class Protocol(BaseModel):
    """The groups of one data type."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_type: str
    groups: tuple[FieldGroup, ...] = ()


def read_protocols(stored: Iterable[Mapping[str, Any]]) -> list[Protocol]:
    """Return the protocols of a project as they were stored."""
    return [Protocol.model_validate(each) for each in stored]


def checked(protocols: Sequence[Protocol]) -> list[Protocol]:
    """Return protocols that came in, if they make sense.

    Raises
    ------
    BadField
        If a data type or a kind of variable is not known, or a name comes twice.
    """
    total = sum(len(group.fields) for protocol in protocols for group in protocol.groups)
    if total > MAX_FIELDS:
        raise BadField("studyProtocol", f"has at most {MAX_FIELDS} variables")
    for protocol in protocols:
        named = MODEL.find(protocol.data_type)
        if named is None or "fields/field" not in MODEL.rows(named.name):
            raise BadField("studyProtocol/data-type", "names no type of objects that have custom variables")
        if len({group.id for group in protocol.groups}) < len(protocol.groups):
            raise BadField("definitions/definition", "has two groups of one ID")
        for group in protocol.groups:
            if len({each.name.lower() for each in group.fields}) < len(group.fields):
                raise BadField("fields/field", "has two variables of one name")
            if not all(each.datatype in DATATYPES for each in group.fields):
                raise BadField("fields/field/datatype", f"is one of {', '.join(sorted(DATATYPES))}")
    return list(protocols)


def merged(stored: Sequence[Protocol], given: Sequence[Protocol], *, replace: bool) -> list[Protocol]:
    """Return the protocols after a document: what it names is set; what it leaves out stays unless it is to be replaced.

    Examples
    --------
    >>> old = [Protocol(data_type="xnat:subjectData", groups=(FieldGroup(id="a"),))]
    >>> new = [Protocol(data_type="xnat:subjectData", groups=(FieldGroup(id="b"),))]
    >>> [group.id for group in merged(old, new, replace=False)[0].groups]
    ['a', 'b']
    """
    if replace:
        return [each for each in given if each.groups]
    found = {each.data_type: each for each in stored}
    for each in given:
        before = found.get(each.data_type)
        groups = {group.id: group for group in (before.groups if before is not None else ())}
        for group in each.groups:
            fields = {field.name: field for field in (groups[group.id].fields if group.id in groups else ())}
            fields.update({field.name: field for field in group.fields})
            groups[group.id] = group.model_copy(update={"fields": tuple(fields.values())})
        found[each.data_type] = Protocol(data_type=each.data_type, groups=tuple(groups.values()))
    return [each for each in found.values() if each.groups]


def protocol_items(project_id: str, protocols: Sequence[Protocol], types_in_use: Iterable[str]) -> list[Item]:
    """Return the protocols of a project in item form: of each type in use, and of each that has groups.

    Examples
    --------
    >>> items = protocol_items("P", [], ["xnat:mrSessionData"])
    >>> [(item["data_fields"]["ID"], item["data_fields"]["name"]) for item in items]
    [('P_xnat_subjectData', 'Subjects'), ('P_xnat_mrSessionData', 'MR Sessions')]
    """
    by_type = {each.data_type: each for each in protocols}
    names = dict.fromkeys(["xnat:subjectData", *types_in_use, *by_type])
    return [_protocol_item(project_id, by_type.get(name) or Protocol(data_type=name)) for name in names]


def _protocol_item(project_id: str, protocol: Protocol) -> Item:
    named = MODEL.find(protocol.data_type)
    identity = {
        "ID": f"{project_id}_{protocol.data_type.replace(':', '_')}",
        "name": (named.plural if named is not None else None) or protocol.data_type,
        "data-type": protocol.data_type,
    }
    groups = [_group_item(protocol.data_type, group) for group in protocol.groups]
    return build_item(ItemSource(PROTOCOL, identity, {}, children={"definitions/definition": groups}))


def _group_item(data_type: str, group: FieldGroup) -> Item:
    identity = {
        "ID": group.id,
        "data-type": data_type,
        "description": group.description,
        "project-specific": "1" if group.project_specific else "0",
    }
    fields = [_field_item(data_type, field) for field in group.fields]
    return build_item(ItemSource(GROUP, identity, {}, children={"fields/field": fields}))


def _field_item(data_type: str, field: FieldDefinition) -> Item:
    identity: dict[str, Any] = {
        "name": field.name,
        "datatype": field.datatype,
        "type": field.type,
        "required": "1" if field.required else "0",
        "xmlPath": field.xml_path or f"{data_type}/fields/field[name={field.name.lower()}]/field",
    }
    if field.sequence is not None:
        identity["sequence"] = field.sequence
    values = [
        build_item(ItemSource(f"{GROUP}_field_possibleValue", {"possibleValue": value}, {})) for value in field.values
    ]
    return build_item(ItemSource(f"{GROUP}_field", identity, {}, children={"possibleValues/possibleValue": values}))
