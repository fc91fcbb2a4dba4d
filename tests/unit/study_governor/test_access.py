"""What endpoints ask of the running governor is there, and is what they take it for."""

import pytest

from study_governor.access import Parts
from study_governor.executions import endpoints as of_executions
from study_governor.experiments import endpoints as of_experiments
from study_governor.measurements import endpoints as of_measurements
from study_governor.services import Services
from study_governor.workflows import endpoints as of_workflows


@pytest.mark.parametrize(
    "needed", [Parts, *(each.Needed for each in (of_executions, of_experiments, of_measurements, of_workflows))]
)
def test_the_services_have_what_endpoints_need(needed: type) -> None:
    asked = needed.__annotations__
    assert asked
    assert {name: Services.__annotations__[name] for name in asked} == asked
    assert callable(Services.changed)
