"""Records that describe xsi types, and the lookups over them. Pure.

A type is a name, a base and a tuple of parts. The XSD, the item form, the columns of listings and the paths that a
PUT may set are all read from the same parts, so a field added here works everywhere at once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property


class Kind(StrEnum):
    """The XML type of a field's value; the value is the name in the XSD."""

    TEXT = "xs:string"
    INTEGER = "xs:integer"
    LONG = "xs:long"
    FLOAT = "xs:float"
    DOUBLE = "xs:double"
    BOOLEAN = "xs:boolean"
    DATE = "xs:date"
    TIME = "xs:time"
    DATETIME = "xs:dateTime"
    DURATION = "xs:duration"


@dataclass(frozen=True)
class Field:
    """A single value, at a path such as ``scanner/model`` or ``parameters/voxelRes/x``.

    Parameters
    ----------
    path
        Below the type; nested anonymous elements are joined with ``/``.
    attribute
        Whether the last part is an XML attribute. A path below another field's path always is.
    values
        The closed set of allowed values, if there is one.
    """

    path: str
    kind: Kind = Kind.TEXT
    attribute: bool = False
    max_length: int | None = None
    values: tuple[str, ...] = ()
    doc: str | None = None


@dataclass(frozen=True)
class SubObject:
    """A single nested object of a named type, in items a child of its own: ``demographics``, ``PI``.

    Parameters
    ----------
    declared, concrete
        Type in the schema, and the type that is stored (they differ for polymorphic ones).
    """

    path: str
    declared: str
    concrete: str


@dataclass(frozen=True)
class Rows:
    """A list inside the object: custom fields, additional parameters, aliases.

    Parameters
    ----------
    path
        Such as ``fields/field``; in items the ``field`` of the child.
    key
        The member that names a row, if there is one.
    value
        The member that holds the row's text, if there is one.
    members
        Further members; a list within the row only shows in the schema.
    row_type
        A named type of the rows; None for an anonymous one.
    nested, prefix
        Whether members are elements of the row (``program_version`` an attribute of the element ``program``), in the
        namespace of this prefix, rather than its attributes.
    """

    path: str
    key: str | None = None
    value: str | None = None
    members: tuple["Field | Rows", ...] = ()
    row_type: str | None = None
    nested: bool = False
    prefix: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All members of a row, the key first."""
        fixed = [name for name in (self.key, self.value) if name]
        return tuple(dict.fromkeys([*fixed, *(member.path for member in self.members)]))


@dataclass(frozen=True)
class Contains:
    """A collection of objects that have addresses of their own: ``scans/scan``. Only the schema shows it."""

    path: str
    type: str
    display_identifier: str | None = None


Part = Field | SubObject | Rows | Contains


@dataclass(frozen=True)
class XsiType:
    """One type of the data model.

    Parameters
    ----------
    name
        With prefix: ``xnat:mrSessionData``.
    element
        Global element name, if the type has one: ``MRSession``. Such a type is listed among the search elements.
    display_identifier
        What a client puts into an address: ``label`` or ``ID``.
    text_kind
        For types of rows with text content (``xnat:addField``): the kind of that text.
    """

    name: str
    base: str | None = None
    parts: tuple[Part, ...] = ()
    element: str | None = None
    singular: str | None = None
    plural: str | None = None
    display_identifier: str | None = None
    abstract: bool = False
    text_kind: Kind | None = None
    doc: str | None = None

    @property
    def prefix(self) -> str:
        """The schema this type belongs to."""
        return self.name.partition(":")[0]

    @property
    def local_name(self) -> str:
        """The name without its prefix."""
        return self.name.partition(":")[2]


class DataModel:
    """All types, with lookups by name in any case.

    Examples
    --------
    >>> from embedded_xnat.schema.registry import MODEL
    >>> MODEL.find("xnat:mrsessiondata").name
    'xnat:mrSessionData'
    >>> MODEL.is_a("xnat:mrSessionData", "xnat:experimentData")
    True
    >>> MODEL.fields("xnat:mrScanData")["parameters/tr"].kind
    <Kind.FLOAT: 'xs:float'>
    """

    def __init__(self, types: Iterable[XsiType]) -> None:
        self.types: dict[str, XsiType] = {}
        for xsi_type in types:
            if xsi_type.name in self.types:
                raise ValueError(f"type {xsi_type.name} is described twice")
            self.types[xsi_type.name] = xsi_type
        self._fields: dict[str, dict[str, Field]] = {}
        self._parts: dict[str, tuple[Part, ...]] = {}

    @cached_property
    def _by_lower_name(self) -> dict[str, XsiType]:
        return {name.lower(): xsi_type for name, xsi_type in self.types.items()}

    @cached_property
    def _ancestry(self) -> dict[str, frozenset[str]]:
        return {name: frozenset(each.name for each in self.lineage(name)) for name in self.types}

    def find(self, name: str) -> XsiType | None:
        """Return the type of this name, whatever the case; None when there is none."""
        return self._by_lower_name.get(name.lower())

    def lineage(self, name: str) -> Iterator[XsiType]:
        """Yield the type, then its bases up to the root."""
        current: str | None = name
        while current is not None:
            xsi_type = self.types[current]
            yield xsi_type
            current = xsi_type.base

    def is_a(self, name: str, base: str) -> bool:
        """Tell whether a type is, or extends, another; False for names that are no types."""
        return base in self._ancestry.get(name, ())

    def parts(self, name: str) -> tuple[Part, ...]:
        """Return the parts of a type, those of its bases first."""
        if name not in self._parts:
            self._parts[name] = tuple(part for each in reversed(list(self.lineage(name))) for part in each.parts)
        return self._parts[name]

    def fields(self, name: str) -> dict[str, Field]:
        """Return every single-valued field by its lower-cased path, those of sub-objects included."""
        if name not in self._fields:
            found: dict[str, Field] = {}
            for part in self.parts(name):
                if isinstance(part, Field):
                    found[part.path.lower()] = part
                elif isinstance(part, SubObject):
                    for inner in self.fields(part.concrete).values():
                        path = f"{part.path}/{inner.path}"
                        found[path.lower()] = Field(path, inner.kind, max_length=inner.max_length, values=inner.values)
            self._fields[name] = found
        return self._fields[name]

    def rows(self, name: str) -> dict[str, Rows]:
        """Return every list by its lower-cased path."""
        return {part.path.lower(): part for part in self.parts(name) if isinstance(part, Rows)}

    def sub_objects(self, name: str) -> tuple[SubObject, ...]:
        """Return the nested objects of a type."""
        return tuple(part for part in self.parts(name) if isinstance(part, SubObject))

    def display_identifier(self, name: str) -> str | None:
        """Return what addresses an object of this type, inherited from the bases."""
        return next((each.display_identifier for each in self.lineage(name) if each.display_identifier), None)

    def elements(self) -> list[XsiType]:
        """Return the types a search may start from, in the order of the table: projects, subjects, experiments."""
        roots = ("xnat:projectData", "xnat:subjectData", "xnat:experimentData")
        return [
            each
            for each in self.types.values()
            if each.element and not each.abstract and any(self.is_a(each.name, root) for root in roots)
        ]
