"""What lies in a session of the prearchive: scans, resources, files; as tables, as a zip, as XML. May import ElementTree."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree as ET

from embedded_xnat.contract.errors import BadName, NoSuchFile, NoSuchObject
from embedded_xnat.db.tables import PrearchiveRow
from embedded_xnat.dicom.facts import read_scan, scan_data, session_data
from embedded_xnat.domain.names import check_file_path, in_address
from embedded_xnat.domain.selectors import scan_order
from embedded_xnat.domain.tables import Row
from embedded_xnat.imports.planning import session_modality
from embedded_xnat.imports.prearchive import address_of, folder_of
from embedded_xnat.schema.imaging_types import MODALITIES, modality_of
from embedded_xnat.schema.registry import MODEL
from embedded_xnat.storage.archive import Archive
from embedded_xnat.storage.files import FileStore
from embedded_xnat.storage.space import disk_errors
from embedded_xnat.storage.zipping import Entry

T = TypeVar("T")
XNAT = "http://nrg.wustl.edu/xnat"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


@dataclass(frozen=True)
class Content:
    """The files of a session.

    Its methods raise `FileNotFoundError` while the session is moved, and when it is gone (`at_rest`).

    Parameters
    ----------
    row
        The session; what its scans are called stands there.
    """

    row: PrearchiveRow
    files: FileStore

    def scan_rows(self) -> list[Row]:
        """Return the table of scans, sorted by number."""
        return [
            {
                "ID": scan_id,
                "xsiType": f"xnat:{modality_of(str(facts.get('modality', ''))).scan}",
                "series_description": str(facts.get("description", "")),
            }
            for scan_id, facts in sorted(self.row.scans.items(), key=lambda item: scan_order(item[0]))
        ]

    def scan_row(self, scan_id: str) -> Row:
        """Return the row of one scan.

        Raises
        ------
        NoSuchObject
        """
        row = next((each for each in self.scan_rows() if each["ID"] == scan_id), None)
        if row is None:
            raise NoSuchObject("scan")
        return row

    def resource_rows(self, scan_id: str) -> list[Row]:
        """Return the table of a scan's resources."""
        rows = []
        for folder in sorted(self._scan(scan_id).iterdir()):
            sizes = [path.stat().st_size for path in _below(folder)]
            rows.append({"label": folder.name, "file_count": str(len(sizes)), "file_size": str(sum(sizes))})
        return rows

    def file_rows(self, scan_id: str, label: str | None = None) -> list[Row]:
        """Return the table of files of a resource, or of all resources of a scan."""
        rows = []
        for folder in self._resources(scan_id, label):
            uri = f"{address_of(self.row)}/scans/{scan_id}/resources/{folder.name}/files"
            for path in _below(folder):
                name = path.relative_to(folder).as_posix()
                rows.append({"Name": path.name, "Size": str(path.stat().st_size), "URI": in_address(f"{uri}/{name}")})
        return rows

    def file(self, scan_id: str, label: str, name: str) -> Path:
        """Return a file.

        Raises
        ------
        NoSuchFile
        """
        folder = self._resources(scan_id, label)[0]
        try:
            path = folder / check_file_path(name)
        except BadName:
            raise NoSuchFile from None  # nothing can have this name
        if not path.is_file() or path.is_symlink():
            raise NoSuchFile
        return path

    def zip_entries(self, scan_id: str | None = None, label: str | None = None) -> list[Entry]:
        """Return what goes into a zip of the session, of a scan or of a resource."""
        root = self._root()
        if scan_id is None:
            paths: Sequence[Path] = _below(root)
        else:
            paths = [path for folder in self._resources(scan_id, label) for path in _below(folder)]
        return [Entry(f"{self.row.folder}/{path.relative_to(root).as_posix()}", path) for path in paths]

    def xml(self) -> bytes:
        """Return the session as the document that archiving would make of it."""
        modality = session_modality([str(facts.get("modality", "")) for facts in self.row.scans.values()])
        session_type = f"xnat:{next(each.session for each in MODALITIES if each.code == modality)}"
        ET.register_namespace("xnat", XNAT)
        ET.register_namespace("xsi", XSI)
        element = (MODEL.find(session_type) or MODEL.types["xnat:mrSessionData"]).element or "MRSession"
        root = ET.Element(f"{{{XNAT}}}{element}", {"project": self.row.project_id, "label": self.row.session_label})
        ids = sorted(self.row.scans, key=scan_order)
        scans = [(scan_id, *read_scan(self._paths(scan_id))) for scan_id in ids]
        first = next((header for _, header, _ in scans if header is not None), None)
        if first is not None:
            _write(root, session_type, {**session_data(first), "modality": modality})
        ET.SubElement(root, f"{{{XNAT}}}subject_ID").text = self.row.subject_label
        parent = ET.SubElement(root, f"{{{XNAT}}}scans")
        for scan_id, header, count in scans:
            facts = self.row.scans[scan_id]
            scan_type = f"xnat:{modality_of(str(facts.get('modality', ''))).scan}"
            scan = ET.SubElement(parent, f"{{{XNAT}}}scan", {"ID": scan_id, f"{{{XSI}}}type": scan_type})
            if header is not None:
                data = {**scan_data(header), "frames": count}
                _write(scan, scan_type, {**data, "type": str(facts.get("description", ""))})
        return bytes(ET.tostring(root, encoding="UTF-8", xml_declaration=True))

    def _paths(self, scan_id: str) -> Iterator[Path]:
        return (path for folder in self._resources(scan_id, None) for path in _below(folder))

    def _root(self) -> Path:
        return self.files.path(folder_of(self.row))

    def _scan(self, scan_id: str) -> Path:
        if scan_id not in self.row.scans:
            raise NoSuchObject("scan")
        return self._root() / "SCANS" / scan_id

    def _resources(self, scan_id: str, label: str | None) -> list[Path]:
        folders = sorted(self._scan(scan_id).iterdir())
        if label is None:
            return folders
        found = [folder for folder in folders if folder.name == label]
        if not found:
            raise NoSuchObject("resource")
        return found


