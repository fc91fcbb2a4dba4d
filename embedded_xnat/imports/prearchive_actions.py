"""What can be done with a session of the prearchive: archive, rebuild, move, delete; at once or in the background.

May import SQLModel. Whoever begins notes it in the session's status, so that nobody else begins. What a kill cuts off
in the background begins anew after the next start; what somebody waited for is READY again.
"""

import logging
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from embedded_xnat.anonymize import service as anonymize
from embedded_xnat.anonymize.rewriting import Names
from embedded_xnat.contract.errors import BadRequest, MergeConflict, NoSuchObject, NotAnonymized, SessionExists
from embedded_xnat.db.tables import PrearchiveRow
from embedded_xnat.dicom.elements import read_elements
from embedded_xnat.dicom.facts import read_header
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.imports import merging, prearchive
from embedded_xnat.imports.headers import read_instance
from embedded_xnat.imports.options import UNASSIGNED
from embedded_xnat.imports.planning import plan_session, session_modality
from embedded_xnat.imports.prearchive import AT_REST, READY, RECEIVING, folder_of
from embedded_xnat.imports.reading import anonymized, linked
from embedded_xnat.imports.records import Instance, Overwrite, Route, Series
from embedded_xnat.imports.routing import project_by_name, writable
from embedded_xnat.imports.service import Deposit, store_session
from embedded_xnat.storage.archive import Archive, Cause
from embedded_xnat.storage.space import disk_errors
from service_kit.errors import ServiceError, Unavailable
from service_kit.tables import utc_now

logger = logging.getLogger(__name__)

#: What each operation is called while it is being done.
STATUS_OF = {"archive": "ARCHIVING", "rebuild": "BUILDING", "move": "MOVING", "delete": "DELETING"}
QUEUED = "QUEUED_"
_FAULT = "The server failed, and its log says how; rebuild or archive the session to try again."


@dataclass(frozen=True)
class Errand:
    """Something to do with a session of the prearchive.

    Parameters
    ----------
    operation
        ``archive``, ``rebuild``, ``move`` or ``delete``.
    route
        Where it is to be archived, as far as the request says so.
    new_project
        Where it is to be moved.
    then_archives
        Whether a session that is rebuilt is archived next, as its code says.
    """

    operation: str
    route: Route = field(default_factory=Route)
    overwrite: Overwrite = Overwrite.NONE
    quarantine: bool = False
    new_project: str | None = None
    then_archives: bool = False

    def as_data(self, visitor: Visitor) -> dict[str, Any]:
        """Return it, and for whom it is done, as it is kept."""
        return {
            "operation": self.operation,
            "route": [self.route.project_id, self.route.subject_label, self.route.session_label],
            "overwrite": self.overwrite.value,
            "quarantine": self.quarantine,
            "new_project": self.new_project,
            "then_archives": self.then_archives,
            "username": visitor.username,
            "everything": visitor.everything,
        }


def errand_of(data: Mapping[str, Any]) -> tuple[Errand, Visitor]:
    """Return what was kept."""
    errand = Errand(
        data["operation"],
        Route(*data["route"]),
        Overwrite(data["overwrite"]),
        data["quarantine"],
        data["new_project"],
        data.get("then_archives", False),
    )
    return errand, Visitor(data["username"], everything=data["everything"])


