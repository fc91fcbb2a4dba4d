"""Short names of columns and fields: ``gender`` for ``demographics/gender``. Pure data.

They are used in ``columns=``, as filters, and as parameters of a PUT (XNAT's "XNAT REST XML Path Shortcuts").
"""

from collections.abc import Mapping

from embedded_xnat.schema.registry import MODEL

_INVESTIGATOR = {"pi_firstname": "investigator/firstname", "pi_lastname": "investigator/lastname"}
_VALIDATION = {f"validation_{name}": f"validation/{name}" for name in ("method", "status", "date", "notes")}

_SHORT: Mapping[str, Mapping[str, str]] = {
    "xnat:projectData": {
        "secondary_ID": "secondary_ID",
        "name": "name",
        "description": "description",
        "keywords": "keywords",
        "pi_firstname": "PI/firstname",
        "pi_lastname": "PI/lastname",
    },
    "xnat:subjectData": {
        **_INVESTIGATOR,
        "group": "group",
        "src": "src",
        "initials": "initials",
        **{
            name: f"demographics/{name}"
            for name in (
                "age",
                "birth_weight",
                "dob",
                "education",
                "educationDesc",
                "ethnicity",
                "gender",
                "gestational_age",
                "handedness",
                "height",
                "post_menstrual_age",
                "race",
                "ses",
                "weight",
                "yob",
            )
        },
    },
    "xnat:experimentData": {
        **_INVESTIGATOR,
        **_VALIDATION,
        **{name: name for name in ("visit_id", "visit", "date", "time", "note", "acquisition_site")},
    },
    "xnat:imageSessionData": {
        name: name
        for name in (
            "scanner",
            "operator",
            "dcmAccessionNumber",
            "dcmPatientId",
            "dcmPatientName",
            "session_type",
            "modality",
            "UID",
        )
    },
    "xnat:mrSessionData": {name: name for name in ("coil", "fieldStrength", "marker", "stabilization")},
    "xnat:imageScanData": {
        **_VALIDATION,
        **{
            name: name
            for name in (
                "type",
                "UID",
                "note",
                "quality",
                "condition",
                "series_description",
                "documentation",
                "scanner",
                "modality",
                "frames",
            )
        },
    },
    "xnat:mrScanData": {name: name for name in ("coil", "fieldStrength", "marker", "stabilization")},
    "xnat:petScanData": {
        name: f"parameters/{name}"
        for name in (
            "originalFileName",
            "systemType",
            "fileType",
            "transaxialFOV",
            "acqType",
            "facility",
            "numPlanes",
            "numGates",
            "planeSeparation",
            "binSize",
            "dataType",
        )
    },
}


def short_names(xsi_type: str) -> dict[str, str]:
    """Return the short names that a type knows, those of its bases included.

    Examples
    --------
    >>> short_names("xnat:subjectData")["gender"]
    'demographics/gender'
    """
    names: dict[str, str] = {}
    if xsi_type in MODEL.types:
        for each in reversed(list(MODEL.lineage(xsi_type))):
            names.update(_SHORT.get(each.name, {}))
    return names
