"""Values of an import: what was read from each file, what the request wants, what shall be stored. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from embedded_xnat.storage.files import Stored


@dataclass(frozen=True)
class Instance:
    """A DICOM file that came in, with what its header says.

    Parameters
    ----------
    name
        Path it had in the upload.
    scan_data, session_data
        Fields of the data model that the header gives.
    """

    name: str
    stored: Stored
    study_instance_uid: str
    series_instance_uid: str
    series_number: str | None
    series_description: str | None
    modality: str
    patient_name: str
    patient_id: str
    routing_texts: tuple[str, ...]
    scan_data: Mapping[str, Any] = field(default_factory=dict)
    session_data: Mapping[str, Any] = field(default_factory=dict)
    frames: int = 1


@dataclass(frozen=True)
class Route:
    """Where an import goes; None for what nobody said."""

    project_id: str | None = None
    subject_label: str | None = None
    session_label: str | None = None


@dataclass(frozen=True)
class PlannedScan:
    """A scan that an import makes or adds to."""

    scan_id: str
    modality: str
    scan_type: str | None
    data: Mapping[str, Any]
    instances: tuple[Instance, ...]


@dataclass(frozen=True)
class Plan:
    """A session that an import makes or adds to."""

    route: Route
    study_instance_uid: str
    modality: str
    data: Mapping[str, Any]
    scans: tuple[PlannedScan, ...]
