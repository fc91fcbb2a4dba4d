"""What the house knows of a DICOM series: facts that rules are written about, and its instances. Imports records only."""

from __future__ import annotations

from pathlib import Path

from tasks.records import Record


class SeriesFacts(Record):
    """Technical facts of a series: what a scan type rule may ask about. Holds nothing about the person.

    Texts are upper case as DICOM writes code strings, except `series_description` and `protocol_name`. Absent is None or
    an empty tuple.
    """

    modality: str = ""
    sop_class_uid: str = ""
    series_description: str = ""
    protocol_name: str = ""
    manufacturer: str = ""
    body_part: str = ""
    mr_acquisition_type: str = ""
    scanning_sequence: tuple[str, ...] = ()
    sequence_variant: tuple[str, ...] = ()
    scan_options: tuple[str, ...] = ()
    image_type: tuple[str, ...] = ()
    repetition_time_ms: float | None = None
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    flip_angle_deg: float | None = None
    contrast_agent: bool = False
    rows: int | None = None
    columns: int | None = None
    frames: int = 0
    """Images in all instances together; a classic series has one a file."""
    row_spacing_mm: float | None = None
    column_spacing_mm: float | None = None
    slice_spacing_mm: float | None = None
    """The usual distance of neighbouring slices along their normal, measured from their positions."""
    slice_positions: int = 0
    """How many different positions there are; fewer than `frames` when a position repeats (echoes, time points)."""
    missing_slices: int = 0
    """Slices that the spacing asks for inside the stack and that are not there."""
    uneven_spacing: bool = False
    """Whether gaps differ in a way that missing slices do not explain."""
    gantry_tilt_deg: float = 0.0
    """Angle between the slice normal and the direction in which the slices are stacked."""
    orientations: int = 0
    """Different slice orientations; a localizer has several."""

    @property
    def voxel_volume_mm3(self) -> float | None:
        """Volume of a voxel, None when one of its edges is not known."""
        if self.row_spacing_mm is None or self.column_spacing_mm is None or self.slice_spacing_mm is None:
            return None
        return self.row_spacing_mm * self.column_spacing_mm * self.slice_spacing_mm


class Instance(Record):
    """A DICOM file that was read and found whole."""

    sop_instance_uid: str
    sha256: str
    md5: str
    """The digest XNAT keeps of a file; used to compare, never to protect."""
    size_bytes: int
    path: Path | None = None
    """Where the file lies on this machine, None once it is only in the archive."""


class SeriesRecord(Record):
    """A DICOM series with its facts and instances, ordered by SOP Instance UID."""

    series_instance_uid: str
    series_number: int | None = None
    facts: SeriesFacts = SeriesFacts()
    instances: tuple[Instance, ...] = ()
