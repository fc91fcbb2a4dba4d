"""Types of assessors: what is derived from a session, by a program or a person. Pure data."""

from embedded_xnat.schema.core_types import ADDITIONAL_PARAMETERS
from embedded_xnat.schema.model import Contains, Field, Kind, XsiType

DERIVED = XsiType("xnat:derivedData", base="xnat:experimentData", abstract=True)

IMAGE_ASSESSOR = XsiType(
    "xnat:imageAssessorData",
    base="xnat:derivedData",
    abstract=True,
    parts=(
        Contains("in/file", "xnat:abstractResource"),
        Contains("out/file", "xnat:abstractResource"),
        Field("imageSession_ID"),
        ADDITIONAL_PARAMETERS,
    ),
)

_QC_ANSWERS = ("pass", "payable", "rescan", "resolvable", "retrain")

ASSESSORS = (
    XsiType(
        "xnat:qcManualAssessorData",
        base="xnat:imageAssessorData",
        element="QCManualAssessment",
        singular="Manual QC",
        plural="Manual QCs",
        parts=(
            Field("rater"),
            Field("stereotacticMarker"),
            Field("incidentalFindings", max_length=1_000),
            Field("comments", max_length=1_000),
            *(Field(name) for name in _QC_ANSWERS),
            Field("protocolComments", max_length=1_000),
        ),
    ),
    XsiType(
        "xnat:qcAssessmentData",
        base="xnat:imageAssessorData",
        element="QCAssessment",
        singular="Auto QC",
        plural="Auto QCs",
        parts=(Field("qcStatus"), Field("comments")),
    ),
    XsiType(
        "proc:genProcData",
        base="xnat:imageAssessorData",
        element="GenProcData",
        singular="Processing",
        plural="Processings",
        parts=(
            Field("procstatus"),
            Field("proctype"),
            Field("procversion"),
            Field("jobid"),
            Field("walltimeused"),
            Field("memused"),
            Field("jobnode"),
            Field("jobstartdate", Kind.DATE),
        ),
    ),
    XsiType(
        "icr:roiCollectionData",
        base="xnat:imageAssessorData",
        element="RoiCollection",
        singular="ROI Collection",
        plural="ROI Collections",
        parts=(
            Field("UID"),
            Field("collectionType"),
            Field("subjectID"),
            Field("name"),
        ),
    ),
)
