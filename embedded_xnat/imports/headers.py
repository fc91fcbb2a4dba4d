"""Reads the header of a DICOM file into fields of the data model. May import pydicom, when it is needed.

Which element fills which field follows what a real XNAT stores (contracts/xnat.md, section 6): the field of view is the
matrix in pixels, multi-valued texts are joined with two backslashes, numbers are numbers, the field strength a text.
"""

import logging
import math
from collections.abc import MutableSequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedded_xnat.imports.records import Instance
from embedded_xnat.storage.files import Stored

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

logger = logging.getLogger(__name__)

_IDENTITY = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "Modality")
_ROUTING = ("PatientComments", "StudyComments", "AdditionalPatientHistory", "StudyDescription", "AccessionNumber")
_OF_SCAN = {
    "scanner": "StationName",
    "scanner/manufacturer": "Manufacturer",
    "scanner/model": "ManufacturerModelName",
    "scanner/softwareVersion": "SoftwareVersions",
    "series_description": "SeriesDescription",
    "protocolName": "ProtocolName",
    "bodyPartExamined": "BodyPartExamined",
    "UID": "SeriesInstanceUID",
    "modality": "Modality",
}
_OF_MR = {
    "coil": "ReceiveCoilName",
    "fieldStrength": "MagneticFieldStrength",
    "parameters/scanSequence": "ScanningSequence",
    "parameters/seqVariant": "SequenceVariant",
    "parameters/scanOptions": "ScanOptions",
    "parameters/acqType": "MRAcquisitionType",
    "parameters/imageType": "ImageType",
    "parameters/sequence": "SequenceName",
    "parameters/subjectPosition": "PatientPosition",
}
_MR_NUMBERS = {
    "parameters/tr": "RepetitionTime",
    "parameters/te": "EchoTime",
    "parameters/ti": "InversionTime",
    "parameters/flip": "FlipAngle",
    "parameters/pixelBandwidth": "PixelBandwidth",
}
_CT_NUMBERS = {
    "parameters/kvp": "KVP",
    "parameters/exposure": "Exposure",
    "parameters/exposureTime": "ExposureTime",
    "parameters/xrayTubeCurrent": "XRayTubeCurrent",
    "parameters/tableHeight": "TableHeight",
    "parameters/gantryTilt": "GantryDetectorTilt",
}
_OF_SESSION = {
    "scanner": "StationName",
    "scanner/manufacturer": "Manufacturer",
    "scanner/model": "ManufacturerModelName",
    "dcmPatientId": "PatientID",
    "dcmPatientName": "PatientName",
    "dcmAccessionNumber": "AccessionNumber",
    "session_type": "StudyDescription",
    "study_id": "StudyID",
    "UID": "StudyInstanceUID",
}
_GEOMETRY = ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices", "Rows", "Columns", "ImageOrientationPatient")
_REST = (
    "PatientID",
    "PatientName",
    "SeriesNumber",
    "StudyDate",
    "StudyTime",
    "AcquisitionDate",
    "SeriesTime",
    "SeriesDate",
)
KEYWORDS = sorted(
    {
        *_IDENTITY,
        *_ROUTING,
        *_GEOMETRY,
        *_REST,
        *_OF_SCAN.values(),
        *_OF_MR.values(),
        *_MR_NUMBERS.values(),
        *_CT_NUMBERS.values(),
        *_OF_SESSION.values(),
        "NumberOfFrames",
        "ConvolutionKernel",
    }
)


def read_instance(name: str, stored: Stored) -> Instance | None:
    """Return what a file's header says; None when it is no DICOM file with its UIDs."""
    ds = read_header(stored.temporary)
    if ds is None:
        return None
    study_uid, series_uid = _text(ds, "StudyInstanceUID"), _text(ds, "SeriesInstanceUID")
    if not study_uid or not series_uid or not _text(ds, "SOPInstanceUID"):
        return None
    number = _text(ds, "SeriesNumber")
    return Instance(
        name=name,
        stored=stored,
        study_instance_uid=study_uid,
        series_instance_uid=series_uid,
        series_number=str(int(float(number))) if number and _number(number) is not None else None,
        series_description=_verbatim(ds, "SeriesDescription"),
        modality=_text(ds, "Modality") or "OT",
        patient_name=_text(ds, "PatientName") or "",
        patient_id=_text(ds, "PatientID") or "",
        routing_texts=tuple(_text(ds, keyword) or "" for keyword in _ROUTING),
        scan_data=scan_data(ds),
        session_data=session_data(ds),
        frames=int(_number(_text(ds, "NumberOfFrames")) or 1),
    )


def read_header(path: Path) -> "Dataset | None":
    """Return the elements of a file's header that are used here; None when it is no DICOM file."""
    import pydicom  # noqa: PLC0415 - half a second that the start of the server should not pay
    from pydicom.errors import InvalidDicomError  # noqa: PLC0415

    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(KEYWORDS))
    except (InvalidDicomError, OSError, ValueError, KeyError, AttributeError, EOFError, NotImplementedError):
        logger.debug("a file of an import is no DICOM file")
        return None


