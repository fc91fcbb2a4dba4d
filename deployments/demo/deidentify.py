"""De-identify images as a sending site would (PS3.15 Annex E): keyed codes and UIDs, an allow-list of attributes.

The same key and the same image always give the same object, byte for byte, so that sending it again is sending the same.
Pure: bytes in, bytes out. Imports pydicom.
"""

from __future__ import annotations

import datetime as dt
import hmac
import re
import uuid
import warnings
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pydicom import DataElement, Dataset, dcmread
from pydicom.config import disable_value_validation
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.sequence import Sequence
from pydicom.uid import UID

from deployments.demo.confidentiality import (
    BLANK_KEYWORDS,
    DESCRIPTIONS,
    KEPT_GROUPS,
    KEPT_KEYWORDS,
    NO_AGENT,
    REMOVED_KEYWORDS,
    SOME_AGENT,
    TEXT_VRS,
)
from deployments.demo.identity import Identity
from deployments.demo.scans import NotAnImage
from tasks.intake.reading import UnreadableError, telling_unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

METHOD = "Cohortflow site kit: attribute allow-list, keyed UIDs and codes"
_CODE_MEANINGS = {
    "113100": "Basic Application Confidentiality Profile",
    "113105": "Clean Descriptors Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
}
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_STANDARD_UID_ROOT = "1.2.840.10008."
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)(?P<time>[\d.]{0,13}([+-]\d{4})?)")
_TIME = re.compile(r"[\d:]{0,8}(\.\d{1,6})?")
_AGE = re.compile(r"\d{3}[DWMY]")
_OLDEST = "090Y"


@dataclass(frozen=True)
class Policy:
    """What a site puts in the place of identity.

    Attributes
    ----------
    key
        Secret of the site; UIDs and dates cannot be followed back without it.
    keep_dates
        False moves all dates of a subject by the same number of days, up to a year back.
    """

    key: bytes = field(repr=False)
    protocol_id: str
    site_id: str
    keep_dates: bool = False

    def uid(self, original: str) -> str:
        """Give the UID that stands for another: ``2.25.`` and a keyed hash of 128 bits (PS3.5 B.2)."""
        digest = hmac.digest(self.key, original.encode(), "sha256")
        return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"

    def days_back(self, subject: str) -> int:
        """Give by how many days a subject's dates are moved back: 0 where dates are kept, else 1 to 365."""
        if self.keep_dates:
            return 0
        digest = hmac.digest(self.key, b"days:" + subject.encode(), "sha256")
        return 1 + int.from_bytes(digest[:4], "big") % 365


@dataclass(frozen=True)
class CleanInstance:
    """A de-identified image, ready to be sent."""

    study_instance_uid: str
    sop_instance_uid: str
    content: bytes = field(repr=False)


def read_image(content: bytes) -> FileDataset:
    """Read a DICOM image.

    Raises
    ------
    NotAnImage
        If it is none, is broken, or its pixels may show names.
    """
    with _telling_broken():
        ds = dcmread(BytesIO(content))
        for _ in ds.iterall():  # pydicom reads a value when it is asked for; nothing shall be broken later
            pass
    if "PixelData" not in ds or not ds.get("SOPClassUID") or not ds.get("StudyInstanceUID"):
        raise NotAnImage("not an image object")
    if str(ds.get("BurnedInAnnotation", "")).upper() == "YES" or str(ds.SOPClassUID).startswith(_SECONDARY_CAPTURE):
        raise NotAnImage("its pixels may show a name")
    return ds


def deidentify(ds: FileDataset, *, subject: str, policy: Policy) -> CleanInstance:
    """Make the de-identified object of an image.

    Parameters
    ----------
    subject
        Code that takes the place of the patient's name and id.

    Raises
    ------
    NotAnImage
        If something in it cannot be read or written.
    """
    with _telling_broken():
        return _deidentify(ds, subject=subject, policy=policy)


@contextmanager
def _telling_broken() -> Iterator[None]:
    """Map what pydicom raises on a broken file; its warnings, which show values, are not shown."""
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        try:
            with telling_unreadable():
                yield
        except UnreadableError as error:
            is_dicom = not isinstance(error.__cause__, InvalidDicomError)
            raise NotAnImage("a broken DICOM file" if is_dicom else "not a DICOM file") from error


