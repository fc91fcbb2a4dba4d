"""Read the header of one DICOM file: digests, identifiers, technical facts, and what is wrong with it.

The pixels are never loaded; the file is streamed once for its digests. Imports pydicom.
"""

from __future__ import annotations

import hashlib
import re
import struct
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import pydicom
from pydicom.config import disable_value_validation
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from tasks.intake.pixels import expected_pixel_bytes, pixel_problem
from tasks.series import SeriesFacts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset, FileDataset

_CHUNK = 1 << 20
_UID_LENGTH = 64
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
"""PS3.5 section 9, but for leading zeros in a component, which real scanners write."""
# What pydicom raises on files that are no DICOM, or are broken. Each means the same to us: the file cannot be read.
_UNREADABLE = (
    InvalidDicomError,
    BytesLengthException,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
_READ = [
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "Modality",
    "ImageType",
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "SeriesDescription",
    "ProtocolName",
    "Manufacturer",
    "BodyPartExamined",
    "PatientID",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "BurnedInAnnotation",
    "ClinicalTrialProtocolID",
    "ClinicalTrialSiteID",
    "MRAcquisitionType",
    "ScanningSequence",
    "SequenceVariant",
    "ScanOptions",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "ContrastBolusAgent",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SamplesPerPixel",
    "BitsAllocated",
    "PhotometricInterpretation",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]


@dataclass(frozen=True)
class Digests:
    """SHA-256, MD5 (what XNAT compares) and size of a file."""

    sha256: str
    md5: str
    size_bytes: int


@dataclass(frozen=True)
class Header:
    """What the header of one instance says. `protocol_id`, `site_id` and `patient_id` stay inside intake."""

    sop_instance_uid: str
    sop_class_uid: str
    study_instance_uid: str
    series_instance_uid: str
    series_number: int | None
    date: str
    patient_id: str
    protocol_id: str
    site_id: str
    identity_removed: str
    deidentification_methods: bool
    deidentification_codes: tuple[str, ...]
    burned_in: str
    positions: tuple[tuple[float, float, float], ...]
    """Image position of each frame in mm, LPS."""
    orientations: tuple[tuple[float, ...], ...]
    """Row and column direction cosines of each frame."""
    facts: SeriesFacts


def digest_file(path: Path) -> Digests:
    """Stream a file through its digests."""
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            md5.update(chunk)
            size += len(chunk)
    return Digests(sha256=sha256.hexdigest(), md5=md5.hexdigest(), size_bytes=size)


def read_header(path: Path) -> tuple[Header | None, str | None]:
    """Read the header of a file and look whether its pixels are whole.

    Returns
    -------
    header
        None when the file cannot be read as DICOM at all.
    problem
        A sentence's predicate when the instance cannot go on (``the file is truncated: …``), else None.
    """
    # pydicom warns about odd values, which real scanners write; they are no reason to stop.
    with warnings.catch_warnings(), disable_value_validation(), path.open("rb") as file:
        warnings.simplefilter("ignore")
        try:
            with telling_unreadable():
                ds = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_READ))
                header = _header(ds)
        except UnreadableError:
            return None, "it cannot be read as a DICOM file"
        if not header.sop_instance_uid or not header.series_instance_uid or not header.study_instance_uid:
            return None, "it has no study, series or instance UID"
        uids = {
            "Study Instance UID": header.study_instance_uid,
            "Series Instance UID": header.series_instance_uid,
            "SOP Instance UID": header.sop_instance_uid,
        }
        if invalid := [name for name, uid in uids.items() if not _is_uid(uid)]:
            is_no = "is no valid UID" if len(invalid) == 1 else "are no valid UIDs"
            return None, f"its {' and '.join(invalid)} {is_no} (digits and dots, at most {_UID_LENGTH} characters)"
        try:
            with telling_unreadable():
                return header, _problem(file, ds=ds, path=path)
        except UnreadableError:
            return header, "its pixel data cannot be read"


def _is_uid(text: str) -> bool:
    """Say whether a text may name a file: UIDs become names in the archive."""
    return len(text) <= _UID_LENGTH and _UID.fullmatch(text) is not None


class UnreadableError(Exception):
    """The content of a file, not the disk, is at fault."""


@contextmanager
def telling_unreadable() -> Iterator[None]:
    """Map what pydicom raises on a broken file; an error of the disk, which has a number, goes on."""
    try:
        yield
    except _UNREADABLE as error:
        raise UnreadableError from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise UnreadableError from error


def _problem(file: BinaryIO, *, ds: FileDataset, path: Path) -> str | None:
    name = UID(str(ds.get("SOPClassUID", ""))).name
    if not name.endswith("Storage") or "Image Storage" not in name:
        known = name if name.endswith("Storage") else "an unknown kind of object"
        return f"it is not an image ({known})"
    if not ds.get("Rows") or not ds.get("Columns"):
        size = path.stat().st_size
        return (
            "the file is truncated: it ends inside its header" if file.tell() >= size else "it is an image without size"
        )
    if ds.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        whole = pydicom.dcmread(path)
        expected = expected_pixel_bytes(whole)
        there = len(whole.get("PixelData", b""))
        return None if expected is None or there >= expected else "the file is truncated: pixel data are missing"
    return pixel_problem(file, ds=ds, size=path.stat().st_size)