def scan_data(ds: "Dataset") -> dict[str, Any]:
    """Return the fields of a scan that a header gives."""
    modality = _text(ds, "Modality") or "OT"
    texts = dict(_OF_SCAN)
    numbers: dict[str, str] = {}
    if modality == "MR":
        texts |= _OF_MR
        numbers |= _MR_NUMBERS
    elif modality == "CT":
        numbers |= _CT_NUMBERS
        texts |= {"parameters/imageType": "ImageType", "parameters/convolutionKernel": "ConvolutionKernel"}
    data: dict[str, Any] = {"quality": "usable"}
    data |= {path: value for path, keyword in texts.items() if (value := _verbatim(ds, keyword))}
    data |= {path: number for path, keyword in numbers.items() if (number := _number(_text(ds, keyword))) is not None}
    if modality in {"MR", "CT", "PT"}:
        data |= _geometry(ds)
    if (start := _date(_text(ds, "SeriesDate"))) is not None:
        data["start_date"] = start
    if (time_of_day := _time(_text(ds, "SeriesTime"))) is not None:
        data["startTime"] = time_of_day
    return data


def session_data(ds: "Dataset") -> dict[str, Any]:
    """Return the fields of a session that a header gives."""
    data: dict[str, Any] = {path: value for path, keyword in _OF_SESSION.items() if (value := _verbatim(ds, keyword))}
    if (day := _date(_text(ds, "StudyDate"))) is not None:
        data["date"] = day
    if (time_of_day := _time(_text(ds, "StudyTime"))) is not None:
        data["time"] = time_of_day
    if _text(ds, "Modality") == "MR":
        data |= {path: value for path in ("coil", "fieldStrength") if (value := _verbatim(ds, _OF_MR[path]))}
    return data


def _geometry(ds: "Dataset") -> dict[str, Any]:
    data: dict[str, Any] = {}
    spacing = [number for part in _parts(ds, "PixelSpacing") if (number := _number(part)) is not None]
    if len(spacing) == 2:
        data["parameters/voxelRes/x"], data["parameters/voxelRes/y"] = spacing[1], spacing[0]
        data["parameters/voxelRes/units"] = "mm"
    thickness = _number(_text(ds, "SliceThickness"))
    if thickness is not None:
        data["parameters/voxelRes/z"] = thickness
    for path, keyword in (("parameters/fov/x", "Columns"), ("parameters/fov/y", "Rows")):
        if (pixels := _number(_text(ds, keyword))) is not None:
            data[path] = int(pixels)
    cosines = [number for part in _parts(ds, "ImageOrientationPatient") if (number := _number(part)) is not None]
    if len(cosines) == 6:
        data["parameters/orientation"] = orientation(cosines)
    return data


def orientation(cosines: list[float]) -> str:
    """Return the main plane of direction cosines (PS3.3 C.7.6.2.1.1): ``Tra``, ``Sag`` or ``Cor``.

    Examples
    --------
    >>> orientation([1, 0, 0, 0, 1, 0])
    'Tra'
    """
    row, column = cosines[:3], cosines[3:]
    normal = [
        abs(row[1] * column[2] - row[2] * column[1]),
        abs(row[2] * column[0] - row[0] * column[2]),
        abs(row[0] * column[1] - row[1] * column[0]),
    ]
    return ("Sag", "Cor", "Tra")[normal.index(max(normal))]


def _parts(ds: "Dataset", keyword: str) -> list[str]:
    try:
        value = ds.get(keyword)
    except (ValueError, TypeError, AttributeError, KeyError, NotImplementedError, OSError):
        return []  # a value that breaks its representation; the element counts as missing
    if value is None or value == "":
        return []
    return [str(part) for part in value] if isinstance(value, MutableSequence) else [str(value)]


def _verbatim(ds: "Dataset", keyword: str) -> str | None:
    """Return a text as it stands, with its inner blanks; parts are joined with two backslashes."""
    text = "\\\\".join(_parts(ds, keyword)).replace("\x00", "").rstrip()
    return text or None


def _text(ds: "Dataset", keyword: str) -> str | None:
    parts = _parts(ds, keyword)
    return parts[0].replace("\x00", "").strip() or None if parts else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None


def _date(text: str | None) -> str | None:
    digits = (text or "").replace(".", "").replace("-", "")[:8]
    if len(digits) != 8 or not digits.isdigit() or not "01" <= digits[4:6] <= "12" or not "01" <= digits[6:] <= "31":
        return None
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def _time(text: str | None) -> str | None:
    digits = (text or "").replace(":", "")[:6].ljust(6, "0")
    if not text or not digits.isdigit() or digits[:2] > "23" or digits[2:4] > "59" or digits[4:] > "59":
        return None
    return f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"
