"""Types of assessors: what is derived from a session, by a program or a person. Pure data."""

from embedded_xnat.schema.core_types import ADDITIONAL_PARAMETERS, PROVENANCE
from embedded_xnat.schema.model import Contains, Field, Kind, Part, XsiType

DERIVED = XsiType("xnat:derivedData", base="xnat:experimentData", abstract=True)

IMAGE_ASSESSOR = XsiType(
    "xnat:imageAssessorData",
    base="xnat:derivedData",
    abstract=True,
    parts=(
        Contains("in/file", "xnat:abstractResource"),
        Contains("out/file", "xnat:abstractResource"),
        Field("imageSession_ID"),
        PROVENANCE,
        ADDITIONAL_PARAMETERS,
    ),
)

#: What a program that ran somewhere says of itself.
_JOB: tuple[Part, ...] = (
    *(
        Field(name)
        for name in (
            "procstatus",
            "proctype",
            "procversion",
            "jobid",
            "walltimeused",
            "memused",
            "jobnode",
            "dax_docker_version",
            "dax_version",
            "dax_version_hash",
        )
    ),
    Field("jobstartdate", Kind.DATE),
    Field("inputs", max_length=100_000),
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
        parts=_JOB,
    ),
    XsiType(
        "fs:fsData",
        base="xnat:imageAssessorData",
        element="Freesurfer",
        singular="FreeSurfer",
        plural="FreeSurfers",
        parts=(
            Field("fs_version"),
            Field("ss_pipeline"),
            *_JOB,
            Field("measures/volumetric/ICV", Kind.FLOAT),
        ),
    ),
    XsiType(
        "xnat:mrAssessorData",
        base="xnat:imageAssessorData",
        element="MRAssessor",
        singular="MR Assessment",
        plural="MR Assessments",
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

#: Assessors of a subject: experiments without a session.
SUBJECT_ASSESSORS = (
    XsiType(
        "proc:subjGenProcData",
        base="xnat:subjectAssessorData",
        element="SubjGenProcData",
        singular="Subject Processing",
        plural="Subject Processings",
        parts=_JOB,
    ),
)
