"""Display fields: the names that searches use besides paths, and what they are called in answers. May import SQLAlchemy."""

from collections.abc import Iterator
from dataclasses import dataclass

from embedded_xnat.schema.model import Kind
from embedded_xnat.schema.registry import MODEL
from embedded_xnat.search.plans import FieldRef, Plan
from embedded_xnat.search.sources import ASSESSOR, EXPERIMENT, PROJECT, RECONSTRUCTION, SCAN, SUBJECT

_KINDS = {
    Kind.INTEGER: "integer",
    Kind.LONG: "integer",
    Kind.FLOAT: "float",
    Kind.DOUBLE: "float",
    Kind.DATE: "date",
    Kind.DATETIME: "timestamp",
}

#: Display fields that are called otherwise than the path they show.
_NAMES: dict[str, dict[str, str]] = {
    PROJECT: {
        "PROJECT_ACCESS": "project_access",
        "PROJECT_OWNERS": "project_owners",
        "PROJECT_MEMBERS": "project_members",
        "PROJECT_COLLABS": "project_collabs",
        "PROJECT_INVS": "PI/lastname",
        "PI": "PI/lastname",
        **{f"PROJ_{code}_COUNT": f"proj_{code.lower()}_count" for code in ("MR", "CT", "PET", "UT")},
    },
    SUBJECT: {
        "SUBJECT_ID": "ID",
        "SUBJECTID": "ID",
        "SUBJECT_LABEL": "label",
        "SUB_GROUP": "group",
        "GENDER_TEXT": "demographics/gender",
        "HANDEDNESS_TEXT": "demographics/handedness",
        "EDUC": "demographics/education",
        "ADD_IDS": "addID",
        **{
            name: f"demographics/{name.lower()}"
            for name in ("AGE", "DOB", "YOB", "GENDER", "HANDEDNESS", "SES", "RACE", "ETHNICITY", "HEIGHT", "WEIGHT")
        },
    },
    EXPERIMENT: {"SESSION_ID": "ID", "EXPT_ID": "ID", "SUBJECT_LABEL": "subject_label"},
    SCAN: {"SCAN_ID": "ID", "SESSION_ID": "image_session_ID"},
}
_COMMON = ("INSERT_DATE", "INSERT_USER", "LAST_MODIFIED", "QUARANTINE_STATUS")

#: What an answer shows when the search names no fields.
_DEFAULTS = {
    PROJECT: ("ID", "NAME", "SECONDARY_ID", "DESCRIPTION", "PROJECT_ACCESS", "INSERT_DATE"),
    SUBJECT: ("SUBJECTID", "PROJECT", "SUBJECT_LABEL", "GENDER_TEXT", "HANDEDNESS_TEXT", "INSERT_DATE"),
    EXPERIMENT: ("SESSION_ID", "LABEL", "PROJECT", "SUBJECT_ID", "SUBJECT_LABEL", "DATE", "INSERT_DATE", "INSERT_USER"),
    SCAN: ("ID", "SESSION_ID", "TYPE", "QUALITY"),
}

#: Paths that clients read back under the name of a display field.
_KEYS = {
    PROJECT: {"id": "id"},
    SUBJECT: {"id": "subjectid", "project": "project"},
    EXPERIMENT: {"id": "session_id", "project": "project", "subject_id": "subject_id"},
    SCAN: {},
}


@dataclass(frozen=True)
class Shown:
    """A column of an answer: its field, the key of its values, and how JSON answers describe it."""

    ref: FieldRef
    key: str
    id: str
    element: str
    type: str
    header: str = ""


def family(xsi_type: str) -> str:
    """Return the base type whose display fields a type has."""
    bases = (PROJECT, SUBJECT, SCAN, RECONSTRUCTION, EXPERIMENT)
    found = next((base for base in bases if MODEL.is_a(xsi_type, base)), EXPERIMENT)
    return SCAN if found == RECONSTRUCTION else found


def defaults(xsi_type: str) -> tuple[str, ...]:
    """Return the display fields of an answer to a search that names none."""
    return _DEFAULTS[family(xsi_type)]


def find_field(plan: Plan, element: str, field_id: str) -> FieldRef | None:
    """Return a field of a search: a display field, a custom field, or a path, with or without the type in front."""
    named = MODEL.find(element)
    if named is None:
        return None
    if "/" in field_id and ":" in field_id.partition("/")[0]:
        return plan.field(field_id)
    head, separator, custom = field_id.partition("=")
    if separator and head.upper().endswith("FIELD_MAP"):
        return plan.custom_field(named.name, custom) if "]" not in custom and "[" not in custom else None
    names = _NAMES.get(family(named.name), {})
    path = names.get(field_id.upper(), field_id)
    if path == "subject_label":
        return plan.field("xnat:subjectData/label")
    return plan.field(f"{named.name}/{path}") or _by_flat_name(plan, named.name, field_id)


def _by_flat_name(plan: Plan, xsi_type: str, field_id: str) -> FieldRef | None:
    """Return a field by its path with underscores, as the list of fields names it."""
    wanted = field_id.upper()
    fields = MODEL.fields(xsi_type).values()
    path = next((field.path for field in fields if field.path.replace("/", "_").upper() == wanted), None)
    return None if path is None else plan.field(f"{xsi_type}/{path}")


def show(plan: Plan, *, root: str, element: str, field_id: str, header: str = "") -> Shown | None:
    """Return the column for a field of a search; None when there is no such field."""
    ref = find_field(plan, element, field_id)
    named = MODEL.find(element)
    if ref is None or named is None:
        return None
    key, column_id = _key(named.name, field_id)
    if not (MODEL.is_a(root, named.name) or MODEL.is_a(named.name, root)) and not key.startswith("xnat_col_"):
        key = f"{named.name.replace(':', '_').lower()}_{key}"
    return Shown(ref, key, column_id, named.name, _KINDS.get(ref.kind, "string"), header)


def _key(element: str, field_id: str) -> tuple[str, str]:
    head, separator, path = field_id.partition("/")
    if not separator or ":" not in head:
        return field_id.lower(), field_id
    known = _KEYS[family(element)].get(path.lower())
    if known is not None:
        return known, known.upper()
    key = f"xnat_col_{head.partition(':')[2]}{path.replace('/', '')}".lower()
    return key, key.upper()


def display_fields(xsi_type: str) -> Iterator[tuple[str, str, str]]:
    """Yield id, path and kind of every field that a search for a type may name."""
    base = family(xsi_type)
    names = _NAMES.get(base, {})
    seen = set()
    for name in dict.fromkeys((*defaults(xsi_type), *names, *_COMMON)):
        seen.add(name)
        yield name, names.get(name, name.lower()), "string"
    for field in MODEL.fields(xsi_type).values():
        name = field.path.replace("/", "_").upper()
        if name not in seen:
            seen.add(name)
            yield name, field.path, field.kind.value.removeprefix("xs:")


ROOTS = (PROJECT, SUBJECT, EXPERIMENT, ASSESSOR, SCAN, RECONSTRUCTION)
