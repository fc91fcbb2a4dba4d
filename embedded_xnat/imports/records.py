"""Values of an import: what was read from each file, what the request wants, what shall be stored. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from embedded_xnat.storage.files import Stored


class Overwrite(StrEnum):
    """What an import may do to a session that is there."""

    NONE = "none"
    APPEND = "append"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Series:
    """What the first file of a DICOM series says about it.

    Parameters
    ----------
    number
        SeriesNumber without leading zeros.
    saying, naming
        Texts that may say where the session belongs, and texts that may be the id of a project.
    scan_data, session_data
        Fields of the data model that the header gives.
    """

    study_instance_uid: str
    series_instance_uid: str
    number: str | None = None
    description: str | None = None
    modality: str = "OT"
    patient_name: str = ""
    patient_id: str = ""
    saying: tuple[str, ...] = ()
    naming: tuple[str, ...] = ()
    scan_data: Mapping[str, Any] = field(default_factory=dict)
    session_data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instance:
    """A DICOM file that came in.

    Parameters
    ----------
    name
        Path it had in the upload; empty when it had none.
    """

    name: str
    stored: Stored
    sop_instance_uid: str
    series: Series
    frames: int = 1


@dataclass(frozen=True)
class Route:
    """Where an import goes; None for what nobody said.

    Parameters
    ----------
    auto_archive
        What the header says about archiving at once (``AA:true``).
    """

    project_id: str | None = None
    subject_label: str | None = None
    session_label: str | None = None
    auto_archive: bool | None = None


@dataclass(frozen=True)
class PlannedScan:
    """A scan that an import makes or adds to."""

    scan_id: str
    modality: str
    scan_type: str | None
    data: Mapping[str, Any]
    instances: tuple[Instance, ...]

    @property
    def series_instance_uid(self) -> str:
        """The UID of its series."""
        return self.instances[0].series.series_instance_uid


@dataclass(frozen=True)
class Plan:
    """A session that an import makes or adds to."""

    route: Route
    study_instance_uid: str
    modality: str
    data: Mapping[str, Any]
    scans: tuple[PlannedScan, ...]
