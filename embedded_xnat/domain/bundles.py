"""Reads search documents (``xdat:bundle``, ``xdat:search``): what is looked for, what is shown. Pure.

The form is that of XNAT's search XML: fields by element and id, criteria nested with AND and OR.
"""

from dataclasses import dataclass
from typing import Any

from lxml import etree

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.domain.xml_documents import parse_xml

SECURITY = "http://nrg.wustl.edu/security"
MAX_FIELDS = 500
MAX_CRITERIA = 500


@dataclass(frozen=True)
class SearchField:
    """A column of the answer."""

    element: str
    field_id: str
    header: str = ""


@dataclass(frozen=True)
class Criterion:
    """A comparison of a field with a value."""

    field: str
    operator: str
    value: str


@dataclass(frozen=True)
class CriteriaSet:
    """Criteria and further sets that hold together (AND) or of which one holds (OR)."""

    method: str
    members: tuple["Criterion | CriteriaSet", ...] = ()


@dataclass(frozen=True)
class Bundle:
    """A search.

    Parameters
    ----------
    logins
        Who may use it when it is stored; empty for everybody.
    """

    root: str
    fields: tuple[SearchField, ...] = ()
    where: tuple[CriteriaSet, ...] = ()
    sort_by: tuple[SearchField, ...] = ()
    brief_description: str = ""
    description: str = ""
    logins: tuple[str, ...] = ()


def read_bundle(body: bytes) -> Bundle:
    """Read a search document.

    Raises
    ------
    BadRequest
        If it is no search, or has more fields or criteria than any use has.

    Examples
    --------
    >>> text = f'<x:bundle xmlns:x="{SECURITY}"><x:root_element_name>xnat:subjectData</x:root_element_name></x:bundle>'
    >>> read_bundle(text.encode()).root
    'xnat:subjectData'
    """
    root = parse_xml(body)
    name = etree.QName(root)
    if name.namespace != SECURITY or name.localname not in {"bundle", "search", "stored_search"}:
        raise BadRequest("A search is a document <xdat:bundle> or <xdat:search> in the namespace of XNAT's security.")
    element = _text(root, "root_element_name")
    if not element:
        raise BadRequest("The search does not say what it is for: root_element_name is missing.")
    fields = [_field(each, element) for each in root.iterfind("{*}search_field")]
    ordered = sorted(fields, key=lambda pair: pair[0])
    criteria = sum(1 for _ in root.iter("{*}criteria"))
    if len(fields) > MAX_FIELDS or criteria > MAX_CRITERIA:
        raise BadRequest(f"A search has at most {MAX_FIELDS} fields and {MAX_CRITERIA} criteria.")
    return Bundle(
        element,
        tuple(field for _, field in ordered),
        tuple(_criteria_set(each) for each in root.iterfind("{*}search_where")),
        tuple(_field(each, element)[1] for each in root.iterfind("{*}sort_by") if _text(each, "field_ID")),
        root.get("brief-description") or "",
        root.get("description") or "",
        tuple(text for each in root.iterfind("{*}allowed_user") if (text := _text(each, "login"))),
    )


def _text(element: Any, name: str) -> str:
    return (element.findtext(f"{{*}}{name}") or "").strip()


def _field(element: Any, root: str) -> tuple[int, SearchField]:
    field_id = _text(element, "field_ID")
    if not field_id:
        raise BadRequest("A field of the search has no field_ID.")
    sequence = _text(element, "sequence")
    place = int(sequence) if sequence.isascii() and sequence.isdigit() and len(sequence) < 8 else 0
    return place, SearchField(_text(element, "element_name") or root, field_id, _text(element, "header"))


def _criteria_set(element: Any) -> CriteriaSet:
    method = (element.get("method") or "AND").strip().upper()
    if method not in {"AND", "OR"}:
        raise BadRequest("Criteria are joined by AND or OR.")
    members: list[Criterion | CriteriaSet] = []
    for child in element:
        name = etree.QName(child).localname
        if name == "child_set":
            members.append(_criteria_set(child))
        elif name == "criteria":
            value = child.find("{*}value")
            members.append(
                Criterion(
                    _text(child, "schema_field"),
                    _text(child, "comparison_type") or "=",
                    (value.text or "").strip() if value is not None else "",
                )
            )
    return CriteriaSet(method, tuple(members))
