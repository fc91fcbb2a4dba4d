"""Stores workflows and gives them back as frozen values with the ids of their rows. May import SQLModel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from study_governor.db.tables import CallbackRow, StateRow, TransitionRow, WorkflowRow
from study_governor.domain.workflow import Callback, State, Transition, Workflow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session


@dataclass(frozen=True)
class StoredWorkflow:
    """A workflow with the ids of its rows.

    Parameters
    ----------
    transition_ids
        By source label and position.
    callback_ids
        By state label and callback label.
    """

    id: int
    workflow: Workflow
    state_ids: dict[str, int]
    transition_ids: dict[tuple[str, int], int]
    callback_ids: dict[tuple[str, str], int]

    def label_of(self, state_id: int) -> str:
        """Return the label of a state's row."""
        return next(label for label, known in self.state_ids.items() if known == state_id)

    def state_of(self, state_id: int) -> State:
        """Return the state of a row."""
        return self.workflow.state(self.label_of(state_id))

    def callback_of(self, callback_id: int) -> tuple[State, Callback]:
        """Return the state and the callback of a callback's row."""
        state, label = next(key for key, known in self.callback_ids.items() if known == callback_id)
        return self.workflow.state(state), self.workflow.state(state).callback(label)


def insert_workflow(
    session: Session, workflow: Workflow, *, definition: str, notices: Sequence[str], actor: str
) -> WorkflowRow:
    """Store a checked workflow with all its parts."""
    row = WorkflowRow(label=workflow.label, definition=definition, notices=list(notices), created_by=actor)
    session.add(row)
    session.flush()
    assert row.id is not None
    ids: dict[str, int] = {}
    for position, state in enumerate(workflow.states):
        state_row = StateRow(
            workflow_id=row.id,
            position=position,
            label=state.label,
            freetext=state.freetext,
            kind=workflow.kind(state).value,
        )
        session.add(state_row)
        session.flush()
        assert state_row.id is not None
        ids[state.label] = state_row.id
    for state in workflow.states:
        _insert_parts(session, state, ids)
    session.flush()
    return row


def _insert_parts(session: Session, state: State, ids: dict[str, int]) -> None:
    for position, transition in enumerate(state.transitions):
        session.add(
            TransitionRow(
                source_state_id=ids[state.label],
                destination_state_id=ids[transition.destination],
                position=position,
                condition=transition.condition,
            )
        )
    for position, callback in enumerate(state.callbacks):
        session.add(
            CallbackRow(
                state_id=ids[state.label],
                position=position,
                label=callback.label,
                function=callback.function,
                callback_arguments=dict(callback.arguments),
                variable_map=dict(callback.variable_map),
                run_timeout=callback.run_timeout_min,
                wait_timeout=callback.wait_timeout_min,
                initial_delay=callback.initial_delay_s,
                description=callback.description,
                condition=callback.condition,
            )
        )


def load_workflow(session: Session, workflow_id: int) -> StoredWorkflow | None:
    """Read a workflow with all its parts; None when there is none of this id."""
    row = session.get(WorkflowRow, workflow_id)
    if row is None:
        return None
    states = session.exec(
        select(StateRow).where(StateRow.workflow_id == workflow_id).order_by(col(StateRow.position))
    ).all()
    ids = [state.id for state in states]
    transitions = session.exec(
        select(TransitionRow).where(col(TransitionRow.source_state_id).in_(ids)).order_by(col(TransitionRow.position))
    ).all()
    callbacks = session.exec(
        select(CallbackRow).where(col(CallbackRow.state_id).in_(ids)).order_by(col(CallbackRow.position))
    ).all()
    labels = {state.id: state.label for state in states}
    built = tuple(
        State(
            state.label,
            state.freetext,
            tuple(_callback(callback) for callback in callbacks if callback.state_id == state.id),
            tuple(
                Transition(labels[transition.destination_state_id], transition.condition)
                for transition in transitions
                if transition.source_state_id == state.id
            ),
        )
        for state in states
    )
    return StoredWorkflow(
        id=workflow_id,
        workflow=Workflow(row.label, built),
        state_ids={state.label: _known(state.id) for state in states},
        transition_ids={(labels[way.source_state_id], way.position): _known(way.id) for way in transitions},
        callback_ids={(labels[callback.state_id], callback.label): _known(callback.id) for callback in callbacks},
    )


def _callback(row: CallbackRow) -> Callback:
    return Callback(
        label=row.label,
        function=row.function,
        arguments=row.callback_arguments,
        variable_map=row.variable_map,
        run_timeout_min=row.run_timeout,
        wait_timeout_min=row.wait_timeout,
        initial_delay_s=row.initial_delay,
        description=row.description,
        condition=row.condition,
    )


def _known(row_id: int | None) -> int:
    assert row_id is not None
    return row_id
