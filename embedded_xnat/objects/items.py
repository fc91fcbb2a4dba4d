"""Reads an object in item form, with the children that clients look at. May import SQLModel."""

from typing import Any

from sqlmodel import Session

from embedded_xnat.contract.errors import NoSuchObject
from embedded_xnat.db import repository
from embedded_xnat.db.repository import EXPERIMENTS, PROJECTS, SCANS, SUBJECTS
from embedded_xnat.db.tables import ExperimentRow, ObjectColumns, ProjectRow, ScanRow, SubjectRow
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.items import Item, ItemSource, build_item
from embedded_xnat.domain.protocols import protocol_items, read_protocols
from embedded_xnat.domain.roles import TITLE_FIELDS, Visitor
from embedded_xnat.domain.selectors import scan_order
from embedded_xnat.locate import Located
from embedded_xnat.search.visibility import visible_projects


def item_of(session: Session, found: Located) -> Item:
    """Return the item of the innermost object (not of a resource)."""
    if found.scan is not None and found.experiment is not None:
        return _scan_item(session, found.scan, found.experiment)
    if found.assessor is not None:
        return _experiment_item(session, found.assessor, found.visitor)
    if found.experiment is not None:
        return _experiment_item(session, found.experiment, found.visitor)
    if found.subject is not None:
        return _subject_item(session, found.subject, found.visitor)
    if found.project is not None:
        return _title_item(found.project) if found.is_title_only else _project_item(session, found.project)
    raise NoSuchObject("object")


def _source(row: ObjectColumns, identity: dict[str, Any], children: dict[str, list[Item]]) -> ItemSource:
    return ItemSource(
        row.xsi_type, identity, row.data, row.lists, row.inserted_at, {k: v for k, v in children.items() if v}
    )


def _project_item(session: Session, row: ProjectRow) -> Item:
    types = repository.types_in(session, row.id)
    children = {
        "resources/resource": _resource_items(session, PROJECTS, row),
        "studyProtocol": protocol_items(row.id, read_protocols(row.protocols), types),
    }
    return build_item(_source(row, {"ID": row.id}, children))


def _title_item(row: ProjectRow) -> Item:
    data = {path: value for path, value in row.data.items() if path.lower() in TITLE_FIELDS}
    return build_item(ItemSource(row.xsi_type, {"ID": row.id}, data))


def _subject_item(session: Session, row: SubjectRow, visitor: Visitor) -> Item:
    children = {
        "sharing/share": _share_items(session, SUBJECTS, row.id, visitor),
        "resources/resource": _resource_items(session, SUBJECTS, row),
    }
    return build_item(_source(row, {"ID": row.id, "project": row.project_id, "label": row.label}, children))


def _experiment_item(session: Session, row: ExperimentRow, visitor: Visitor) -> Item:
    is_assessor = row.session_id is not None
    assessors = [] if is_assessor else repository.assessors_of(session, row.id)
    held = _resources_of(session, EXPERIMENTS, [each.number for each in assessors if each.number])
    children = {
        "sharing/share": _share_items(session, EXPERIMENTS, row.id, visitor),
        "scans/scan": [] if is_assessor else _part_items(session, row, ObjectKind.SCAN),
        "reconstructions/reconstructedImage": []
        if is_assessor
        else _part_items(session, row, ObjectKind.RECONSTRUCTION),
        "assessors/assessor": [
            build_item(
                _source(each, _experiment_identity(each), {"resources/resource": held.get(each.number or 0, [])})
            )
            for each in assessors
        ],
        "resources/resource": _resource_items(session, EXPERIMENTS, row),
    }
    return build_item(_source(row, _experiment_identity(row), children))


def _experiment_identity(row: ExperimentRow) -> dict[str, Any]:
    identity = {"ID": row.id, "id": row.id, "project": row.project_id, "label": row.label}
    if row.session_id is not None:
        identity["imageSession_ID"] = row.session_id
    elif row.subject_id is not None:
        identity["subject_ID"] = row.subject_id
    return identity


def _scan_identity(scan: ScanRow, experiment: ExperimentRow) -> dict[str, Any]:
    return {
        "ID": scan.scan_id,
        "image_session_ID": experiment.id,
        "xnat_imagescandata_id": scan.number,
        "project": experiment.project_id,
    }


def _scan_item(session: Session, scan: ScanRow, experiment: ExperimentRow) -> Item:
    return _part_item(scan, experiment, _resource_items(session, SCANS, scan))


def _part_items(session: Session, experiment: ExperimentRow, kind: ObjectKind) -> list[Item]:
    """Return the scans or reconstructions of a session with their resources, sorted by number."""
    parts = sorted(repository.scans_of(session, experiment.id, kind), key=lambda part: scan_order(part.scan_id))
    resources = _resources_of(session, SCANS, [part.number for part in parts if part.number])
    return [_part_item(part, experiment, resources.get(part.number or 0, [])) for part in parts]


def _part_item(part: ScanRow, experiment: ExperimentRow, resources: list[Item]) -> Item:
    field = "file" if part.kind == ObjectKind.SCAN else "out/file"
    return build_item(_source(part, _scan_identity(part, experiment), {field: resources}))


def _share_items(session: Session, kind: str, object_id: str, visitor: Visitor) -> list[Item]:
    """Return the shares into projects that the visitor may see."""
    shares = repository.shares_of(session, kind, object_id)
    visible = visible_projects(visitor) if shares else None
    seen = None if visible is None else set(session.connection().scalars(visible))
    return [
        build_item(ItemSource("xnat:projectParticipant", {"project": share.project_id, "label": share.label}, {}))
        for share in shares
        if seen is None or share.project_id in seen
    ]


def _resource_items(session: Session, kind: str, row: ProjectRow | SubjectRow | ExperimentRow | ScanRow) -> list[Item]:
    assert row.number is not None
    return _resources_of(session, kind, [row.number]).get(row.number, [])


def _resources_of(session: Session, kind: str, owner_numbers: list[int]) -> dict[int, list[Item]]:
    """Return the resources of objects of one kind, by the number of the object."""
    resources = repository.resources_of(session, kind, owner_numbers)
    totals = repository.file_totals(session, [resource.number for resource in resources if resource.number])
    items: dict[int, list[Item]] = {}
    for resource in resources:
        count, size = totals.get(resource.number or 0, (0, 0))
        fields = {
            "xnat_abstractresource_id": resource.number,
            "label": resource.label,
            "file_count": count,
            "file_size": size,
        }
        optional = {"format": resource.format, "content": resource.content}
        fields.update({name: value for name, value in optional.items() if value})
        item = build_item(ItemSource("xnat:resourceCatalog", fields, {}))
        items.setdefault(resource.owner_number, []).append(item)
    return items
