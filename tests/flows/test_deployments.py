"""The flows are called what the study check expects."""

from deployments.study_check import known_deployments
from flows.extract_biomarkers import extract_biomarkers


def test_the_deployments_known_are_called_as_the_flows_are():
    assert f"{extract_biomarkers.name}/warm" in known_deployments()
