"""Which element of a header fills which field of the data model.

Follows what a real XNAT stores: the field of view is the matrix in pixels, multi-valued
texts are joined with two backslashes, numbers are numbers, the field strength a text.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from embedded_xnat.dicom.elements import Elements, read_elements

#: Elements that may say where a session belongs: `Project:P Subject:S Session:E AA:true`.
SAYING = ("PatientComments", "StudyComments", "AdditionalPatientHistory")
#: Elements whose whole text may be the id or alias of a project.
NAMING = ("StudyDescription", "AccessionNumber")

_OF_SCAN = {
    "scanner": "StationName",
    "scanner/manufacturer": "Manufacturer",
    "scanner/model": "ManufacturerModelName",
    "scanner/softwareVersion": "SoftwareVersions",
    "series_description": "SeriesDescription",
    "protocolName": "ProtocolName",
    "bodyPartExamined": "BodyPartExamined",
    "requestedProcedureDescription": "RequestedProcedureDescription",
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
    "parameters/tr": ("RepetitionTime",),
    "parameters/te": ("EchoTime", "EffectiveEchoTime"),
    "parameters/ti": ("InversionTime", "InversionTimes"),
    "parameters/flip": ("FlipAngle",),
    "parameters/pixelBandwidth": ("PixelBandwidth",),
}
_CT_TEXTS = {"parameters/imageType": "ImageType", "parameters/convolutionKernel": "ConvolutionKernel"}
_CT_NUMBERS = {
    "parameters/kvp": ("KVP",),
    "parameters/exposure": ("Exposure",),
    "parameters/exposureTime": ("ExposureTime",),
    "parameters/xrayTubeCurrent": ("XRayTubeCurrent",),
    "parameters/tableHeight": ("TableHeight",),
    "parameters/gantryTilt": ("GantryDetectorTilt",),
}
_OF_SESSION = {
    "scanner": "StationName",
    "scanner/manufacturer": "Manufacturer",
    "scanner/model": "ManufacturerModelName",
    "operator": "OperatorsName",
    "dcmPatientId": "PatientID",
    "dcmPatientName": "PatientName",
    "dcmAccessionNumber": "AccessionNumber",
    "session_type": "StudyDescription",
    "study_id": "StudyID",
    "UID": "StudyInstanceUID",
}
_REST = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "SOPClassUID",
    "Modality",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "Rows",
    "Columns",
    "ImageOrientationPatient",
    "PatientID",
    "PatientName",
    "SeriesNumber",
    "StudyDate",
    "StudyTime",
    "SeriesTime",
    "SeriesDate",
    "AcquisitionDate",
    "AcquisitionTime",
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
KEYWORDS = sorted(
    {
        *_REST,
        *SAYING,
        *NAMING,
        *_OF_SCAN.values(),
        *_OF_MR.values(),
        *_CT_TEXTS.values(),
        *(keyword for keywords in (*_MR_NUMBERS.values(), *_CT_NUMBERS.values()) for keyword in keywords),
        *_OF_SESSION.values(),
    }
)


def read_header(path: Path) -> Elements | None:
    """Return the elements of a file's header that are used here; None when it is no DICOM file."""
    return read_elements(path, KEYWORDS)


def read_scan(paths: Iterable[Path]) -> tuple[Elements | None, int]:
    """Return the header of the first DICOM file of a scan, and how many frames all of them have."""
    first, total = None, 0
    for path in paths:
        header = read_header(path) if first is None else read_elements(path, ["NumberOfFrames"])
        if header is not None:
            first = first or header
            total += frames(header)
    return first, total


def scan_data(header: Elements) -> dict[str, Any]:
    """Return the fields of a scan that a header gives."""
    modality = header.text("Modality") or "OT"
    texts = dict(_OF_SCAN)
    numbers: dict[str, tuple[str, ...]] = {}
    if modality == "MR":
        texts |= _OF_MR
        numbers |= _MR_NUMBERS
    elif modality == "CT":
        texts |= _CT_TEXTS
        numbers |= _CT_NUMBERS
    data: dict[str, Any] = {"quality": "usable"}
    data |= {path: value for path, keyword in texts.items() if (value := header.verbatim(keyword))}
    data |= {path: number for path, keywords in numbers.items() if (number := header.number(*keywords)) is not None}
    if modality in {"MR", "CT", "PT"}:
        data |= _geometry(header)
    if (start := header.date("SeriesDate", "AcquisitionDate")) is not None:
        data["start_date"] = start
    if (time_of_day := header.time("SeriesTime", "AcquisitionTime")) is not None:
        data["startTime"] = time_of_day
    return data


def session_data(header: Elements) -> dict[str, Any]:
    """Return the fields of a session that a header gives."""
    data: dict[str, Any] = {path: value for path, keyword in _OF_SESSION.items() if (value := header.verbatim(keyword))}
    if (day := header.date("StudyDate")) is not None:
        data["date"] = day
    if (time_of_day := header.time("StudyTime")) is not None:
        data["time"] = time_of_day
    if header.text("Modality") == "MR":
        data |= {path: value for path in ("coil", "fieldStrength") if (value := header.verbatim(_OF_MR[path]))}
    return data


def frames(header: Elements) -> int:
    """Return how many frames a file has; one when it does not say."""
    return max(1, int(header.number("NumberOfFrames") or 1))


def _geometry(header: Elements) -> dict[str, Any]:
    data: dict[str, Any] = {}
    spacing = header.numbers("PixelSpacing")
    if len(spacing) == 2:
        data["parameters/voxelRes/x"], data["parameters/voxelRes/y"] = spacing[1], spacing[0]
        data["parameters/voxelRes/units"] = "mm"
    thickness = header.number("SliceThickness")
    if thickness is not None:
        data["parameters/voxelRes/z"] = thickness
    for path, keyword in (("parameters/fov/x", "Columns"), ("parameters/fov/y", "Rows")):
        if (pixels := header.number(keyword)) is not None:
            data[path] = int(pixels)
    cosines = header.numbers("ImageOrientationPatient")
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
