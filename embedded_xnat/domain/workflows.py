"""Records of what worked on an object (wrk:workflowData): people and programs look at them. Pure.

This server runs no pipelines; it keeps what those that do say of themselves, and writes what is done to objects itself,
in XNAT's words (org.nrg.xft.event.EventUtils).
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from embedded_xnat.contract.errors import BadField
from embedded_xnat.domain.items import Item, ItemSource, build_item

XSI_TYPE = "wrk:workflowData"
NAMESPACE = "http://nrg.wustl.edu/workflow"
KEY = "wrk_workflowData_id"
MAX_LENGTH = 10_000
#: Fields that a client may set, and how long they may be.
FIELDS: Mapping[str, int] = {
    **dict.fromkeys(("status", "category", "type", "jobID", "scan_id", "src"), 200),
    **dict.fromkeys(("launch_time", "current_step_launch_time", "percentageComplete"), 50),
    **dict.fromkeys(("current_step_id", "next_step_id"), 200),
    **dict.fromkeys(("step_description", "justification", "comments", "details"), MAX_LENGTH),
}
#: Fields that say what a record is about; they are set once.
IDENTITY: Mapping[str, int] = {"ID": 200, "data_type": 100, "externalID": 200, "pipeline_name": 500}
#: What the server's own records are called where that does not depend on the type of the object.
TRANSFERRED, RENAMED, MOVED = "Transferred", "Renamed", "Modified project"
SHARED, PULLED, STORED_XAR = "Configured project sharing", "Pulled Data from DICOM", "Stored XAR"
MADE_ALONG, REFRESHED = "Auto-created for experiment", "Catalog(s) Refreshed"
USER_ADDED, USER_REMOVED = "Added user to project", "Removed user from project"
RESOURCE_MADE, RESOURCE_REMOVED = "Created resource", "Removed Resource Catalog"
FILE_UPLOADED, FILE_REMOVED = "Uploaded File", "Removed File"
#: Of these, one that follows another of the same person at the same object joins its record.
JOINING = frozenset({RESOURCE_MADE, FILE_UPLOADED, FILE_REMOVED, TRANSFERRED})
COLUMNS = (KEY, *IDENTITY, *FIELDS, "create_user")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NAMES = {name.lower(): name for name in (*IDENTITY, *FIELDS)}


def read_fields(parameters: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what the parameters of a request say of a record.

    Raises
    ------
    BadField

    Examples
    --------
    >>> read_fields([("wrk:workflowData/status", "Running"), ("wrk:workflowdata/id", "CF_E00001"), ("format", "json")])
    {'status': 'Running', 'ID': 'CF_E00001'}
    """
    found = {}
    for path, text in parameters:
        prefix, separator, inner = path.partition("/")
        if not separator or prefix.lower() != XSI_TYPE.lower():
            continue
        name = _NAMES.get(inner.lower())
        if name is None:
            raise BadField(inner[:100], f"is not known in {XSI_TYPE}")
        limit = FIELDS.get(name) or IDENTITY[name]
        if len(text) > limit:
            raise BadField(name, f"is longer than {limit:,} characters")
        if _FORBIDDEN.search(text):
            raise BadField(name, "has a character that cannot be stored")
        found[name] = text
    return found


def is_called(pipeline_name: str, wanted: str) -> bool:
    """Tell whether a pipeline is meant: by its whole name, or by the name of its file.

    Examples
    --------
    >>> is_called("/pipelines/FreeSurfer.xml", "FreeSurfer"), is_called("FreeSurfer", "Free")
    (True, False)
    """
    file = pipeline_name.rpartition("/")[2]
    return wanted in {pipeline_name, file, file.rpartition(".")[0] or file}


def workflow_item(values: Mapping[str, Any], start: datetime) -> Item:
    """Return a record in item form."""
    return build_item(ItemSource(XSI_TYPE, dict(values), {}, {}, start))
