"""Types of imaging sessions and scans, one pair a modality, from one table. Pure data."""

from dataclasses import dataclass

from embedded_xnat.schema.core_types import ADDITIONAL_PARAMETERS, PROVENANCE
from embedded_xnat.schema.model import Contains, Field, Kind, Part, Rows, SubObject, XsiType


@dataclass(frozen=True)
class Modality:
    """A modality with its session and scan types.

    Parameters
    ----------
    code
        DICOM Modality (0008,0060), PS3.3 C.7.3.1.1.1.
    session, scan
        Type names without prefix; no session type where such a series only comes along with others.
    """

    code: str
    session: str | None
    scan: str
    label: str


#: In the order of preference for the type of a session with several modalities.
MODALITIES = (
    Modality("PT", "petSessionData", "petScanData", "PET"),
    Modality("MR", "mrSessionData", "mrScanData", "MR"),
    Modality("CT", "ctSessionData", "ctScanData", "CT"),
    Modality("NM", "nmSessionData", "nmScanData", "NM"),
    Modality("US", "usSessionData", "usScanData", "US"),
    Modality("MG", "mgSessionData", "mgScanData", "MG"),
    Modality("CR", "crSessionData", "crScanData", "CR"),
    Modality("DX", "dxSessionData", "dxScanData", "DX"),
    Modality("XA", "xaSessionData", "xaScanData", "XA"),
    Modality("RF", "rfSessionData", "rfScanData", "RF"),
    Modality("RG", "rgSessionData", "rgScanData", "RG"),
    Modality("IO", "ioSessionData", "ioScanData", "IO"),
    Modality("ES", "esSessionData", "esScanData", "ES"),
    Modality("GM", "gmSessionData", "gmScanData", "GM"),
    Modality("SM", "smSessionData", "smScanData", "SM"),
    Modality("XC", "xcSessionData", "xcScanData", "XC"),
    Modality("OP", "opSessionData", "opScanData", "OP"),
    Modality("OPT", "optSessionData", "optScanData", "OPT"),
    Modality("ECG", "ecgSessionData", "ecgScanData", "ECG"),
    Modality("EPS", "epsSessionData", "epsScanData", "EPS"),
    Modality("HD", "hdSessionData", "hdScanData", "HD"),
    Modality("MEG", "megSessionData", "megScanData", "MEG"),
    Modality("EEG", "eegSessionData", "eegScanData", "EEG"),
    Modality("RTIMAGE", "rtSessionData", "rtImageScanData", "RT"),
    Modality("SR", "srSessionData", "srScanData", "SR"),
    Modality("MRS", None, "mrsScanData", "MRS"),
    Modality("SC", None, "scScanData", "SC"),
    Modality("SEG", None, "segScanData", "SEG"),
    Modality("OT", "otherDicomSessionData", "otherDicomScanData", "OtherDicom"),
)

#: Further codes that share the types of another.
SYNONYMS = {"PET": "PT", "RTSTRUCT": "RTIMAGE", "RTPLAN": "RTIMAGE", "RTDOSE": "RTIMAGE"}

IMAGE_SESSION = XsiType(
    "xnat:imageSessionData",
    base="xnat:subjectAssessorData",
    abstract=True,
    parts=(
        Field("scanner"),
        Field("scanner/manufacturer", attribute=True),
        Field("scanner/model", attribute=True),
        Field("operator", max_length=255),
        Field("prearchivePath"),
        Contains("scans/scan", "xnat:imageScanData"),
        Contains("reconstructions/reconstructedImage", "xnat:reconstructedImageData"),
        Contains("assessors/assessor", "xnat:imageAssessorData"),
        Field("dcmAccessionNumber"),
        Field("dcmPatientId"),
        Field("dcmPatientName"),
        Field("dcmPatientBirthDate", Kind.DATE),
        Field("dcmPatientWeight", Kind.FLOAT),
        Field("session_type", attribute=True),
        Field("modality", attribute=True),
        Field("UID", attribute=True),
        Field("study_id", attribute=True),
    ),
)

