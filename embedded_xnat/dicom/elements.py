"""Reads elements of DICOM headers as texts and numbers, whatever scanners wrote. May import pydicom, when it is needed.

No value of a header reaches a log or a warning: what pydicom says about odd values is switched off.
"""

import logging
import math
import warnings
from collections.abc import Iterable, MutableSequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

logger = logging.getLogger(__name__)

#: What pydicom raises for bytes that are no DICOM, or broken DICOM.
UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    AttributeError,
    EOFError,
    NotImplementedError,
    TypeError,
    IndexError,
    RecursionError,
    MemoryError,
    OverflowError,
    ArithmeticError,
)
_FUNCTIONAL_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_MAGIC_AT, _MAGIC = 128, b"DICM"


@cache
def _configured() -> None:
    import pydicom.config  # noqa: PLC0415 - half a second that the start of the server should not pay

    logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # its warnings repeat values, names too
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


def quiet() -> None:
    """Let pydicom accept what scanners write, and say nothing about it."""
    _configured()
    warnings.filterwarnings("ignore", module=r"pydicom(\..*)?")


def is_dicom(path: Path) -> bool:
    """Tell whether a file has the mark of DICOM's file format (PS3.10, 7.1)."""
    with path.open("rb") as handle:
        handle.seek(_MAGIC_AT)
        return handle.read(len(_MAGIC)) == _MAGIC


def read_elements(path: Path, keywords: Iterable[str]) -> "Elements | None":
    """Return some elements of a file's header; None when it is no DICOM file."""
    ds = _read(path, list(keywords))
    return None if ds is None else Elements(ds)


def read_texts(path: Path, tags: Iterable[int]) -> dict[int, str]:
    """Return the first value of each of these elements that has one, private ones too."""
    wanted = list(tags)
    ds = _read(path, wanted)
    return {} if ds is None else {tag: text for tag in wanted if (text := _first_text(ds, tag))}


def _read(path: Path, wanted: "list[str] | list[int]") -> "Dataset | None":
    import pydicom  # noqa: PLC0415
    from pydicom.errors import BytesLengthException, InvalidDicomError  # noqa: PLC0415

    quiet()
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted)
    except (InvalidDicomError, BytesLengthException, *UNREADABLE):
        logger.debug("a file of an import is no DICOM file")
        return None


def _first_text(ds: "Dataset", tag: int) -> str:
    try:
        value = ds[tag].value if tag in ds and ds[tag].VR != "SQ" else ""
    except UNREADABLE:
        return ""  # a value that breaks its representation; the element counts as missing
    if isinstance(value, MutableSequence):
        value = value[0] if value else ""
    text = value.decode("latin-1") if isinstance(value, bytes) else "" if value is None else str(value)
    return text.replace("\x00", "").strip()


class Elements:
    """Elements of one header; those of an enhanced object's functional groups count as its own.

    Parameters
    ----------
    ds
        What was read. Of the frames the first speaks for all (PS3.3 C.7.6.16).
    """

    def __init__(self, ds: "Dataset") -> None:
        self._sources = [ds, *_functional_groups(ds)]

    def parts(self, *keywords: str) -> list[str]:
        """Return the values of the first of these elements that has any."""
        for keyword in keywords:
            for source in self._sources:
                if found := _parts(source, keyword):
                    return found
        return []

    def verbatim(self, *keywords: str) -> str | None:
        """Return a text as it stands, with its inner blanks; parts are joined with two backslashes."""
        text = "\\\\".join(self.parts(*keywords)).replace("\x00", "").rstrip()
        return text or None

    def text(self, *keywords: str) -> str | None:
        """Return the first value of an element as a text without blanks around it."""
        parts = self.parts(*keywords)
        return parts[0].replace("\x00", "").strip() or None if parts else None

    def number(self, *keywords: str) -> float | None:
        """Return the first value of an element as a number."""
        return as_number(self.text(*keywords))

    def numbers(self, *keywords: str) -> list[float]:
        """Return the values of an element that are numbers."""
        return [number for part in self.parts(*keywords) if (number := as_number(part)) is not None]

    def date(self, *keywords: str) -> str | None:
        """Return a DA value as ISO 8601."""
        digits = (self.text(*keywords) or "").replace(".", "").replace("-", "")[:8]
        fits = len(digits) == 8 and digits.isascii() and digits.isdigit()
        if not fits or not "01" <= digits[4:6] <= "12" or not "01" <= digits[6:] <= "31":
            return None
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"

    def time(self, *keywords: str) -> str | None:
        """Return a TM value as ISO 8601, without fractions of a second."""
        text = self.text(*keywords)
        digits = (text or "").replace(":", "")[:6].ljust(6, "0")
        fits = text and digits.isascii() and digits.isdigit()
        if not fits or digits[:2] > "23" or digits[2:4] > "59" or digits[4:] > "59":
            return None
        return f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"


def as_number(text: str | None) -> float | None:
    """Return a text as a finite number, if it is one."""
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None


def _parts(ds: "Dataset", keyword: str) -> list[str]:
    try:
        value = ds.get(keyword)
    except UNREADABLE:
        return []  # a value that breaks its representation; the element counts as missing
    if value is None or value == "":
        return []
    return [str(part) for part in value] if isinstance(value, MutableSequence) else [str(value)]


def _functional_groups(ds: "Dataset") -> "list[Dataset]":
    """Return the items of the shared functional groups and of those of the first frame."""
    found: list[Any] = []
    for keyword in _FUNCTIONAL_GROUPS:
        try:
            groups = ds.get(keyword) or []
            found += [each.value[0] for item in groups[:1] for each in item if each.VR == "SQ" and each.value]
        except UNREADABLE:
            continue
    return found
