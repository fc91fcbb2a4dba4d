"""Resources and their files: find, make, fill, list, delete. May import SQLModel."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from sqlmodel import Session

from embedded_xnat.contract.errors import AlreadyThere, BadName, NoSuchFile, NoSuchObject
from embedded_xnat.db import repository
from embedded_xnat.db.repository import SCANS, FileFacts
from embedded_xnat.db.tables import FileRow, ResourceRow
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.layout import folder_name
from embedded_xnat.domain.names import check_file_path, check_folder_name, in_address, zip_folder
from embedded_xnat.domain.selectors import ScanName, scan_order, select_scans
from embedded_xnat.domain.tables import Row
from embedded_xnat.domain.values import as_text
from embedded_xnat.locate import Located
from embedded_xnat.storage.archive import Change
from embedded_xnat.storage.files import Stored
from embedded_xnat.storage.zipping import Entry

MANY = 50


@dataclass(frozen=True)
class Labels:
    """What an upload says about a file or resource."""

    format: str | None = None
    content: str | None = None
    tags: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Shelf:
    """A resource with where it stands: on disk, in addresses, in zips (below the folder of its owner)."""

    resource: ResourceRow
    folder: PurePosixPath
    uri: str
    zip_root: str

    def zip_folder(self, *, simplified: bool) -> str:
        """Return the folder of its files in a zip; simplified, without the names that every resource has on the way."""
        label = self.resource.label
        return f"{self.zip_root}/{label}" if simplified else f"{self.zip_root}/resources/{label}/files"


@dataclass(frozen=True)
class FileFilter:
    """Which files are meant, by what was said about them; None for any."""

    format: str | None = None
    content: str | None = None

    def takes(self, file_format: str | None, content: str | None) -> bool:
        """Tell whether a file is meant."""
        wanted = ((self.format, file_format), (self.content, content))
        return all(texts is None or (have or "") in texts.split(",") for texts, have in wanted)


@dataclass
class Upload:
    """Files that came in for one resource, durable but without their names yet."""

    files: list[tuple[str, Stored]] = field(default_factory=list)
    overwrite: bool = False
    labels: Labels = field(default_factory=Labels)


def owners(session: Session, found: Located, selector: str | None) -> list[Located]:
    """Return the objects whose resources are meant: one, or the scans that a selector names."""
    if found.scan is not None or selector is None or found.experiment is None:
        return [found]
    scans = {scan.number: scan for scan in repository.scans_of(session, found.experiment.id)}
    names = [ScanName(number, scan.scan_id, scan.data.get("type")) for number, scan in scans.items() if number]
    names.sort(key=lambda name: scan_order(name.scan_id))
    return [
        Located(
            found.visitor,
            found.address,
            project=found.project,
            owning_project=found.owning_project,
            experiment=found.experiment,
            scan=scans[name.number],
        )
        for name in select_scans(selector, names)
    ]


def parts(session: Session, found: Located) -> list[Located]:
    """Return everything inside a session that has resources: scans, reconstructions, assessors."""
    assert found.experiment is not None
    base = {"project": found.project, "owning_project": found.owning_project, "experiment": found.experiment}
    located = owners(session, found, "ALL")
    for scan in repository.scans_of(session, found.experiment.id, ObjectKind.RECONSTRUCTION):
        located.append(Located(found.visitor, found.address, **base, scan=scan))  # type: ignore[arg-type]
    for assessor in repository.assessors_of(session, found.experiment.id):
        located.append(Located(found.visitor, found.address, **base, assessor=assessor))  # type: ignore[arg-type]
    return located


def shelves(session: Session, owners: Sequence[Located], key: str | None = None) -> list[Shelf]:
    """Return the resources of objects, one object after the other: all, or those that a key names.

    Parameters
    ----------
    key
        Label, number, ``ALL``, or several with commas between.
    """
    numbers: dict[str, list[int]] = {}
    for kind, number in (owner.owner for owner in owners):
        numbers.setdefault(kind, []).append(number)
    rows: dict[tuple[str, int], list[ResourceRow]] = {}
    for kind, some in numbers.items():
        for row in repository.resources_of(session, kind, some):
            rows.setdefault((kind, row.owner_number), []).append(row)
    wanted = None if key in {None, "ALL", "*"} else {key, *(key or "").split(",")}
    return [
        shelf(owner, row)
        for owner in owners
        for row in rows.get(owner.owner, ())
        if wanted is None or row.label in wanted or str(row.number) in wanted
    ]


def shelf(owner: Located, resource: ResourceRow) -> Shelf:
    """Return a resource with where it stands."""
    return Shelf(
        resource,
        owner.place.resource_folder(resource.folder),
        f"{in_address(owner.canonical_uri)}/resources/{resource.number}",
        _zip_root(owner),
    )


def _zip_root(owner: Located) -> str:
    holder = owner.experiment or owner.assessed
    if holder is not None:
        root = holder.label
        if owner.scan is not None:
            scan = owner.scan
            return f"{root}/{scan.kind}/{zip_folder(scan.scan_id, scan.data.get('type'))}"
        return f"{root}/assessors/{owner.assessor.label}" if owner.assessor is not None else root
    if owner.subject is not None:
        return owner.subject.label
    assert owner.project is not None
    return owner.project.id


def resource_rows(session: Session, found: Sequence[Shelf]) -> list[Row]:
    """Return the table of resources; neither ID nor URI are in it, which is how clients know it for what it is."""
    totals = repository.file_totals(session, [each.resource.number for each in found if each.resource.number])
    rows = []
    for each in found:
        resource = each.resource
        count, size = totals.get(resource.number or 0, (0, 0))
        rows.append(
            {
                "xnat_abstractresource_id": str(resource.number),
                "label": resource.label,
                "element_name": "xnat:resourceCatalog",
                "category": resource.owner_kind if resource.owner_kind == SCANS else "resources",
                "cat_id": str(resource.number),
                "cat_desc": as_text(resource.description),
                "file_count": str(count),
                "file_size": str(size),
                "tags": as_text(resource.tags),
                "content": as_text(resource.content),
                "format": as_text(resource.format),
            }
        )
    return rows


def file_rows(session: Session, found: Sequence[Shelf], wanted: FileFilter = FileFilter()) -> list[Row]:
    """Return the table of the files in resources."""
    rows = []
    for each, file in _files(session, found, wanted):
        rows.append(
            {
                "Name": file.path.rpartition("/")[2],
                "Size": str(file.size),
                "URI": f"{each.uri}/files/{in_address(file.path)}",
                "collection": each.resource.label,
                "file_tags": as_text(file.tags),
                "file_format": as_text(file.format),
                "file_content": as_text(file.content),
                "cat_ID": str(each.resource.number),
                "digest": file.md5,
            }
        )
    return rows


def zip_entries(
    session: Session,
    found: Sequence[Shelf],
    root: Path,
    *,
    opener: Callable[[int, str, str | Path], BinaryIO],
    wanted: FileFilter = FileFilter(),
    simplified: bool = False,
) -> list[Entry]:
    """Return what goes into a zip of resources; ``opener`` gets a file's resource, its path in it, and its path on disk.

    Simplified paths are only for files that do not meet there: a resource may be called ``scans``.
    """
    base = str(root)
    entries = [
        Entry(
            f"{each.zip_folder(simplified=simplified)}/{file.path}",
            f"{base}/{each.folder}/{file.path}",
            partial(opener, file.resource_number, file.path),
        )
        for each, file in _files(session, found, wanted)
    ]
    if simplified and len({entry.name for entry in entries}) < len(entries):
        return zip_entries(session, found, root, opener=opener, wanted=wanted)
    return entries


def _files(session: Session, found: Sequence[Shelf], wanted: FileFilter) -> Iterator[tuple[Shelf, FileFacts]]:
    """Yield the files of resources one after another: a session may have a hundred thousand."""
    by_number = {each.resource.number: each for each in found if each.resource.number}
    for file in repository.file_facts(session, list(by_number)):
        if wanted.takes(file.format, file.content):
            yield by_number[file.resource_number], file


def find_file(session: Session, found: Sequence[Shelf], path: str) -> tuple[Shelf, FileRow]:
    """Return a file by its path in one of the resources.

    Raises
    ------
    NoSuchFile
    """
    for each in found:
        assert each.resource.number is not None
        file = repository.file_of(session, each.resource.number, path)
        if file is not None:
            return each, file
    raise NoSuchFile


def create_resource(change: Change, owner: Located, label: str, labels: Labels, *, exist_ok: bool = False) -> Shelf:
    """Make a resource of an object.

    Raises
    ------
    AlreadyThere
        If it exists, unless that is fine.
    BadName
    """
    kind, number = owner.owner
    existing = repository.resource_of(change.session, kind, number, label)
    if existing is not None:
        if not exist_ok:
            raise AlreadyThere("A resource of this label")
        return shelf(owner, existing)
    check_folder_name(label, what="resource label")
    others = repository.resources_of(change.session, kind, [number])
    taken = frozenset(row.folder for row in others) | ({"SCANS", "RESOURCES", "ASSESSORS"} if kind != SCANS else set())
    row = ResourceRow(
        owner_kind=kind,
        owner_number=number,
        label=label,
        folder=folder_name(
            label, labels.format, of_scan=owner.scan is not None or owner.assessor is not None, taken=taken
        ),
        format=labels.format,
        content=labels.content,
        tags=labels.tags,
        description=labels.description,
        inserted_by=owner.visitor.username,
    )
    change.session.add(row)
    change.session.flush()
    return shelf(owner, row)


def describe(session: Session, resource: ResourceRow, labels: Labels) -> None:
    """Change what is said about a resource; what is None stays."""
    resource.format = labels.format or resource.format
    resource.content = labels.content or resource.content
    resource.tags = labels.tags or resource.tags
    resource.description = labels.description or resource.description
    session.add(resource)


def store_files(change: Change, target: Shelf, upload: Upload, *, username: str) -> list[str]:
    """Put files into a resource; return the paths that were there already and stay as they are.

    Raises
    ------
    BadName
        If a path cannot be used, or a file is where a folder would have to be.
    """
    session, number = change.session, target.resource.number
    assert number is not None
    existing: dict[str, FileRow]
    if len(upload.files) > MANY:
        existing = {row.path: row for row in repository.files_of(session, [number])}
    else:
        rows = (repository.file_of(session, number, path) for path, _ in upload.files)
        existing = {row.path: row for row in rows if row is not None}
    duplicates: list[str] = []
    placements: list[tuple[Stored, PurePosixPath]] = []
    added: list[FileRow] = []
    for path, stored in upload.files:
        check_file_path(path)
        row = existing.get(path)
        if row is None:
            row = FileRow(resource_number=number, path=path, size=stored.size, md5=stored.md5, inserted_by=username)
            placements.append((stored, target.folder / path))
            added.append(row)
            existing[path] = row
        elif not upload.overwrite:
            duplicates.append(path)
            continue
        else:
            row.size, row.md5 = stored.size, stored.md5
            change.replace(stored, target.folder / path)
        row.format = upload.labels.format or row.format
        row.content = upload.labels.content or row.content
        row.tags = upload.labels.tags or row.tags
    try:
        change.place(placements)
    except (NotADirectoryError, FileExistsError, IsADirectoryError) as error:
        raise BadName("file name", "a file is where a folder would have to be, or the other way round") from error
    session.add_all(added)
    session.flush()
    return duplicates


def delete_file(change: Change, found: Sequence[Shelf], path: str) -> None:
    """Delete a file by its path.

    Raises
    ------
    NoSuchFile
    """
    each, file = find_file(change.session, found, path)
    change.session.delete(file)
    change.remove(each.folder / path)


def resource_item(found: Located) -> dict[str, object]:
    """Return the data fields of a resource's item."""
    if found.resource is None:
        raise NoSuchObject("resource")
    resource = found.resource
    fields: dict[str, object] = {"xnat_abstractresource_id": str(resource.number), "label": resource.label}
    optional = {
        "format": resource.format,
        "content": resource.content,
        "description": resource.description,
        "tags": resource.tags,
    }
    fields.update({name: value for name, value in optional.items() if value})
    return fields


def scan_selector(found: Located) -> str | None:
    """Return the selector of scans in the address, when it is not the id of one."""
    return None if found.scan is not None else found.address.key(ObjectKind.SCAN)
