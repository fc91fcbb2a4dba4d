"""What hangs on a session: its variables, and what it is called in other systems. May import `study_governor.db`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from study_governor.contract.states import VariableType
from study_governor.db.tables import ExternalExperimentLinkRow, VariableRow
from study_governor.domain.values import unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlmodel import Session


def variables_of(session: Session, experiment_id: int) -> dict[str, Any]:
    """Return the variables of a session."""
    query = select(VariableRow).where(VariableRow.experiment_id == experiment_id).order_by(col(VariableRow.label))
    return {row.label: unpack(VariableType(row.type), row.value) for row in session.exec(query).all()}


def experiment_ids(session: Session, experiment_id: int) -> dict[str, str]:
    """Return what a session is called in other systems."""
    query = select(ExternalExperimentLinkRow).where(ExternalExperimentLinkRow.experiment_id == experiment_id)
    return {row.system_name: row.external_id for row in session.exec(query).all()}


def set_experiment_ids(session: Session, experiment_id: int, external_ids: Mapping[str, str]) -> None:
    """Lay external ids over those that a session has."""
    for system, external_id in external_ids.items():
        row = session.exec(
            select(ExternalExperimentLinkRow).where(
                ExternalExperimentLinkRow.experiment_id == experiment_id,
                ExternalExperimentLinkRow.system_name == system,
            )
        ).first() or ExternalExperimentLinkRow(experiment_id=experiment_id, system_name=system, external_id="")
        row.external_id = external_id
        session.add(row)
    session.flush()
