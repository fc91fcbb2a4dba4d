"""What the pages of the archive show of an object, as frozen values. Pure, but for the row of a scan."""

from dataclasses import dataclass, field
from datetime import datetime

from embedded_xnat.db.tables import ScanRow


@dataclass(frozen=True)
class ProjectLine:
    """A project in a list."""

    id: str
    name: str
    description: str
    accessibility: str
    may_open: bool
    subjects: int = 0
    sessions: int = 0


@dataclass(frozen=True)
class SessionLine:
    """A session in a list; `number` is where a next page goes on."""

    number: int
    id: str
    label: str
    xsi_type: str
    date: str
    status: str
    project_id: str
    subject_id: str | None
    subject_label: str
    inserted_at: datetime
    scans: int = 0
    shared: bool = False


@dataclass(frozen=True)
class SubjectLine:
    """A subject in a list."""

    number: int
    id: str
    label: str
    project_id: str
    inserted_at: datetime
    sessions: int = 0
    shared: bool = False


@dataclass(frozen=True)
class ResourceLine:
    """A resource with how much is in it."""

    number: int
    label: str
    format: str
    content: str
    files: int
    size: int


@dataclass(frozen=True)
class ScanLine:
    """A scan with its resources."""

    row: ScanRow
    resources: tuple[ResourceLine, ...] = ()
    snapshot: str | None = None
    """Path of a picture in the scan's snapshots."""

    def resource(self, label: str) -> ResourceLine | None:
        """Return the resource of a label in any case."""
        return next((one for one in self.resources if one.label.upper() == label), None)

    @property
    def has_picture(self) -> bool:
        """Whether there is something a preview can be made of."""
        return self.snapshot is not None or self.dicom is not None

    @property
    def dicom(self) -> ResourceLine | None:
        """The DICOM files."""
        found = next((one for one in self.resources if one.label.upper() == "DICOM" or one.format == "DICOM"), None)
        return found if found is not None and found.files else None

    @property
    def has_volume(self) -> bool:
        """Whether the viewer has something to show."""
        nifti = self.resource("NIFTI")
        return self.dicom is not None or (nifti is not None and nifti.files > 0)


@dataclass(frozen=True)
class Findings:
    """What a search found."""

    projects: list[ProjectLine] = field(default_factory=list)
    subjects: list[SubjectLine] = field(default_factory=list)
    sessions: list[SessionLine] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.projects or self.subjects or self.sessions)