@dataclass(frozen=True)
class Actions:
    """Does things with sessions of the prearchive."""

    archive: Archive
    id_prefix: str

    def queue(self, visitor: Visitor, row: PrearchiveRow, errand: Errand) -> None:
        """Leave something to the background.

        Raises
        ------
        PrearchiveBusy, NoSuchObject, NotAllowed
        """
        with self.archive.change() as change:
            self._check_target(visitor, errand)
            found, _ = prearchive.begin(change, row, _queued(errand), also=_also(errand))
            _queue(found, visitor, errand)

    def complete(self, row: PrearchiveRow) -> None:
        """Leave a session that no more files come for to be built, and then archived when its code says so.

        Raises
        ------
        PrearchiveBusy, NoSuchObject
        """
        visitor = Visitor(row.uploaded_by, everything=True)  # whoever sent it was allowed to when it came in
        overwrite = Overwrite.DELETE if row.code == 5 else Overwrite.NONE
        self.queue(visitor, row, Errand("rebuild", overwrite=overwrite, then_archives=bool(row.code)))

    def _check_target(self, visitor: Visitor, errand: Errand) -> None:
        with self.archive.read() as session:
            for project_id in (errand.new_project, errand.route.project_id):
                if project_id is not None and project_id != UNASSIGNED:
                    project = project_by_name(session, project_id)
                    if project is None:
                        raise NoSuchObject("project")
                    writable(session, visitor, project.id)

    def run(self, visitor: Visitor, row: PrearchiveRow, errand: Errand, *, is_queued: bool = False) -> str:
        """Do something now; return the address of the session then, nothing when it is deleted.

        Raises
        ------
        PrearchiveBusy, NoSuchObject, NotAllowed, SessionExists, MergeConflict, BadRequest, NotAnonymized
        """
        status = STATUS_OF[errand.operation]
        also = frozenset({_queued(errand)}) if is_queued else _also(errand)
        with ExitStack() as work:
            with self.archive.change() as change:
                row, before = prearchive.begin(change, row, status, also=also)
                if not is_queued:
                    row.errand = {}
                assert row.number is not None
                self.archive.at_work.add(row.number)
                work.callback(self.archive.at_work.discard, row.number)
            try:
                return self._do(visitor, row, errand)
            except BaseException as error:
                with self.archive.change() as change:
                    found = change.session.get(PrearchiveRow, row.number)
                    if found is not None:
                        _give_up(found, errand, error, before=None if is_queued else before)
                        change.session.add(found)
                raise

    def carry_out(self, row: PrearchiveRow) -> None:
        """Do what was left to the background, and what follows from it.

        Raises
        ------
        PrearchiveBusy, NoSuchObject, NotAllowed, SessionExists, MergeConflict, BadRequest, NotAnonymized, Unavailable
        """
        waiting: PrearchiveRow | None = row
        while waiting is not None and waiting.status.startswith(QUEUED):
            errand, visitor = errand_of(waiting.errand)
            self.run(visitor, waiting, errand, is_queued=True)
            with self.archive.read() as session:
                waiting = session.get(PrearchiveRow, row.number)

    def _do(self, visitor: Visitor, row: PrearchiveRow, errand: Errand) -> str:
        if errand.operation == "archive":
            return self._archive(visitor, row, errand)
        if errand.operation == "rebuild":
            return self._rebuild(visitor, row, errand)
        if errand.operation == "move":
            return self._move(visitor, row, errand.new_project)
        with self.archive.change() as change:
            change.session.delete(row)
            change.remove(folder_of(row))
        return ""

    def _archive(self, visitor: Visitor, row: PrearchiveRow, errand: Errand) -> str:
        project_id = errand.route.project_id or row.project_id
        if project_id == UNASSIGNED:
            raise BadRequest("The session belongs to no project; name one (project=), or move it to one first.")
        with self.archive.read() as session:
            project = project_by_name(session, project_id)
            if project is None:
                raise NoSuchObject("project")
            project_id = writable(session, visitor, project.id).id
            scripts = anonymize.in_force(session, project_id)
        subject = errand.route.subject_label or row.subject_label
        label = errand.route.session_label or row.session_label
        files = self.archive.files
        with ExitStack() as stack, disk_errors():
            names = Names(project_id, subject, label)
            instances = anonymized(self._read_again(row, stack), scripts, names, files=files, stack=stack)
            if not instances:
                raise BadRequest("The session in the prearchive has no DICOM file.")
            plan = plan_session(instances, Route(project_id, subject, label))
            deposit = Deposit(self.id_prefix, overwrite=errand.overwrite, quarantine=errand.quarantine)
            with self.archive.change(Cause(visitor.username)) as change:
                uri = store_session(change, visitor, plan, deposit, files=files)
                found = change.session.get(PrearchiveRow, row.number)
                if found is not None:
                    change.session.delete(found)
                change.remove(folder_of(row))
        return uri

    def _read_again(self, row: PrearchiveRow, stack: ExitStack) -> list[Instance]:
        """Return the files of a session under second names; the first ones stay until it is archived."""
        known: dict[str, Series] = {}
        instances = []
        for path in self._paths(row):
            instance = read_instance(path.name, linked(path, self.archive.files, stack), known)
            if instance is not None:
                instances.append(instance)
        return instances

    def _paths(self, row: PrearchiveRow) -> list[Path]:
        root = self.archive.files.path(folder_of(row))
        return sorted(each for each in root.rglob("*") if each.is_file() and not each.is_symlink())

    def _rebuild(self, visitor: Visitor, row: PrearchiveRow, errand: Errand) -> str:
        """Read the headers anew, and take over what they say."""
        scans: dict[str, dict[str, Any]] = {}
        instances: dict[str, list[str]] = {}
        modalities = []
        when: tuple[str, str] | None = None
        for path in self._paths(row):
            scan_id = path.parent.parent.name
            header = read_elements(path, ["SOPInstanceUID"]) if scan_id in scans else read_header(path)
            if header is None:
                continue
            instances.setdefault(scan_id, []).append(header.text("SOPInstanceUID") or "")
            if scan_id in scans:
                continue
            modality = header.text("Modality") or "OT"
            modalities.append(modality)
            scans[scan_id] = {
                "uid": header.text("SeriesInstanceUID") or "",
                "modality": modality,
                "description": header.verbatim("SeriesDescription") or "",
            }
            when = when or (header.date("StudyDate") or "", header.time("StudyTime") or "")
        if not scans:
            raise BadRequest("The session in the prearchive has no DICOM file.")
        logger.info("session is built", extra={"scans": len(scans), "modality": session_modality(modalities)})
        with self.archive.change() as change:
            found = change.session.get(PrearchiveRow, row.number)
            if found is not None:
                findings = merging.duplicates(instances)
                found.reasons = [prearchive.as_reason(finding.code, finding.text) for finding in findings]
                found.scans, found.modified_at = scans, utc_now()
                found.scan_date, found.scan_time = when or ("", "")
                _rest(found, READY)
                if errand.then_archives:
                    _queue(found, visitor, Errand("archive", overwrite=errand.overwrite))
                change.session.add(found)
        return prearchive.address_of(row)

    def _move(self, visitor: Visitor, row: PrearchiveRow, new_project: str | None) -> str:
        if not new_project:
            raise BadRequest("Name the project to move to (newProject=).")
        with self.archive.change() as change:
            session = change.session
            if new_project != UNASSIGNED:
                project = project_by_name(session, new_project)
                if project is None:
                    raise NoSuchObject("project")
                new_project = writable(session, visitor, project.id).id
            found = session.get(PrearchiveRow, row.number)
            assert found is not None
            before = folder_of(found)
            if new_project != found.project_id:
                found.stamp = prearchive.free_stamp(session, new_project, found.stamp)
                found.project_id = new_project
                change.move(before, folder_of(found))
            _rest(found, READY)
            found.modified_at = utc_now()
            session.add(found)
            return prearchive.address_of(found)

    def put_right(self) -> None:
        """Put right what a kill, a full disk or a lost database cut off: it counts as begun, and nobody is at it.

        What was left to the background is queued anew; what somebody waited for is READY again.
        """
        begun = select(PrearchiveRow).where(col(PrearchiveRow.status).in_(list(STATUS_OF.values())))
        with self.archive.read() as session:
            if not self._without_worker(session.exec(begun)):
                return
        with self.archive.change() as change:
            # held while it is looked at: a commit whose answer got lost may still be on its way in the database
            for row in self._without_worker(change.session.exec(begun.with_for_update())):
                if row.errand:
                    row.status = _queued(errand_of(row.errand)[0])
                else:
                    _rest(row, READY)
                change.session.add(row)

    def _without_worker(self, begun: Iterable[PrearchiveRow]) -> list[PrearchiveRow]:
        return [row for row in begun if row.number not in self.archive.at_work]


