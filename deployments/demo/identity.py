"""Whom the header of an image names, and what may stay of a text that might name them too. Pure; imports pydicom."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import TYPE_CHECKING

from deployments.demo.confidentiality import KEPT_KEYWORDS, WORDS_OF_IMAGING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom import DataElement, Dataset

_WORD = re.compile(r"([^\W_]+)([\W_]*)")
_LONG_WORD = 3
"""So many characters do not stand inside another word by chance."""
_NAMED_BY = ("ID", "IDs", "Number", "Numbers", "Address")


class Identity:
    """The words, numbers and birth dates by which a header names people: patient, relatives, physicians, operators."""

    def __init__(self, ds: Dataset) -> None:
        self._words = frozenset(word for element in ds.iterall() for word in _words_that_name(element))

    def cleaned_description(self, text: str) -> str:
        """Give the words of imaging in a text that people typed; any other word may be a name.

        They stay in their order, with an underscore or a space between them.
        """
        kept, separator = "", ""
        for word, after in _WORD.findall(text):
            if _is_of_imaging(word.lower()) and _folded(word) not in self._words:
                kept += (separator if kept else "") + word
                separator = "_" if "_" in after else " "
        return kept

    def cleaned_text(self, text: str) -> str:
        """Give a text that a scanner wrote, or nothing when it names somebody, inside a longer word too."""
        words = _words_of(text)
        joined = "".join(words)
        is_named = any(word in words or (len(word) >= _LONG_WORD and word in joined) for word in self._words)
        return "" if is_named else text

    def cleaned_code(self, text: str) -> str:
        """Give a code string, or nothing when a word of it names somebody.

        Words of one or two letters stay: they are defined terms far more often than they are names.
        """
        return "" if any(len(word) >= _LONG_WORD and word in self._words for word in _words_of(text)) else text


def _words_that_name(element: DataElement) -> Iterator[str]:
    """Give each word of a name or number, and all of them written together."""
    values = element.value if element.VM > 1 else [element.value]
    if element.VR == "PN" or _is_identifier(element):
        for value in values:
            words = _words_of(str(value or ""))
            yield from words
            yield "".join(words)
            yield "".join(reversed(words))
    elif element.VR == "DA" and "BirthDate" in element.keyword:
        for value in values:
            yield from _written_dates(str(value or ""))


def _is_identifier(element: DataElement) -> bool:
    return (
        element.VR in {"LO", "SH", "ST", "UC"}
        and element.keyword.endswith(_NAMED_BY)
        and element.keyword not in KEPT_KEYWORDS
    )


def _written_dates(value: str) -> Iterator[str]:
    """Give the digits of a date in the orders in which people write it."""
    try:
        day = dt.datetime.strptime(value, "%Y%m%d")  # noqa: DTZ007 -- a date without a place
    except ValueError:
        return
    for form in ("%Y%m%d", "%d%m%Y", "%m%d%Y", "%y%m%d", "%d%m%y", "%m%d%y"):
        yield day.strftime(form)
    yield f"{day.day}{day.month}{day.year}"
    yield f"{day.month}{day.day}{day.year}"


def _is_of_imaging(word: str) -> bool:
    """Say whether a word is one of imaging, or two of them written together (``T1final``)."""
    return word in WORDS_OF_IMAGING or any(
        word[:end] in WORDS_OF_IMAGING and word[end:] in WORDS_OF_IMAGING for end in range(2, len(word) - 1)
    )


def _words_of(text: str) -> list[str]:
    return [word for word, _ in _WORD.findall(_folded(text))]


def _folded(text: str) -> str:
    """Give a text without case and accents."""
    return "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))
