"""Puts a planned session into the archive: makes it, or adds to the one that is there. May import SQLModel."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlmodel import Session

from embedded_xnat.contract.errors import BadRequest, MergeConflict, SessionExists
from embedded_xnat.db import repository
from embedded_xnat.db.tables import ExperimentRow, FileRow, OpenSessionRow, ProjectRow, SubjectRow
from embedded_xnat.dicom.elements import read_elements
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.names import check_file_path, check_label
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.imports import merging
from embedded_xnat.imports.merging import Archived, Finding, Severity
from embedded_xnat.imports.planning import file_names, free_scan_id
from embedded_xnat.imports.records import Instance, Overwrite, Plan, PlannedScan
from embedded_xnat.imports.routing import writable
from embedded_xnat.locate import Located
from embedded_xnat.objects import changes
from embedded_xnat.resources.service import Labels, Shelf, Upload, create_resource, store_files
from embedded_xnat.schema.imaging_types import MODALITIES, modality_of
from embedded_xnat.storage.archive import Change
from embedded_xnat.storage.files import FileStore
from service_kit.tables import utc_now

_DICOM = Labels(format="DICOM", content="RAW")


@dataclass(frozen=True)
class Deposit:
    """How a session is put into the archive.

    Parameters
    ----------
    is_direct
        Whether the session comes file by file, straight into the archive: it stays open for its own files.
    is_renamed
        Whether files are named after their instances.
    """

    id_prefix: str
    overwrite: Overwrite = Overwrite.NONE
    quarantine: bool = False
    is_direct: bool = False
    is_renamed: bool = False


def store_session(change: Change, visitor: Visitor, plan: Plan, deposit: Deposit, *, files: FileStore) -> str:
    """Put a planned session into the archive and return its address.

    Raises
    ------
    SessionExists, MergeConflict
        If the session is there and may not be changed, or not in this way.
    NoSuchObject, NotAllowed, BadName
    """
    route, session = plan.route, change.session
    if route.project_id is None or route.subject_label is None or route.session_label is None:
        raise BadRequest("The import does not say which project it is for.")
    check_label(route.subject_label, what="subject label")
    check_label(route.session_label, what="session label")
    project = writable(session, visitor, route.project_id)
    subject = repository.subject_of(session, project.id, route.subject_label)
    experiment = repository.experiment_of(session, project.id, route.session_label)
    # files that come one by one into a session that somebody has looked at leave it as it is
    is_quarantined = project.quarantine_code > 0 and (experiment is None or not deposit.is_direct)
    if experiment is not None:
        subject = _merge_into(session, experiment, subject, plan=plan, deposit=deposit)
    else:
        if subject is None:
            subject = changes.create_subject(
                session, visitor, project, label=route.subject_label, id_prefix=deposit.id_prefix
            )
        experiment = _new_session(session, visitor, project, subject, plan=plan, id_prefix=deposit.id_prefix)
    if deposit.quarantine or is_quarantined:
        experiment.status = "quarantined"
    if deposit.is_direct:
        session.merge(OpenSessionRow(experiment_id=experiment.id, modified_at=utc_now()))
    session.add(experiment)
    address = Address((Step(ObjectKind.PROJECT, project.id),))
    owner = Located(visitor, address, project=project, owning_project=project, experiment=experiment)
    _store_scans(change, files, owner, plan.scans, deposit=deposit)
    change.archived.add(experiment.id)
    return f"/data/archive/projects/{project.id}/subjects/{subject.label}/experiments/{experiment.label}"


def exists(session: Session, plan: Plan) -> bool:
    """Tell whether the archive has the session, and it is not open for the files of this DICOM study."""
    route = plan.route
    experiment = repository.experiment_of(session, route.project_id, route.session_label or "")
    if experiment is None or route.project_id is None:
        return False
    is_open = session.get(OpenSessionRow, experiment.id) is not None
    return not (is_open and experiment.data.get("UID") == plan.study_instance_uid)


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


def _merge_into(
    session: Session, experiment: ExperimentRow, subject: SubjectRow | None, *, plan: Plan, deposit: Deposit
) -> SubjectRow:
    """Check that a session may be added to the one that is there; return the subject of that."""
    theirs = repository.subject_by_id(session, experiment.subject_id or "")
    if theirs is None or experiment.session_id is not None:
        raise MergeConflict([(4, "What is there under this label is no imaging session of a subject.")])
    route = plan.route
    is_own = subject is not None and subject.id == theirs.id
    archived = Archived(
        label=route.session_label or "",  # found by it, or by the id
        project_id=experiment.project_id,
        subject_label=(route.subject_label or "") if is_own else theirs.label,
        study_instance_uid=experiment.data.get("UID"),
        modality=experiment.data.get("modality"),
        uids={row.scan_id: row.data.get("UID") or "" for row in repository.scans_of(session, experiment.id)},
    )
    overwrite = deposit.overwrite
    refuse(merging.compare(archived, plan, overwrite), overwrite)
    if overwrite is Overwrite.DELETE:
        experiment.data = {**experiment.data, **plan.data}
    experiment.modified_at = utc_now()
    return theirs


def refuse(findings: Sequence[Finding], overwrite: Overwrite) -> None:
    """Raise when findings stand against an import.

    Raises
    ------
    SessionExists, MergeConflict
    """
    standing = merging.settled(findings, overwrite)
    if any(finding.code == 1 for finding in standing) and all(f.severity is Severity.CONFLICT for f in standing):
        raise SessionExists([(finding.code, finding.text) for finding in standing if finding.code != 1])
    if standing:
        raise MergeConflict([(finding.code, finding.text) for finding in standing])


def _store_scans(
    change: Change, files: FileStore, owner: Located, scans: Sequence[PlannedScan], *, deposit: Deposit
) -> None:
    assert owner.experiment is not None
    experiment = owner.experiment
    existing = repository.scans_of(change.session, experiment.id)
    by_uid = {row.data.get("UID"): row for row in existing if row.data.get("UID")}
    taken = {row.scan_id for row in existing}
    ready: list[tuple[Shelf, Upload]] = []
    for planned in scans:
        row = by_uid.get(planned.series_instance_uid)
        frames = int(row.data.get("frames") or 0) if row is not None else 0
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
        elif deposit.overwrite is Overwrite.DELETE:
            row.data = {**row.data, **planned.data}
        shelf, upload, added = _prepare(change, files, replace(owner, scan=row), planned=planned, deposit=deposit)
        row.data = {**row.data, "frames": frames + added}
        change.session.add(row)
        change.session.flush()
        ready.append((shelf, upload))
    for shelf, upload in ready:  # only now do files get their names: nothing can be refused any more
        store_files(change, shelf, upload, username=owner.visitor.username)


def _prepare(
    change: Change, files: FileStore, place: Located, *, planned: PlannedScan, deposit: Deposit
) -> tuple[Shelf, Upload, int]:
    """Return the resource of a scan, the files to store in it, and how many frames they add."""
    assert place.scan is not None
    shelf = create_resource(change, place, "DICOM", _DICOM, exist_ok=True)
    assert shelf.resource.number is not None
    present = repository.files_of(change.session, [shelf.resource.number])
    named = file_names(
        planned.instances, {file.path: file.md5 for file in present}, by_uid=deposit.is_renamed or deposit.is_direct
    )
    added = sum(instance.frames for instance in named.values())
    if present and not deposit.is_direct:
        named, replaced = _settle_instances(files, shelf, present, named, scan_id=place.scan.scan_id, deposit=deposit)
        added -= replaced
    for name in named:
        check_file_path(name)
    return shelf, Upload([(name, each.stored) for name, each in named.items()], overwrite=True, labels=_DICOM), added


def _settle_instances(
    files: FileStore,
    shelf: Shelf,
    present: Sequence[FileRow],
    named: dict[str, Instance],
    *,
    scan_id: str,
    deposit: Deposit,
) -> tuple[dict[str, Instance], int]:
    """Let files take the place of those that hold the same instance; return them, and the frames replaced.

    Raises
    ------
    MergeConflict
        If the archive has other bytes of an instance, and the request does not say that they may be replaced.
    """
    wanted = {instance.sop_instance_uid for instance in named.values()}
    places: dict[str, str] = {}
    for file in present:
        header = read_elements(files.path(shelf.folder / file.path), ["SOPInstanceUID"])
        uid = header.text("SOPInstanceUID") if header is not None else None
        if uid in wanted and uid is not None:
            places.setdefault(uid, file.path)
    if not places:
        return named, 0
    text = f"Scan {scan_id} has other files of {len(places)} instances already; retry with overwrite=delete."
    refuse([Finding(16, Severity.CONFLICT, text)], deposit.overwrite)
    settled: dict[str, Instance] = {}
    replaced = 0
    for name, instance in named.items():
        place = places.pop(instance.sop_instance_uid, None)
        replaced += instance.frames if place is not None else 0
        settled[place or name] = instance
    return settled, replaced
