"""What a worker does with runs that nobody seems to hold: decisions on Prefect's own objects, without a server."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType

from deployments.worker.recovery import (
    MAX_STARTS,
    UNCLAIMED_S,
    Identity,
    Remedy,
    Situation,
    abandoned,
    is_abandoned,
    owner_of,
    remedy_for,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ME = Identity("warm", "new")


def run(kind, *, pid=None, message=None, age_s=1.0, starts=1):
    state = State(type=kind, timestamp=NOW - timedelta(seconds=age_s), message=message)
    return FlowRun(flow_id=uuid.uuid4(), state=state, infrastructure_pid=pid, run_count=starts, name="r")


def situation(*, mine=(), online=("warm", "other")):
    return Situation(ME, set(mine), set(online), NOW)


def test_an_identity_reads_what_it_writes():
    identity = Identity.new("warm-host")
    assert Identity.parse(str(identity)) == identity
    assert Identity.parse("1234") is None
    assert Identity.parse(None) is None


@pytest.mark.parametrize("kind", [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING])
def test_a_run_of_an_earlier_instance_of_this_worker_is_abandoned(kind):
    assert is_abandoned(run(kind, pid="warm:old"), situation())


def test_a_run_this_instance_has_is_not():
    mine = run(StateType.RUNNING, pid=str(ME))
    assert not is_abandoned(mine, situation(mine=[mine.id]))


def test_a_run_this_instance_lost_is():
    assert is_abandoned(run(StateType.RUNNING, pid=str(ME)), situation())


def test_a_run_of_another_worker_is_abandoned_only_when_that_is_gone():
    theirs = run(StateType.RUNNING, pid="other:x")
    assert not is_abandoned(theirs, situation())
    assert is_abandoned(theirs, situation(online=["warm"]))


def test_a_pending_run_belongs_to_whom_its_state_says_whatever_an_earlier_start_left():
    taken = run(StateType.PENDING, pid="warm:old", message=Identity("other", "x").claim)
    assert owner_of(taken) == Identity("other", "x")
    assert not is_abandoned(taken, situation())


def test_a_run_nobody_claims_is_left_alone_for_a_while():
    assert not is_abandoned(run(StateType.PENDING, age_s=UNCLAIMED_S - 1), situation())
    assert is_abandoned(run(StateType.PENDING, age_s=UNCLAIMED_S + 1), situation())


def test_a_run_somebody_cancelled_is_cancelled_and_any_other_runs_again():
    cancelling, running = run(StateType.CANCELLING, pid="warm:old"), run(StateType.RUNNING, pid="warm:old")
    assert abandoned([cancelling, running], situation()) == [
        (cancelling, Remedy.CANCEL),
        (running, Remedy.RUN_AGAIN),
    ]


def test_a_run_that_takes_its_worker_down_each_time_is_given_up():
    assert remedy_for(run(StateType.RUNNING, starts=MAX_STARTS - 1)) is Remedy.RUN_AGAIN
    assert remedy_for(run(StateType.RUNNING, starts=MAX_STARTS)) is Remedy.GIVE_UP
