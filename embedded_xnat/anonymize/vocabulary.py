"""Which elements a script may change, and to what. May import pydicom, when it is needed."""

import re

from embedded_xnat.anonymize.paths import Into, can_be_top
from embedded_xnat.anonymize.script import Assign, Delete, HashUid, Literal, Script, parse_script
from embedded_xnat.contract.errors import ScriptRefused

_INSTANCE, _CLASS, _STUDY, _SERIES = 0x00080018, 0x00080016, 0x0020000D, 0x0020000E
_NEEDED = frozenset({_INSTANCE, _CLASS, _STUDY, _SERIES})
_FORMS = {
    "DA": re.compile(r"(\d{8})?"),
    "TM": re.compile(r"(\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?)?"),
    "DT": re.compile(r"(\d{4,14}(\.\d{1,6})?([+-]\d{4})?)?"),
    "AS": re.compile(r"(\d{3}[DWMY])?"),
    "DS": re.compile(r"( *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *)?"),
    "IS": re.compile(r"( *[+-]?\d{1,11} *)?"),
    "UI": re.compile(r"([0-9][0-9.]{0,63})?"),
    "CS": re.compile(r"[A-Z0-9 _]{0,16}"),
    "AE": re.compile(r".{0,16}"),
    "SH": re.compile(r".{0,16}"),
    "LO": re.compile(r".{0,64}"),
    "PN": re.compile(r".{0,64}"),
    "ST": re.compile(r".{0,1024}"),
    "LT": re.compile(r".{0,10240}"),
    "UT": re.compile(r".*"),
    "UC": re.compile(r".*"),
    "UR": re.compile(r".*"),
}
#: Pixels and what follows them are copied as they are, never changed.
FIRST_OF_PIXELS = 0x7FE00000


def read_script(text: str) -> Script:
    """Read a script, and check that each element can be changed as it says.

    Raises
    ------
    ScriptRefused
    """
    script = parse_script(text)
    mistakes = []
    for statement in script.statements:
        for action in (statement.action, statement.otherwise):
            reason = None if action is None else _reason_against(action)
            if reason is not None:
                mistakes.append((statement.line, reason))
    if mistakes:
        raise ScriptRefused(mistakes)
    return script


def vr_of(tag: int) -> str | None:
    """Return the value representation of a standard element; None for private and unknown ones."""
    from pydicom.datadict import dictionary_VR  # noqa: PLC0415 - half a second that the start should not pay

    if (tag >> 16) % 2:
        return None
    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return None


def _reason_against(action: Assign | Delete) -> str | None:
    for step in action.steps:
        if isinstance(step, Into) and vr_of(step.tag) not in {"SQ", None}:
            return "a step of the path leads into an element that is no sequence"
    return _reason_against_deletion(action) if isinstance(action, Delete) else _reason_against_assignment(action)


def _reason_against_deletion(action: Delete) -> str | None:
    if action.pattern.tag in _NEEDED and can_be_top(action.steps):
        return "the UIDs of study, series, instance and class cannot be deleted; use hashUID"
    if action.pattern.tag is not None and not _is_of_header(action.pattern.tag):
        return "file meta information and pixel data are never changed"
    return None


def _reason_against_assignment(action: Assign) -> str | None:
    if not _is_of_header(action.tag):
        return "file meta information and pixel data are never changed"
    vr = vr_of(action.tag)
    if vr is None:
        return "only elements of the DICOM dictionary can be assigned; private ones can be deleted"
    if vr not in _FORMS:
        return f"elements of the value representation {vr} cannot be assigned"
    is_hash = isinstance(action.value, HashUid)
    if not action.steps and action.tag in {_INSTANCE, _CLASS} and not (action.tag == _INSTANCE and is_hash):
        return "the UID of an instance can only be hashed, that of its class stays"
    if isinstance(action.value, HashUid) and (vr != "UI" or vr_of(action.value.tag) != "UI"):
        return "hashUID is for elements that hold UIDs"
    if isinstance(action.value, Literal):
        return _reason_against_text(action.value.text, vr)
    return None


def _reason_against_text(text: str, vr: str) -> str | None:
    if not text.isascii() or not text.isprintable():
        return "a text has printable ASCII characters only"
    if any(not _FORMS[vr].fullmatch(part) for part in text.split("\\")):
        return f"this text is no value of the representation {vr}"
    return None


def _is_of_header(tag: int) -> bool:
    return 0x00080000 <= tag < FIRST_OF_PIXELS