def _header(ds: FileDataset) -> Header:
    frames = _frames(ds)
    codes = tuple(_text(item, "CodeValue") for item in ds.get("DeidentificationMethodCodeSequence") or ())
    return Header(
        sop_instance_uid=_text(ds, "SOPInstanceUID"),
        sop_class_uid=_text(ds, "SOPClassUID"),
        study_instance_uid=_text(ds, "StudyInstanceUID"),
        series_instance_uid=_text(ds, "SeriesInstanceUID"),
        series_number=_integer(ds, "SeriesNumber"),
        date=_text(ds, "StudyDate") or _text(ds, "SeriesDate") or _text(ds, "AcquisitionDate"),
        patient_id=_text(ds, "PatientID"),
        protocol_id=_text(ds, "ClinicalTrialProtocolID"),
        site_id=_text(ds, "ClinicalTrialSiteID"),
        identity_removed=_text(ds, "PatientIdentityRemoved").upper(),
        deidentification_methods=bool(_text(ds, "DeidentificationMethod")),
        deidentification_codes=tuple(code for code in codes if code),
        burned_in=_text(ds, "BurnedInAnnotation").upper(),
        positions=tuple(p for p in (_numbers(frame, "ImagePositionPatient", 3) for frame in frames) if p),  # type: ignore[misc]
        orientations=tuple(o for o in (_numbers(frame, "ImageOrientationPatient", 6) for frame in frames) if o),
        facts=_facts(ds),
    )


def _facts(ds: FileDataset) -> SeriesFacts:
    shared = _flattened((ds.get("SharedFunctionalGroupsSequence") or [None])[0])
    spacing = _numbers(ds, "PixelSpacing", 2) or _numbers(shared, "PixelSpacing", 2) or (None, None)
    image_type = _texts(ds, "ImageType")
    agent = _text(ds, "ContrastBolusAgent").upper()
    return SeriesFacts(
        modality=_text(ds, "Modality").upper(),
        sop_class_uid=_text(ds, "SOPClassUID"),
        series_description=_text(ds, "SeriesDescription"),
        protocol_name=_text(ds, "ProtocolName"),
        manufacturer=_text(ds, "Manufacturer"),
        body_part=_text(ds, "BodyPartExamined").upper(),
        mr_acquisition_type=_text(ds, "MRAcquisitionType").upper(),
        scanning_sequence=_texts(ds, "ScanningSequence"),
        sequence_variant=_texts(ds, "SequenceVariant"),
        scan_options=_texts(ds, "ScanOptions"),
        image_type=image_type,
        repetition_time_ms=_number(ds, "RepetitionTime") or _number(shared, "RepetitionTime"),
        echo_time_ms=_number(ds, "EchoTime") or _number(shared, "EffectiveEchoTime"),
        inversion_time_ms=_number(ds, "InversionTime"),
        flip_angle_deg=_number(ds, "FlipAngle") or _number(shared, "FlipAngle"),
        contrast_agent=agent not in {"", "NONE", "NO", "N", "0"},
        rows=_integer(ds, "Rows"),
        columns=_integer(ds, "Columns"),
        frames=_integer(ds, "NumberOfFrames") or 1,
        row_spacing_mm=spacing[0],
        column_spacing_mm=spacing[1],
    )


def _frames(ds: FileDataset) -> list[Dataset]:
    """Return one data set a frame that holds its position and orientation: the instance itself for classic images."""
    groups = ds.get("PerFrameFunctionalGroupsSequence")
    if not groups:
        return [ds]
    shared = _flattened((ds.get("SharedFunctionalGroupsSequence") or [None])[0])
    frames = []
    for group in groups:
        frame = _flattened(group)
        if "ImageOrientationPatient" not in frame and "ImageOrientationPatient" in shared:
            frame.ImageOrientationPatient = shared.ImageOrientationPatient
        frames.append(frame)
    return frames


def _flattened(group: Dataset | None) -> Dataset:
    """Put the elements of a functional group's macros side by side."""
    flat = pydicom.Dataset()
    for element in group or ():
        if element.VR == "SQ" and len(element.value) == 1:
            flat.update(element.value[0])
    return flat


def _text(ds: Dataset, keyword: str) -> str:
    value: Any = ds.get(keyword)
    return "" if value is None else str(value).strip().strip("\0")


def _texts(ds: Dataset, keyword: str) -> tuple[str, ...]:
    value: Any = ds.get(keyword)
    if value is None or value == "":
        return ()
    values = [value] if isinstance(value, str) else list(value)
    return tuple(str(one).strip().upper() for one in values)


def _number(ds: Dataset, keyword: str) -> float | None:
    try:
        return float(_text(ds, keyword))
    except ValueError:
        return None


def _integer(ds: Dataset, keyword: str) -> int | None:
    number = _number(ds, keyword)
    return None if number is None else int(number)


def _numbers(ds: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    value: Any = ds.get(keyword)
    if value is None:
        return None
    try:
        numbers = tuple(float(one) for one in value)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count else None
