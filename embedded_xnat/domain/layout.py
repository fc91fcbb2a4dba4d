"""Where an object's files lie below the data folder: XNAT's own layout of its archive. Pure."""

from dataclasses import dataclass
from pathlib import PurePosixPath

ARC = "arc001"
INCOMING = ".incoming"
PREARCHIVE = ".prearchive"
QUARANTINE = ".quarantine"
LOCK = ".lock"


@dataclass(frozen=True)
class Place:
    """The labels that lead to an object; what is None is not on the way.

    Parameters
    ----------
    part
        ``SCANS``, ``ASSESSORS`` or ``PROCESSED`` with ``part_label`` the scan id, assessor label or reconstruction id.
    """

    project_id: str
    subject_label: str | None = None
    session_label: str | None = None
    part: str | None = None
    part_label: str | None = None

    def folder(self) -> PurePosixPath:
        """Return the object's own folder, relative to the data folder.

        Examples
        --------
        >>> str(Place("P", session_label="S_MR1", part="SCANS", part_label="3").folder())
        'P/arc001/S_MR1/SCANS/3'
        """
        project = PurePosixPath(self.project_id)
        if self.session_label is not None:
            session = project / ARC / self.session_label
            return session / self.part / self.part_label if self.part and self.part_label else session
        if self.subject_label is not None:
            return project / "subjects" / self.subject_label
        return project

    def resource_folder(self, name: str) -> PurePosixPath:
        """Return the folder of a resource of this object.

        Examples
        --------
        >>> str(Place("P", session_label="S_MR1").resource_folder("NIFTI"))
        'P/arc001/S_MR1/RESOURCES/NIFTI'
        >>> str(Place("P").resource_folder("docs"))
        'P/resources/docs'
        """
        folder = self.folder()
        if self.part is not None or (self.subject_label is not None and self.session_label is None):
            return folder / name
        return folder / ("RESOURCES" if self.session_label is not None else "resources") / name


def folder_name(label: str, file_format: str | None, *, of_scan: bool, taken: frozenset[str]) -> str:
    """Choose the folder name of a new resource: ``DICOM`` when its format is DICOM, else its label.

    On scans and assessors it is always the label, where clients look for it. A name already taken by another
    resource of the same object falls back to the label, then to the label with an ending.

    Examples
    --------
    >>> folder_name("RAW", "DICOM", of_scan=False, taken=frozenset())
    'DICOM'
    """
    wanted = "DICOM" if file_format == "DICOM" and not of_scan else label
    candidates = [wanted, label, *(f"{label}_{number}" for number in range(2, 1000))]
    return next(name for name in candidates if name not in taken)