def _queued(errand: Errand) -> str:
    return f"{QUEUED}{STATUS_OF[errand.operation]}"


def _queue(row: PrearchiveRow, visitor: Visitor, errand: Errand) -> None:
    row.status, row.errand = _queued(errand), errand.as_data(visitor)


def _rest(row: PrearchiveRow, status: str) -> None:
    row.status, row.errand = status, {}


def _give_up(row: PrearchiveRow, errand: Errand, error: BaseException, *, before: str | None) -> None:
    """Put a session back to rest, with the reason why nothing came of it.

    Parameters
    ----------
    before
        The state in which the session was; None in the background, where nobody sees the answer: there what may
        succeed later stays queued, and whatever else went wrong is noted.
    """
    if isinstance(error, SessionExists | MergeConflict):
        _rest(row, "CONFLICT")
        row.reasons = prearchive.reasons_of(error)
    elif isinstance(error, BadRequest | NotAnonymized):
        _rest(row, "ERROR")
        row.reasons = [prearchive.as_reason(0, error.detail)]
    elif before is not None:
        _rest(row, before if before in AT_REST else READY)
    elif isinstance(error, Unavailable) or not isinstance(error, Exception):
        row.status = _queued(errand)
    else:
        _rest(row, "ERROR")
        row.reasons = [prearchive.as_reason(0, error.detail if isinstance(error, ServiceError) else _FAULT)]


def _also(errand: Errand) -> frozenset[str]:
    return frozenset({RECEIVING}) if errand.operation in {"rebuild", "delete"} else frozenset()
