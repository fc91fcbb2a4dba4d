"""Rights of two studies do not add up: each arrival asks for the right in its own study and site."""

from __future__ import annotations

from itertools import product

import pytest
from fastapi.testclient import TestClient

from gateway.arrivals.rights import EXECUTE, WRITE, Right, reach_of
from gateway.contract.errors import NoSuchArrival
from gateway.contract.ids import ArrivalId
from gateway.contract.schemas import Settlement
from gateway.contract.states import Outcome
from service_kit.accounts.domain import Grant, Principal, Role
from service_kit.accounts.errors import ScopeMissing

ONE = ArrivalId(1)
PLACES = [("brain", "ams"), ("brain", "rtd"), ("brain", None), ("chest", "ams"), (None, None)]


def right(*grants, scope=EXECUTE, scopes=None):
    return Right(Principal("eve", "Eve", frozenset(grants), scopes), scope)


@pytest.fixture
def of_chest(receive, arrivals):
    """An arrival of chest at ams whose one object is in processing again."""
    receive()
    arrivals.complete(ONE, actor="test")
    settlement = Settlement(outcome=Outcome.quarantined, reason="No scan.", study="chest", site="ams")
    arrivals.settle(ONE, settlement, actor="flows")
    return arrivals.retry(ONE, actor="test")


@pytest.mark.parametrize(("study", "site"), PLACES)
@pytest.mark.parametrize("grant", list(product(("brain", "chest", None), ("ams", "rtd", None))))
def test_a_right_covers_what_the_same_grant_lets_see(arrivals, receive, study, site, grant):
    receive()
    arrivals.complete(ONE, actor="test")
    arrivals.settle(ONE, Settlement(outcome=Outcome.accepted, study=study, site=site), actor="flows")
    own = right(Grant(Role.coordinator, *grant), scope=WRITE)
    assert own.covers(study, site) == bool(arrivals.page(reach=reach_of(own.principal)).items)


def test_a_token_without_the_scope_covers_nothing():
    assert not right(Grant(Role.admin), scopes=frozenset({WRITE})).covers("brain", "ams")


@pytest.mark.parametrize(
    "engineer_of", [Grant(Role.engineer, "brain"), Grant(Role.engineer, "chest", "rtd"), Grant(Role.annotator)]
)
def test_engineer_of_one_and_coordinator_of_another_neither_downloads_nor_settles_it(arrivals, of_chest, engineer_of):
    eve = right(engineer_of, Grant(Role.coordinator, "chest"))
    assert arrivals.get(ONE, reach=eve.reach) == of_chest
    with pytest.raises(ScopeMissing, match="gateway:execute in the study chest"):
        arrivals.files(ONE, right=eve)
    with pytest.raises(ScopeMissing):
        arrivals.settle(ONE, Settlement(outcome=Outcome.accepted, study="brain"), actor="eve", right=eve)
    assert arrivals.get(ONE) == of_chest


def test_engineer_of_one_study_and_reader_of_all_does_not_settle_what_is_not_routed_yet(arrivals, receive):
    receive()
    eve = right(Grant(Role.engineer, "brain"), Grant(Role.coordinator))
    arrivals.complete(ONE, actor="eve", right=Right(eve.principal, WRITE))
    with pytest.raises(ScopeMissing, match="every study"):
        arrivals.files(ONE, right=eve)
    with pytest.raises(NoSuchArrival):
        arrivals.retry(ONE, actor="eve", right=right(Grant(Role.engineer, "brain"), scope=WRITE))


def test_nobody_settles_an_arrival_into_a_study_that_is_not_theirs(arrivals, of_chest):
    eve = right(Grant(Role.engineer, "chest"))
    for place in ({"study": "brain"}, {"study": "brain", "site": "rtd"}):
        with pytest.raises(ScopeMissing, match="in the study brain"):
            arrivals.settle(ONE, Settlement(outcome=Outcome.accepted, **place), actor="eve", right=eve)
    own = Settlement(outcome=Outcome.accepted, study="chest", site="rtd")
    assert arrivals.settle(ONE, own, actor="eve", right=eve).site == "rtd"


def test_the_interface_asks_for_the_right_in_the_study_of_the_arrival(app, accounts, of_chest):
    accounts.create_user("eve", None)
    accounts.grant("eve", Role.coordinator, study="chest")
    accounts.grant("eve", Role.engineer, study="brain")
    token = accounts.issue_token("eve", "both", sorted(accounts.principal("eve").allowed_scopes()))
    with TestClient(app, headers={"Authorization": f"Bearer {token}"}) as http:
        assert http.get("/api/v1/arrivals/1/instances.tar").status_code == 403
        moved = http.post("/api/v1/arrivals/1/settle", json={"outcome": "accepted", "study": "brain"})
        assert (moved.status_code, http.get("/api/v1/arrivals/1").json()["study"]) == (403, "chest")
        assert http.post("/api/v1/arrivals/1/complete").status_code == 200, "a coordinator's own right"
