"""How objects of the archive are named and linked on pages. May import SQLModel rows; asks the database for files only."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlmodel import Session

from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.locate import Located
from embedded_xnat.schema.registry import MODEL
from embedded_xnat.web import queries
from embedded_xnat.web.lines import ScanLine

_VOLUMES = (".nii", ".nii.gz")
_SHOWN_VOLUMES = 40

#: Why somebody whose role is for one site sees nothing here, and whom to ask.
OF_SITES = (
    "Your role is for a single site, and the archive does not keep sites apart: a study is open to those whose role is for "
    "all of its sites; ask an administrator for such a role, or an owner of the project to add you to it."
)


@dataclass(frozen=True)
class Listing:
    """Which part of a listing a page shows."""

    text: str = ""
    before: int | None = None
    after: str = ""


class Where:
    """Where a page is: its own path, the REST address of what it shows, the way back.

    Attributes
    ----------
    page, rest
        Path of the page and of the REST address, escaped.
    crumbs : list of (str, str)
        Label and path of each object on the way, the one shown left out.
    """

    def __init__(self, found: Located) -> None:
        self.found = found
        path, self.crumbs = "", [("Projects", "/")]
        way = []
        for step in found.address.steps:
            path += f"/{step.kind.value}/{quote(step.key, safe='')}"
            way.append((self._label(step.kind, step.key), path))
        self.page, self.rest = path, f"/data{path}"
        is_project = found.address.steps[0].kind is ObjectKind.PROJECT
        if not is_project and found.project is not None:
            self.crumbs.append((found.project.id, f"/projects/{quote(found.project.id, safe='')}"))
        is_session = found.experiment is not None and found.address.key(ObjectKind.SUBJECT) is None
        self.crumbs += way if found.address.aspect else way[:-1]
        self.title = way[-1][0]
        self.is_below_session = is_session

    @property
    def project_path(self) -> str:
        """Path of the project's page."""
        return f"/projects/{quote(self.found.project.id, safe='')}" if self.found.project is not None else "/"

    @property
    def session_path(self) -> str:
        """Path of the session's page, without what follows."""
        steps = self.found.address.steps
        upto = next(number for number, step in enumerate(steps) if step.kind is ObjectKind.EXPERIMENT) + 1
        return "".join(f"/{step.kind.value}/{quote(step.key, safe='')}" for step in steps[:upto])

    def _label(self, kind: ObjectKind, key: str) -> str:
        """Return how an object is called: its label, whatever the address calls it."""
        found = self.found
        if kind is ObjectKind.SUBJECT and found.subject is not None:
            return found.subject.label
        if kind is ObjectKind.EXPERIMENT:
            row = found.experiment if found.assessor is None or self._names_part else found.assessor
            return row.label if row is not None else key
        if kind is ObjectKind.ASSESSOR and found.assessor is not None:
            return found.assessor.label
        if kind is ObjectKind.RESOURCE and found.resource is not None:
            return found.resource.label
        if kind is ObjectKind.SCAN:
            return f"Scan {key}"
        return f"Reconstruction {key}" if kind is ObjectKind.RECONSTRUCTION else key

    @property
    def _names_part(self) -> bool:
        return self.found.address.key(ObjectKind.ASSESSOR) is not None


def type_name(xsi_type: str) -> str:
    """Return how a type is called.

    Examples
    --------
    >>> type_name("xnat:mrSessionData"), type_name("my:thing")
    ('MR Session', 'thing')
    """
    found = MODEL.find(xsi_type)
    if found is not None and found.singular:
        return found.singular
    return xsi_type.rpartition(":")[2]


def short_type(xsi_type: str) -> str:
    """Return the modality alone.

    Examples
    --------
    >>> short_type("xnat:mrSessionData"), short_type("xnat:petScanData")
    ('MR', 'PET')
    """
    return type_name(xsi_type).removesuffix(" Session").removesuffix(" Scan").removesuffix(" Session Data")