IMAGE_SCAN = XsiType(
    "xnat:imageScanData",
    display_identifier="ID",
    parts=(
        Field("image_session_ID"),
        Field("note", max_length=2_500),
        Field("quality"),
        Field("condition"),
        Field("series_description"),
        Field("series_class"),
        Field("documentation", max_length=1_000),
        Field("scanner"),
        Field("scanner/manufacturer", attribute=True),
        Field("scanner/model", attribute=True),
        Field("scanner/softwareVersion", attribute=True),
        Field("modality"),
        Field("frames", Kind.INTEGER),
        Field("operator"),
        Contains("file", "xnat:abstractResource"),
        SubObject("validation", "xnat:validationData", "xnat:validationData"),
        Field("startTime", Kind.TIME),
        Field("start_date", Kind.DATE),
        Field("requestedProcedureDescription"),
        Field("protocolName"),
        Field("bodyPartExamined"),
        Field("ID", attribute=True),
        Field("type", attribute=True),
        Field("UID", attribute=True),
        Field("project", attribute=True),
    ),
)

_MR_ACQUISITION = tuple(Field(name, max_length=255) for name in ("coil", "fieldStrength", "marker", "stabilization"))

_VOXELS: tuple[Part, ...] = (
    Field("parameters/voxelRes/units", attribute=True),
    Field("parameters/voxelRes/x", Kind.FLOAT, attribute=True),
    Field("parameters/voxelRes/y", Kind.FLOAT, attribute=True),
    Field("parameters/voxelRes/z", Kind.FLOAT, attribute=True),
    Field("parameters/orientation"),
    Field("parameters/subjectPosition"),
    Field("parameters/fov/x", Kind.INTEGER, attribute=True),
    Field("parameters/fov/y", Kind.INTEGER, attribute=True),
    Field("parameters/matrix/x", Kind.INTEGER, attribute=True),
    Field("parameters/matrix/y", Kind.INTEGER, attribute=True),
)

_MR_PARAMETERS: tuple[Part, ...] = (
    *_VOXELS,
    Field("parameters/partitions", Kind.INTEGER),
    *(Field(f"parameters/{name}", Kind.FLOAT) for name in ("tr", "te", "deltaTE", "ti", "flip")),
    *(
        Field(f"parameters/{name}")
        for name in (
            "sequence",
            "origin",
            "imageType",
            "scanSequence",
            "seqVariant",
            "scanOptions",
            "acqType",
            "readoutSampleSpacing",
            "coil",
            "coilElements",
        )
    ),
    Field("parameters/dtiAcqCount", Kind.INTEGER),
    Field("parameters/pixelBandwidth", Kind.DOUBLE, doc="Reciprocal of the total sampling period, in Hz/pixel"),
    Field("parameters/echoSpacing", Kind.DOUBLE, doc="In seconds"),
    Field("parameters/phaseEncodingDirection"),
    Field("parameters/acqTime"),
    *(
        Field(f"parameters/diffusion/{name}")
        for name in ("bValues", "bMax", "directionality", "orientations", "anisotropyType", "refocusFlipAngle")
    ),
    ADDITIONAL_PARAMETERS,
    *(
        Field(f"parameters/inPlanePhaseEncoding/{name}")
        for name in ("direction", "rotation", "polaritySwap", "directionPositive")
    ),
)

_CT_PARAMETERS: tuple[Part, ...] = (
    *_VOXELS,
    *(
        Field(f"parameters/{name}", Kind.FLOAT)
        for name in ("kvp", "xrayTubeCurrent", "exposureTime", "exposure", "pitch", "tableHeight", "gantryTilt")
    ),
    *(Field(f"parameters/{name}") for name in ("imageType", "options", "acqType", "convolutionKernel", "filter")),
    Field("parameters/collectionDiameter", Kind.FLOAT),
    ADDITIONAL_PARAMETERS,
)