def _deidentify(ds: FileDataset, *, subject: str, policy: Policy) -> CleanInstance:
    cleaner = _Cleaner(policy, days_back=policy.days_back(subject), identity=Identity(ds))
    clean = cleaner.dataset(ds)
    for keyword in BLANK_KEYWORDS:
        setattr(clean, keyword, "")
    clean.SpecificCharacterSet = "ISO_IR 192"
    clean.PatientName = clean.PatientID = clean.ClinicalTrialSubjectID = subject
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = METHOD
    clean.DeidentificationMethodCodeSequence = Sequence(_codes(policy))
    clean.LongitudinalTemporalInformationModified = "UNMODIFIED" if policy.keep_dates else "MODIFIED"
    clean.ClinicalTrialSponsorName = "Cohortflow demonstration"
    clean.ClinicalTrialProtocolID = policy.protocol_id
    clean.ClinicalTrialProtocolName = policy.protocol_id
    clean.ClinicalTrialSiteID = policy.site_id
    clean.ClinicalTrialSiteName = ""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = clean.SOPClassUID
    meta.MediaStorageSOPInstanceUID = clean.SOPInstanceUID
    meta.TransferSyntaxUID = ds.file_meta.TransferSyntaxUID
    clean.file_meta = meta
    output = BytesIO()
    clean.save_as(output, enforce_file_format=True)
    return CleanInstance(str(clean.StudyInstanceUID), str(clean.SOPInstanceUID), output.getvalue())


class _Cleaner:
    def __init__(self, policy: Policy, *, days_back: int, identity: Identity) -> None:
        self._policy = policy
        self._days_back = days_back
        self._identity = identity
        self._change_of_vr: dict[str, Callable[[Any], Any]] = {
            "AS": _age,
            "CS": identity.cleaned_code,
            "DA": self._date,
            "DS": _number,
            "DT": self._date,
            "IS": _number,
            "TM": _time,
            **dict.fromkeys(TEXT_VRS - {"OB", "UN"}, identity.cleaned_text),
        }

    def dataset(self, ds: Dataset) -> Dataset:
        clean = Dataset()
        for element in ds:
            if _is_kept(element):
                clean.add(self._element(element))
        return clean

    def _element(self, element: DataElement) -> DataElement:
        if element.VR == "SQ":
            return DataElement(element.tag, "SQ", Sequence(self.dataset(item) for item in element.value))
        if (change := self._change_of(element)) is not None:
            return DataElement(element.tag, element.VR, _each(element.value, change))
        return deepcopy(element) if element.keyword != "PixelData" else element

    def _change_of(self, element: DataElement) -> Callable[[Any], Any] | None:
        """Give what is done to each value; None for binary numbers and pixels, which name nobody."""
        if element.keyword == "ContrastBolusAgent":
            return self._agent
        if element.keyword in DESCRIPTIONS:
            return self._identity.cleaned_description
        if element.VR == "UI":
            return _class_uid if element.keyword.endswith("SOPClassUID") else self._uid
        return self._change_of_vr.get(element.VR)

    def _uid(self, value: str) -> str:
        is_standard = value.startswith(_STANDARD_UID_ROOT) and UID(value).is_valid
        return value if not value or is_standard else self._policy.uid(value)

    def _date(self, value: Any) -> str:
        """Move the date in a DA or DT value; what is not a date is left out."""
        found = _DATE.fullmatch(str(value).strip())
        if found is None:
            return ""
        year, month, day = map(int, found.group(1, 2, 3))
        try:
            moved = dt.date(year, month, day) - dt.timedelta(days=self._days_back)
        except (ValueError, OverflowError):
            return ""
        return moved.isoformat().replace("-", "") + found["time"]

    def _agent(self, value: str) -> str:
        if value.strip().upper() in NO_AGENT:
            return value
        return self._identity.cleaned_description(value) or SOME_AGENT


def _is_kept(element: DataElement) -> bool:
    if element.tag.is_private or not element.keyword or element.keyword in REMOVED_KEYWORDS:
        return False
    if element.keyword in KEPT_KEYWORDS:
        return True
    return element.tag.group in KEPT_GROUPS and element.VR not in TEXT_VRS


def _each(value: Any, change: Any) -> Any:
    """Apply ``change`` to a value, or to each of several."""
    if value is None or value == "":
        return ""
    return (
        [change(one) for one in value]
        if isinstance(value, (list, tuple)) or hasattr(value, "append")
        else change(value)
    )


def _class_uid(value: str) -> str:
    return value if UID(value).is_valid else ""


def _age(value: str) -> str:
    """Give an age, 90 years for all beyond 89: so few are older that it would name them (45 CFR 164.514(b)(2)(i)(C))."""
    age = value.strip()
    if not _AGE.fullmatch(age):
        return ""
    return min(age, _OLDEST) if age.endswith("Y") else age


def _number(value: Any) -> Any:
    """Give a number as it is; what pydicom could not read as one stays a text, and goes."""
    return "" if isinstance(value, str) else value


def _time(value: Any) -> str:
    return str(value) if _TIME.fullmatch(str(value).strip()) else ""


def _codes(policy: Policy) -> Iterator[Dataset]:
    """Give the items of (0012,0064), PS3.16 CID 7050."""
    dates = "113106" if policy.keep_dates else "113107"
    for value in ("113100", "113105", dates, "113108"):
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", _CODE_MEANINGS[value]
        yield item
