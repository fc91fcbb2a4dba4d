"""Imports workflows and keeps them at hand. May import `study_governor.db` and `study_governor.domain`."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from study_governor.contract.errors import ThingUnknown, WorkflowDiffers, WorkflowRefused
from study_governor.db.tables import WorkflowRow
from study_governor.db.workflow_rows import StoredWorkflow, insert_workflow, load_workflow
from study_governor.domain.reading import read_workflow

if TYPE_CHECKING:
    from sqlmodel import Session

    from service_kit.database import Database


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import; `is_new` is False when the same text was there already."""

    id: int
    label: str
    notices: tuple[str, ...]
    is_new: bool


class Workflows:
    """All imported workflows. They never change, so each is read once and kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, StoredWorkflow] = {}
        self._lock = threading.Lock()

    def import_text(self, text: str, *, file: str = "workflow.yaml", actor: str) -> Imported:
        """Check and store a workflow file. The same text again changes nothing.

        Raises
        ------
        WorkflowRefused
            With every mistake, each with its line.
        WorkflowDiffers
            If the label stands for another text.
        """
        text = text.replace("\r\n", "\n")
        reading = read_workflow(text, file=file)
        if reading.workflow is None:
            raise WorkflowRefused([str(remark) for remark in reading.mistakes])
        notices = tuple(str(remark) for remark in reading.notices)
        with self._database.write() as uow:
            label = reading.workflow.label
            found = uow.session.exec(select(WorkflowRow).where(WorkflowRow.label == label)).first()
            is_new = found is None
            if found is None:
                found = insert_workflow(uow.session, reading.workflow, definition=text, notices=notices, actor=actor)
            elif found.definition != text:
                raise WorkflowDiffers(label)
            assert found.id is not None
            return Imported(found.id, label, notices, is_new)

    def get(self, session: Session, workflow_id: int) -> StoredWorkflow:
        """Return a workflow.

        Raises
        ------
        ThingUnknown
        """
        with self._lock:
            known = self._known.get(workflow_id)
        if known is None:
            known = load_workflow(session, workflow_id)
            if known is None:
                raise ThingUnknown("workflow", workflow_id)
            with self._lock:
                self._known[workflow_id] = known
        return known

    def by_label(self, session: Session, label: str | None) -> StoredWorkflow:
        """Return the workflow with this label; without one, the newest.

        Raises
        ------
        ThingUnknown
        """
        query = select(WorkflowRow.id)
        query = query.where(WorkflowRow.label == label) if label else query.order_by(col(WorkflowRow.id).desc())
        workflow_id = session.exec(query.limit(1)).first()
        if workflow_id is None:
            raise ThingUnknown("workflow", label or "(any)")
        return self.get(session, workflow_id)

    def rows(self, session: Session) -> list[WorkflowRow]:
        """Return the rows of all workflows, newest first."""
        return list(session.exec(select(WorkflowRow).order_by(col(WorkflowRow.id).desc())).all())