def held(entries: Iterable[Entry], files: FileStore, stack: ExitStack) -> list[Entry]:
    """Return files under second names that the stack removes: they are there whatever becomes of their session.

    Raises
    ------
    FileNotFoundError, OutOfSpace
    """
    folder = stack.enter_context(files.scratch())
    kept = []
    with disk_errors():
        for number, entry in enumerate(entries):
            path = folder / str(number)
            os.link(entry.path, path)
            kept.append(replace(entry, path=path))
    return kept


def at_rest(archive: Archive, look: Callable[[], T]) -> T:
    """Look at files of a session; when they are not where they were, once more while nothing moves on disk.

    Raises
    ------
    NoSuchObject
        If the session was archived, moved or deleted meanwhile.
    NoSuchFile
    """
    try:
        return look()
    except (FileNotFoundError, NotADirectoryError, NoSuchFile):
        with archive.read_at_rest():
            try:
                return look()
            except (FileNotFoundError, NotADirectoryError) as error:
                raise NoSuchObject("session in the prearchive") from error


def _below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    return sorted(path for path in _walk(folder) if path.is_file() and not path.is_symlink())


def _walk(folder: Path) -> Iterator[Path]:
    yield from folder.rglob("*")


def _write(parent: ET.Element, xsi_type: str, data: dict[str, object]) -> None:
    """Write fields by path: attributes and elements as the data model says."""
    fields = {field.path: field for field in MODEL.fields(xsi_type).values()}
    for path, value in data.items():
        field = fields.get(path)
        if field is None:
            continue
        *steps, last = path.split("/")
        place = parent
        for step in steps:
            found = place.find(f"{{{XNAT}}}{step}")
            place = found if found is not None else ET.SubElement(place, f"{{{XNAT}}}{step}")
        text = "".join(character for character in str(value) if character.isprintable())
        if field.attribute:
            place.set(last, text)
        else:
            found = place.find(f"{{{XNAT}}}{last}")
            target = found if found is not None else ET.SubElement(place, f"{{{XNAT}}}{last}")
            target.text = text
