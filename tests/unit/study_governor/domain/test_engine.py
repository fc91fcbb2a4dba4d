"""The engine's decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from study_governor.contract.errors import ConditionNotMet, NoTransition, StateUnknown
from study_governor.contract.states import Attention, ExecutionResult, ExecutionStatus, Trigger
from study_governor.domain.engine import MAX_STEPS, decide_advance, decide_creation, decide_move, manual_moves
from study_governor.domain.facts import ExecutionFacts, ExperimentFacts, Facts
from study_governor.domain.workflow import Callback, State, Transition, Workflow

WORK = Callback("work", "prefect_flow")
ALSO = Callback("also", "prefect_flow")
DONE_WELL = ExecutionFacts(ExecutionStatus.FINISHED, ExecutionResult.SUCCESS, {})
DONE_BADLY = ExecutionFacts(ExecutionStatus.FINISHED, ExecutionResult.FAILED, {})
RUNNING = ExecutionFacts(ExecutionStatus.RUNNING, ExecutionResult.NONE, {})

FLOW = Workflow(
    "flow",
    (
        State("begin", transitions=(Transition("work"),)),
        State(
            "work",
            callbacks=(WORK,),
            transitions=(
                Transition("good", "callbacks['work'].result == 'success'"),
                Transition("bad", "experiment.variables['x']"),
            ),
        ),
        State("good"),
        State("bad", "Waits for an operator", transitions=(Transition("work"), Transition("good", "False"))),
    ),
)


def facts(state, variables=None, **callbacks):
    now = datetime(2024, 2, 1)  # noqa: DTZ001 - conditions see naive moments
    return Facts(ExperimentFacts("s", now, state, variables or {}), callbacks, now)


def flow_with(state):
    """Return the flow with another state "work"; "good" and "bad" stay led to."""
    anchors = (Transition("good", "False"), Transition("bad", "False"))
    state = replace(state, transitions=state.transitions + anchors)
    return Workflow("flow", tuple(state if old.label == state.label else old for old in FLOW.states))


def test_a_new_session_leaves_the_root_and_starts_the_callbacks_of_the_next_state():
    decision = decide_creation(FLOW, facts("begin"))
    assert [(step.source, step.destination, step.trigger) for step in decision.steps] == [
        ("begin", "work", Trigger.CREATED)
    ]
    assert [(start.callback, start.is_skipped) for start in decision.steps[0].starts] == [("work", False)]
    assert decision.attention is None


def test_nothing_happens_while_a_callback_is_unresolved():
    assert not decide_advance(FLOW, facts("work", work=DONE_WELL, also=RUNNING), trigger=Trigger.ANSWER).steps


def test_the_first_transition_that_holds_is_taken_and_the_tests_are_kept():
    decision = decide_advance(FLOW, facts("work", {"x": 1}, work=DONE_BADLY), trigger=Trigger.ANSWER)
    (step,) = decision.steps
    assert (step.destination, step.position) == ("bad", 1)
    assert [test.held for test in step.tests] == [False, True]
    assert decision.attention is Attention.OPERATOR
    assert decision.why == "Waits for an operator"


def test_a_condition_that_raises_counts_as_not_met_and_is_listed_as_stuck_with_its_reason():
    decision = decide_advance(FLOW, facts("work", work=DONE_BADLY), trigger=Trigger.ANSWER)
    assert not decision.steps
    assert decision.attention is Attention.STUCK
    assert "to 'bad': there is no 'x'" in decision.why
    assert [test.held for test in decision.tests] == [False, None]


def test_an_end_state_needs_nobody():
    decision = decide_advance(FLOW, facts("work", work=DONE_WELL), trigger=Trigger.ANSWER)
    assert decision.steps[0].destination == "good"
    assert decision.attention is None


def test_a_waiting_state_is_never_left_by_itself():
    assert not decide_advance(FLOW, facts("bad"), trigger=Trigger.ANSWER).steps


def test_a_state_whose_callbacks_are_all_skipped_is_left_at_once():
    skipping = State(
        "work",
        callbacks=(replace(WORK, condition="experiment.state != 'work'"),),
        transitions=(Transition("good", "callbacks['work'].status == 'skipped'"),),
    )
    decision = decide_creation(flow_with(skipping), facts("begin"))
    assert [(step.destination, step.trigger) for step in decision.steps] == [
        ("work", Trigger.CREATED),
        ("good", Trigger.SKIPPED),
    ]


def test_a_callback_condition_that_raises_skips_it_with_the_reason():
    raising = replace(FLOW.state("work"), callbacks=(WORK, replace(ALSO, condition="callbacks['work'].result == 'x'")))
    starts = decide_creation(flow_with(raising), facts("begin")).steps[0].starts
    assert not starts[0].is_skipped
    assert starts[1].is_skipped
    assert "there is no 'work'" in starts[1].reason


def test_states_that_skip_in_a_circle_end_as_stuck():
    circle = State("work", callbacks=(replace(WORK, condition="False"),), transitions=(Transition("work"),))
    decision = decide_creation(flow_with(circle), facts("begin"))
    assert len(decision.steps) == MAX_STEPS
    assert decision.attention is Attention.STUCK


def test_a_manual_move_follows_a_transition_whose_condition_holds():
    decision = decide_move(FLOW, facts("bad"), destination="work")
    assert decision.steps[0].trigger is Trigger.MANUAL
    with pytest.raises(ConditionNotMet):
        decide_move(FLOW, facts("bad"), destination="good")
    with pytest.raises(NoTransition):
        decide_move(FLOW, facts("bad"), destination="begin")
    with pytest.raises(StateUnknown):
        decide_move(FLOW, facts("bad"), destination="nowhere")


def test_a_manual_move_is_possible_while_callbacks_run_and_takes_the_second_of_two_ways_when_it_holds():
    two_ways = replace(FLOW.state("work"), transitions=(Transition("good", "False"), Transition("good", "True")))
    decision = decide_move(flow_with(two_ways), facts("work", work=RUNNING), destination="good")
    assert decision.steps[0].position == 1


def test_the_moves_a_person_has_are_listed_with_their_conditions():
    assert [(move.destination, move.held) for move in manual_moves(FLOW, facts("bad"))] == [
        ("work", True),
        ("good", False),
    ]
