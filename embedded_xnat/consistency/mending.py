"""Mends what `looking` finds, while nobody else works on the archive. May import SQLModel.

No bytes are deleted: what cannot stay where it is moves into a quarantine folder, and a row that goes is written down
there first.
"""

import json
import logging
import os
from collections.abc import Iterator

from sqlmodel import Session, SQLModel, col, select

from embedded_xnat.consistency.looking import Inspector
from embedded_xnat.consistency.records import Problem, Trouble
from embedded_xnat.db.tables import FileRow, PrearchiveRow, ResourceRow
from embedded_xnat.domain.layout import QUARANTINE
from embedded_xnat.places import folder_of_resource
from embedded_xnat.storage.archive import Archive
from service_kit.tables import utc_now

logger = logging.getLogger(__name__)

LEDGER = "rows.jsonl"


class Mender:
    """Mends one archive; the caller holds its data folder."""

    def __init__(self, archive: Archive, *, digests: bool = True) -> None:
        self._archive = archive
        self._digests = digests
        self.folder = f"{QUARANTINE}/{utc_now():%Y%m%dT%H%M%S}"

    def mend(self) -> Iterator[tuple[Problem, str]]:
        """Yield each problem with what was done about it; what was kept on request stays."""
        found = list(Inspector(self._archive, digests=self._digests, is_alone=True).problems())
        unfinished = [problem for problem in found if problem.trouble is Trouble.UNFINISHED]
        if unfinished or self._archive.files.placings():
            self._archive.settle()
            yield from ((problem, "finished") for problem in unfinished)
            found = list(Inspector(self._archive, digests=self._digests, is_alone=True).problems())
        for problem in found:
            if problem.is_wrong:
                yield problem, self._mend(problem)

    def _mend(self, problem: Problem) -> str:
        files, trouble = self._archive.files, problem.trouble
        done = []
        path = files.path(problem.path)
        if os.path.lexists(path) and (trouble is not Trouble.NO_FILE or not path.is_dir() or path.is_symlink()):
            files.set_aside(problem.path, self.folder)
            files.prune(path.parent)
            done.append(f"moved to {self.folder}")
        if problem.number is not None:
            with self._archive.change() as change:
                rows = self._rows(change.session, problem)
                self._write_down(rows)
                for row in rows:
                    change.session.delete(row)
                    change.session.flush()
            done.append(f"its row written to {self.folder}/{LEDGER} and removed")
        return ", ".join(done) or "gone meanwhile"

    def _rows(self, session: Session, problem: Problem) -> list[SQLModel]:
        """Return the rows that go, those that point at others first."""
        if problem.trouble is Trouble.NO_PREARCHIVE_FOLDER:
            found: SQLModel | None = session.get(PrearchiveRow, problem.number)
            return [] if found is None else [found]
        if problem.trouble is Trouble.NO_OWNER:
            resource = session.get(ResourceRow, problem.number)
            if resource is None or folder_of_resource(session, problem.number or 0) is not None:
                return []
            statement = select(FileRow).where(FileRow.resource_number == problem.number).order_by(col(FileRow.number))
            return [*session.exec(statement), resource]
        found = session.get(FileRow, problem.number)
        return [] if found is None else [found]

    def _write_down(self, rows: list[SQLModel]) -> None:
        folder = self._archive.files.path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LEDGER).open("a", encoding="utf-8") as ledger:
            for row in rows:
                ledger.write(json.dumps({"table": type(row).__name__, **row.model_dump(mode="json")}) + "\n")
            ledger.flush()
            os.fsync(ledger.fileno())