def part(kind: str, key: object) -> str:
    """Return the end of a path, escaped: ``/scans/3``."""
    return f"/{kind}/{quote(str(key), safe='')}"


def volumes(session: Session, found: Located, line: ScanLine) -> dict[str, Any]:
    """Return what the viewer can show of a scan: NIfTI files first, then the DICOM series as one volume."""
    where = Where(found)
    sources: list[dict[str, str]] = []
    nifti = line.resource("NIFTI")
    if nifti is not None:
        for file in queries.files(session, nifti.number, limit=_SHOWN_VOLUMES):
            if file.path.lower().endswith(_VOLUMES):
                url = f"{where.rest}/resources/{nifti.number}/files/{quote(file.path)}"
                sources.append({"name": file.path, "role": "image", "url": url})
    if line.dicom is not None:
        sources.append({"name": "DICOM series", "role": "image", "url": f"{where.page}/volume.nii"})
    return {"volumes": sources}


def with_unit(value: object, unit: str) -> str:
    """Return a value with its unit, where it is a number alone.

    Examples
    --------
    >>> with_unit("3.0", "T"), with_unit(1.494, "T"), with_unit("3T", "T")
    ('3 T', '1.494 T', '3T')
    """
    try:
        return f"{float(str(value)):g} {unit}"
    except ValueError:
        return str(value)


#: Units of a scan's fields, where all clients agree; times come in seconds from some and in milliseconds from others.
_UNITS = {"parameters/flip": "°"}
#: More than any magnet has in tesla: old scanners wrote gauss.
_GAUSS_FROM = 100.0
#: Fields of a scan that its page shows, with their names.
SCAN_FACTS = (
    ("series_description", "Series"),
    ("quality", "Quality"),
    ("note", "Note"),
    ("modality", "Modality"),
    ("scanner/manufacturer", "Manufacturer"),
    ("scanner/model", "Scanner"),
    ("fieldStrength", "Field strength"),
    ("frames", "Frames"),
    ("parameters/voxelRes/x", "Voxel x"),
    ("parameters/voxelRes/y", "Voxel y"),
    ("parameters/voxelRes/z", "Voxel z"),
    ("parameters/tr", "TR"),
    ("parameters/te", "TE"),
    ("parameters/ti", "TI"),
    ("parameters/flip", "Flip angle"),
    ("UID", "Series UID"),
)


def field_strength(value: Any) -> str:
    """Return a magnet's field in tesla, also where the header has it in gauss.

    Examples
    --------
    >>> field_strength("3.0"), field_strength("5000"), field_strength("high")
    ('3 T', '0.5 T', 'high')
    """
    try:
        number = float(str(value))
    except ValueError:
        return str(value)
    return with_unit(number / 10_000 if number >= _GAUSS_FROM else number, "T")


def scan_facts(data: dict[str, Any]) -> list[tuple[str, str]]:
    """Return names and values of what is known of a scan.

    Examples
    --------
    >>> scan_facts({"parameters/voxelRes/x": 1.0, "parameters/voxelRes/y": 0.5, "parameters/voxelRes/z": 2, "frames": 3})
    [('Voxel', '1 x 0.5 x 2 mm'), ('Frames', '3')]
    """
    facts: list[tuple[str, str]] = []
    voxel = [data.get(f"parameters/voxelRes/{axis}") for axis in "xyz"]
    if all(isinstance(size, (int, float)) for size in voxel):
        facts.append(("Voxel", " x ".join(f"{size:.3g}" for size in voxel) + " mm"))
    for path, name in SCAN_FACTS:
        value = data.get(path)
        if value in {None, ""} or path.startswith("parameters/voxelRes"):
            continue
        if path == "fieldStrength":
            value = field_strength(value)
        elif path in _UNITS:
            value = with_unit(value, _UNITS[path])
        facts.append((name, f"{value:g}" if isinstance(value, float) else str(value)))
    return facts
