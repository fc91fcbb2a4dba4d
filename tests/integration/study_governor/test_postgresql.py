"""The governor on a real PostgreSQL: the same decisions, and exactly one of many at once."""

from __future__ import annotations

import threading

import psycopg
import pytest

from service_kit import migrations
from service_kit.database import Database
from service_kit.tables import utc_now
from study_governor.cohorts.service import count_states
from study_governor.contract.errors import AnswerTooLate, MovedMeanwhile
from study_governor.contract.schemas import MeasurementPut
from study_governor.experiments.service import SessionFilter
from study_governor.measurements.service import page_measurements, put_measurement
from study_governor.reach import EVERYTHING
from study_governor.web import dashboard
from tests.unit.study_governor.house import BADLY, TWO_CALLBACKS, House

pytestmark = pytest.mark.integration


@pytest.fixture
def database(postgres_url, request):
    name = f"governor_{abs(hash(request.node.name)):x}"
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"drop database if exists {name}")
        connection.execute(f"create database {name}")
    base, _, query = postgres_url.partition("?")
    url = f"{base.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")
    migrations.upgrade(url, package="study_governor")
    database = Database(url)
    yield database
    database.dispose()


def at_once(count, do):
    barrier, results = threading.Barrier(count), [None] * count

    def run(n):
        barrier.wait()
        try:
            results[n] = do(n)
        except Exception as error:
            results[n] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_a_session_goes_all_the_way_and_the_pages_read_it(database):
    house = House(database)
    session, execution = house.in_review()
    house.dispatch()
    house.answer(execution, decision="accept")
    assert house.state(session) == "released"
    failed = house.new_session(label="s2")
    house.answer(house.execution(failed), result=BADLY, reason="no scan")
    with database.write() as uow:
        said = MeasurementPut(name="v", value=1.5, unit="mL", model="m", version="1", pedigree={"a": [1]})
        assert put_measurement(uow.session, session, "k", said)
        assert not put_measurement(uow.session, session, "k", said)
    with database.read() as uow:
        counts = count_states(uow.session, reach=EVERYTHING)
        assert {one.state: one.count for one in counts} == {"released": 1, "failed": 1}
        (study,) = dashboard.studies_shown(uow.session, house.governor.workflows, reach=EVERYTHING)
        assert (study.total, study.attention_count) == (2, 1)
        (waits,) = dashboard.needs_attention(uow.session, reach=EVERYTHING)
        assert (waits.count, waits.first_label) == (1, "s2")
        today = dashboard.throughput(uow.session, reach=EVERYTHING, now=utc_now())[-1]
        assert (today.registered, today.ended) == (2, 1)
        assert len(dashboard.latest_events(uow.session, reach=EVERYTHING)) == 5
        assert [one.label for one in dashboard.ended_lately(uow.session, reach=EVERYTHING)] == ["sub1_MR_20240501"]
        wanted = SessionFilter(text="S2", attention="any")
        page = house.governor.experiments.page(uow.session, wanted, reach=EVERYTHING, limit=10, cursor=None)
        assert [one.label for one in page.items] == ["s2"]
        assert page_measurements(uow.session, reach=EVERYTHING).items[0].pedigree == {"a": [1]}
    assert house.engine.check_timeouts() == (0, 0)
    assert house.governor.orders.reconcile() == 0


def test_of_many_equal_answers_at_once_exactly_one_moves_the_session(database):
    house = House(database)
    for number in range(5):
        session, execution = house.in_review(label=f"s{number}")
        results = at_once(8, lambda n, e=execution: house.answer(e, decision="accept", actor=f"reader{n}"))
        assert sum(result is None for result in results) == 1, results
        assert sum(isinstance(result, AnswerTooLate) for result in results) == 7
        assert [one.state for one in house.actions(session)] == ["extracting", "review", "released"]


def test_of_many_moves_at_once_exactly_one_happens(database):
    house = House(database, workflow=TWO_CALLBACKS)
    session = house.new_session()
    for execution in house.executions(session)[:2]:
        house.answer(execution.id)
    for _ in range(5):
        seen = house.session(session).version
        results = at_once(
            8, lambda _n, v=seen: house.engine.move(session, destination="work_again", actor="anna", expected_version=v)
        )
        assert sum(isinstance(result, MovedMeanwhile) for result in results) == 7, results
    assert len(house.actions(session)) == 7


def test_the_last_two_callbacks_answered_at_once_move_the_session_exactly_once(database):
    house = House(database, workflow=TWO_CALLBACKS)
    for number in range(10):
        session = house.new_session(label=f"s{number}")
        one, two, _ = house.executions(session)
        assert at_once(2, lambda n, pair=(one, two): house.answer(pair[n].id)) == [None, None]
        assert [action.state for action in house.actions(session)] == ["work", "work_again"]


def test_a_move_and_an_answer_at_once_are_one_step(database):
    house = House(database)
    for number in range(8):
        session, execution = house.in_review(label=f"s{number}")
        doings = (
            lambda e=execution: house.answer(e, decision="accept"),
            lambda s=session: house.engine.move(s, destination="rejected", actor="anna"),
        )
        at_once(2, lambda n, d=doings: d[n]())
        assert len(house.actions(session)) == 3


def test_the_same_session_registered_by_many_at_once_is_one(database):
    house = House(database)
    results = at_once(8, lambda _n: house.new_session())
    assert len(set(results)) == 1, results
    assert len(house.actions(results[0])) == 1