_PET_SESSION: tuple[Part, ...] = (
    *(Field(name) for name in ("studyType", "patientID", "patientName", "stabilization")),
    Field("start_time_scan", Kind.TIME),
    Field("start_time_injection", Kind.TIME),
    Field("tracer/name"),
    Field("tracer/startTime", Kind.TIME),
    Field("tracer/dose", Kind.FLOAT),
    Field("tracer/dose/units", attribute=True),
    Field("tracer/specificActivity", Kind.FLOAT),
    Field("tracer/totalMass", Kind.FLOAT),
    Field("tracer/totalMass/units", attribute=True),
    Field("tracer/isotope"),
    Field("tracer/isotope/half-life", Kind.FLOAT, attribute=True),
)

_PET_PARAMETERS: tuple[Part, ...] = (
    *_VOXELS,
    *(Field(f"parameters/{name}") for name in ("originalFileName", "systemType", "fileType", "acqType", "facility")),
    Field("parameters/transaxialFOV", Kind.FLOAT),
    *(Field(f"parameters/{name}", Kind.INTEGER) for name in ("numPlanes", "numGates", "dataType")),
    Field("parameters/planeSeparation", Kind.FLOAT),
    Field("parameters/binSize", Kind.FLOAT),
    ADDITIONAL_PARAMETERS,
)

_SESSION_PARTS: dict[str, tuple[Part, ...]] = {"mrSessionData": _MR_ACQUISITION, "petSessionData": _PET_SESSION}
_SCAN_PARTS: dict[str, tuple[Part, ...]] = {
    "mrScanData": (*_MR_ACQUISITION, Field("fileNameUUID"), *_MR_PARAMETERS),
    "ctScanData": _CT_PARAMETERS,
    "petScanData": _PET_PARAMETERS,
}

RECONSTRUCTION = XsiType(
    "xnat:reconstructedImageData",
    element="ReconstructedImage",
    singular="Reconstruction",
    plural="Reconstructions",
    display_identifier="ID",
    parts=(
        Field("image_session_ID"),
        Rows("inScans/scanID", value="scanID"),
        Contains("in/file", "xnat:abstractResource"),
        Contains("out/file", "xnat:abstractResource"),
        PROVENANCE,
        ADDITIONAL_PARAMETERS,
        Field("ID", attribute=True),
        Field("type", attribute=True),
        Field("baseScanType", attribute=True),
    ),
)


def session_types() -> tuple[XsiType, ...]:
    """Return one session type a modality."""
    return tuple(
        XsiType(
            f"xnat:{modality.session}",
            base="xnat:imageSessionData",
            element=f"{modality.label}Session",
            singular=f"{modality.label} Session",
            plural=f"{modality.label} Sessions",
            parts=_SESSION_PARTS.get(modality.session, ()),
        )
        for modality in MODALITIES
        if modality.session
    )


def scan_types() -> tuple[XsiType, ...]:
    """Return one scan type a modality."""
    plain: tuple[Part, ...] = (Field("parameters/imageType"), ADDITIONAL_PARAMETERS)
    return tuple(
        XsiType(
            f"xnat:{modality.scan}",
            base="xnat:imageScanData",
            element=f"{modality.label}Scan",
            singular=f"{modality.label} Scan",
            plural=f"{modality.label} Scans",
            parts=_SCAN_PARTS.get(modality.scan, plain),
        )
        for modality in MODALITIES
    )


def modality_of(code: str | None) -> Modality:
    """Return the modality of a DICOM code; the last of the table for unknown ones.

    Examples
    --------
    >>> modality_of("PET").scan
    'petScanData'
    >>> modality_of("PR").session
    'otherDicomSessionData'
    """
    wanted = SYNONYMS.get((code or "").upper(), (code or "").upper())
    return next((modality for modality in MODALITIES if modality.code == wanted), MODALITIES[-1])
