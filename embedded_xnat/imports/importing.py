"""Takes an upload to where it belongs: the archive, or the prearchive. May import SQLModel."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlmodel import Session

from embedded_xnat.anonymize import service as anonymize
from embedded_xnat.anonymize.rewriting import Names
from embedded_xnat.anonymize.script import Script
from embedded_xnat.contract.errors import BadRequest, MergeConflict, SessionExists
from embedded_xnat.db.tables import ProjectRow
from embedded_xnat.domain.names import check_label
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.imports import merging, prearchive
from embedded_xnat.imports.filtering import filters_for, taken
from embedded_xnat.imports.options import UNASSIGNED, Handler, ImportOptions, Target
from embedded_xnat.imports.planning import plan_session, route_of, studies_of
from embedded_xnat.imports.reading import Upload, anonymized
from embedded_xnat.imports.records import Instance, Overwrite, Plan, Route
from embedded_xnat.imports.routing import project_for, ruled_by
from embedded_xnat.imports.service import Deposit, exists, store_session
from embedded_xnat.storage.archive import Archive, Cause, Change

logger = logging.getLogger(__name__)


class Way(StrEnum):
    """Where a session goes at first."""

    ARCHIVE = "archive"
    READY = "READY"
    RECEIVING = "RECEIVING"


@dataclass(frozen=True)
class Direction:
    """What is done with the files of one DICOM study.

    Parameters
    ----------
    code
        What happens in the prearchive when the session is complete.
    left_out
        How many files of the upload were no DICOM.
    site_scripts, project_scripts
        What is applied to the headers of whatever comes in, and of what goes into the archive.
    """

    instances: Sequence[Instance]
    route: Route
    way: Way
    code: int
    site_scripts: Sequence[Script] = ()
    project_scripts: Sequence[Script] = ()
    left_out: int = 0


@dataclass(frozen=True)
class Importer:
    """Imports on behalf of a visitor.

    Parameters
    ----------
    keeps_conflicts
        Whether a session that cannot be archived waits in the prearchive; else the import is refused.
    """

    archive: Archive
    visitor: Visitor
    id_prefix: str
    keeps_conflicts: bool = False

    def run(self, upload: Upload, options: ImportOptions, stack: ExitStack) -> list[str]:
        """Import an upload, all of it or nothing; return the address of each session.

        Raises
        ------
        BadRequest, BadName, NoSuchObject, NotAllowed, SessionExists, MergeConflict, NotAnonymized
        """
        if upload.left_out and upload.instances and not options.ignores_unparsable:
            raise BadRequest(
                f"{merging.not_dicom(upload.left_out)[0].text[:-1]}; nothing was stored. "
                "Send Ignore-Unparsable=true to import the others."
            )
        studies = studies_of(upload.instances)
        if len(studies) > 1 and options.wanted.session_label is not None:
            raise BadRequest(
                f"The upload has files of {len(studies)} DICOM studies, which cannot be one session. "
                "Import them one at a time, or without a session label."
            )
        with self.archive.read() as session:
            directed = [self._direct(session, instances, options) for instances in studies]
        kept = {instance.stored.temporary for each in directed for instance in each.instances}
        upload.filtered = frozenset({instance.stored.temporary for instance in upload.instances} - kept)
        directions = [replace(each, left_out=upload.left_out) for each in directed if each.instances]
        if not directions and options.handler is not Handler.GRADUAL:
            raise BadRequest("The series import filters of the site and the project take none of these series.")
        plans = [self._plans(direction, stack) for direction in directions]
        sessions = list(zip(directions, plans, strict=True))
        if self.keeps_conflicts:
            return [self._put_or_keep(direction, both, options) for direction, both in sessions]
        with self.archive.change(Cause(self.visitor.username)) as change:
            return [self._put(change, direction, both, options) for direction, both in sessions]

    def _put_or_keep(self, direction: Direction, plans: tuple[Plan, Plan], options: ImportOptions) -> str:
        """Put one session where it belongs, or into the prearchive with the reason why it does not fit there."""
        try:
            with self.archive.change(Cause(self.visitor.username)) as change:
                return self._put(change, direction, plans, options)
        except (SessionExists, MergeConflict) as conflict:
            reasons = prearchive.reasons_of(conflict)
        with self.archive.change() as change:
            return self._keep(change, direction, plans[0], status="CONFLICT", reasons=reasons)

    def _direct(self, session: Session, instances: Sequence[Instance], options: ImportOptions) -> Direction:
        series = instances[0].series
        ruled = ruled_by(session, instances[0].stored.temporary)
        project = project_for(session, self.visitor, series, wanted=options.wanted, ruled=ruled)
        route = route_of(series, options.wanted, project.id if project is not None else None, ruled)
        check_label(route.subject_label or "", what="subject label")
        check_label(route.session_label or "", what="session label")
        way, code = direction_of(options, route, project)
        kept = taken(instances, filters_for(session, route.project_id))
        if len(kept) < len(instances):
            logger.info("files of series that are not taken are left out", extra={"count": len(instances) - len(kept)})
        ours = [project.id] if way is Way.ARCHIVE and project is not None else []
        return Direction(
            kept,
            route,
            way,
            code,
            anonymize.in_force(session, anonymize.SITE),
            anonymize.in_force(session, *ours),
        )

    def _plans(self, direction: Direction, stack: ExitStack) -> tuple[Plan, Plan]:
        """Return the session as the prearchive would keep it, and as the archive would."""
        route, files = direction.route, self.archive.files
        names = Names(route.project_id or UNASSIGNED, route.subject_label or "", route.session_label or "")
        instances = anonymized(direction.instances, direction.site_scripts, names, files=files, stack=stack)
        kept = plan_session(instances, route)
        if not direction.project_scripts:
            return kept, kept
        instances = anonymized(instances, direction.project_scripts, names, files=files, stack=stack)
        return kept, plan_session(instances, route)

    def _put(self, change: Change, direction: Direction, plans: tuple[Plan, Plan], options: ImportOptions) -> str:
        is_gradual = options.handler is Handler.GRADUAL
        kept, plan = plans
        if direction.way is not Way.ARCHIVE:
            return self._keep(change, direction, kept, status=direction.way)
        if options.is_direct and exists(change.session, plan):
            return self._keep(change, direction, kept, status=Way.RECEIVING if is_gradual else Way.READY)
        overwrite = options.overwrite or (Overwrite.DELETE if direction.code == 5 else Overwrite.NONE)
        # as in XNAT, a zip of DICOM sent straight to the archive is so many single files, and several make one session
        comes_in_parts = is_gradual or (options.is_direct and options.handler is Handler.DICOM_ZIP)
        if comes_in_parts and overwrite is Overwrite.NONE:
            overwrite = Overwrite.APPEND
        deposit = Deposit(
            self.id_prefix,
            overwrite=overwrite,
            quarantine=options.quarantine,
            is_direct=comes_in_parts,
            is_renamed=options.is_renamed,
        )
        return store_session(change, self.visitor, plan, deposit, files=self.archive.files)

    def _keep(
        self,
        change: Change,
        direction: Direction,
        plan: Plan,
        *,
        status: str,
        reasons: Sequence[dict[str, object]] = (),
    ) -> str:
        left_out = [prearchive.as_reason(each.code, each.text) for each in merging.not_dicom(direction.left_out)]
        entry = prearchive.Entry(status=str(status), code=direction.code, reasons=(*reasons, *left_out))
        return prearchive.keep(change, self.visitor, plan, entry, files=self.archive.files)


def direction_of(options: ImportOptions, route: Route, project: ProjectRow | None) -> tuple[Way, int]:
    """Return where a session goes at first, and what happens with it when it is complete.

    Explicit wishes come first, then what the comments say (``AA:true``), then the project's own code.

    Examples
    --------
    >>> direction_of(ImportOptions(), Route("P"), ProjectRow(id="P", prearchive_code=0))
    (<Way.READY: 'READY'>, 0)
    """
    is_gradual = options.handler is Handler.GRADUAL
    if project is None:
        return Way.RECEIVING if is_gradual else Way.READY, 0
    code = project.prearchive_code
    if route.auto_archive is not None:
        code = max(code, 4) if route.auto_archive else 0
    if options.code is not None:
        code = options.code
    if options.target is Target.PREARCHIVE:
        return Way.RECEIVING if is_gradual else Way.READY, code if is_gradual else 0
    if options.target is Target.ARCHIVE or options.is_direct:
        return Way.ARCHIVE, code
    if is_gradual:
        return Way.RECEIVING, code
    return (Way.ARCHIVE if code else Way.READY), code
