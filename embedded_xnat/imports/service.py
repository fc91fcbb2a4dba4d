"""Imports a set of DICOM files as a session. May import SQLModel."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path

from sqlmodel import Session

from embedded_xnat.contract.errors import BadRequest, NoSuchObject, SessionExists
from embedded_xnat.db import repository
from embedded_xnat.db.tables import ExperimentRow, ProjectRow, ScanRow, SubjectRow
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.names import check_label
from embedded_xnat.domain.roles import Action, Visitor
from embedded_xnat.imports.headers import read_instance
from embedded_xnat.imports.planning import file_names, free_scan_id
from embedded_xnat.imports.records import Instance, Plan, PlannedScan
from embedded_xnat.objects import changes
from embedded_xnat.objects.locate import Located, locate
from embedded_xnat.resources.service import Labels, Upload, create_resource, store_files
from embedded_xnat.schema.imaging_types import MODALITIES, modality_of
from embedded_xnat.storage.archive import Archive, Change
from embedded_xnat.storage.files import FileStore, Stored
from embedded_xnat.storage.unpacking import CHUNK, Packing, entries, sniff


class Overwrite(StrEnum):
    """What an import may do to a session that is there."""

    NONE = "none"
    APPEND = "append"
    DELETE = "delete"


def read_upload(stored: Stored, name: str, files: FileStore, stack: ExitStack) -> list[Instance]:
    """Return the DICOM files of an upload: an archive, or one file.

    Files that are no DICOM are passed over. The temporary files live as long as the stack.

    Raises
    ------
    BadArchive
    """
    if sniff(stored.temporary) is Packing.OTHER:
        single = read_instance(name, stored)
        return [] if single is None else [single]
    return list(_unpacked(stored.temporary, files, stack))


def _unpacked(archive: Path, files: FileStore, stack: ExitStack) -> Iterator[Instance]:
    for name, handle in entries(archive):
        keep = ExitStack()
        incoming = keep.enter_context(files.incoming())
        with keep:
            while chunk := handle.read(CHUNK):
                incoming.write(chunk)
            instance = read_instance(name, incoming.finish())
            if instance is not None:
                stack.enter_context(keep.pop_all())
                yield instance


def store_session(
    archive: Archive, visitor: Visitor, plan: Plan, *, overwrite: Overwrite, quarantine: bool, id_prefix: str
) -> str:
    """Put a planned session into the archive and return its address.

    Raises
    ------
    SessionExists
        If the session is there and may not be changed.
    NoSuchObject, NotAllowed, BadName
    """
    route = plan.route
    if route.project_id is None or route.subject_label is None or route.session_label is None:
        raise BadRequest("The import does not say which project it is for.")
    check_label(route.subject_label, what="subject label")
    check_label(route.session_label, what="session label")
    with archive.change() as change:
        session = change.session
        address = Address((Step(ObjectKind.PROJECT, route.project_id),))
        found = locate(session, address, visitor, action=Action.CREATE)
        if found.project is None:
            raise NoSuchObject("project")
        subject = repository.subject_of(session, found.project.id, route.subject_label)
        if subject is None:
            subject = changes.create_subject(
                session, visitor, found.project, label=route.subject_label, id_prefix=id_prefix
            )
        experiment = repository.experiment_of(session, found.project.id, route.session_label)
        if experiment is None:
            experiment = _new_session(session, visitor, found.project, subject, plan=plan, id_prefix=id_prefix)
        elif (
            overwrite is Overwrite.NONE
            or experiment.subject_id != subject.id
            or experiment.data.get("UID") not in {None, plan.study_instance_uid}
        ):
            raise SessionExists
        change.archived.add(experiment.id)
        if quarantine:
            experiment.status = "quarantined"
            session.add(experiment)
        owner = Located(visitor, address, project=found.project, owning_project=found.project, experiment=experiment)
        _store_scans(change, owner, plan.scans, overwrite=overwrite)
        return f"/data/archive/projects/{found.project.id}/subjects/{subject.label}/experiments/{experiment.label}"


def _new_session(
    session: Session, visitor: Visitor, project: ProjectRow, subject: SubjectRow, *, plan: Plan, id_prefix: str
) -> ExperimentRow:
    modality = next(each for each in MODALITIES if each.code == plan.modality)
    row = changes.create_experiment(
        session,
        visitor,
        subject,
        project_id=project.id,
        label=plan.route.session_label or "",
        xsi_type=f"xnat:{modality.session}",
        id_prefix=id_prefix,
    )
    row.data = dict(plan.data)
    session.add(row)
    session.flush()
    return row


def _store_scans(change: Change, owner: Located, scans: Sequence[PlannedScan], *, overwrite: Overwrite) -> None:
    assert owner.experiment is not None
    experiment = owner.experiment
    existing = repository.scans_of(change.session, experiment.id)
    by_uid = {row.data.get("UID"): row for row in existing if row.data.get("UID")}
    taken = {row.scan_id for row in existing}
    for planned in scans:
        series_uid = planned.instances[0].series_instance_uid
        row = by_uid.get(series_uid)
        if row is None:
            scan_id = free_scan_id(planned.scan_id, planned.modality, taken)
            taken.add(scan_id)
            row = changes.create_scan(
                change.session,
                owner.visitor,
                experiment,
                scan_id=scan_id,
                kind=ObjectKind.SCAN,
                xsi_type=f"xnat:{modality_of(planned.modality).scan}",
            )
            row.data = dict(planned.data)
            change.session.add(row)
            change.session.flush()
        _store_instances(change, owner, row, planned, overwrite=overwrite)


def _store_instances(
    change: Change, owner: Located, row: ScanRow, planned: PlannedScan, *, overwrite: Overwrite
) -> None:
    place = Located(
        owner.visitor,
        owner.address,
        project=owner.project,
        owning_project=owner.owning_project,
        experiment=owner.experiment,
        scan=row,
    )
    shelf = create_resource(change, place, "DICOM", Labels(format="DICOM", content="RAW"), exist_ok=True)
    assert shelf.resource.number is not None
    present = {file.path: file.md5 for file in repository.files_of(change.session, [shelf.resource.number])}
    if overwrite is Overwrite.DELETE:
        names = {Path(instance.name).name: instance for instance in planned.instances}
    else:
        names = file_names(planned.instances, present)
    upload = Upload(
        [(name, instance.stored) for name, instance in names.items()],
        overwrite=overwrite is Overwrite.DELETE,
        labels=Labels(format="DICOM", content="RAW"),
    )
    store_files(change, shelf, upload, username=owner.visitor.username)
