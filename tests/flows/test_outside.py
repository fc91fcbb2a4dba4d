"""What a flow does when a service is silent, refuses, or leaves the judgement to the flow."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from flows import outside as module
from flows.outside import ServiceRefused, ServiceSilent, outside
from study_governor.client import GovernorClient, GovernorRejected
from tests.flows.conftest import URL, InProcess


class Away(httpx.BaseTransport):
    """A line that is dead for the first requests."""

    def __init__(self, app, *, requests: float) -> None:
        self._through = InProcess(app)
        self.silent = requests

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.silent > 0:
            self.silent -= 1
            raise httpx.ConnectError("refused")
        return self._through.handle_request(request)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)


def governor(house, *, away: float) -> GovernorClient:
    line = Away(house.governor_app, requests=away)
    return GovernorClient(URL, house.token, http=httpx.Client(transport=line))


def test_a_service_that_comes_back_is_asked_again(house, impatient):
    assert asyncio.run(outside(governor(house, away=3).put_cohort, "brain-volumetry")).label == "brain-volumetry"


def test_a_service_that_stays_silent_ends_the_run_as_worth_a_retry(house, impatient):
    with pytest.raises(ServiceSilent, match="No answer to put_cohort"):
        asyncio.run(outside(governor(house, away=float("inf")).put_cohort, "brain-volumetry"))


def test_a_refusal_is_the_inputs_fault_in_the_services_own_sentence(house):
    with pytest.raises(ServiceRefused, match="must begin with a letter or digit"):
        asyncio.run(outside(house.governor.put_cohort, "no label"))


def test_a_conflict_is_the_callers_to_judge(house):
    text = "label: brain_volumetry_v1\nstates:\n  - {label: begin, callbacks: [], transitions: [{destination: done}]}\n"
    with pytest.raises(GovernorRejected) as refused:
        asyncio.run(outside(house.governor.import_workflow, text + "  - {label: done, callbacks: []}\n"))
    assert refused.value.is_conflict
