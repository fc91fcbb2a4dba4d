"""Imports a XAR: what its documents say becomes objects, with the files that they name. May import SQLModel."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from sqlmodel import Session

from embedded_xnat.anonymize import service as anonymize
from embedded_xnat.anonymize.rewriting import Names, rewrite
from embedded_xnat.anonymize.script import Script
from embedded_xnat.contract.errors import BadRequest, NoSuchObject, SessionExists
from embedded_xnat.db import repository
from embedded_xnat.db.tables import ExperimentRow, ProjectRow, ScanRow, SubjectRow
from embedded_xnat.dicom.elements import is_dicom
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.names import check_label
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.domain.setters import SetField
from embedded_xnat.domain.workflows import STORED_XAR
from embedded_xnat.domain.xml_documents import Document
from embedded_xnat.imports.merging import Finding, Severity
from embedded_xnat.imports.options import ImportOptions, Target
from embedded_xnat.imports.records import Overwrite, Route
from embedded_xnat.imports.routing import project_by_name, writable
from embedded_xnat.imports.service import refuse
from embedded_xnat.imports.xar_reading import FilledDocument, FilledResource, read_xar
from embedded_xnat.locate import Located
from embedded_xnat.objects import changes
from embedded_xnat.objects.moves import bring_parts, wishes_of
from embedded_xnat.objects.wishes import set_fields
from embedded_xnat.resources.service import Labels, Shelf, Upload, create_resource, store_files
from embedded_xnat.schema.registry import MODEL
from embedded_xnat.storage.archive import Archive, Cause, Change
from embedded_xnat.storage.files import FileStore, Stored
from service_kit.tables import utc_now


@dataclass(frozen=True)
class _Target:
    """Where a document goes: a subject and the label of a session, and the session when it is there.

    What is of a part of a session goes to one that is there.
    """

    project: ProjectRow
    subject: SubjectRow
    label: str
    experiment: ExperimentRow | None


@dataclass(frozen=True)
class XarImporter:
    """Imports on behalf of a visitor."""

    archive: Archive
    visitor: Visitor
    id_prefix: str

    def run(self, received: Sequence[tuple[str, Stored]], options: ImportOptions, stack: ExitStack) -> list[str]:
        """Import a XAR, all of it or nothing; return the address of each session or assessor it has a document of.

        As in XNAT the address of a scan or reconstruction is that of its session.

        Raises
        ------
        BadArchive, BadRequest, BadField, BadName, NoSuchObject, NotAllowed, SessionExists, MergeConflict, NotAnonymized
        """
        if options.target is Target.PREARCHIVE:
            raise BadRequest("A XAR goes straight to the archive; leave out dest, or name the archive.")
        files = self.archive.files
        documents = read_xar(received, files, stack)
        with self.archive.read() as session:
            targets = [self._target(session, each, options.wanted) for each in documents]
            scripts = anonymize.in_force(session, anonymize.SITE, targets[0].project.id)
        if len({(target.project.id, target.label) for target in targets}) > 1:
            raise BadRequest("A XAR is of parts of one imaging session; send those of each session on their own.")
        names = Names(targets[0].project.id, targets[0].subject.label, targets[0].label)
        documents = [_anonymized(each, scripts, names, files=files, stack=stack) for each in documents]
        with self.archive.change(Cause(self.visitor.username, action=STORED_XAR)) as change:
            uris = [self._store(change, each, options) for each in documents]
        return list(dict.fromkeys(uris))

    def _target(self, session: Session, filled: FilledDocument, wanted: Route) -> _Target:
        """Find where a document goes: what the request says counts more than what the document says."""
        identity = filled.document.identity
        if filled.kind is not ObjectKind.EXPERIMENT:
            return self._target_of_part(session, filled.document, wanted)
        project = self._project(session, wanted.project_id or identity.get("project"))
        experiment = None if wanted.session_label else _restored(session, project, identity.get("id"))
        label = wanted.session_label or identity.get("label") or (experiment.label if experiment is not None else "")
        check_label(label, what="session label")
        experiment = experiment or repository.experiment_of(session, project.id, label)
        key = wanted.subject_label or identity.get("subject_id")
        if key:
            check_label(key, what="subject label")
        subject = repository.subject_of(session, project.id, key) if key else None
        if subject is None:
            raise BadRequest("The document names no subject of the project (subject_ID); make the subject first.")
        return _Target(project, subject, label, experiment)

    def _target_of_part(self, session: Session, document: Document, wanted: Route) -> _Target:
        """Find the session that a part is of, by its label in the project, or by its id."""
        named = document.identity.get("imagesession_id") or document.identity.get("image_session_id")
        key = check_label(wanted.session_label or named or "", what="session label")
        project_id = wanted.project_id or document.identity.get("project")
        if project_id is None and (found := repository.experiment_by_id(session, key)) is not None:
            project_id = found.project_id
        project = self._project(session, project_id)
        experiment = repository.experiment_of(session, project.id, key)
        subject = None if experiment is None else repository.subject_by_id(session, experiment.subject_id or "")
        if (
            experiment is None
            or subject is None
            or experiment.project_id != project.id  # one that is only shown here is changed in its own project
            or not MODEL.is_a(experiment.xsi_type, "xnat:imageSessionData")
        ):
            raise BadRequest(
                "The document of a part names no imaging session of the project: an assessor by imageSession_ID, "
                "a scan or reconstruction by image_session_ID; the request may name it, too (session=)."
            )
        return _Target(project, subject, experiment.label, experiment)

    def _project(self, session: Session, name: str | None) -> ProjectRow:
        if not name:
            raise BadRequest("The document names no project; name it there, or in the request (project=).")
        project = project_by_name(session, name)
        if project is None:
            raise NoSuchObject("project")
        return writable(session, self.visitor, project.id)

    def _store(self, change: Change, filled: FilledDocument, options: ImportOptions) -> str:
        target = self._target(change.session, filled, options.wanted)
        overwrite = options.overwrite or Overwrite.NONE
        uri = f"/data/archive/projects/{target.project.id}/subjects/{target.subject.label}/experiments/{target.label}"
        if filled.kind is not ObjectKind.EXPERIMENT:
            assert target.experiment is not None
            shelves, row = self._put_part(change, target, target.experiment, filled, overwrite=overwrite)
            uri += f"/assessors/{row.label}" if isinstance(row, ExperimentRow) else ""
        else:
            experiment = self._put_session(change, target, filled.document, overwrite)
            if options.quarantine or target.project.quarantine_code:
                experiment.status = "quarantined"
            owner = self._located(target.project, experiment)
            shelves = self._shelves(change, owner, filled, overwrite)
            for each in filled.assessors:
                shelves += self._put_assessor(change, target, experiment, each, overwrite=overwrite)[0]
            change.archived.add(experiment.id)
        for shelf, upload in shelves:  # only now do files get their names: nothing can be refused any more
            store_files(change, shelf, upload, username=self.visitor.username)
        return uri

    def _put_session(self, change: Change, target: _Target, document: Document, overwrite: Overwrite) -> ExperimentRow:
        session, row = change.session, target.experiment
        if row is None:
            row = changes.create_experiment(
                session,
                self.visitor,
                target.subject,
                project_id=target.project.id,
                label=target.label,
                xsi_type=document.xsi_type,
                id_prefix=self.id_prefix,
                parameters=wishes_of(document),
            )
        else:
            refuse(list(_findings(session, row, target, document=document, overwrite=overwrite)), overwrite)
            set_fields(row, wishes_of(document))
            row.modified_at = utc_now()
            session.add(row)
        bring_parts(session, self.visitor, row, document)
        session.flush()
        return row

    def _put_part(
        self,
        change: Change,
        target: _Target,
        experiment: ExperimentRow,
        filled: FilledDocument,
        *,
        overwrite: Overwrite,
    ) -> tuple[list[tuple[Shelf, Upload]], ExperimentRow | ScanRow]:
        if filled.kind is ObjectKind.ASSESSOR:
            return self._put_assessor(change, target, experiment, filled, overwrite=overwrite)
        session, document = change.session, filled.document
        key = document.identity.get("id", "")
        row = repository.scan_of(session, experiment.id, filled.kind, key)
        if row is not None:
            refuse(list(_part_findings(row, document, overwrite=overwrite)), overwrite)
        bring_parts(session, self.visitor, experiment, Document(experiment.xsi_type, parts={filled.kind: (document,)}))
        session.flush()
        change.archived.add(experiment.id)
        row = repository.scan_of(session, experiment.id, filled.kind, key)
        assert row is not None
        return self._shelves(change, self._located(target.project, experiment), filled, overwrite), row

    def _put_assessor(
        self,
        change: Change,
        target: _Target,
        experiment: ExperimentRow,
        filled: FilledDocument,
        *,
        overwrite: Overwrite,
    ) -> tuple[list[tuple[Shelf, Upload]], ExperimentRow]:
        session, document = change.session, filled.document
        label = document.identity.get("label") or document.identity.get("id") or ""
        row = repository.assessor_of(session, experiment.id, label)
        if row is None:
            row = changes.create_assessor(
                session,
                self.visitor,
                experiment,
                label=label,
                xsi_type=document.xsi_type,
                id_prefix=self.id_prefix,
                parameters=wishes_of(document),
            )
        else:
            if overwrite is Overwrite.NONE:
                raise SessionExists
            if row.xsi_type != document.xsi_type:
                refuse([Finding(19, Severity.FAIL, "The assessor that is there is of another type.")], overwrite)
            set_fields(row, wishes_of(document))
            session.add(row)
        owner = replace(self._located(target.project, experiment), assessor=row)
        return self._shelves(change, owner, filled, overwrite), row

    def _located(self, project: ProjectRow, experiment: ExperimentRow) -> Located:
        address = Address((Step(ObjectKind.PROJECT, project.id),))
        return Located(self.visitor, address, project=project, owning_project=project, experiment=experiment)

    def _shelves(
        self, change: Change, owner: Located, filled: FilledDocument, overwrite: Overwrite
    ) -> list[tuple[Shelf, Upload]]:
        """Return the resources of a document, made where they are not there, with the files to store in each."""
        assert owner.experiment is not None
        found: list[tuple[Shelf, Upload]] = []
        for each in filled.resources:
            place = owner
            if each.named.part is not None:
                kind, key = each.named.part
                scan = repository.scan_of(change.session, owner.experiment.id, kind, key)
                if scan is None:  # the same document has made it, under the ID that it was given last
                    raise BadRequest("A part of the document that names files has no ID, or more than one.")
                place = replace(owner, scan=scan)
            named = each.named
            labels = Labels(named.format, named.content, None, named.description)
            shelf = create_resource(change, place, named.label, labels, exist_ok=True)
            found.append(
                (shelf, Upload(_wanted(change.session, shelf, each, overwrite), overwrite=True, labels=labels))
            )
        return found


def _restored(session: Session, project: ProjectRow, experiment_id: str | None) -> ExperimentRow | None:
    """Return the session of the project that a document names by its id, as one that was exported does."""
    row = repository.experiment_by_id(session, experiment_id) if experiment_id else None
    return row if row is not None and row.project_id == project.id else None


def _findings(
    session: Session, row: ExperimentRow, target: _Target, *, document: Document, overwrite: Overwrite
) -> Iterator[Finding]:
    """Yield what stands against putting a document in the place of what is there, by the codes of XNAT."""
    if overwrite is Overwrite.NONE:
        yield Finding(1, Severity.CONFLICT, "Session already exists, retry with overwrite enabled")
    theirs_and_ours = (
        (2, "label", row.label, target.label),
        (3, "project", row.project_id, target.project.id),
        (4, "subject", row.subject_id, target.subject.id),
        (19, "type", row.xsi_type, document.xsi_type),
    )
    for code, what, theirs, ours in theirs_and_ours:
        if theirs != ours:
            yield Finding(code, Severity.FAIL, f"The session that is there has another {what}.")
    if _differ(row.data.get("UID"), _uid(document)):
        yield Finding(5, Severity.CONFLICT, "The session that is there is of another DICOM study.")
    scans = {scan.scan_id: scan for scan in repository.scans_of(session, row.id)}
    for part in document.parts.get(ObjectKind.SCAN, ()):
        if (scan := scans.get(part.identity.get("id", ""))) is not None:
            yield from _series_findings(scan, part)


def _part_findings(row: ScanRow, document: Document, *, overwrite: Overwrite) -> Iterator[Finding]:
    """Yield what stands against putting the document of a scan or reconstruction in the place of what is there."""
    if overwrite is Overwrite.NONE:
        yield Finding(16, Severity.CONFLICT, f"{row.scan_id} is there already; retry with overwrite=append.")
    if row.xsi_type != document.xsi_type:
        yield Finding(19, Severity.FAIL, f"{row.scan_id} is there as something of another type.")
    yield from _series_findings(row, document)


def _series_findings(row: ScanRow, document: Document) -> Iterator[Finding]:
    if _differ(row.data.get("UID"), _uid(document)):
        yield Finding(17, Severity.CONFLICT, f"Scan {row.scan_id} is there with another series.")


def _uid(document: Document) -> str | None:
    values = [each.value for each in document.changes if isinstance(each, SetField) and each.path == "UID"]
    return str(values[-1]) if values and values[-1] is not None else None


def _differ(theirs: str | None, ours: str | None) -> bool:
    return bool(theirs) and bool(ours) and theirs != ours


def _wanted(session: Session, shelf: Shelf, filled: FilledResource, overwrite: Overwrite) -> list[tuple[str, Stored]]:
    """Return the files of a resource that are not there already.

    Raises
    ------
    MergeConflict
        If other bytes are there under the name of one, and the request does not say that they may be replaced.
    """
    assert shelf.resource.number is not None
    present = {file.path: file.md5 for file in repository.files_of(session, [shelf.resource.number])}
    wanted = [(path, stored) for path, stored in filled.files if present.get(path) != stored.md5]
    if others := sum(path in present for path, _ in wanted):
        text = f"Resource {shelf.resource.label} has other bytes of {others} files; retry with overwrite=delete."
        refuse([Finding(16, Severity.CONFLICT, text)], overwrite)
    return wanted


def _anonymized(
    filled: FilledDocument, scripts: Sequence[Script], names: Names, *, files: FileStore, stack: ExitStack
) -> FilledDocument:
    """Return a document with its DICOM files as scripts change them.

    Raises
    ------
    NotAnonymized
    """
    if not scripts:
        return filled

    def changed(stored: Stored) -> Stored:
        if not is_dicom(stored.temporary):
            return stored
        incoming = stack.enter_context(files.incoming())
        return incoming.finish(sync=False) if rewrite(stored.temporary, incoming, scripts, names) else stored

    resources = tuple(
        replace(each, files=tuple((path, changed(stored)) for path, stored in each.files)) for each in filled.resources
    )
    assessors = tuple(_anonymized(each, scripts, names, files=files, stack=stack) for each in filled.assessors)
    return replace(filled, resources=resources, assessors=assessors)
