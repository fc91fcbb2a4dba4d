"""De-identify images as a sending site would (PS3.15 Annex E): keyed codes and UIDs, an allow-list of attributes.

The same key and the same image always give the same object, byte for byte, so that sending it again is sending the same.
Pure: bytes in, bytes out. Imports pydicom.
"""

from __future__ import annotations

import datetime as dt
import hmac
import re
import uuid
from copy import deepcopy
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pydicom import DataElement, Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.sequence import Sequence
from pydicom.uid import UID

from deployments.demo.confidentiality import (
    BLANK_KEYWORDS,
    DESCRIPTIONS,
    KEPT_GROUPS,
    KEPT_KEYWORDS,
    REMOVED_KEYWORDS,
    TEXT_VRS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

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


class NotAnImage(ValueError):
    """A file that is no DICOM image, or whose pixels may show identity; it is not sent."""


def read_image(content: bytes) -> FileDataset:
    """Read a DICOM image.

    Raises
    ------
    NotAnImage
        If it is none, or its pixels may show names.
    """
    try:
        ds = dcmread(BytesIO(content))
    except InvalidDicomError as error:
        raise NotAnImage("not a DICOM file") from error
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
    """
    cleaner = _Cleaner(policy, days_back=policy.days_back(subject), identity=tuple(_identity_of(ds)))
    clean = cleaner.dataset(ds)
    for keyword in BLANK_KEYWORDS:
        setattr(clean, keyword, "")
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
    def __init__(self, policy: Policy, *, days_back: int, identity: tuple[str, ...]) -> None:
        self._policy = policy
        self._days_back = days_back
        words = "|".join(re.escape(word) for word in sorted(identity, key=len, reverse=True))
        self._identity = re.compile(words, re.IGNORECASE) if words else None

    def dataset(self, ds: Dataset) -> Dataset:
        clean = Dataset()
        for element in ds:
            if _is_kept(element):
                clean.add(self._element(element))
        return clean

    def _element(self, element: DataElement) -> DataElement:
        if element.VR == "SQ":
            return DataElement(element.tag, "SQ", Sequence(self.dataset(item) for item in element.value))
        if element.VR == "UI" and not element.keyword.endswith(("ClassUID", "TransferSyntaxUID")):
            return DataElement(element.tag, "UI", _each(element.value, self._uid))
        if element.VR in {"DA", "DT"} and self._days_back:
            return DataElement(element.tag, element.VR, _each(element.value, self._date))
        if element.keyword in DESCRIPTIONS and self._identity is not None:
            return DataElement(element.tag, element.VR, _each(element.value, self._description))
        return deepcopy(element) if element.keyword != "PixelData" else element

    def _uid(self, value: str) -> str:
        return value if not value or value.startswith(_STANDARD_UID_ROOT) else self._policy.uid(str(UID(value)))

    def _date(self, value: Any) -> str:
        """Move the date in a DA or DT value; what is not a date is left out."""
        text = str(value)
        try:
            day = dt.date.fromisoformat(text[:8])
        except ValueError:
            return ""
        return f"{day - dt.timedelta(days=self._days_back):%Y%m%d}{text[8:]}"

    def _description(self, value: str) -> str:
        assert self._identity is not None
        return self._identity.sub("", value).strip()


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


def _identity_of(ds: Dataset) -> Iterator[str]:
    """Give the words that would name the patient in a description."""
    for keyword in ("PatientName", "PatientID", "OtherPatientIDs", "AccessionNumber"):
        for word in re.split(r"[\^=\s\\,]+", str(ds.get(keyword, "") or "")):
            if len(word) >= 3:
                yield word


def _codes(policy: Policy) -> Iterator[Dataset]:
    """Give the items of (0012,0064), PS3.16 CID 7050."""
    dates = "113106" if policy.keep_dates else "113107"
    for value in ("113100", "113105", dates, "113108"):
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", _CODE_MEANINGS[value]
        yield item
